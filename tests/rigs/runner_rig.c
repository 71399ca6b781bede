#include "rigs/runner_rig.h"

#include "base/check.h"
#include "io/embed.h"
#include "io/secret.h"
#include "rigs/reply_text.h"

#include <ftw.h>
#include <string.h>
#include <unistd.h>

static struct runner_rig *runner_rig_of(struct action_call *call)
{
    return action_userdata(call);
}

static void add_pending(struct runner_rig *rig, struct action_call *call)
{
    memmove(rig->calls + 1, rig->calls, sizeof(rig->calls) - sizeof(rig->calls[0]));
    rig->calls[0] = call;
    rig->pending = call;
}

static int act_read(struct action_call *call, struct err *err)
{
    (void)err;
    struct runner_rig *rig = runner_rig_of(call);
    struct ops_store_change change;
    rig->reads++;
    if (ops_store_change_begin(rig->store, &change, NULL) == 0) {
        rig->reads_in_transaction += change.part ? 1 : 0;
        ops_store_change_rollback(&change);
    }
    reply_title(action_reply(call), TONE_PLAIN, "read");
    reply_line(action_reply(call), "all is well");
    action_output(call, "count", "%d", runner_rig_of(call)->count);
    action_output(call, "service", "demo");
    return ACTION_DONE;
}

static int act_slow_read(struct action_call *call, struct err *err)
{
    (void)err;
    runner_rig_of(call)->reads++;
    add_pending(runner_rig_of(call), call);
    action_progress(call, "looking");
    return ACTION_PENDING;
}

static int act_change(struct action_call *call, struct err *err)
{
    (void)err;
    struct runner_rig *rig = runner_rig_of(call);
    const char *note = action_text(call, "note");
    const struct arg_value *within = action_value(call, "within");
    (void)snprintf(rig->seen, sizeof(rig->seen), "%s|%s|%lld", action_text(call, "service"),
                   note == NULL ? "-" : note,
                   within == NULL ? -1LL : (long long)action_duration_us(call, "within"));
    rig->runs++;
    return ACTION_DONE;
}

static int act_note(struct action_call *call, struct err *err)
{
    (void)err;
    struct runner_rig *rig = runner_rig_of(call);
    const char *text = action_text(call, "text");
    bool numbered = action_value(call, "number") != NULL;
    size_t at = strlen(rig->notes);
    rig->runs++;
    (void)snprintf(rig->notes + at, sizeof(rig->notes) - at, "[%s %lld]", text == NULL ? "-" : text,
                   numbered ? (long long)action_int(call, "number") : -1LL);
    return ACTION_DONE;
}

static int act_hang(struct action_call *call, struct err *err)
{
    struct runner_rig *rig = runner_rig_of(call);
    rig->runs++;
    add_pending(rig, call);
    return action_remember(call, rig->note, err) < 0 ? -err->id : ACTION_PENDING;
}

static void act_cancel(struct action_call *call)
{
    runner_rig_of(call)->cancels++;
    runner_rig_of(call)->pending = NULL;
}

static int act_recover(struct action_call *call, bool *ret_happened, struct err *err)
{
    (void)err;
    struct runner_rig *rig = runner_rig_of(call);
    const char *text = action_remembered(call);
    rig->recovers++;
    (void)snprintf(rig->remembered, sizeof(rig->remembered), "%s", text == NULL ? "" : text);
    rig->begun_us = action_begun_us(call);
    if (rig->must_ask) {
        add_pending(rig, call);
        action_progress(call, "asking");
        return ACTION_PENDING;
    }
    *ret_happened = rig->happened;
    return 0;
}

static int act_flaky(struct action_call *call, struct err *err)
{
    struct runner_rig *rig = runner_rig_of(call);
    rig->runs++;
    if (rig->failures > 0) {
        rig->failures--;
        return err_set(err, rig->fail_with, "flaky");
    }
    return ACTION_DONE;
}

static int act_preview(struct action_call *call, struct err *err)
{
    struct runner_rig *rig = runner_rig_of(call);
    if (rig->failures > 0) {
        return err_set(err, rig->fail_with, "preview");
    }
    reply_line(action_reply(call), "closes 0.5 BTC at the market");
    return 0;
}

static int act_money(struct action_call *call, struct err *err)
{
    (void)err;
    runner_rig_of(call)->runs++;
    reply_title(action_reply(call), TONE_GOOD, "closed");
    return ACTION_DONE;
}

static int act_at_once(struct action_call *call, struct err *err)
{
    (void)err;
    runner_rig_of(call)->reads++;
    reply_line(action_reply(call), "finished inside");
    action_finish(call, NULL);
    return ACTION_PENDING;
}

#define P_SERVICE                                                                           \
    {                                                                                       \
        .name = "service", .type = PARAM_SERVICE, .required = true, .help = "which service" \
    }

static const struct action actions[] = {
    {.name = "test.read",
     .summary = "Read something",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .outputs = "count service",
     .run = act_read},
    {.name = "test.slow_read",
     .summary = "Read slowly",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS({.name = "within", .type = PARAM_DURATION, .waits = true}),
     .run = act_slow_read,
     .cancel = act_cancel},
    {.name = "test.at_once",
     .summary = "Finish inside",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = act_at_once},
    {.name = "test.change",
     .summary = "Change something",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "service:$service",
     .params = ACTION_PARAMS(P_SERVICE, {.name = "note", .type = PARAM_TEXT},
                             {.name = "within", .type = PARAM_DURATION}),
     .run = act_change},
    {.name = "test.note",
     .summary = "Note something",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .params =
         ACTION_PARAMS({.name = "text", .type = PARAM_TEXT}, {.name = "number", .type = PARAM_INT},
                       {.name = "ids", .type = PARAM_LIST, .element = PARAM_INT}),
     .run = act_note},
    {.name = "test.hang",
     .summary = "Change slowly, without recover",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .run = act_hang,
     .cancel = act_cancel},
    {.name = "test.known",
     .summary = "Change slowly, can be looked up",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "known",
     .run = act_hang,
     .cancel = act_cancel,
     .recover = act_recover},
    {.name = "test.sweep",
     .summary = "Change one service, or all",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .locks = "service:$service",
     .params = ACTION_PARAMS({.name = "service", .type = PARAM_SERVICE}),
     .run = act_hang,
     .cancel = act_cancel},
    {.name = "test.flaky",
     .summary = "Fail for a while",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .run = act_flaky},
    {.name = "test.money",
     .summary = "Move money",
     .effect = ACTION_MOVES_MONEY,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "symbol", .type = PARAM_SYMBOL, .required = true}),
     .run = act_money,
     .preview = act_preview},
    {.name = "test.pause",
     .summary = "Pause",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .safe_side = true,
     .run = act_money,
     .preview = act_preview},
    {.name = "test.rest",
     .summary = "Pause slowly",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_OPERATOR,
     .safe_side = true,
     .run = act_hang,
     .cancel = act_cancel,
     .recover = act_recover},
    {.name = "test.stop",
     .summary = "Stop all",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_READ_ONLY,
     .emergency = true,
     .run = act_money},
    {0},
};

static void list_services(value_emit_fn emit, void *emit_userdata, void *userdata)
{
    const struct runner_rig *rig = userdata;
    for (int i = 0; i < rig->config.service_count; i++) {
        emit(rig->config.services[i].name, emit_userdata);
    }
}

static void list_symbols(value_emit_fn emit, void *emit_userdata, void *userdata)
{
    const struct runner_rig *rig = userdata;
    for (int i = 0; i < rig->config.market_symbols.count; i++) {
        emit(rig->config.market_symbols.items[i].name, emit_userdata);
    }
}

void runner_rig_actions(struct runner_rig *rig)
{
    static const struct value_domain services = {.type = PARAM_SERVICE,
                                                 .before = "no service ",
                                                 .after = "",
                                                 .listed = "configured",
                                                 .edits = 2,
                                                 .list = list_services};
    static const struct value_domain symbols = {.type = PARAM_SYMBOL,
                                                .before = "",
                                                .after = " is not traded",
                                                .listed = "traded symbols",
                                                .list = list_symbols};
    rig->actions = action_table_new();
    action_table_add(rig->actions, actions, rig);
    builtin_actions(&rig->builtin, rig->actions);
    action_table_add_domain(rig->actions, &services, rig);
    action_table_add_domain(rig->actions, &symbols, rig);
}

#define FILE_OF(name, text)                                                        \
    {                                                                              \
        .path = "commands/" name ".yaml", .data = (text), .size = sizeof(text) - 1 \
    }
#define HEAD(name, role) "command: " name "\ngroup: see\nsummary: s\nrole: " role "\n"

static const struct embedded_file files[] = {
    FILE_OF("look", HEAD("look", "read_only") "steps: [{run: test.read}]\nexamples: [look]\n"),
    FILE_OF("slow",
            HEAD("slow",
                 "read_only") "steps: [{run: test.slow_read, timeout: 10s}]\nexamples: [slow]\n"),
    FILE_OF("inside",
            HEAD("inside", "read_only") "steps: [{run: test.at_once}]\nexamples: [inside]\n"),
    FILE_OF(
        "change",
        HEAD("change", "operator") "args:\n  - {name: service, type: service, required: true, "
                                   "help: which service}\n"
                                   "  - {name: note, type: text, required: false, help: words}\n"
                                   "steps: [{run: test.change, with: {service: $service, note: "
                                   "\"for $service: $note\", "
                                   "within: 90s}}]\nexamples: [\"change demo\"]\n"),
    FILE_OF("opt",
            HEAD("opt",
                 "operator") "args:\n  - {name: service, type: service, required: true, help: "
                             "which service}\n"
                             "  - {name: note, type: text, required: false, help: words}\n"
                             "steps: [{run: test.change, with: {service: $service, note: $note}}]\n"
                             "examples: [\"opt demo\"]\n"),
    FILE_OF("restart",
            HEAD("restart",
                 "operator") "confirm: true\n"
                             "args: [{name: service, type: service, required: true, help: which "
                             "service}]\n"
                             "steps:\n  - {run: test.change, with: {service: $service}}\n"
                             "  - {run: test.slow_read, timeout: 60s}\n"
                             "on_failure:\n  - {run: test.read}\nexamples: [\"restart demo\"]\n"),
    FILE_OF("hang",
            HEAD("hang", "operator") "steps: [{run: test.hang, timeout: 20s}]\nexamples: [hang]\n"),
    FILE_OF("known", HEAD("known", "operator") "steps: [{run: test.known, timeout: 20s}, {run: "
                                               "test.read}]\nexamples: [known]\n"),
    FILE_OF("owed", HEAD("owed", "operator") "steps: [{run: test.flaky}]\n"
                                             "on_failure: [{run: test.known, timeout: 20s}]\n"
                                             "examples: [owed]\n"),
    FILE_OF(
        "flaky",
        HEAD("flaky", "operator") "steps: [{run: test.flaky, retries: 2}]\nexamples: [flaky]\n"),
    FILE_OF("sell",
            HEAD("sell",
                 "operator") "confirm: true\n"
                             "args: [{name: symbol, type: symbol, required: true, help: which}]\n"
                             "steps: [{run: test.money, with: {symbol: $symbol}}]\nexamples: "
                             "[\"sell BTC-USD\"]\n"),
    FILE_OF("runs", HEAD("runs", "read_only") "args: [{name: run, help: number}]\n"
                                              "steps: [{run: command.runs, with: {run: $run}}]\n"
                                              "examples: [runs]\n"),
    FILE_OF(
        "stop",
        HEAD("stop", "read_only") "emergency: true\nsteps: [{run: test.stop}]\nexamples: [stop]\n"),
    {0},
};

static void load_manifests(struct runner_rig *rig)
{
    struct embedded_file all[COUNT_OF(files) + RIG_ADDED_MAX];
    struct err err = {0};
    size_t n = 0;
    for (; files[n].path != NULL; n++) {
        all[n] = files[n];
    }
    for (int i = 0; i < rig->added_count; i++) {
        all[n++] = (struct embedded_file){
            .path = "commands/added.yaml", .data = rig->added[i], .size = strlen(rig->added[i])};
    }
    all[n] = (struct embedded_file){0};
    manifest_list_free(rig->manifests);
    int rc = manifest_list_read(rig->actions, all, &rig->manifests, &err);
    if (rc < 0) {
        print_error("%s\n", err.context);
    }
    assert_int_equal(rc, 0);
}

static void outbox_changed(void *userdata)
{
    ((struct runner_rig *)userdata)->outbox_wakes++;
}

static void decorate(struct reply *reply, void *userdata)
{
    (void)userdata;
    reply_footer(reply, "⏸ paused by test");
}

static int scheduled(const struct manifest *m, const struct reply *result,
                     const struct err *failure, void *userdata, struct err *err)
{
    struct runner_rig *rig = userdata;
    (void)m, (void)err;
    rig->scheduled++;
    rig->scheduled_err = failure->id;
    rig->scheduled_ran = result != NULL;
    return 0;
}

static void start(struct runner_rig *rig)
{
    struct err err = {0};
    assert_int_equal(ops_store_open(rig->folder, OPS_STORE_WRITE, &rig->store, &err), 0);
    assert_int_equal(access_new(&rig->config, rig->store, &rig->clock.clock, &rig->access, &err),
                     0);
    rig->loop = loop_new_fake(&rig->clock, &err);
    rig->builtin.store = rig->store;
    rig->builtin.clock = &rig->clock.clock;
    rig->builtin.access = rig->access;
    rig->builtin.manifests = rig->manifests;
    const struct runner_options options = {.loop = rig->loop,
                                           .clock = &rig->clock.clock,
                                           .config = &rig->config,
                                           .store = rig->store,
                                           .access = rig->access,
                                           .actions = rig->actions,
                                           .manifests = rig->manifests,
                                           .decorate = decorate,
                                           .scheduled = scheduled,
                                           .scheduled_userdata = rig,
                                           .outbox_changed = outbox_changed,
                                           .outbox_userdata = rig};
    assert_int_equal(runner_new(&options, &rig->runner, &err), 0);
    int rc = runner_recover(rig->runner, &err);
    if (rc < 0) {
        print_error("%s: %s\n", err_info(rc)->code, err.context);
    }
    assert_int_equal(rc, 0);
}

static void stop(struct runner_rig *rig)
{
    runner_free(rig->runner);
    access_free(rig->access);
    ops_store_free(rig->store);
    loop_free(rig->loop);
}

void runner_rig_open(struct runner_rig *rig)
{
    char folder[sizeof(rig->folder)];
    (void)snprintf(folder, sizeof(folder), "%s/nd-command-XXXXXX",
                   getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/var/tmp");
    assert_non_null(mkdtemp(folder));
    runner_rig_open_in(rig, folder, false);
}

void runner_rig_open_in(struct runner_rig *rig, const char *folder, bool happened)
{
    *rig = (struct runner_rig){.chat_id = 100,
                               .count = 3,
                               .fail_with = ERR_HTTP_CONNECT,
                               .note = "id 77",
                               .happened = happened};
    assert_int_equal(secret_init(NULL), 0);
    (void)snprintf(rig->folder, sizeof(rig->folder), "%s", folder);
    rig->config.commands_confirm_expiry_us = 120 * USEC_PER_SEC;
    rig->config.commands_confirm_band_pct = 1;
    rig->config.telegram_stale_after_us = 120 * USEC_PER_SEC;
    rig->config.commands_rate = 1000;
    rig->config.risk_risk_per_trade_pct = 2;
    rig->config.services = rig->services;
    rig->config.service_count = 2;
    (void)snprintf(rig->config.services[0].name, 32, "demo");
    (void)snprintf(rig->config.services[1].name, 32, "prediction");
    rig->config.user_count = 2;
    rig->config.users[0] = (struct config_user){.id = 7, .name = "alice", .role = "operator"};
    rig->config.users[1] = (struct config_user){.id = 8, .name = "rita", .role = "read_only"};
    rig->config.market_symbols.count = 1;
    (void)symbol_parse(str_c("BTC-USD"), &rig->config.market_symbols.items[0]);
    rig->alice = (struct principal){
        .channel = CHANNEL_TELEGRAM, .id = 7, .name = "alice", .role = ROLE_OPERATOR};
    rig->rita = (struct principal){
        .channel = CHANNEL_TELEGRAM, .id = 8, .name = "rita", .role = ROLE_READ_ONLY};
    rig->adam = (struct principal){.channel = CHANNEL_TELEGRAM,
                                   .id = 9,
                                   .name = "adam",
                                   .role = ROLE_ADMIN,
                                   .emergency = true};
    clock_fake_init(&rig->clock, RIG_WALL_US);
    runner_rig_actions(rig);
    load_manifests(rig);
    start(rig);
}

void runner_rig_crash(struct runner_rig *rig)
{
    stop(rig);
    rig->pending = NULL;
    rig->cancels = 0;
    start(rig);
}

void runner_rig_add(struct runner_rig *rig, const char *name, const char *text)
{
    assert_true(rig->added_count < RIG_ADDED_MAX);
    int n = snprintf(rig->added[rig->added_count++], sizeof(rig->added[0]),
                     "command: %s\ngroup: see\nsummary: s\n%s", name, text);
    assert_in_range(n, 1, sizeof(rig->added[0]) - 1);
    stop(rig);
    load_manifests(rig);
    rig->pending = NULL;
    start(rig);
}

static int delete_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

void runner_rig_close(struct runner_rig *rig)
{
    stop(rig);
    manifest_list_free(rig->manifests);
    action_table_free(rig->actions);
    assert_int_equal(nftw(rig->folder, delete_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static int submit(struct runner_rig *rig, const struct invocation *in)
{
    struct err err = {0};
    int rc = runner_submit(rig->runner, in, &err);
    if (rc < 0) {
        print_error("%s: %s\n", err_info(rc)->code, err.context);
    }
    return rc;
}

int runner_rig_submit(struct runner_rig *rig, const struct principal *who, const char *line)
{
    const struct invocation in = {.line = line, .who = who, .chat_id = rig->chat_id};
    return submit(rig, &in);
}

int runner_rig_schedule(struct runner_rig *rig, const char *line, int64_t update_id)
{
    static const struct principal schedule = {
        .channel = CHANNEL_SCHEDULE, .name = "schedule", .role = ROLE_ADMIN};
    const struct invocation in = {.line = line, .who = &schedule, .update_id = update_id};
    return submit(rig, &in);
}

int runner_rig_send(struct runner_rig *rig, const char *line)
{
    return runner_rig_submit(rig, &rig->alice, line);
}

static void on_reply(const struct reply *reply, const struct err *err, void *userdata)
{
    struct runner_rig *rig = userdata;
    rig->replies++;
    rig->reply_err = err == NULL ? ERR_NONE : err->id;
    if (reply != NULL) {
        reply_text_all(reply, rig->reply_text, sizeof(rig->reply_text));
    }
}

int runner_rig_call(struct runner_rig *rig, const struct principal *who, const char *line,
                    bool confirmed)
{
    struct principal at_socket = *who;
    at_socket.channel = CHANNEL_SOCKET;
    rig->replies = 0;
    rig->reply_text[0] = '\0';
    const struct invocation in = {.line = line,
                                  .who = &at_socket,
                                  .confirmed = confirmed,
                                  .on_reply = on_reply,
                                  .userdata = rig};
    return submit(rig, &in);
}

static void finish_call(struct runner_rig *rig, struct action_call *call, enum err_id id)
{
    struct err err = {0};
    assert_non_null(call);
    if (id != ERR_NONE) {
        (void)err_set(&err, id, "set by the test");
    }
    action_finish(call, &err);
    loop_advance(rig->loop, 0);
}

void runner_rig_finish(struct runner_rig *rig, enum err_id id)
{
    struct action_call *call = rig->pending;
    rig->pending = NULL;
    finish_call(rig, call, id);
}

void runner_rig_finish_call(struct runner_rig *rig, int i, enum err_id id)
{
    struct action_call *call = rig->calls[i];
    rig->calls[i] = NULL;
    finish_call(rig, call, id);
}

int64_t runner_rig_messages(struct runner_rig *rig)
{
    int64_t count = 0;
    struct outbox_row row;
    for (int64_t id = 1; outbox_table_get(rig->store, id, &row, NULL) == 0; id++) {
        count += row.kind != OUTBOX_ACTION;
        outbox_row_release(&row);
    }
    return count;
}

/* The row of a message: chat actions are rows, too, but no messages. */
static void find_row(struct runner_rig *rig, int64_t number, struct outbox_row *ret)
{
    for (int64_t id = 1;; id++) {
        assert_int_equal(outbox_table_get(rig->store, id, ret, NULL), 0);
        number -= ret->kind != OUTBOX_ACTION;
        if (number == 0) {
            return;
        }
        outbox_row_release(ret);
    }
}

const char *runner_rig_message(struct runner_rig *rig, int64_t id)
{
    static char text[65536];
    struct outbox_row row;
    find_row(rig, id, &row);
    AUTO_REPLY struct reply *reply = NULL;
    assert_int_equal(reply_json_read(row.payload, strlen(row.payload), &reply, NULL), 0);
    reply_text_all(reply, text, sizeof(text));
    outbox_row_release(&row);
    return text;
}

const char *runner_rig_last(struct runner_rig *rig)
{
    int64_t count = runner_rig_messages(rig);
    return count == 0 ? "" : runner_rig_message(rig, count);
}

bool runner_rig_sent(struct runner_rig *rig, const char *words)
{
    bool sent = false;
    for (int64_t i = runner_rig_messages(rig); i > 0 && !sent; i--) {
        sent = strstr(runner_rig_message(rig, i), words) != NULL;
    }
    return sent;
}

enum outbox_kind runner_rig_last_kind(struct runner_rig *rig)
{
    struct outbox_row row;
    find_row(rig, runner_rig_messages(rig), &row);
    enum outbox_kind kind = row.kind;
    outbox_row_release(&row);
    return kind;
}

const char *runner_rig_code(struct runner_rig *rig)
{
    static char code[16];
    const char *at = strstr(runner_rig_last(rig), "/confirm ");
    assert_non_null(at);
    (void)snprintf(code, sizeof(code), "%.6s", at + strlen("/confirm "));
    return code;
}

enum run_state runner_rig_state(struct runner_rig *rig, int64_t run_id)
{
    struct run_row row;
    assert_int_equal(run_table_get(rig->store, run_id, &row, NULL), 0);
    enum run_state state = row.state;
    run_row_release(&row);
    return state;
}

int runner_rig_audited(struct runner_rig *rig, const char *action)
{
    static struct audit_row rows[200];
    int count = 0;
    int n = audit_chain_list(rig->store, 0, rows, COUNT_OF(rows), NULL);
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        count += strcmp(rows[i].action, action) == 0 ? 1 : 0;
    }
    return count;
}

const char *runner_rig_audit_detail(struct runner_rig *rig, const char *action)
{
    static struct audit_row rows[200];
    int n = audit_chain_list(rig->store, 0, rows, COUNT_OF(rows), NULL);
    for (int i = 0; i < n; i++) {
        if (strcmp(rows[i].action, action) == 0) {
            return rows[i].detail;
        }
    }
    fail_msg("%s is not in the audit log", action);
    return "";
}
