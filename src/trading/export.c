#include "export.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "io/json_out.h"
#include "store/audit_search.h"
#include "store/decision_table.h"
#include "store/equity_table.h"
#include "store/fill_table.h"
#include "store/order_table.h"
#include "store/sentiment_table.h"
#include "store/trade_table.h"
#include "store/trading.h"

#include <math.h>
#include <string.h>

#define ROW_MAX ((size_t)32 * 1024) /* a row of the audit log, escaped, is shorter */

static const struct {
    const char *name;
    const char *schema;
    const char *files[2]; /* CSV, JSON */
} tables[EXPORT_WHATS] = {
    [EXPORT_TRADES] = {"trades", "nightdesk.export_trades/1", {"trades.csv", "trades.json"}},
    [EXPORT_ORDERS] = {"orders", "nightdesk.export_orders/1", {"orders.csv", "orders.json"}},
    [EXPORT_FILLS] = {"fills", "nightdesk.export_fills/1", {"fills.csv", "fills.json"}},
    [EXPORT_DECISIONS] = {"decisions",
                          "nightdesk.export_decisions/1",
                          {"decisions.csv", "decisions.json"}},
    [EXPORT_EQUITY] = {"equity", "nightdesk.export_equity/1", {"equity.csv", "equity.json"}},
    [EXPORT_AUDIT] = {"audit", "nightdesk.export_audit/1", {"audit.csv", "audit.json"}},
    [EXPORT_SENTIMENT] = {"sentiment",
                          "nightdesk.export_sentiment/1",
                          {"sentiment.csv", "sentiment.json"}},
};

const char *export_name(enum export_what what)
{
    return tables[what].name;
}

const char *export_file_name(enum export_what what, bool json)
{
    return tables[what].files[json];
}

/* ------------------------------------------------------------------------------- a row ---- */

enum field_kind { FIELD_TEXT, FIELD_I64, FIELD_DEC, FIELD_DOUBLE, FIELD_TIME };

struct field {
    const char *name;
    enum field_kind kind;
    const char *text;
    int64_t integer; /* also a time */
    struct dec dec;
    double number;
};

#define TEXT(name, value)   ((struct field){(name), FIELD_TEXT, .text = (value)})
#define I64(name, value)    ((struct field){(name), FIELD_I64, .integer = (value)})
#define DEC(name, value)    ((struct field){(name), FIELD_DEC, .dec = (value)})
#define DOUBLE(name, value) ((struct field){(name), FIELD_DOUBLE, .number = (value)})
#define TIME(name, value)   ((struct field){(name), FIELD_TIME, .integer = (value)})
#define FIELDS(...)                      \
    (const struct field[]){__VA_ARGS__}, \
        sizeof((const struct field[]){__VA_ARGS__}) / sizeof(struct field)

struct writing {
    struct export *e;
    struct attachment_writer *writer;
    struct buf row;       /* not appended yet */
    struct json_out json; /* of the whole document */
};

/* A text of people may begin with what a spreadsheet takes for a formula. */
static void add_csv_text(struct buf *out, const char *text)
{
    buf_add_char(out, '"');
    if (text[0] != '\0' && strchr("=+-@", text[0]) != NULL) {
        buf_add_char(out, '\'');
    }
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"') {
            buf_add_char(out, '"');
        }
        buf_add_char(out, (unsigned char)*c < ' ' || *c == 0x7f ? ' ' : *c);
    }
    buf_add_char(out, '"');
}

static void add_csv(struct buf *out, const struct field *f)
{
    switch (f->kind) {
    case FIELD_TEXT:
        add_csv_text(out, f->text);
        break;
    case FIELD_I64:
        buf_addf(out, "%lld", (long long)f->integer);
        break;
    case FIELD_DEC:
        dec_add_text(out, f->dec);
        break;
    case FIELD_DOUBLE:
        if (isfinite(f->number)) {
            buf_addf(out, "%.6g", f->number);
        }
        break;
    case FIELD_TIME:
        clock_add_iso(out, f->integer, true);
        break;
    }
}

static void add_json(struct json_out *out, const struct field *f)
{
    AUTO_BUF struct buf time = BUF_INIT(64);
    switch (f->kind) {
    case FIELD_TEXT:
        json_out_text(out, f->name, f->text);
        break;
    case FIELD_I64:
        json_out_i64(out, f->name, f->integer);
        break;
    case FIELD_DEC:
        json_out_dec(out, f->name, f->dec);
        break;
    case FIELD_DOUBLE:
        json_out_double(out, f->name, f->number);
        break;
    case FIELD_TIME:
        clock_add_iso(&time, f->integer, true);
        json_out_text(out, f->name, time.data);
        break;
    }
}

/* The first row comes after the header. */
static void begin(struct writing *w, const struct field *fields, size_t count)
{
    if (w->e->json) {
        w->json = (struct json_out)JSON_OUT(&w->row);
        json_out_document(&w->json, tables[w->e->what].schema);
        json_out_array(&w->json, "rows");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        buf_addf(&w->row, "%s%s", i == 0 ? "" : ",", fields[i].name);
    }
    buf_add_c(&w->row, "\r\n");
}

static int add_row(struct writing *w, const struct field *fields, size_t count, struct err *err)
{
    buf_clear(&w->row);
    if (w->e->rows == 0) {
        begin(w, fields, count);
    }
    if (w->e->json) {
        json_out_object(&w->json, NULL);
        for (size_t i = 0; i < count; i++) {
            add_json(&w->json, &fields[i]);
        }
        json_out_end(&w->json);
        buf_add_char(&w->row, '\n');
    } else {
        for (size_t i = 0; i < count; i++) {
            buf_add_c(&w->row, i == 0 ? "" : ",");
            add_csv(&w->row, &fields[i]);
        }
        buf_add_c(&w->row, "\r\n");
    }
    w->e->rows++;
    return attachment_append(w->writer, buf_str(&w->row), err);
}

/* --------------------------------------------------------------------------- the tables ---- */

static int add_trade(const struct trade *t, void *userdata, struct err *err)
{
    return add_row(userdata,
                   FIELDS(I64("id", t->id), TIME("opened_at", t->opened_us),
                          TIME("closed_at", t->closed_us), TEXT("symbol", t->symbol.name),
                          TEXT("side", side_name(t->side)), DEC("qty", t->qty),
                          DEC("entry_price", t->entry_price), DEC("exit_price", t->exit_price),
                          DEC("pnl", t->pnl), DEC("fees", t->fees),
                          TEXT("exit_reason", t->exit_reason), TEXT("client_id", t->client_id),
                          I64("decision_id", t->decision_id), I64("run_id", t->run_id)),
                   err);
}

static int add_order(const struct order *o, void *userdata, struct err *err)
{
    return add_row(userdata,
                   FIELDS(TEXT("client_id", o->client_id), TIME("created_at", o->created_us),
                          TIME("updated_at", o->updated_us), TEXT("symbol", o->symbol.name),
                          TEXT("kind", order_kind_name(o->kind)), TEXT("side", side_name(o->side)),
                          TEXT("state", order_state_name(o->state)),
                          TEXT("type", order_type_name(o->type)), DEC("qty", o->qty),
                          DEC("reference_price", o->reference_price), DEC("stop", o->stop),
                          DEC("target", o->target), DEC("filled_qty", o->filled_qty),
                          DEC("average_price", o->average_price), TEXT("reason", o->reason),
                          I64("decision_id", o->decision_id), I64("run_id", o->run_id)),
                   err);
}

static int add_fill(const struct fill *f, void *userdata, struct err *err)
{
    return add_row(userdata,
                   FIELDS(TIME("at", f->at_us), TEXT("client_id", f->client_id),
                          TEXT("venue_fill_id", f->venue_fill_id), TEXT("symbol", f->symbol.name),
                          TEXT("kind", order_kind_name(f->kind)), TEXT("side", side_name(f->side)),
                          DEC("qty", f->qty), DEC("price", f->price), DEC("fee", f->fee),
                          DEC("fee_charged", f->fee_charged),
                          TEXT("fee_currency", f->fee_currency)),
                   err);
}

static int add_decision(const struct decision *d, void *userdata, struct err *err)
{
    return add_row(userdata,
                   FIELDS(I64("id", d->id), TIME("at", d->at_us), TEXT("symbol", d->symbol.name),
                          DEC("price", d->price), TEXT("regime", regime_name(d->regime)),
                          DOUBLE("score", d->score), DOUBLE("threshold", d->threshold),
                          TEXT("direction", direction_name(d->direction)),
                          TEXT("outcome", outcome_name(d->outcome)),
                          TEXT("veto_code", d->veto_code), TEXT("veto_text", d->veto_text),
                          TEXT("client_id", d->client_id), DEC("qty", d->qty), DEC("stop", d->stop),
                          DEC("target", d->target)),
                   err);
}

static int add_point(const struct equity_point *p, void *userdata, struct err *err)
{
    return add_row(userdata,
                   FIELDS(TIME("at", p->at_us), DEC("equity", p->equity), DEC("cash", p->cash),
                          DEC("realised", p->realised)),
                   err);
}

static int add_audit_row(const struct audit_row *row, void *userdata, struct err *err)
{
    return add_row(userdata,
                   FIELDS(I64("id", row->id), TIME("at", row->at_us), TEXT("user", row->user),
                          TEXT("channel", row->channel), TEXT("action", row->action),
                          TEXT("detail", row->detail), TEXT("result", row->result),
                          TEXT("hash", row->hash)),
                   err);
}

static int write_trading(struct writing *w, const char *state_dir, struct err *err)
{
    AUTO_TRADING_STORE struct trading_store *store = NULL;
    int64_t since_us = w->e->since_us;
    int rc = trading_store_open(state_dir, TRADING_STORE_READ, &store, err);
    if (rc < 0) {
        return rc;
    }
    switch (w->e->what) {
    case EXPORT_TRADES:
        return trade_table_each(store, since_us, add_trade, w, err);
    case EXPORT_ORDERS:
        return order_table_each(store, since_us, add_order, w, err);
    case EXPORT_FILLS:
        return fill_table_each(store, since_us, add_fill, w, err);
    case EXPORT_DECISIONS:
        return decision_table_each(store, since_us, add_decision, w, err);
    case EXPORT_EQUITY:
        return equity_table_each(store, since_us, add_point, w, err);
    case EXPORT_AUDIT:
    case EXPORT_SENTIMENT:
    case EXPORT_WHATS:
        break;
    }
    return 0;
}

static int write_audit(struct writing *w, const char *state_dir, struct err *err)
{
    AUTO_OPS_STORE struct ops_store *store = NULL;
    const struct audit_filter filter = {.since_us = w->e->since_us};
    int rc = ops_store_open(state_dir, OPS_STORE_READ, &store, err);
    return rc < 0 ? rc : audit_export(store, &filter, add_audit_row, w, err);
}

/* market/sentiment_history.h reads this; the name of the first column says from when on the value
 * was known. */
static int add_sentiment(const struct sentiment_point *p, void *userdata, struct err *err)
{
    return add_row(userdata,
                   FIELDS(TIME("received", p->at_us), TEXT("symbol", p->symbol.name),
                          DOUBLE("score", p->known ? p->score : (double)NAN),
                          TIME("until", p->known ? p->until_us : p->at_us)),
                   err);
}

static int write_sentiment(struct writing *w, const char *state_dir, struct err *err)
{
    AUTO_OPS_STORE struct ops_store *store = NULL;
    int rc = ops_store_open(state_dir, OPS_STORE_READ, &store, err);
    return rc < 0 ? rc : sentiment_table_each(store, w->e->since_us, add_sentiment, w, err);
}

int export_write(struct export *e, const char *state_dir, struct attachment_writer *writer,
                 struct err *err)
{
    struct writing w = {.e = e, .writer = writer};
    buf_init(&w.row, ROW_MAX);
    e->rows = 0;
    int rc = e->what == EXPORT_AUDIT       ? write_audit(&w, state_dir, err)
             : e->what == EXPORT_SENTIMENT ? write_sentiment(&w, state_dir, err)
                                           : write_trading(&w, state_dir, err);
    if (rc == 0 && e->json && e->rows > 0) {
        buf_clear(&w.row);
        json_out_end(&w.json);
        json_out_end(&w.json);
        buf_add_char(&w.row, '\n');
        rc = attachment_append(writer, buf_str(&w.row), err);
    }
    buf_release(&w.row);
    return rc;
}
