#include "notices.h"

#include "alerts/alerts.h"
#include "base/check.h"
#include "base/log.h"
#include "base/trace.h"
#include "config/config.h"
#include "io/file.h"
#include "io/zone.h"
#include "notice_reply.h"
#include "store/alert_table.h"
#include "store/audit_table.h"
#include "store/decision_table.h"
#include "store/forecast_table.h"
#include "store/llm_call_table.h"
#include "store/ops.h"
#include "store/trade_table.h"
#include "store/trading.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define RETRY_US        (3 * USEC_PER_SEC)
#define BATCH_MAX       5 /* entries and exits as messages of their own */
#define PAGE            50
#define DAY_TRADES      1000
#define WEEK_SHOWN      5
#define WEEK_FORECASTS  512
#define RATE            6 /* messages about trades in a minute; then the next ones wait */
#define VETO_AGAIN_US   USEC_PER_HOUR
#define VETO_SAVE_US    USEC_PER_MIN
#define VETO_PAGE       20
#define VETOES_TEXT_MAX ((size_t)NOTICES_VETOES_MAX * 80)
#define START_LATE_US   (60 * USEC_PER_SEC) /* told then, though the engine has not finished */
#define ALIVE_US        (5 * USEC_PER_SEC)
#define ALIVE_NAME      "alive"
#define END_NAME        "last_end" /* written by the unit's ExecStopPost= */
#define TOLD_MAX        ((size_t)POSITIONS_LIMIT * (CLIENT_ID_SIZE + 1) + 1)

#define VALUE_TRADE     "notices.trade_id"
#define VALUE_POSITIONS "notices.positions"
#define VALUE_DECISION  "notices.decision_id"
#define VALUE_VETOES    "notices.vetoes" /* told in the last hour */
#define VALUE_STATE     "notices.state"
#define VALUE_RUNNING   "notices.running" /* of the last process, see enum running */
#define VALUE_STOPPED   "notices.stopped_us"
#define VALUE_DAY       "notices.daily_day"
#define VALUE_DAY_TRADE "notices.daily_trade_id"
#define VALUE_DAY_VALUE "notices.daily_equity"
#define VALUE_DAY_AT    "notices.daily_us"
#define VALUE_WEEK      "notices.weekly_day"
#define VALUE_WEEK_AT   "notices.weekly_us"

/* A process that ended by itself leaves RUNNING_NOT; any other value means that it crashed. */
enum running { RUNNING_NEVER = -1, RUNNING_NOT, RUNNING_REPORTED, RUNNING_BEGUN };

/* ---------------------------------------------------------------- helpers */

static int64_t now_mono(const struct notices *n)
{
    return clock_mono_us(n->o.clock);
}

static int64_t now_wall(const struct notices *n)
{
    return clock_wall_us(n->o.clock);
}

static int write_i64(struct notices *n, const char *name, int64_t value, struct err *err)
{
    return ops_store_write_i64(n->o.store, name, value, err);
}

static int read_i64(struct notices *n, const char *name, int64_t fallback, int64_t *ret,
                    struct err *err)
{
    return ops_store_get_i64(n->o.store, name, fallback, ret, err);
}

/* Sends and frees the reply. */
static int tell(struct notices *n, enum notice_kind kind, const struct symbol *symbol,
                int64_t except_chat_id, struct reply *reply, struct err *err)
{
    struct alert_notice notice = {.kind = kind, .reply = reply, .except_chat_id = except_chat_id};
    if (symbol != NULL) {
        notice.symbol = *symbol;
    }
    int rc = alerts_notify(n->o.alerts, &notice, err);
    reply_free(reply);
    return rc;
}

typedef int (*body_fn)(struct notices *n, const struct snapshot *s, void *userdata,
                       struct err *err);

/* The messages and what was reported last, in one transaction. */
static bool in_one(struct notices *n, const struct snapshot *s, body_fn body, void *userdata)
{
    struct err err = {0};
    struct ops_store_change change;
    if (now_mono(n) < n->retry_mono_us) {
        return false;
    }
    int rc = ops_store_change_begin(n->o.store, &change, &err);
    if (rc >= 0) {
        rc = body(n, s, userdata, &err);
        if (rc < 0) {
            ops_store_change_rollback(&change);
        } else {
            rc = ops_store_change_commit(&change, &err);
        }
    }
    if (rc < 0) {
        n->retry_mono_us = now_mono(n) + RETRY_US;
        log_err(LOG_LEVEL_WARNING, &err, "could not store a notification; trying again");
    }
    return rc >= 0;
}

static void alive_path(const struct notices *n, struct buf *out)
{
    buf_addf(out, "%s/" ALIVE_NAME, n->o.state_dir);
}

/* Its time is that of the last sign of life, without a disk sync each time. */
static void touch_alive(struct notices *n)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    if (now_mono(n) - n->alive_mono_us < ALIVE_US && n->alive_mono_us != 0) {
        return;
    }
    n->alive_mono_us = now_mono(n);
    alive_path(n, &path);
    if (utimensat(AT_FDCWD, path.data, NULL, 0) < 0) {
        int fd = open(path.data, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
        (void)(fd >= 0 && close(fd));
    }
}

/* ---------------------------------------------------------------- entries and exits */

/* The client ids of the positions that were reported, each followed by a space. */
static bool was_told(const struct buf *told, const char *client_id)
{
    size_t len = strlen(client_id);
    const char *at = told->data;
    while (len > 0 && (at = strstr(at, client_id)) != NULL) {
        if ((at == told->data || at[-1] == ' ') && at[len] == ' ') {
            return true;
        }
        at += len;
    }
    return false;
}

struct news {
    const struct position *entries[POSITIONS_LIMIT];
    size_t entry_count;
    struct trade exits[PAGE]; /* newest first */
    size_t exit_count;
    int64_t exit_total;
    int64_t newest_id;
};

static int collect(struct notices *n, const struct snapshot *s, struct news *news,
                   const struct buf *told, int64_t last_id, struct err *err)
{
    for (int i = 0; i < s->position_count; i++) {
        if (!was_told(told, s->positions[i].client_id)) {
            news->entries[news->entry_count++] = &s->positions[i];
        }
    }
    int count = trade_table_list(n->o.trading, &(struct trade_query){0}, news->exits, PAGE, err);
    if (count < 0) {
        return count;
    }
    news->newest_id = last_id;
    for (int i = 0; i < count && news->exits[i].id > last_id; i++) {
        news->exit_count++;
        news->newest_id = news->exits[i].id > news->newest_id ? news->exits[i].id : news->newest_id;
    }
    bool full = news->exit_count == PAGE;
    news->exit_total = full ? news->newest_id - last_id : (int64_t)news->exit_count;
    return 0;
}

/* Whether another message about trades may go out now. */
static bool has_room(const struct notices *n)
{
    return n->sent_count < RATE ||
           now_mono(n) - n->sent_mono_us[(n->sent_count - RATE) % 8] >= USEC_PER_MIN;
}

static void count_sent(struct notices *n)
{
    n->sent_mono_us[n->sent_count++ % 8] = now_mono(n);
}

static int tell_batch(struct notices *n, const struct news *news, struct err *err)
{
    struct position *entries = calloc(POSITIONS_LIMIT, sizeof(*entries));
    AUTO_FREE struct position *memory = entries;
    ASSERT(entries != NULL);
    for (size_t i = 0; i < news->entry_count; i++) {
        entries[i] = *news->entries[i];
    }
    count_sent(n);
    return tell(
        n, news->exit_count > 0 ? NOTICE_EXIT : NOTICE_ENTRY, NULL, 0,
        notice_trades(entries, news->entry_count, news->exits, news->exit_count, news->exit_total),
        err);
}

static int tell_each(struct notices *n, const struct news *news, struct err *err)
{
    int rc = 0;
    for (size_t i = news->exit_count; i > 0 && rc >= 0; i--) {
        const struct trade *t = &news->exits[i - 1];
        TRACE_RUN(t->run_id);
        count_sent(n);
        rc = tell(n, NOTICE_EXIT, &t->symbol, 0, notice_exit(t), err);
    }
    for (size_t i = 0; i < news->entry_count && rc >= 0; i++) {
        count_sent(n);
        rc = tell(n, NOTICE_ENTRY, &news->entries[i]->symbol, 0, notice_entry(news->entries[i]),
                  err);
    }
    return rc;
}

static int trades_body(struct notices *n, const struct snapshot *s, void *userdata, struct err *err)
{
    struct news *news = userdata;
    AUTO_BUF struct buf told = BUF_INIT(TOLD_MAX);
    int64_t last_id = -1;
    int rc = read_i64(n, VALUE_TRADE, -1, &last_id, err);
    if (rc >= 0) {
        rc = ops_store_get_text(n->o.store, VALUE_POSITIONS, &told, err);
    }
    if (rc < 0 || (rc = collect(n, s, news, &told, last_id, err)) < 0) {
        return rc;
    }
    bool first = last_id < 0; /* history is not news */
    if (!first && news->exit_count + news->entry_count == 0) {
        return 0;
    }
    if (!first) {
        rc = news->exit_count + news->entry_count > BATCH_MAX ? tell_batch(n, news, err)
                                                              : tell_each(n, news, err);
    }
    buf_clear(&told);
    for (int i = 0; i < s->position_count; i++) {
        buf_addf(&told, "%s ", s->positions[i].client_id);
    }
    if (rc >= 0) {
        rc = write_i64(n, VALUE_TRADE, news->newest_id < 0 ? 0 : news->newest_id, err);
    }
    return rc < 0 ? rc : ops_store_write_text(n->o.store, VALUE_POSITIONS, buf_str(&told), err);
}

static void look_at_trades(struct notices *n, const struct snapshot *s)
{
    if ((!n->look && s->trades == n->trades) || !has_room(n)) {
        return;
    }
    struct news *news = calloc(1, sizeof(*news));
    AUTO_FREE struct news *memory = news;
    ASSERT(news != NULL);
    if (in_one(n, s, trades_body, news)) {
        n->look = false;
        n->trades = s->trades;
    }
}

/* ---------------------------------------------------------------- vetoes */

/* A limit that protects the account; the others, such as a cooldown, are everyday. */
static bool is_of_note(const char *code)
{
    static const char *const codes[] = {
        "RISK_DAILY_LOSS",     "RISK_DRAWDOWN", "RISK_LOSSES_IN_A_ROW", "RISK_TIER_EXPOSURE",
        "RISK_TOTAL_EXPOSURE", "RISK_LEVERAGE", "RISK_MARGIN",          "RISK_LIQUIDATION"};
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        if (strcmp(code, codes[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* False if the same veto was reported in the last hour; else notes that it is now. */
static bool is_fresh_veto(struct notices_vetoes *v, const struct decision *d, int64_t now_us)
{
    struct notices_veto *oldest = &v->list[0];
    for (size_t i = 0; i < NOTICES_VETOES_MAX; i++) {
        struct notices_veto *veto = &v->list[i];
        if (symbol_equal(veto->symbol, d->symbol) && strcmp(veto->code, d->veto_code) == 0) {
            /* The wall clock may have been set back. */
            bool again = veto->at_us > now_us || now_us - veto->at_us >= VETO_AGAIN_US;
            veto->at_us = again ? now_us : veto->at_us;
            return again;
        }
        oldest = veto->at_us < oldest->at_us ? veto : oldest;
    }
    *oldest = (struct notices_veto){.symbol = d->symbol, .at_us = now_us};
    (void)str_copy(str_c(d->veto_code), oldest->code, sizeof(oldest->code));
    return true;
}

/* A line each: "BTC-USD RISK_MARGIN 1795000000000000". */
static int read_vetoes(struct notices *n, struct notices_vetoes *v, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(VETOES_TEXT_MAX);
    *v = (struct notices_vetoes){.decision_id = -1};
    int rc = read_i64(n, VALUE_DECISION, -1, &v->decision_id, err);
    rc = rc < 0 ? rc : ops_store_get_text(n->o.store, VALUE_VETOES, &text, err);
    struct str rest = buf_str(&text), line, symbol, code;
    for (size_t i = 0; i < NOTICES_VETOES_MAX && str_split(&rest, '\n', &line);) {
        struct notices_veto *veto = &v->list[i];
        if (str_split(&line, ' ', &symbol) && str_split(&line, ' ', &code) &&
            symbol_parse(symbol, &veto->symbol) && str_copy(code, veto->code, sizeof(veto->code)) &&
            str_to_i64(line, &veto->at_us)) {
            i++;
        } else {
            *veto = (struct notices_veto){0}; /* at worst it is reported again within the hour */
        }
    }
    return rc;
}

static int write_vetoes(struct notices *n, const struct notices_vetoes *v, bool told,
                        struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(VETOES_TEXT_MAX);
    for (size_t i = 0; i < NOTICES_VETOES_MAX; i++) {
        const struct notices_veto *veto = &v->list[i];
        if (veto->code[0] != '\0') {
            buf_addf(&text, "%s %s %lld\n", veto->symbol.name, veto->code, (long long)veto->at_us);
        }
    }
    int rc = write_i64(n, VALUE_DECISION, v->decision_id, err);
    return rc < 0 || !told ? rc
                           : ops_store_write_text(n->o.store, VALUE_VETOES, buf_str(&text), err);
}

struct veto_look {
    struct notices_vetoes vetoes; /* as they are after the look */
    struct decision page[VETO_PAGE];
    bool more;
};

static int tell_vetoes(struct notices *n, struct veto_look *look, int count, bool *ret_told,
                       struct err *err)
{
    int rc = 0;
    for (int i = 0; i < count && rc >= 0; i++) {
        const struct decision *d = &look->page[i];
        look->vetoes.decision_id = d->id;
        if (is_of_note(d->veto_code) && is_fresh_veto(&look->vetoes, d, now_wall(n))) {
            *ret_told = true;
            rc = tell(
                n, NOTICE_VETO, &d->symbol, 0,
                notice_veto(&d->symbol, direction_name(d->direction), d->veto_code, d->veto_text),
                err);
        }
    }
    return rc;
}

/* What was looked at without a message is stored once in VETO_SAVE_US, so that a decision costs no
 * write of its own: a start looks at those again, which tells nothing twice. */
static int veto_body(struct notices *n, const struct snapshot *s, void *userdata, struct err *err)
{
    (void)s;
    struct veto_look *look = userdata;
    struct decision newest = {0};
    bool told = false;
    int rc = n->vetoes_known ? 0 : read_vetoes(n, &look->vetoes, err);
    if (rc >= 0) {
        rc = decision_table_last(n->o.trading, (struct symbol){0}, &newest, err);
    }
    if (rc == -ERR_STORE_NOT_FOUND) {
        err_clear(err);
    } else if (rc < 0) {
        return rc;
    }
    bool first = look->vetoes.decision_id < 0; /* history is not news */
    int count = first ? 0
                      : decision_table_vetoed(n->o.trading, look->vetoes.decision_id, look->page,
                                              VETO_PAGE, err);
    if (count < 0 || (rc = tell_vetoes(n, look, count, &told, err)) < 0) {
        return count < 0 ? count : rc;
    }
    look->more = count == VETO_PAGE;
    if (!look->more) {
        look->vetoes.decision_id = newest.id;
    }
    bool save = first || told || look->more || n->vetoes_saved_mono_us == 0 ||
                now_mono(n) - n->vetoes_saved_mono_us >= VETO_SAVE_US;
    if (save) {
        n->vetoes_saved_mono_us = now_mono(n);
    }
    return save ? write_vetoes(n, &look->vetoes, told, err) : 0;
}

static void look_at_vetoes(struct notices *n, const struct snapshot *s)
{
    if (n->vetoes_known && !n->look_vetoes && s->vetoes == n->veto_count) {
        return;
    }
    AUTO_FREE struct veto_look *look = calloc(1, sizeof(*look));
    ASSERT(look != NULL);
    look->vetoes = n->vetoes;
    if (in_one(n, s, veto_body, look)) {
        n->vetoes_known = true;
        n->vetoes = look->vetoes;
        n->look_vetoes = look->more;
        n->veto_count = s->vetoes;
    }
}

/* ---------------------------------------------------------------- pause and resume */

/* The private chat of who did it: "paused by alice, run 12". 0: unknown. */
static int64_t chat_of_reason(const struct config *config, const char *reason)
{
    const char *by = strstr(reason, " by ");
    for (int i = 0; by != NULL && i < config->user_count; i++) {
        size_t len = strlen(config->users[i].name);
        char end = strncmp(by + 4, config->users[i].name, len) == 0 ? by[4 + len] : 'x';
        if (end == '\0' || end == ',' || end == ' ' || end == ':') {
            return config->users[i].id;
        }
    }
    return 0;
}

static int state_body(struct notices *n, const struct snapshot *s, void *userdata, struct err *err)
{
    (void)userdata;
    int64_t before = -1;
    int rc = read_i64(n, VALUE_STATE, -1, &before, err);
    if (rc < 0 || before == (int64_t)s->state) {
        return rc;
    }
    /* The circuit breaker has an alert. */
    bool breaker =
        s->state == TRADING_BREAKER || (before == TRADING_BREAKER && s->state == TRADING_ACTIVE);
    if (before >= 0 && !breaker) {
        rc = tell(n, NOTICE_PAUSE, NULL, chat_of_reason(n->o.config, s->state_reason),
                  notice_state(s), err);
    }
    return rc < 0 ? rc : write_i64(n, VALUE_STATE, (int64_t)s->state, err);
}

static void look_at_state(struct notices *n, const struct snapshot *s)
{
    if (n->state_known && n->state == s->state) {
        return;
    }
    if (in_one(n, s, state_body, NULL)) {
        n->state_known = true;
        n->state = s->state;
    }
}

/* ---------------------------------------------------------------- start and stop */

/* In a new account changes of the state count from the one that the first message tells: a pause
 * right after it is a change. */
static int begin_state(struct notices *n, const struct snapshot *s, struct err *err)
{
    int64_t before = -1;
    int rc = read_i64(n, VALUE_STATE, -1, &before, err);
    return rc < 0 || before >= 0 ? rc : write_i64(n, VALUE_STATE, (int64_t)s->state, err);
}

/* At once, since this process may crash before its start can be reported. */
static int begun_body(struct notices *n, const struct snapshot *s, void *userdata, struct err *err)
{
    (void)s;
    int64_t *ret_before = userdata;
    int rc = read_i64(n, VALUE_RUNNING, RUNNING_NEVER, ret_before, err);
    return rc < 0 || *ret_before == RUNNING_REPORTED
               ? rc
               : write_i64(n, VALUE_RUNNING, RUNNING_BEGUN, err);
}

static void begin(struct notices *n)
{
    n->begun = n->begun || in_one(n, NULL, begun_body, &n->last_running);
}

/* The start was not reported, so the next process finds what this one found. */
static int unbegun_body(struct notices *n, const struct snapshot *s, void *userdata,
                        struct err *err)
{
    (void)s;
    (void)userdata;
    return write_i64(n, VALUE_RUNNING, n->last_running, err);
}

static int start_body(struct notices *n, const struct snapshot *s, void *userdata, struct err *err)
{
    (void)userdata;
    int64_t stopped_us = 0, now_us = now_wall(n);
    struct outbox_undelivered undelivered = {0};
    int rc = read_i64(n, VALUE_STOPPED, 0, &stopped_us, err);
    if (rc >= 0) {
        rc = outbox_table_undelivered(n->o.store, now_us - USEC_PER_DAY, 0, &undelivered, err);
    }
    if (rc < 0) {
        return rc;
    }
    enum notice_start how = n->last_running == RUNNING_NEVER ? NOTICE_START_FIRST
                            : n->last_running == RUNNING_NOT ? NOTICE_START_CLEAN
                                                             : NOTICE_START_CRASH;
    int64_t since_us = how == NOTICE_START_CRASH ? n->last_alive_us : stopped_us;
    int64_t begun_us = now_us - (now_mono(n) - n->begun_mono_us);
    int64_t away_us = since_us > 0 && begun_us > since_us ? begun_us - since_us : 0;
    const struct notice_end end = {.at_us = n->last_alive_us, .how = n->last_end, .now_us = now_us};
    if (how == NOTICE_START_CRASH) {
        LOG(ERROR, "the last run ended unexpectedly%s%s", n->last_end[0] == '\0' ? "" : ": ",
            n->last_end);
    }
    rc = tell(n, NOTICE_START, NULL, 0, notice_started(how, away_us, &end, s, &undelivered), err);
    if (rc >= 0 && s->state != TRADING_STARTING) {
        rc = begin_state(n, s, err);
    }
    return rc < 0 ? rc : write_i64(n, VALUE_RUNNING, RUNNING_REPORTED, err);
}

static int stop_body(struct notices *n, const struct snapshot *s, void *userdata, struct err *err)
{
    int rc = tell(n, NOTICE_START, NULL, 0, notice_stopped(userdata, s), err);
    if (rc >= 0) {
        rc = write_i64(n, VALUE_RUNNING, RUNNING_NOT, err);
    }
    return rc < 0 ? rc : write_i64(n, VALUE_STOPPED, now_wall(n), err);
}

int64_t notices_stopping(struct notices *n, const struct snapshot *s, const char *why)
{
    n->retry_mono_us = 0; /* there is no later attempt */
    int64_t before = 0, after = 0;
    char words[64];
    (void)snprintf(words, sizeof(words), "%s", why);
    if (n->begun && !n->started) {
        (void)in_one(n, s, unbegun_body, NULL);
    }
    if (!n->started || outbox_table_newest(n->o.store, &before, NULL) < 0 ||
        !in_one(n, s, stop_body, words) || outbox_table_newest(n->o.store, &after, NULL) < 0) {
        return 0;
    }
    return after > before ? after : 0;
}

/* ---------------------------------------------------------------- the daily report */

static void add_trade(struct notice_day *day, const struct trade *t)
{
    if (day->trades == 0 || dec_cmp(t->pnl, day->best.pnl) > 0) {
        day->best = *t;
    }
    if (day->trades == 0 || dec_cmp(t->pnl, day->worst.pnl) < 0) {
        day->worst = *t;
    }
    day->trades++;
    day->wins += dec_cmp(t->pnl, DEC_ZERO) > 0 ? 1 : 0;
    day->pnl = dec_add(day->pnl, t->pnl);
    day->fees = dec_add(day->fees, t->fees);
}

static int sum_trades(struct notices *n, int64_t last_id, struct notice_day *day,
                      int64_t *ret_newest, struct err *err)
{
    struct trade *page = calloc(PAGE, sizeof(*page));
    AUTO_FREE struct trade *memory = page;
    ASSERT(page != NULL);
    int64_t before_id = 0;
    *ret_newest = last_id;
    while (day->trades < DAY_TRADES) {
        const struct trade_query query = {.before_id = before_id};
        int count = trade_table_list(n->o.trading, &query, page, PAGE, err);
        if (count < 0) {
            return count;
        }
        for (int i = 0; i < count; i++) {
            if (page[i].id <= last_id) {
                return 0;
            }
            *ret_newest = page[i].id > *ret_newest ? page[i].id : *ret_newest;
            add_trade(day, &page[i]);
            before_id = page[i].id;
        }
        if (count < PAGE) {
            return 0;
        }
    }
    return 0;
}

static int count_alerts(struct notices *n, int64_t since_us, struct notice_day *day,
                        struct err *err)
{
    int64_t counts[SEVERITY_CRITICAL + 1] = {0};
    int rc = alert_table_counts(n->o.store, counts, err);
    for (int i = SEVERITY_MEDIUM; i <= SEVERITY_CRITICAL; i++) {
        day->open_alerts += counts[i];
    }
    return rc < 0 ? rc : alert_table_count_since(n->o.store, since_us, &day->new_alerts, err);
}

static int daily_body(struct notices *n, const struct snapshot *s, void *userdata, struct err *err)
{
    int64_t today = *(const int64_t *)userdata;
    int64_t last_day = -1, last_trade = -1, equity = 0, at_us = 0, newest = 0;
    struct notice_day day = {0};
    int rc = read_i64(n, VALUE_DAY, -1, &last_day, err);
    if (rc >= 0) {
        rc = read_i64(n, VALUE_DAY_TRADE, -1, &last_trade, err);
    }
    if (rc >= 0) {
        rc = read_i64(n, VALUE_DAY_VALUE, 0, &equity, err);
    }
    if (rc >= 0) {
        rc = read_i64(n, VALUE_DAY_AT, 0, &at_us, err);
    }
    if (rc < 0 || last_day >= today) {
        return rc;
    }
    bool first = last_day < 0; /* the first start begins the first day */
    day.equity_before.e8 = equity;
    rc = sum_trades(n, last_trade, &day, &newest, err);
    if (rc >= 0 && !first) {
        rc = count_alerts(n, at_us, &day, err);
    }
    if (rc >= 0 && !first) {
        rc = tell(n, NOTICE_DAILY, NULL, 0, notice_daily(&day, s), err);
    }
    if (rc >= 0) {
        rc = write_i64(n, VALUE_DAY, today, err);
    }
    if (rc >= 0) {
        rc = write_i64(n, VALUE_DAY_TRADE, newest, err);
    }
    if (rc >= 0) {
        rc = write_i64(n, VALUE_DAY_VALUE, s->equity.e8, err);
    }
    return rc < 0 ? rc : write_i64(n, VALUE_DAY_AT, now_wall(n), err);
}

static void look_at_day(struct notices *n, const struct snapshot *s)
{
    struct zone_time local = zone_local(n->zone, now_wall(n));
    int at = zone_parse_minute(n->o.config->notify_daily_at);
    int64_t known = -1;
    /* The day of the last report whose time has come. */
    int64_t today = at >= 0 && local.minute_of_day >= at ? local.day : local.day - 1;
    if (read_i64(n, VALUE_DAY, -1, &known, NULL) == 0 && known < today) {
        (void)in_one(n, s, daily_body, &today);
    }
}

/* ---------------------------------------------------------------- the weekly digest */

static int weekly_body(struct notices *n, const struct snapshot *s, void *userdata, struct err *err)
{
    (void)s;
    int64_t due = *(const int64_t *)userdata, last = -1;
    struct notice_week week = {0};
    struct alert *open = calloc(WEEK_SHOWN, sizeof(*open));
    AUTO_FREE struct alert *memory = open;
    ASSERT(open != NULL);
    int rc = read_i64(n, VALUE_WEEK, -1, &last, err);
    rc = rc < 0 ? rc : read_i64(n, VALUE_WEEK_AT, 0, &week.since_us, err);
    if (rc < 0 || last >= due) {
        return rc;
    }
    if (last >= 0) { /* else the first start begins the first week */
        const struct alert_query query = {.statuses = 1u << ALERT_OPEN | 1u << ALERT_ACKNOWLEDGED,
                                          .source = "auditor"};
        rc = alert_table_findings(n->o.store, week.since_us, &week.findings, err);
        rc = rc < 0 ? rc : audit_table_sums(n->o.store, week.since_us, &week.audits, err);
        rc = rc < 0 ? rc : llm_call_table_spend(n->o.store, week.since_us, &week.spend, err);
        rc = rc < 0 ? rc : self_report_read(n->o.store, week.since_us, &week.self, err);
        rc = rc < 0 ? rc : alert_table_list(n->o.store, &query, open, WEEK_SHOWN, err);
        week.open = open;
        week.open_count = rc;
        AUTO_FREE struct forecast_row *forecasts = calloc(WEEK_FORECASTS, sizeof(*forecasts));
        ASSERT(forecasts != NULL);
        rc = rc < 0 ? rc
                    : forecast_table_list(n->o.store, now_wall(n) / USEC_PER_DAY - 1, forecasts,
                                          WEEK_FORECASTS, err);
        week.forecasts = forecasts;
        week.forecast_count = rc;
        rc = rc < 0 ? rc : tell(n, NOTICE_WEEKLY, NULL, 0, notice_weekly(&week, now_wall(n)), err);
    }
    rc = rc < 0 ? rc : write_i64(n, VALUE_WEEK, due, err);
    return rc < 0 ? rc : write_i64(n, VALUE_WEEK_AT, now_wall(n), err);
}

static void look_at_week(struct notices *n, const struct snapshot *s)
{
    struct zone_week at;
    int64_t known = -1;
    if (!zone_parse_week(n->o.config->notify_weekly_at, &at)) {
        return;
    }
    int64_t due = zone_week_day(zone_local(n->zone, now_wall(n)), at);
    if (read_i64(n, VALUE_WEEK, -1, &known, NULL) == 0 && known < due) {
        (void)in_one(n, s, weekly_body, &due);
    }
}

/* ---------------------------------------------------------------- life */

static void end_path(const struct notices *n, struct buf *out)
{
    buf_addf(out, "%s/" END_NAME, n->o.state_dir);
}

/* Its time is that of the end, more exactly than the last sign of life. */
static void read_end(struct notices *n)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    AUTO_BUF struct buf text = BUF_INIT(sizeof(n->last_end) - 1);
    struct stat st;
    end_path(n, &path);
    if (stat(path.data, &st) < 0 || !S_ISREG(st.st_mode) || file_read(path.data, &text, NULL) < 0) {
        return;
    }
    (void)str_copy(str_trim(buf_str(&text)), n->last_end, sizeof(n->last_end));
    n->last_alive_us = (int64_t)st.st_mtim.tv_sec * USEC_PER_SEC + st.st_mtim.tv_nsec / 1000;
}

static void forget_end(const struct notices *n)
{
    AUTO_BUF struct buf path = BUF_INIT(4096);
    end_path(n, &path);
    (void)unlink(path.data);
}

void notices_init(struct notices *n, const struct notices_options *options)
{
    *n = (struct notices){.o = *options, .look = true};
    n->begun_mono_us = now_mono(n);
    AUTO_BUF struct buf path = BUF_INIT(4096);
    struct stat st;
    alive_path(n, &path);
    if (stat(path.data, &st) == 0) {
        n->last_alive_us = (int64_t)st.st_mtim.tv_sec * USEC_PER_SEC + st.st_mtim.tv_nsec / 1000;
    }
    read_end(n);
    notices_apply(n, options->config);
    begin(n);
}

void notices_release(struct notices *n)
{
    zone_free(n->zone);
    n->zone = NULL;
}

void notices_apply(struct notices *n, const struct config *config)
{
    n->o.config = config;
    zone_free(n->zone);
    n->zone = NULL;
    (void)zone_load(config->alerts_timezone, &n->zone, NULL); /* the alerts log a failure */
}

void notices_event(struct notices *n, const struct event *event)
{
    if (event->topic == TOPIC_TRADE || event->topic == TOPIC_FILL) {
        n->look = true;
    }
}

void notices_tick(struct notices *n, const struct snapshot *s)
{
    bool ready = s->version > 0 && s->state != TRADING_STARTING;
    bool late = s->version > 0 && now_mono(n) - n->begun_mono_us >= START_LATE_US;
    touch_alive(n);
    begin(n);
    if (!n->started) {
        n->started = n->begun && (ready || late) && in_one(n, s, start_body, NULL);
        if (n->started) {
            forget_end(n);
        }
        return;
    }
    if (ready) {
        look_at_state(n, s);
        look_at_trades(n, s);
        look_at_vetoes(n, s);
        look_at_day(n, s);
        look_at_week(n, s);
    }
}
