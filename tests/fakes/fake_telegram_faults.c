#include "base/check.h"
#include "fakes/fake_telegram_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LARGE_BYTES ((size_t)20 << 20)

/* The socket of this request; -1: not found. */
static int connection_of(const struct fake_telegram *fake, struct web_request *request)
{
    const char *colon = strrchr(web_remote(request).ptr, ':');
    int64_t port = 0;
    if (colon == NULL || !str_to_i64(str_c(colon + 1), &port)) {
        return -1;
    }
    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_in peer = {0}, own = {0};
        socklen_t peer_len = sizeof(peer), own_len = sizeof(own);
        if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
            getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == port && ntohs(own.sin_port) == web_port(fake->web)) {
            return fd;
        }
    }
    return -1;
}

/* The fault that applies to this call; NULL: none. Uses up one of its times. */
struct fake_telegram_failure *fake_telegram_next_failure(struct fake_telegram *fake,
                                                         const char *method, int64_t chat)
{
    for (size_t i = 0; i < fake->failure_count; i++) {
        struct fake_telegram_failure *f = &fake->failures[i];
        if (f->times == 0 || strcmp(f->method, method) != 0 || (f->chat != 0 && f->chat != chat)) {
            continue;
        }
        if (f->skip > 0) {
            f->skip--;
            return NULL;
        }
        f->times--;
        return f;
    }
    return NULL;
}

static void set_wait(struct fake_telegram *fake, const char *method, int64_t chat, int64_t seconds)
{
    ASSERT(fake->wait_count < FAKE_TELEGRAM_WAITS_MAX);
    struct fake_telegram_wait *w = &fake->waits[fake->wait_count++];
    *w = (struct fake_telegram_wait){.chat = chat,
                                     .until_us = fake_telegram_now_us() + seconds * USEC_PER_SEC};
    (void)str_copy(str_c(method), w->method, sizeof(w->method));
}

/* Sends and edits in a chat share its rate limit. */
static bool same_budget(const char *a, const char *b)
{
    bool a_sends = strncmp(a, "send", 4) == 0 || strncmp(a, "edit", 4) == 0;
    bool b_sends = strncmp(b, "send", 4) == 0 || strncmp(b, "edit", 4) == 0;
    return strcmp(a, b) == 0 || (a_sends && b_sends);
}

void fake_telegram_check_waits(struct fake_telegram *fake, const char *method, int64_t chat)
{
    /* A tolerance of a tenth of a second between the two clocks. */
    for (size_t i = 0; i < fake->wait_count; i++) {
        if (same_budget(fake->waits[i].method, method) && fake->waits[i].chat == chat &&
            fake_telegram_now_us() < fake->waits[i].until_us - 100 * USEC_PER_MSEC) {
            fake_telegram_violate(fake, "%s: called before retry_after had passed", method);
        }
    }
}

/* A tenth of a second for the time between the two clocks. */
void fake_telegram_check_rate(struct fake_telegram *fake, const char *method, int64_t chat)
{
    if (strcmp(method, "sendMessageDraft") == 0) { /* it has a pace of its own */
        int64_t now_us = fake_telegram_now_us();
        if (now_us - fake->draft_us < 450 * USEC_PER_MSEC && chat == fake->draft_chat) {
            fake_telegram_violate(fake, "sendMessageDraft: less than half a second after another");
        }
        fake->draft_us = now_us;
        fake->draft_chat = chat;
        return;
    }
    if (!same_budget(method, "sendMessage")) {
        return;
    }
    const char *why =
        telegram_rate_count(&fake->rate, chat, fake_telegram_now_us(), 100 * USEC_PER_MSEC);
    if (why != NULL && !fake->too_fast) {
        fake->too_fast = true;
        fake_telegram_violate(fake, "%s: too many messages and edits %s", method, why);
    }
}

static void send_later(struct fake_telegram *fake, struct web_request *request,
                       struct fake_telegram_reply answer, const struct fake_telegram_failure *f)
{
    ASSERT(fake->slow == NULL);
    fake->slow = request;
    fake->slow_body = answer.body;
    fake->slow_status = answer.status;
    fake->slow_from_us = fake_telegram_now_us();
    fake->slow_until_us = fake->slow_from_us + f->delay_ms * USEC_PER_MSEC;
    fake->slow_fd = f->fault == FAKE_TELEGRAM_TRICKLE ? connection_of(fake, request) : -1;
    fake->slow_sent = 0;
    (void)pthread_cond_signal(&fake->wake);
}

/* The pieces of the answer that are due, past the server. */
static void trickle(struct fake_telegram *fake, int64_t now_us)
{
    AUTO_BUF struct buf text = BUF_INIT(FAKE_TELEGRAM_BODY_MAX);
    buf_addf(&text,
             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             strlen(fake->slow_body));
    buf_add_c(&text, fake->slow_body);
    int64_t took_us = now_us - fake->slow_from_us;
    int64_t all_us = fake->slow_until_us - fake->slow_from_us;
    size_t due = took_us >= all_us ? text.len : text.len * (size_t)took_us / (size_t)all_us;
    if (due > fake->slow_sent) {
        (void)send(fake->slow_fd, text.data + fake->slow_sent, due - fake->slow_sent, MSG_NOSIGNAL);
        fake->slow_sent = due;
    }
}

void fake_telegram_tick_slow(struct fake_telegram *fake, bool stopping)
{
    int64_t now_us = fake_telegram_now_us();
    if (fake->slow == NULL) {
        return;
    }
    if (fake->slow_fd >= 0) {
        trickle(fake, now_us);
    }
    if (!stopping && now_us < fake->slow_until_us) {
        return;
    }
    if (fake->slow_fd >= 0) {
        (void)shutdown(fake->slow_fd, SHUT_RDWR); /* the server's own answer goes nowhere */
    }
    struct web_request *request = fake->slow;
    fake->slow = NULL;
    fake_telegram_answer_json(request, (struct fake_telegram_reply){.status = fake->slow_status,
                                                                    .body = fake->slow_body});
}

void fake_telegram_run_failure(struct fake_telegram *fake, const struct fake_telegram_failure *f,
                               struct web_request *request, const struct json_object *params,
                               int64_t chat)
{
    struct fake_telegram_reply answer = {0};
    switch (f->fault) {
    case FAKE_TELEGRAM_ERROR:
        if (f->retry_after_s > 0) {
            set_wait(fake, f->method, chat, f->retry_after_s);
        }
        fake_telegram_answer_json(request, fake_telegram_failed(f->status, f->description,
                                                                f->retry_after_s, f->migrate_to));
        return;
    case FAKE_TELEGRAM_BODY:
        answer =
            (struct fake_telegram_reply){.status = f->status, .body = fake_telegram_copy(f->body)};
        fake_telegram_answer(request, &answer, "text/html");
        break;
    case FAKE_TELEGRAM_CUT:
        answer = fake_telegram_accept(fake, f->method, request, params);
        answer.body[strlen(answer.body) / 2] = '\0';
        fake_telegram_answer(request, &answer, "application/json");
        break;
    case FAKE_TELEGRAM_CLOSE:
        answer = fake_telegram_accept(fake, f->method, request, params);
        (void)shutdown(connection_of(fake, request), SHUT_RDWR); /* as a crash of the server */
        fake_telegram_answer(request, &answer, "application/json");
        break;
    case FAKE_TELEGRAM_AT_ONCE:
        fake_telegram_get_updates(fake, request, params, true);
        return;
    case FAKE_TELEGRAM_LARGE:
        answer = (struct fake_telegram_reply){.status = 200, .body = malloc(LARGE_BYTES + 1)};
        ASSERT(answer.body != NULL);
        memset(answer.body, ' ', LARGE_BYTES);
        answer.body[LARGE_BYTES] = '\0';
        fake_telegram_answer(request, &answer, "application/json");
        break;
    case FAKE_TELEGRAM_SLOW:
    case FAKE_TELEGRAM_TRICKLE:
        send_later(fake, request, fake_telegram_accept(fake, f->method, request, params), f);
        return;
    case FAKE_TELEGRAM_AGAIN:
        fake_telegram_answer_json(
            request, fake_telegram_success(fake_telegram_list_updates(fake, params, true)));
        return;
    }
    free(answer.body);
}

void fake_telegram_fail(struct fake_telegram *fake, const struct fake_telegram_failure *failure)
{
    (void)pthread_mutex_lock(&fake->lock);
    ASSERT(fake->failure_count < FAKE_TELEGRAM_FAILURES_MAX);
    struct fake_telegram_failure *f = &fake->failures[fake->failure_count++];
    *f = *failure;
    f->times = failure->times == 0 ? 1 : failure->times;
    f->method = fake_telegram_copy(failure->method);
    f->description = fake_telegram_copy(failure->description);
    f->body = fake_telegram_copy(failure->body);
    (void)pthread_mutex_unlock(&fake->lock);
}
