#include "watch_screen.h"

#include "base/clock.h"
#include "base/dec.h"
#include "chat/render.h"
#include "command/reply.h"

#include <string.h>

#define WIDE       64 /* columns from which figures stand side by side */
#define TEXT_MAX   ((size_t)128 * 1024)
#define ALERTS_MAX 5

static struct dec amount(const struct json_object *object, const char *key)
{
    struct dec d = DEC_ZERO;
    struct json_object *value = json_get(object, key);
    const char *text = value == NULL ? "" : json_object_to_json_string(value);
    return dec_parse(str_c(text), &d) ? d : DEC_ZERO;
}

static int64_t time_of(const struct json_object *object, const char *key)
{
    int64_t us = 0;
    return clock_parse_iso(str_c(json_text(object, key)), &us) ? us : 0;
}

/* ---------------------------------------------------------------- the parts */

static enum tone tone_of(const struct watch_data *data, struct json_object *trading)
{
    const char *state = json_text(trading, "state");
    bool stale = json_truth(data->state, "stale", true);
    if (data->lost_us != 0 || stale || strcmp(state, "emergency") == 0) {
        return TONE_BAD;
    }
    return strcmp(state, "active") == 0 ? TONE_GOOD : TONE_WARN;
}

static void add_title(const struct watch_data *data, struct reply *r)
{
    struct json_object *trading = json_get(data->state, "trading");
    struct json_object *venue = json_get(data->state, "venue");
    reply_title(r, tone_of(data, trading), "nightdesk · %s · %s", json_text(venue, "name"),
                json_text(trading, "state"));
    if (data->lost_us != 0) {
        reply_para(r, "🔴 The daemon has not answered for {}; trying again every second.",
                   cell_duration(data->now_us - data->lost_us));
    }
}

static void add_data_age(const struct watch_data *data, const struct watch_size *size,
                         struct reply *r)
{
    int64_t age_us = (int64_t)(json_double(data->state, "data_age_seconds", -1) * USEC_PER_SEC);
    struct json_object *markets = json_get(data->state, "markets");
    int64_t market_us = time_of(data->state, "market_time"), oldest_us = market_us;
    for (size_t i = 0; i < json_len(markets); i++) {
        int64_t at = time_of(json_item(markets, i), "updated_at");
        oldest_us = at < oldest_us ? at : oldest_us;
    }
    if (data->lost_us != 0) {
        age_us += data->now_us - data->lost_us;
    }
    bool stale = json_truth(data->state, "stale", true) || data->lost_us != 0;
    if (age_us < 0) {
        reply_field(r, "Data", "{}", cell_text("🔴 none: the engine has not answered"));
    } else if (market_us == 0) {
        reply_field(r, "Data", "engine {} ago, no price yet{}", cell_took(age_us),
                    cell_text(stale ? " 🔴 stale" : ""));
    } else if (size->columns < WIDE) {
        reply_field(r, "Data", "{}, price {}{}", cell_took(age_us),
                    cell_duration(market_us - oldest_us), cell_text(stale ? " 🔴 stale" : ""));
    } else {
        reply_field(r, "Data", "engine {} ago, oldest price {} old{}", cell_took(age_us),
                    cell_duration(market_us - oldest_us), cell_text(stale ? " 🔴 stale" : ""));
    }
}

static void add_account(const struct watch_data *data, const struct watch_size *size,
                        struct reply *r)
{
    struct json_object *a = json_get(data->state, "account");
    struct dec equity = amount(a, "equity"), start = amount(a, "day_start_equity");
    struct dec today = dec_sub(equity, start);
    double pct = start.e8 == 0 ? 0 : 100.0 * (double)today.e8 / (double)start.e8;
    int64_t open = (int64_t)json_len(json_get(data->state, "positions"));
    reply_field(r, "Equity", "{}", cell_money(equity));
    reply_field(r, "Today", "{} ({})", cell_money_signed(today), cell_pct_signed(pct, 2));
    if (size->columns >= WIDE) {
        reply_field(r, "Drawdown", "{} of {}, daily loss {} of {}",
                    cell_pct(json_double(a, "drawdown_pct", 0), 1),
                    cell_pct(json_double(a, "max_drawdown_pct", 0), 0),
                    cell_pct(json_double(a, "daily_loss_pct", 0), 1),
                    cell_pct(json_double(a, "max_daily_loss_pct", 0), 0));
    } else {
        reply_field(r, "Drawdown", "{} of {}", cell_pct(json_double(a, "drawdown_pct", 0), 1),
                    cell_pct(json_double(a, "max_drawdown_pct", 0), 0));
    }
    reply_field(r, "Exposure", "{}, positions {} of {}",
                cell_pct(json_double(a, "exposure_pct", 0), 1), cell_count(open),
                cell_count(json_i64(data->state, "max_positions", 0)));
}

static void add_positions(const struct watch_data *data, const struct watch_size *size,
                          struct reply *r)
{
    struct json_object *list = json_get(data->state, "positions");
    int64_t market_us = time_of(data->state, "market_time");
    bool wide = size->columns >= WIDE;
    reply_heading(r, "Positions");
    if (json_len(list) == 0) {
        reply_line(r, "none");
        return;
    }
    if (wide) {
        reply_columns(r, "symbol", "side", "quantity", "entry", "now", "result", "open for");
    } else {
        reply_columns(r, "symbol", "side", "now", "result");
    }
    for (size_t i = 0; i < json_len(list); i++) {
        struct json_object *p = json_item(list, i);
        const char *symbol = json_text(p, "symbol");
        struct cell name = cell_symbol(symbol), side = cell_text(json_text(p, "side"));
        struct cell now = cell_price(amount(p, "mark_price"), symbol);
        struct cell result = cell_money_signed(amount(p, "unrealised_pnl"));
        if (wide) {
            reply_cells(r, name, side, cell_qty(amount(p, "qty"), symbol),
                        cell_price(amount(p, "entry_price"), symbol), now, result,
                        cell_duration(market_us - time_of(p, "opened_at")));
        } else {
            reply_cells(r, name, side, now, result);
        }
    }
}

static void add_alerts(const struct watch_data *data, struct reply *r)
{
    struct json_object *list = json_get(data->alerts, "alerts");
    size_t count = json_len(list);
    reply_heading(r, "Alerts");
    if (data->alerts == NULL || count == 0) {
        reply_line(r, data->alerts == NULL ? "not known" : "none open");
        return;
    }
    for (size_t i = 0; i < count && i < ALERTS_MAX; i++) {
        struct json_object *a = json_item(list, i);
        reply_item(r, "{} {} ({})", cell_text(json_text(a, "severity")),
                   cell_text(json_text(a, "title")),
                   cell_duration(data->now_us - time_of(a, "created_at")));
    }
    bool more = json_get(data->alerts, "next_offset") != NULL;
    if (more || count > ALERTS_MAX) {
        reply_para(r, "{} in all{}: {}", cell_count((int64_t)count),
                   cell_text(more ? " or more" : ""), cell_code("/alerts"));
    }
}

/* "long 62 %", "–" for one that sees nothing. */
static struct cell vote_cell(struct json_object *vote, struct buf *text)
{
    const char *direction = json_text(vote, "direction");
    if (strcmp(direction, "none") == 0) {
        return cell_none();
    }
    buf_clear(text);
    buf_addf(text, "%s %.0f %%", direction, 100.0 * json_double(vote, "confidence", 0));
    return cell_text(text->data);
}

static void add_votes(struct json_object *votes, struct reply *r)
{
    size_t count = json_len(votes), half = (count + 1) / 2;
    AUTO_BUF struct buf left = BUF_INIT(64);
    AUTO_BUF struct buf right = BUF_INIT(64);
    reply_columns(r, "agent", "vote", "agent", "vote");
    for (size_t i = 0; i < half; i++) {
        struct json_object *a = json_item(votes, i);
        struct json_object *b = i + half < count ? json_item(votes, i + half) : NULL;
        reply_cells(r, cell_text(json_text(a, "agent")), vote_cell(a, &left),
                    cell_text(b == NULL ? "" : json_text(b, "agent")),
                    b == NULL ? cell_text("") : vote_cell(b, &right));
    }
}

static void add_vote_counts(struct json_object *votes, struct reply *r)
{
    static const char *const directions[] = {"long", "short", "none"};
    int64_t counts[3] = {0};
    for (size_t i = 0; i < json_len(votes); i++) {
        for (size_t d = 0; d < 3; d++) {
            counts[d] +=
                strcmp(json_text(json_item(votes, i), "direction"), directions[d]) == 0 ? 1 : 0;
        }
    }
    reply_para(r, "long {}, short {}, no view {}", cell_count(counts[0]), cell_count(counts[1]),
               cell_count(counts[2]));
}

static void add_agents(const struct watch_data *data, const struct watch_size *size,
                       struct reply *r)
{
    struct json_object *decision = json_item(json_get(data->decisions, "decisions"), 0);
    struct json_object *votes = json_get(decision, "votes");
    reply_heading(r, "Agents");
    if (json_len(votes) == 0) {
        reply_line(r, data->decisions == NULL ? "not known" : "no decision yet");
        return;
    }
    reply_para(r, "{} {}: score {}, {}", cell_symbol(json_text(decision, "symbol")),
               cell_clock(time_of(decision, "at")),
               cell_number_signed(json_double(decision, "score", 0), 2),
               cell_text(json_text(decision, "outcome")));
    if (size->columns >= WIDE) {
        add_votes(votes, r);
    } else {
        add_vote_counts(votes, r);
    }
}

/* ---------------------------------------------------------------- the screen */

/* Cuts a line with colours to so many columns; a sequence takes none. */
static size_t fits(struct str line, size_t columns)
{
    size_t at = 0, used = 0;
    while (at < line.len) {
        if (line.ptr[at] == '\033') {
            while (at < line.len && line.ptr[at] != 'm') {
                at++;
            }
            at += at < line.len ? 1 : 0;
            continue;
        }
        size_t size = str_utf8_size(str_n(line.ptr + at, line.len - at));
        size = size == 0 ? 1 : size;
        used += render_width(str_n(line.ptr + at, size));
        if (used > columns) {
            break;
        }
        at += size;
    }
    return at;
}

static size_t count_lines(struct str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        count += text.ptr[i] == '\n' ? 1 : 0;
    }
    return count;
}

static void add_screen(struct str text, const struct watch_data *data,
                       const struct watch_size *size, struct buf *out)
{
    size_t total = count_lines(text), row = 0;
    size_t room = size->rows == 0 ? total : size->rows - (data->footer != NULL ? 1 : 0);
    struct str line;
    while (row < room && str_split(&text, '\n', &line)) {
        size_t len = fits(line, size->columns);
        bool cut = row + 1 == room && total > room;
        buf_add(out, line.ptr, cut ? 0 : len);
        buf_addf(out, "%s%s\n", size->colour ? "\033[0m" : "",
                 cut ? "… (more does not fit this terminal)" : "");
        row++;
    }
    for (; data->footer != NULL && size->rows > 0 && row < room; row++) {
        buf_add_char(out, '\n');
    }
    if (data->footer != NULL) {
        size_t len = fits(str_c(data->footer), size->columns);
        buf_addf(out, "%s%.*s%s\n", size->colour ? "\033[2m" : "", (int)len, data->footer,
                 size->colour ? "\033[0m" : "");
    }
}

static void add_gap(struct reply *r, bool gaps)
{
    if (gaps) {
        reply_gap(r);
    }
}

static void add_parts(const struct watch_data *data, const struct watch_size *size, bool gaps,
                      struct buf *text)
{
    AUTO_REPLY struct reply *r = reply_new();
    add_title(data, r);
    add_account(data, size, r);
    add_data_age(data, size, r);
    add_gap(r, gaps);
    add_positions(data, size, r);
    add_gap(r, gaps);
    add_alerts(data, r);
    add_gap(r, gaps);
    add_agents(data, size, r);
    render_text(r, &(struct render_text_options){.width = size->columns, .colour = size->colour},
                text);
}

/* With empty lines between the parts if there is room. */
void watch_screen(const struct watch_data *data, const struct watch_size *size, struct buf *out)
{
    AUTO_BUF struct buf text = BUF_INIT(TEXT_MAX);
    add_parts(data, size, true, &text);
    if (size->rows > 0 && count_lines(buf_str(&text)) + 1 > size->rows) {
        buf_clear(&text);
        add_parts(data, size, false, &text);
    }
    add_screen(buf_str(&text), data, size, out);
}
