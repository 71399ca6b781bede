#include "access/access.h"
#include "alerts/alerts.h"
#include "api/api.h"
#include "auditor/auditor.h"
#include "base/log.h"
#include "chat/console.h"
#include "chat/courier.h"
#include "chat/telegram.h"
#include "command/runner.h"
#include "deploy/deploy.h"
#include "health/health.h"
#include "io/secret.h"
#include "ops/reload.h"
#include "ops_internal.h"
#include "sentiment/sentiment.h"
#include "trading/desk.h"

void ops_channels_wake(void *userdata)
{
    struct ops *ops = userdata;
    /* Other modules add rows before the channels exist. */
    if (ops->telegram != NULL) {
        telegram_wake(ops->telegram);
    }
    if (ops->console != NULL) {
        console_wake(ops->console);
    }
    courier_wake(ops->mailer);
    courier_wake(ops->webhook);
}

void ops_channels_publish(const struct reply *reply, void *userdata)
{
    const struct ops *ops = userdata;
    api_publish(ops->api, reply);
}

/* Sends a reply without the outbox; used while ops.db cannot be written. */
bool ops_channels_stream(const struct runner_stream *stream, void *userdata)
{
    struct ops *ops = userdata;
    if (stream->channel == CHANNEL_TELEGRAM) {
        return telegram_stream(ops->telegram, stream);
    }
    return stream->channel == CHANNEL_CONSOLE && ops->console != NULL &&
           console_stream(ops->console, stream->reply);
}

bool ops_channels_deliver(const struct runner_unstored *unstored, void *userdata)
{
    struct ops *ops = userdata;
    if (unstored->channel == CHANNEL_CONSOLE && ops->console != NULL) {
        console_print_unstored(ops->console, unstored->reply);
        return true;
    }
    return unstored->channel == CHANNEL_TELEGRAM &&
           telegram_send_unstored(ops->telegram, &(struct telegram_unstored){
                                                     .chat_id = unstored->chat_id,
                                                     .thread_id = unstored->thread_id,
                                                     .edit_message_id = unstored->edit_message_id,
                                                     .reply = unstored->reply});
}

const char *ops_channels_bot_name(void *userdata)
{
    const struct ops *ops = userdata;
    return ops->telegram == NULL ? "" : telegram_bot_name(ops->telegram);
}

/* ---------------------------------------------------------------- building and opening */

int ops_channels_build(struct ops *ops, void (*on_console_end)(void *ops), struct err *err)
{
    const struct ops_options *o = &ops->options;
    int rc = telegram_new(&(struct telegram_options){.loop = ops->loop,
                                                     .helpers = ops->helpers,
                                                     .clock = ops->clock,
                                                     .config = o->config,
                                                     .store = ops->store,
                                                     .access = ops->access,
                                                     .runner = ops->runner,
                                                     .manifests = ops->manifests,
                                                     .alerts = ops->alerts,
                                                     .attachments = ops->attachments,
                                                     .telemetry = &o->shared->telemetry},
                          &ops->telegram, err);
    if (rc == 0) {
        desk_add_status_line(ops->desk, telegram_status_line, ops->telegram);
        ops->outbox.telegram = ops->telegram;
    }
    if (rc == 0) {
        ops->mailer = courier_new(COURIER_MAIL, &(struct courier_options){.loop = ops->loop,
                                                                          .http = ops->http,
                                                                          .clock = ops->clock,
                                                                          .config = o->config,
                                                                          .store = ops->store,
                                                                          .alerts = ops->alerts});
        ops->webhook =
            courier_new(COURIER_WEBHOOK, &(struct courier_options){.loop = ops->loop,
                                                                   .http = ops->http,
                                                                   .clock = ops->clock,
                                                                   .config = o->config,
                                                                   .store = ops->store,
                                                                   .alerts = ops->alerts});
    }
    if (rc == 0 && o->console) {
        rc = console_new(&(struct console_options){.loop = ops->loop,
                                                   .clock = ops->clock,
                                                   .store = ops->store,
                                                   .access = ops->access,
                                                   .runner = ops->runner,
                                                   .state_dir = o->state_dir,
                                                   .attachments = ops->attachments,
                                                   .in_fd = STDIN_FILENO,
                                                   .out_fd = STDOUT_FILENO,
                                                   .on_end = on_console_end,
                                                   .userdata = ops},
                         &ops->console, err);
    }
    return rc;
}

static int offer_text(struct str text, char ret_hash[API_DOCUMENT_HASH_SIZE], void *userdata,
                      struct err *err)
{
    return reload_offer(userdata, text, ret_hash, err);
}

static void open_api(struct ops *ops)
{
    const struct config *config = ops_config(ops);
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct err err = {0};
    struct api_options options = {
        .loop = ops->loop,
        .shared = ops->options.shared,
        .socket_reader = ops->socket_reader,
        .tcp_reader = ops->tcp_reader,
        .stream_reader = ops->stream_reader,
        .runner = ops->runner,
        .access = ops->access,
        .alerts = ops->alerts,
        .health = ops->health,
        .state_dir = ops->options.state_dir,
        .tcp = config->api_port != 0,
        .port = (uint16_t)config->api_port,
        .config = config,
        .store = ops->store,
        .manifests = ops->manifests,
        .shelf = ops->shelf,
        .offer = offer_text,
        .userdata = ops->reload,
    };
    if (ops_socket_path(config, ops->options.state_dir, &path, &err) == 0) {
        options.socket_path = path.data;
    } else {
        log_err(LOG_LEVEL_WARNING, &err, "the API has no socket");
    }
    if (api_start(&options, &ops->api, &err) < 0) {
        log_err(LOG_LEVEL_ERROR, &err, "the API does not listen at all");
    }
}

/* Telegram is configured, but nobody may command there. The code is shown in the terminal only:
 * neither the log nor ops.db holds it. */
static void offer_pairing(struct ops *ops)
{
    const struct principal daemon = {.channel = CHANNEL_CONSOLE, .name = "nightdesk"};
    char code[PAIR_CODE_CHARS + 1];
    int64_t expires_us = 0;
    bool open = false;
    struct err err = {0};
    if (!access_lacks_owner(ops->access)) {
        return;
    }
    if (access_pair_is_open(ops->access, &open, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not read the pairing code");
    }
    LOG(NOTICE,
        "nobody may use Telegram yet%s: run `nightdesk pair` for a code that makes its "
        "sender an owner",
        open ? " (a code shown before is still valid)" : "");
    if (ops->console == NULL || open) {
        return;
    }
    if (access_pair_open(ops->access, &daemon, code, &expires_us, &err) < 0) {
        log_err(LOG_LEVEL_WARNING, &err, "could not make a pairing code");
        return;
    }
    AUTO_REPLY struct reply *r = reply_new();
    builtin_show_pairing(code, expires_us, ops_channels_bot_name(ops), r);
    console_print_unstored(ops->console, r);
    secret_wipe(code, sizeof(code));
}

void ops_channels_open(struct ops *ops)
{
    ops->channels_open = true;
    ops_sweep_alerts(ops, ops_config(ops), true);
    open_api(ops);
    telegram_start(ops->telegram);
    courier_start(ops->mailer);
    courier_start(ops->webhook);
    if (ops->console != NULL) {
        console_start(ops->console);
    }
    health_start(ops->health);
    sentiment_start(ops->sentiment);
    deploy_start(ops->deploy);
    auditor_start(ops->auditor);
    offer_pairing(ops);
}
