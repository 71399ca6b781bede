#include "stream_client.h"

#include "base/check.h"
#include "io/json_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    MESSAGE_MAX = 4096, /* of what a client says, which is refused anyway */
    READ_BYTES = 4096,
    READS_MAX = 8,          /* then it is another one's turn */
    UNSENT_MAX = 16 * 1024, /* answers that are not sent, above which nothing is read */
    PARTS_MAX = 96,
    EARLY_MAX = 64 * 1024
};

static const char data_head[] = "data: ";

static int64_t now_us(const struct stream_client *client)
{
    return clock_mono_us(client->clock);
}

/* ---------------------------------------------------------------- what is sent */

/* The parts of an event from `sent` on, at most two; returns their number. */
static size_t parts_of(const struct stream_client *client, const struct stream_event *event,
                       size_t sent, struct iovec *ret)
{
    struct iovec parts[2];
    if (client->ws != NULL) {
        parts[0] = (struct iovec){(void *)(uintptr_t)event->bytes, event->head + event->json};
        parts[1] = (struct iovec){NULL, 0};
    } else {
        parts[0] = (struct iovec){(void *)(uintptr_t)data_head, sizeof(data_head) - 1};
        parts[1] = (struct iovec){(void *)(uintptr_t)(event->bytes + event->head),
                                  event->json + event->tail};
    }
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;
        sent -= skip;
        if (parts[i].iov_len > skip) {
            ret[count++] =
                (struct iovec){(char *)parts[i].iov_base + skip, parts[i].iov_len - skip};
        }
    }
    return count;
}

static size_t size_of(const struct stream_client *client, const struct stream_event *event)
{
    return client->ws != NULL ? event->head + event->json
                              : sizeof(data_head) - 1 + event->json + event->tail;
}

bool stream_client_is_over(const struct stream_client *client)
{
    return client->lost || (client->ws != NULL && websocket_is_over(client->ws));
}

static bool has_missed(const struct stream_client *client)
{
    for (size_t i = 0; i < STREAM_TOPICS; i++) {
        if (client->missed[i] > 0) {
            return true;
        }
    }
    return false;
}

static void say_missed(struct stream_client *client)
{
    AUTO_BUF struct buf json = BUF_INIT(2048);
    struct json_out out = JSON_OUT(&json);
    char id[STREAM_ID_SIZE];
    uint64_t all = 0;
    for (size_t i = 0; i < STREAM_TOPICS; i++) {
        all += client->missed[i];
    }
    stream_id_write(client->replay->epoch, client->cursor - 1, id);
    json_out_object(&out, NULL);
    json_out_text(&out, "id", id);
    json_out_u64(&out, "seq", client->cursor - 1);
    json_out_text(&out, "type", "missed");
    json_out_u64(&out, "count", all);
    json_out_object(&out, "topics");
    for (size_t i = 0; i < STREAM_TOPICS; i++) {
        if (client->missed[i] > 0) {
            json_out_u64(&out, stream_topic_name((enum stream_topic)i), client->missed[i]);
        }
        client->missed[i] = 0;
    }
    json_out_end(&out);
    json_out_end(&out);
    stream_client_say(client, id, buf_str(&json));
}

void stream_client_say(struct stream_client *client, const char *id, struct str json)
{
    struct stream_event *event = stream_event_new(id, json);
    struct iovec parts[2];
    size_t count = parts_of(client, event, 0, parts);
    for (size_t i = 0; i < count; i++) {
        buf_add(&client->own, parts[i].iov_base, parts[i].iov_len);
    }
    stream_event_unref(event);
    client->lost |= buf_failed(&client->own);
}

/* Frames of control and the count of what was missed go before the next event. */
static void gather_own(struct stream_client *client)
{
    if (client->own_sent == client->own.len) {
        buf_clear(&client->own);
        client->own_sent = 0;
    }
    if (client->begun && client->own.len == 0 && !stream_client_is_over(client) &&
        has_missed(client)) {
        say_missed(client);
    }
    if (client->ws != NULL) {
        struct buf *output = websocket_output(client->ws);
        buf_add_str(&client->own, buf_str(output));
        buf_clear(output);
        client->lost |= buf_failed(&client->own);
    }
}

/* The next event for this client at or after *seq; NULL: there is none. */
static struct stream_event *next_event(const struct stream_client *client, uint64_t *seq)
{
    struct stream_event *event;
    while ((event = stream_replay_get(client->replay, *seq)) != NULL &&
           !stream_filter_takes(&client->wish.filter, &event->about)) {
        (*seq)++;
    }
    return event;
}

struct batch {
    struct iovec parts[PARTS_MAX];
    size_t count;
    size_t bytes;
};

static void batch_add(struct batch *batch, const struct iovec *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        batch->parts[batch->count++] = parts[i];
        batch->bytes += parts[i].iov_len;
    }
}

/* All that may be sent now, in its order. */
static void fill_batch(struct stream_client *client, struct batch *batch)
{
    struct iovec parts[2];
    if (client->now != NULL) {
        batch_add(batch, parts, parts_of(client, client->now, client->now_sent, parts));
    }
    gather_own(client);
    if (client->own.len > client->own_sent) {
        parts[0] =
            (struct iovec){client->own.data + client->own_sent, client->own.len - client->own_sent};
        batch_add(batch, parts, 1);
    }
    uint64_t seq = client->cursor;
    struct stream_event *event;
    while (client->begun && !stream_client_is_over(client) && batch->count + 2 <= PARTS_MAX &&
           (event = next_event(client, &seq)) != NULL) {
        batch_add(batch, parts, parts_of(client, event, 0, parts));
        seq++;
    }
    if (batch->count == 0) {
        client->cursor = client->begun ? seq : client->cursor; /* the others are not for it */
    }
}

/* So many bytes of the batch were sent. */
static void advance(struct stream_client *client, size_t sent)
{
    if (client->now != NULL) {
        size_t left = size_of(client, client->now) - client->now_sent;
        size_t n = sent < left ? sent : left;
        client->now_sent += n;
        sent -= n;
        if (n == left) {
            stream_event_unref(client->now);
            client->now = NULL;
        }
    }
    size_t own = client->own.len - client->own_sent, n = sent < own ? sent : own;
    client->own_sent += n;
    sent -= n;
    while (sent > 0) {
        struct stream_event *event = next_event(client, &client->cursor);
        ASSERT(event != NULL);
        size_t size = size_of(client, event);
        client->cursor++;
        if (sent < size) {
            event->references++;
            client->now = event;
            client->now_sent = sent;
        }
        sent -= sent < size ? sent : size;
    }
}

static void watch(struct stream_client *client)
{
    bool reads = client->own.len - client->own_sent < UNSENT_MAX;
    loop_io_set(client->io, (reads ? EPOLLIN : 0) | (client->blocked ? EPOLLOUT : 0));
}

/* Does not free the client: it may be called for each of many. */
static void transmit(struct stream_client *client)
{
    client->blocked = false;
    while (!client->lost) {
        AUTO_UNCLEARED struct batch batch;
        batch.count = batch.bytes = 0;
        fill_batch(client, &batch);
        if (batch.count == 0 || client->lost) {
            break;
        }
        ssize_t n = web_line_write(client->line, batch.parts, batch.count);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        client->lost = n < 0 && errno != EAGAIN;
        if (n > 0) {
            advance(client, (size_t)n);
            if (client->ws == NULL) {
                client->heard_mono_us = now_us(client); /* it reads */
            }
        }
        if (n < 0 || (size_t)n < batch.bytes) {
            client->blocked = true;
            break;
        }
    }
    if (client->ws != NULL && websocket_is_over(client->ws) && !client->blocked &&
        client->closed_mono_us == 0) {
        client->closed_mono_us = now_us(client);
    }
    watch(client);
}

void stream_client_send(struct stream_client *client)
{
    if (!client->blocked) {
        transmit(client);
    }
}

void stream_client_drop(struct stream_client *client, const struct stream_event *event)
{
    if (client->begun && client->cursor <= event->seq) {
        if (stream_filter_takes(&client->wish.filter, &event->about)) {
            client->missed[event->about.topic]++;
        }
        client->cursor = event->seq + 1;
    }
}

void stream_client_close(struct stream_client *client, enum websocket_code code, const char *reason)
{
    if (client->ws != NULL) {
        websocket_close(client->ws, code, reason);
    } else {
        client->lost = true;
    }
    stream_client_send(client);
}

/* ---------------------------------------------------------------- what arrives */

static void on_message(struct websocket *ws, struct str message, bool binary, void *userdata)
{
    (void)message;
    (void)binary;
    (void)userdata;
    websocket_close(ws, WEBSOCKET_UNSUPPORTED,
                    "this stream takes no messages; subscribe in the URL");
}

/* False: the client has gone. */
static bool receive(struct stream_client *client)
{
    AUTO_UNCLEARED char bytes[READ_BYTES];
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t n = web_line_read(client->line, bytes, sizeof(bytes));
        if (n <= 0) {
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        }
        client->heard_mono_us = now_us(client);
        if (client->ws != NULL) {
            websocket_receive(client->ws, str_n(bytes, (size_t)n));
        }
    }
    return true;
}

static void on_ready(int fd, uint32_t events, void *userdata)
{
    (void)fd;
    struct stream_client *client = userdata;
    bool here = (events & EPOLLERR) == 0;
    if (here && (events & (EPOLLIN | EPOLLHUP)) != 0) {
        here = receive(client);
    }
    if (here) {
        if (!client->blocked || (events & EPOLLOUT) != 0) {
            transmit(client);
        }
        here = !client->lost;
    }
    if (!here) {
        client->gone(client, client->userdata);
    }
}

void stream_client_tick(struct stream_client *client)
{
    int64_t now = now_us(client), silent_us = now - client->heard_mono_us;
    if (client->lost || silent_us > STREAM_DEAD_US ||
        (client->closed_mono_us != 0 && now - client->closed_mono_us > STREAM_LINGER_US)) {
        client->gone(client, client->userdata);
        return;
    }
    if (silent_us >= STREAM_PING_US && now - client->pinged_mono_us >= STREAM_PING_US) {
        client->pinged_mono_us = now;
        if (client->ws != NULL) {
            websocket_ping(client->ws, str_c(""));
        } else {
            buf_add_c(&client->own, ":\n\n"); /* a comment: the answer is that it is read */
        }
        stream_client_send(client);
    }
}

/* ---------------------------------------------------------------- lifetime */

struct stream_client *stream_client_new(const struct stream_wish *wish)
{
    struct stream_client *client = calloc(1, sizeof(*client));
    ASSERT(client != NULL);
    client->wish = *wish;
    buf_init(&client->early, EARLY_MAX);
    buf_init(&client->own, STREAM_OWN_MAX);
    return client;
}

bool stream_client_open(struct stream_client *client, const struct stream_client_options *options)
{
    client->clock = loop_clock(options->loop);
    client->replay = options->replay;
    client->gone = options->gone;
    client->userdata = options->userdata;
    client->heard_mono_us = client->pinged_mono_us = now_us(client);
    if (!client->wish.events) {
        client->ws = websocket_new(
            &(struct websocket_options){.max_message = MESSAGE_MAX, .fn = on_message});
        websocket_receive(client->ws, buf_str(&client->early));
    }
    client->lost = buf_failed(&client->early);
    buf_release(&client->early);
    client->io =
        loop_add_io(options->loop, web_line_fd(client->line), EPOLLIN, on_ready, client, NULL);
    if (client->io != NULL) {
        loop_source_name(client->io, "stream client");
    }
    return client->io != NULL;
}

void stream_client_free(struct stream_client *client)
{
    if (client != NULL) {
        loop_source_free(client->io);
        web_line_free(client->line);
        websocket_free(client->ws);
        stream_event_unref(client->now);
        buf_release(&client->early);
        buf_release(&client->own);
        free(client);
    }
}
