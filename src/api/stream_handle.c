/* The requests of the stream, on a listener's thread. */
#include "answer.h"
#include "api_auth.h"
#include "base/check.h"
#include "call.h"
#include "io/json_out.h"
#include "io/secret.h"
#include "stream_internal.h"

#include <string.h>

#define EVENT_STREAM "text/event-stream"

/* ---------------------------------------------------------------- tickets */

/* The address of the client without its port, which is another one for each connection. */
static void address_of(struct web_request *request, char *ret, size_t size)
{
    struct str remote = web_remote(request);
    size_t len = remote.len;
    while (len > 0 && remote.ptr[len - 1] != ':') {
        len--;
    }
    (void)str_copy(str_n(remote.ptr, len > 0 ? len - 1 : remote.len), ret, size);
}

/* A free place, or the one that ends first. */
static struct stream_ticket *place_for_ticket(struct stream *stream, int64_t now_us)
{
    struct stream_ticket *place = &stream->tickets[0];
    for (size_t i = 0; i < STREAM_TICKETS_MAX; i++) {
        struct stream_ticket *t = &stream->tickets[i];
        if (t->text[0] == '\0' || t->until_mono_us <= now_us) {
            return t;
        }
        place = t->until_mono_us < place->until_mono_us ? t : place;
    }
    return place;
}

void stream_ticket_handle(struct api_call *call)
{
    struct stream *stream = call->listener->api->stream;
    int64_t now_us = clock_mono_us(clock_real());
    struct stream_ticket ticket = {
        .until_mono_us = now_us + STREAM_TICKET_US,
        .role = call->role,
        .caller = {.channel = call->listener->channel, .id = call->listener->caller}};
    AUTO_BUF struct buf body = BUF_INIT(512);
    struct json_out out = JSON_OUT(&body);
    address_of(call->request, ticket.address, sizeof(ticket.address));
    secret_nonce(ticket.text, STREAM_TICKET_CHARS);
    (void)pthread_mutex_lock(&stream->mutex);
    *place_for_ticket(stream, now_us) = ticket;
    (void)pthread_mutex_unlock(&stream->mutex);
    json_out_document(&out, "nightdesk.ticket/1");
    api_age_write(&out, (struct api_age){0}); /* made now */
    json_out_text(&out, "ticket", ticket.text);
    json_out_i64(&out, "expires_in_s", STREAM_TICKET_US / USEC_PER_SEC);
    json_out_end(&out);
    buf_add_char(&body, '\n');
    static const char *const headers[] = {"Cache-Control: no-store", NULL};
    web_answer(call->request, &(struct web_answer){.status = 200,
                                                   .content_type = "application/json",
                                                   .headers = headers,
                                                   .body = buf_str(&body)});
    secret_wipe(&ticket, sizeof(ticket));
}

/* Removes the ticket: it works once. */
static bool take_ticket(struct stream *stream, struct str text, struct stream_ticket *ret)
{
    int found = -1;
    (void)pthread_mutex_lock(&stream->mutex);
    for (int i = 0; i < STREAM_TICKETS_MAX; i++) {
        if (stream->tickets[i].text[0] != '\0' &&
            secret_equal(str_c(stream->tickets[i].text), text)) {
            found = i;
        }
    }
    if (found >= 0) {
        *ret = stream->tickets[found];
        secret_wipe(&stream->tickets[found], sizeof(stream->tickets[found]));
    }
    (void)pthread_mutex_unlock(&stream->mutex);
    return found >= 0;
}

int stream_ticket_admit(struct api_call *call, struct err *err)
{
    struct stream_ticket ticket;
    char address[64];
    address_of(call->request, address, sizeof(address));
    if (!take_ticket(call->listener->api->stream, web_query(call->request, "ticket"), &ticket)) {
        return err_set(err, ERR_API_TICKET, "it was used, or was never given out");
    }
    if (ticket.until_mono_us < clock_mono_us(clock_real())) {
        return err_set(err, ERR_API_TICKET, "it has expired");
    }
    if (ticket.caller.channel != call->listener->channel || strcmp(ticket.address, address) != 0) {
        return err_set(err, ERR_API_TICKET, "it was given to another address");
    }
    if (!api_auth_holds(call->listener, ticket.caller.id)) {
        return err_set(err, ERR_API_TICKET, "the token that asked for it has ended");
    }
    call->role = ticket.role;
    call->listener->caller = ticket.caller.id;
    return 0;
}

/* ---------------------------------------------------------------- what the client asks for */

static int read_after(const struct api_call *call, struct stream_wish *wish, struct err *err)
{
    struct str after = str_c(api_text(call, "after"));
    const char *name = "after";
    if (after.len == 0) { /* an EventSource sends it when it connects again */
        after = web_header(call->request, "Last-Event-ID");
        name = "Last-Event-ID";
    }
    wish->resumes = after.len > 0;
    return after.len == 0 || stream_id_read(after, &wish->after_epoch, &wish->after_seq)
               ? 0
               : err_set(err, ERR_API_QUERY, "%s %.40s: the id of an event, as in 649f1c-12", name,
                         after.ptr);
}

static int read_wish(const struct api_call *call, struct stream_wish *ret, struct err *err)
{
    const struct arg_value *symbol = api_value(call, "symbol");
    *ret = (struct stream_wish){
        .filter = {.severity = SEVERITY_INFO, .level = LOG_LEVEL_DEBUG},
        .caller = {.channel = call->listener->channel, .id = call->listener->caller}};
    if (symbol != NULL) {
        ret->filter.symbol = value_symbol(symbol);
    }
    if (api_text(call, "severity") != NULL) {
        ASSERT(severity_parse(str_c(api_text(call, "severity")), &ret->filter.severity));
    }
    if (api_text(call, "level") != NULL) {
        ASSERT(log_level_parse(str_c(api_text(call, "level")), &ret->filter.level));
    }
    int rc = stream_topics_read(api_text(call, "topics"), call->role, &ret->filter.topics, err);
    return rc < 0 ? rc : read_after(call, ret, err);
}

static bool has_word(struct str list, const char *word)
{
    struct str part;
    while (str_split(&list, ',', &part)) {
        struct str name = part;
        (void)str_split(&part, ';', &name); /* without its parameters, as in Accept */
        if (str_equal_nocase(str_trim(name), word)) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- the connection */

/* The reservation is the client's, or is given back. */
static void on_line(struct web_line *line, struct str early, void *userdata)
{
    struct stream_client *client = userdata;
    struct stream *stream = client->owner;
    if (line == NULL) {
        stream_leave(stream, client->seat);
        stream_client_free(client);
        return;
    }
    client->line = line;
    buf_add_str(&client->early, early);
    stream_attach(stream, client);
}

static int check_upgrade(const struct web_request *request, char accept[WEBSOCKET_ACCEPT_SIZE],
                         struct err *err)
{
    int rc = websocket_load(err);
    if (rc < 0) {
        return rc;
    }
    if (!has_word(web_header(request, "Connection"), "upgrade") ||
        !str_equal_c(web_header(request, "Sec-WebSocket-Version"), "13")) {
        return err_set(err, ERR_API_STREAM_UPGRADE,
                       "it needs Connection: Upgrade and Sec-WebSocket-Version: 13");
    }
    return websocket_accept(web_header(request, "Sec-WebSocket-Key"), accept)
               ? 0
               : err_set(err, ERR_API_STREAM_UPGRADE,
                         "Sec-WebSocket-Key is not 16 bytes in base 64");
}

static void answer(struct api_call *call, const struct stream_wish *wish, const char *accept,
                   int seat)
{
    char header[WEBSOCKET_ACCEPT_SIZE + 32];
    (void)snprintf(header, sizeof(header), "Sec-WebSocket-Accept: %s", accept);
    const char *const upgrade[] = {"Upgrade: websocket", header, NULL};
    static const char *const events[] = {"Content-Type: " EVENT_STREAM, "Cache-Control: no-store",
                                         "X-Accel-Buffering: no", NULL};
    struct stream_client *client = stream_client_new(wish);
    client->owner = call->listener->api->stream;
    client->seat = seat;
    web_answer_line(call->request,
                    &(struct web_line_options){.leaves_http = !wish->events,
                                               .headers = wish->events ? events : upgrade,
                                               .fn = on_line,
                                               .userdata = client});
}

void stream_handle(struct api_call *call)
{
    struct web_request *request = call->request;
    struct stream *stream = call->listener->api->stream;
    struct stream_wish wish;
    char accept[WEBSOCKET_ACCEPT_SIZE] = "";
    struct err err = {0};
    bool get = str_equal_c(web_method(request), "GET"); /* HEAD comes here, too */
    bool upgrades = get && has_word(web_header(request, "Upgrade"), "websocket");
    int rc = read_wish(call, &wish, &err);
    wish.events = get && !upgrades && has_word(web_header(request, "Accept"), EVENT_STREAM);
    if (rc == 0 && upgrades) {
        rc = check_upgrade(request, accept, &err);
    } else if (rc == 0 && !wish.events) {
        rc = err_set(&err, ERR_API_STREAM_UPGRADE,
                     "it needs Upgrade: websocket, or Accept: " EVENT_STREAM);
    }
    int seat = 0;
    if (rc == 0 && stream_reserve(stream, &wish.caller, call->role, &seat, &err) == 0) {
        answer(call, &wish, accept, seat);
        return;
    }
    static const char *const offer[] = {"Upgrade: websocket", "Sec-WebSocket-Version: 13", NULL};
    api_answer_problem(request, &err, err.id == ERR_API_STREAM_UPGRADE ? offer : NULL);
}
