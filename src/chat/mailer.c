#include "mailer.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/log.h"
#include "chat/render.h"
#include "config/config.h"
#include "io/mail.h"
#include "transport.h"

#include <string.h>
#include <time.h>

#define TIMEOUT_MS  INT64_C(30000)
#define SUBJECT_MAX 160
#define MAIL_MAX    ((size_t)1024 * 1024)
#define WORD_BYTES  42 /* of an encoded word: 56 characters in base 64, below the limit of 75 */
#define LINE_BYTES  57 /* 76 characters in base 64 */

/* ---------------------------------------------------------------- the text */

/* RFC 2047: encoded words, each of whole characters. */
static void add_subject(struct buf *out, struct str text)
{
    buf_add_c(out, "Subject: ");
    for (size_t at = 0; at < text.len;) {
        size_t end = at;
        while (end < text.len) {
            size_t n = str_utf8_size(str_n(text.ptr + end, text.len - end));
            n = n == 0 ? 1 : n;
            if (end + n - at > WORD_BYTES) {
                break;
            }
            end += n;
        }
        buf_add_c(out, at == 0 ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
        base64_add(out, str_n(text.ptr + at, end - at));
        buf_add_c(out, "?=");
        at = end;
    }
    buf_add_c(out, "\r\n");
}

static void add_date(struct buf *out, int64_t wall_us)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_us / USEC_PER_SEC);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm);
    buf_addf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday % 7], tm.tm_mday,
             months[tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void add_headers(const struct config *config, const struct outbox_row *row, int64_t now_us,
                        struct buf *out)
{
    const char *at = strchr(config->mail_from, '@');
    add_date(out, now_us);
    buf_addf(out, "From: nightdesk <%s>\r\nTo: ", config->mail_from);
    for (int i = 0; i < config->mail_to.count; i++) {
        buf_addf(out, "%s<%s>", i == 0 ? "" : ",\r\n ", config->mail_to.items[i]);
    }
    buf_addf(out, "\r\nMessage-ID: <outbox-%lld.%lld@%s>\r\n", (long long)row->id,
             (long long)row->created_us, at == NULL ? "nightdesk" : at + 1);
    buf_add_c(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                   "Content-Type: text/plain; charset=utf-8\r\n"
                   "Content-Transfer-Encoding: base64\r\n");
    if (row->priority == OUTBOX_CRITICAL) {
        buf_add_c(out, "X-Priority: 1\r\n");
    }
}

void mailer_text(const struct config *config, const struct outbox_row *row,
                 const struct reply *reply, bool repeated, int64_t now_us, struct buf *out)
{
    AUTO_BUF struct buf subject = BUF_INIT(1024);
    AUTO_BUF struct buf clean = BUF_INIT(1024);
    AUTO_BUF struct buf text = BUF_INIT(RENDER_TEXT_MAX);
    char title[SUBJECT_MAX];
    str_cut(str_c(reply_get_title(reply)), title, sizeof(title));
    buf_addf(&subject, "nightdesk: %s", title[0] == '\0' ? "message" : title);
    render_clean(buf_str(&subject), false, &clean);
    if (repeated) {
        buf_add_c(&text, "(possibly repeated)\n\n");
    }
    render_text(reply, &(struct render_text_options){0}, &text);
    buf_add_c(&text,
              "\nSent by nightdesk because this is the second channel. Commands are taken in "
              "Telegram and on the console.\n");
    add_subject(out, buf_str(&clean));
    add_headers(config, row, now_us, out);
    buf_add_c(out, "\r\n");
    for (size_t at = 0; at < text.len; at += LINE_BYTES) {
        size_t n = text.len - at < LINE_BYTES ? text.len - at : LINE_BYTES;
        base64_add(out, str_n(text.data + at, n));
        buf_add_c(out, "\r\n");
    }
}

/* ---------------------------------------------------------------- delivery */

static bool is_on(const struct config *config)
{
    return config->mail_server != NULL && config->mail_server[0] != '\0' &&
           config->mail_to.count > 0;
}

static void on_end(const struct mail_result *result, void *userdata)
{
    struct courier *courier = userdata;
    switch (result->outcome) {
    case MAIL_ACCEPTED:
        if (result->complaint[0] != '\0') {
            LOG_FIELDS(WARNING, "mail: the server refuses some of the recipients",
                       {"ANSWER", result->complaint});
        }
        courier_done(courier, TRANSPORT_DELIVERED, NULL);
        return;
    case MAIL_NOT_SENT:
        courier_done(courier, TRANSPORT_LATER, &result->err);
        return;
    case MAIL_REFUSED:
        courier_done(courier, TRANSPORT_REFUSED, &result->err);
        return;
    case MAIL_UNKNOWN:
        courier_done(courier, TRANSPORT_LOST, &result->err);
        return;
    }
}

static void *begin(const struct transport_message *message)
{
    const struct config *config = message->o->config;
    AUTO_BUF struct buf text = BUF_INIT(MAIL_MAX);
    mailer_text(config, message->row, message->reply, message->repeated,
                clock_wall_us(message->o->clock), &text);
    ASSERT(!buf_failed(&text)); /* a reply is far smaller */
    const struct mail_request request = {
        .host = config->mail_server,
        .port = (unsigned)config->mail_port,
        .tls = strcmp(config->mail_tls, "tls") == 0    ? MAIL_TLS
               : strcmp(config->mail_tls, "none") == 0 ? MAIL_PLAIN
                                                       : MAIL_STARTTLS,
        .ca_file = config->mail_ca_file,
        .user = config->mail_user,
        .password = config->mail_password,
        .from = config->mail_from,
        .to = config->mail_to.items,
        .to_count = (size_t)config->mail_to.count,
        .text = buf_str(&text),
        .timeout_ms = message->o->timeout_ms > 0 ? message->o->timeout_ms : TIMEOUT_MS,
    };
    return mail_send(message->o->http, &request, on_end, message->courier);
}

static void cancel(void *call)
{
    mail_cancel(call);
}

const struct transport mailer_transport = {
    .channel = "mail", .is_on = is_on, .begin = begin, .cancel = cancel};
