/*
 * State files written by other programs or edited by hand, and accounts that cannot be imported.
 */
#include "../../../src/store/row.h"
#include "base/check.h"
#include "engine/state_file.h"
#include "io/file.h"
#include "recorder_rig.h"
#include "rigs/driver_rig.h"
#include "store/order_table.h"
#include "store/paper.h"
#include "store/position_table.h"
#include "store/state_table.h"
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>

#define AT_US (USEC_PER_DAY * 20000)

/* ---------------------------------------------------------------- reading */

static void refused(const char *text, const char *where, const char *what)
{
    struct state_file f;
    struct err err = {0};
    int rc = state_file_parse(str_c(text), "f", &f, &err);
    if (rc != -ERR_STATE_FILE_DAMAGED || strstr(err.context, where) == NULL ||
        strstr(err.context, what) == NULL) {
        print_error("%s\n-> %d %s, expected %s %s\n", text, rc, err.context, where, what);
    }
    assert_int_equal(rc, -ERR_STATE_FILE_DAMAGED);
    assert_non_null(strstr(err.context, where));
    assert_non_null(strstr(err.context, what));
}

#define HELD "\"symbol\": \"A\", \"side\": \"long\", \"size\": 1, \"entry_price\": 2"

static void each_invalid_field_is_reported_with_its_position(void **state)
{
    (void)state;
    refused("{\"total_trades\": \"x\"}", "f:1:18", "total_trades");
    refused("{\"win_rate\": \"x\"}", "f:1:14", "win_rate");
    refused("{\"win_rate\": -1}", "f:1:14", "win_rate");
    refused("{\"daily_pnl\": []}", "f:1:15", "daily_pnl");
    refused("{\"daily_drawdown_pct\": {}}", "f:1:24", "daily_drawdown_pct");
    refused("{\"circuit_breaker_tripped\": \"no\"}", "f:1:29", "circuit_breaker_tripped");
    refused("{\"last_circuit_trip_reason\": [1]}", "f:1:30", "last_circuit_trip_reason");
    refused("{\"created_at\": 5}", "f:1:16", "created_at");
    refused("{\"last_updated\": \"2026\"}", "f:1:18", "last_updated");
    refused("{\"last_updated\": \"+00:00\"}", "f:1:18", "last_updated");
    refused("{\"active_positions\": [{}]}", "f:1:23", "[0].symbol is missing");
    refused("{\"active_positions\": [{\"symbol\": \"\", \"side\": \"long\"}]}", "f:1:34",
            "not a symbol");
    refused("{\"active_positions\": [{\"symbol\": \"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTU"
            "VWXYZ\", \"side\": \"long\"}]}",
            "f:1:34", "not a symbol");
    refused("{\"active_positions\": [{\"symbol\": \"A\", \"side\": \"long\", \"size\": 1,\n"
            "\"entry_price\": -2}]}",
            "f:2:16", "entry_price");
    refused("{\"active_positions\": [{" HELD ",\n\"risk_usd\": \"x\"}]}", "f:2:13", "risk_usd");
    refused("{\"active_positions\": [{" HELD ",\n\"order_id\": {}}]}", "f:2:13", "order_id");
    refused("{\"active_positions\": [{" HELD ",\n\"stop_loss_order_id\": []}]}", "f:2:23",
            "stop_loss_order_id");
    refused("{\"active_positions\": [{" HELD ",\n\"take_profit_order_id\": true}]}", "f:2:25",
            "take_profit_order_id");
    /* The position is found after strings with quotes in them, and after nested values. */
    refused("{\"note\": \"a \\\"win_rate\\\": [{\", \"more\": [{\"win_rate\": [1, {}]}, []],\n"
            " \"win_rate\": 101}",
            "f:2:14", "win_rate");
    refused("{\"active_positions\": [{" HELD ", \"x\": [[1], {\"y\": 2}]},\n7]}", "f:2:1",
            "active_positions[1]");
    /* Without a position if the JSON parser reports none. */
    refused("{\"zzz\": 1, \"zzz\": 2}", "f:1:20: ", "same key twice");
    refused("[[[[[[[[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]]]]]]]]", "f", "deep");
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    struct state_file f;
    struct err err = {0};
    assert_int_equal(
        state_file_parse(
            STR_LIT("{\"provider\": \"a provider whose name is lo\xc3\xb6\xc3\xb6ng\",\n"
                    "\"active_positions\": [{\"symbol\": \"eth_usd:spot\", \"side\": \"Long\",\n"
                    "\"size\": 1, \"entry_price\": 2}]}"),
            "f", &f, &err),
        0);
    assert_true(str_is_utf8(str_c(f.provider)));
    assert_int_equal(strncmp(f.provider, "a provider whose name is lo", 27), 0);
    assert_string_equal(f.positions[0].symbol.name, "ETH-USD");
    /* Larger than the limit of a state file. */
    AUTO_BUF struct buf vast = BUF_INIT(STATE_FILE_MAX_BYTES + 64);
    buf_add_c(&vast, "{\"note\": \"");
    while (vast.len <= STATE_FILE_MAX_BYTES) {
        buf_add_c(&vast, "0123456789abcdef");
    }
    buf_add_c(&vast, "\"}");
    assert_int_equal(state_file_parse(buf_str(&vast), "f", &f, &err), -ERR_STATE_FILE_DAMAGED);
    err_clear(&err);
    assert_int_equal(state_file_read("/nowhere/at/all", &f, &err), -ERR_FILE_MISSING);
}

/* ---------------------------------------------------------------- writing */

static void unknown_values_are_null(void **state)
{
    (void)state;
    struct state_file f = {0};
    struct state_file again;
    AUTO_BUF struct buf text = BUF_INIT(STATE_FILE_MAX_BYTES);
    state_file_text(&f, &text);
    assert_non_null(strstr(text.data, "\"initialized\": false"));
    assert_non_null(strstr(text.data, "\"created_at\": null"));
    assert_int_equal(state_file_parse(buf_str(&text), "f", &again, NULL), 0);
    assert_false(again.initialized);
    assert_int_equal(again.created_us, 0);
}

/* The risk of a position without a stop is unknown. */
static void a_position_without_a_bracket_is_written(void **state)
{
    (void)state;
    struct settings settings;
    struct state_file f;
    AUTO_FREE struct engine_memory *memory = calloc(1, sizeof(*memory));
    ASSERT(memory != NULL);
    driver_rig_settings(&settings);
    memory->state = (struct engine_state){.state = TRADING_BREAKER,
                                          .state_reason = "ten losses in a row",
                                          .initial_cash = dec_from_int(100),
                                          .cash = dec_from_int(90),
                                          .realised = DEC_ZERO,
                                          .equity_peak = dec_from_int(100),
                                          .day_start_equity = DEC_ZERO,
                                          .run = 1};
    memory->position_count = 1;
    memory->positions[0] = (struct position){.symbol = settings.symbols[0],
                                             .qty = dec_from_int(1),
                                             .entry_price = dec_from_int(10),
                                             .mark_price = dec_from_int(10)};
    struct engine *engine = engine_new(&settings, settings.symbols, settings.symbol_count);
    engine_restore(engine, memory);
    memset(&f, 0, sizeof(f));
    state_file_of(&f, engine, "elsewhere", AT_US);
    assert_string_equal(f.provider, "elsewhere");
    assert_int_equal(f.positions[0].risk_usd.e8, 0);
    assert_string_equal(f.positions[0].stop_loss_order_id, "");
    assert_string_equal(f.positions[0].take_profit_order_id, "");
    assert_true(f.breaker_tripped);
    assert_string_equal(f.last_trip_reason, "ten losses in a row");
    assert_int_equal(f.daily_pnl.e8, dec_from_int(100).e8);
    engine_free(engine);
}

static void a_change_of_any_relevant_field_is_detected(void **state)
{
    (void)state;
    struct state_file a = {0};
    a.position_count = 1;
    (void)str_copy(STR_LIT("BTC-USD"), a.positions[0].symbol.name,
                   sizeof(a.positions[0].symbol.name));
    struct state_file b = a;
    assert_false(state_file_differs(&a, &b));
#define NEWS(field, other)                       \
    do {                                         \
        b.field = (other);                       \
        assert_true(state_file_differs(&a, &b)); \
        b = a;                                   \
    } while (0)
    NEWS(position_count, 0);
    NEWS(total_trades, 3);
    NEWS(total_pnl.e8, 3);
    NEWS(breaker_tripped, true);
    NEWS(last_trip_reason[0], 'x');
    NEWS(positions[0].symbol.name[0], 'X');
    NEWS(positions[0].side, SIDE_SHORT);
    NEWS(positions[0].size.e8, 3);
    NEWS(positions[0].entry_price.e8, 3);
    NEWS(positions[0].risk_usd.e8, 3);
    NEWS(positions[0].order_id[0], 'x');
    NEWS(positions[0].stop_loss_order_id[0], 'x');
    NEWS(positions[0].take_profit_order_id[0], 'x');
#undef NEWS
}

/* ---------------------------------------------------------------- importing */

struct import_rig {
    struct settings settings;
    struct trading_store *store;
    struct state_file file;
    struct state_file_import options;
    struct state_file_imported done;
    struct err err;
};

static void import_rig_open(struct import_rig *o, const char *text)
{
    memset(o, 0, sizeof(*o));
    driver_rig_settings(&o->settings);
    o->options = (struct state_file_import){
        .settings = &o->settings, .venue = venue_importer(&driver_rig_venue), .wall_us = AT_US};
    assert_int_equal(trading_store_open(":memory:", TRADING_STORE_WRITE, &o->store, NULL), 0);
    assert_int_equal(state_file_parse(str_c(text), "f", &o->file, &o->err), 0);
}

static int import(struct import_rig *o)
{
    err_clear(&o->err);
    return state_file_import(&o->file, &o->options, o->store, &o->done, &o->err);
}

static bool is_untouched(const struct import_rig *o)
{
    struct engine_state s;
    struct position p[POSITIONS_LIMIT];
    return state_table_load(o->store, &s, NULL) == -ERR_STORE_NOT_FOUND &&
           position_table_list(o->store, p, POSITIONS_LIMIT, NULL) == 0 &&
           paper_store_positions(o->store, p, POSITIONS_LIMIT, NULL) == 0;
}

static void impossible_accounts_change_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"daily_pnl\": 20000}",
        "{\"daily_pnl\": -92233720000}",
        "{\"total_pnl\": 92000000000, \"daily_pnl\": -92000000000}",
        "{\"active_positions\": [{\"symbol\": \"A\", \"side\": \"short\", \"size\": 0.00000001,"
        "\"entry_price\": 92000000000}]}",
        "{\"active_positions\": [{\"symbol\": \"A\", \"side\": \"short\", \"size\": 1,"
        "\"entry_price\": 80000000000}, {\"symbol\": \"B\", \"side\": \"short\", \"size\": 1,"
        "\"entry_price\": 80000000000}]}",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct import_rig o;
        import_rig_open(&o, texts[i]);
        int rc = import(&o);
        if (rc != -ERR_STATE_FILE_DAMAGED) {
            print_error("%s: %d %s\n", texts[i], rc, o.err.context);
        }
        assert_int_equal(rc, -ERR_STATE_FILE_DAMAGED);
        assert_true(is_untouched(&o));
        trading_store_free(o.store);
    }
}

static void an_account_elsewhere_takes_no_import(void **state)
{
    (void)state;
    struct import_rig o;
    const struct venue_settings elsewhere = {.name = "elsewhere"};
    import_rig_open(&o, "{}");
    o.options.venue = venue_importer(&elsewhere);
    assert_int_equal(import(&o), -ERR_STATE_FILE_VENUE);
    assert_true(is_untouched(&o));
    trading_store_free(o.store);
}

static void invalid_ids_are_replaced(void **state)
{
    (void)state;
    struct import_rig o;
    import_rig_open(&o, "{\"active_positions\": ["
                        "{\"symbol\": \"A\", \"side\": \"long\", \"size\": 1, \"entry_price\": 2,"
                        " \"order_id\": \"no blanks\"},"
                        "{\"symbol\": \"B\", \"side\": \"long\", \"size\": 1, \"entry_price\": 2,"
                        " \"order_id\": \"longer-than-the-id-of-an-order-can-ever-be-at-a-venue\"},"
                        "{\"symbol\": \"C\", \"side\": \"long\", \"size\": 1, \"entry_price\": 2,"
                        " \"order_id\": \"fine-7\"},"
                        "{\"symbol\": \"D\", \"side\": \"long\", \"size\": 1, \"entry_price\": 2,"
                        " \"order_id\": \"fine-7\"}]}");
    assert_int_equal(import(&o), 0);
    struct position p[POSITIONS_LIMIT];
    assert_int_equal(position_table_list(o.store, p, POSITIONS_LIMIT, NULL), 4);
    for (int i = 0; i < 4; i++) {
        struct order order;
        assert_int_equal(order_table_get(o.store, p[i].client_id, &order, NULL), 0);
        assert_string_equal(order.symbol.name, p[i].symbol.name);
        assert_int_equal(strcmp(p[i].client_id, "fine-7") == 0, strcmp(p[i].symbol.name, "C") == 0);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(p[i].client_id, p[j].client_id);
        }
    }
    trading_store_free(o.store);
}

static struct order order_of(const char *id)
{
    struct order order = {.state = ORDER_ACKED,
                          .kind = ORDER_ENTRY,
                          .qty = dec_from_int(1),
                          .reference_price = dec_from_int(100),
                          .created_us = AT_US,
                          .updated_us = AT_US};
    (void)str_copy(str_c(id), order.client_id, sizeof(order.client_id));
    (void)str_copy(STR_LIT("BTC-USD"), order.symbol.name, sizeof(order.symbol.name));
    return order;
}

static int fail_at(const char *what, void *userdata)
{
    int *left = userdata;
    (void)what;
    return --*left == 0 ? -ERR_DB_FULL : 0;
}

/* An order of the bot and one that only the venue knows: an import must be told to cancel them, and
 * a write that fails at any point leaves both alive. */
static void open_orders_are_cancelled_by_an_import(void **state)
{
    (void)state;
    bool done = false;
    for (int at = 1; !done; at++) {
        struct import_rig o;
        struct order order;
        struct order ours = order_of("nd-1-1");
        struct order theirs = order_of("nd-1-2");
        import_rig_open(&o, "{\"total_trades\": 3}");
        assert_int_equal(order_table_write(o.store, &ours, NULL), 0);
        assert_int_equal(paper_store_write_order(o.store, &ours, NULL), 0);
        assert_int_equal(paper_store_write_order(o.store, &theirs, NULL), 0);
        assert_int_equal(import(&o), -ERR_STATE_FILE_OPEN);
        assert_true(is_untouched(&o));
        int left = at;
        o.options.replace = true;
        trading_store_set_fault(o.store, fail_at, &left);
        int rc = import(&o);
        trading_store_set_fault(o.store, NULL, NULL);
        done = rc >= 0;
        assert_int_equal(is_untouched(&o), !done);
        assert_int_equal(order_table_get(o.store, "nd-1-1", &order, NULL), 0);
        assert_int_equal(order.state, done ? ORDER_CANCELLED : ORDER_ACKED);
        assert_true(!done || strstr(order.reason, "import") != NULL);
        assert_int_equal(paper_store_get_order(o.store, "nd-1-2", &order, NULL), 0);
        assert_int_equal(order.state, done ? ORDER_CANCELLED : ORDER_ACKED);
        assert_int_equal(o.done.cancelled_orders, done ? 1 : o.done.cancelled_orders);
        assert_true(done ? at > 4 : at < 50);
        trading_store_free(o.store);
    }
}

/* An import does not lift an emergency stop, and a tripped breaker stays tripped. */
static void an_active_state_is_not_lifted(void **state)
{
    (void)state;
    static const enum trading_state stands[] = {TRADING_ACTIVE, TRADING_PAUSED, TRADING_EMERGENCY};
    for (size_t i = 0; i < COUNT_OF(stands); i++) {
        struct import_rig o;
        struct engine_state s;
        import_rig_open(&o, "{}");
        assert_int_equal(import(&o), 0);
        assert_int_equal(state_table_load(o.store, &s, NULL), 0);
        s.state = stands[i];
        assert_int_equal(trading_store_begin(o.store, NULL), 0);
        assert_int_equal(state_table_save(o.store, &s, NULL), 0);
        assert_int_equal(trading_store_commit(o.store, NULL), 0);
        o.file.breaker_tripped = true;
        assert_int_equal(import(&o), 0);
        assert_int_equal(state_table_load(o.store, &s, NULL), 0);
        assert_int_equal(s.state, stands[i] == TRADING_ACTIVE ? TRADING_BREAKER : stands[i]);
        if (stands[i] == TRADING_ACTIVE) {
            assert_string_equal(s.state_reason, "tripped before the import");
        }
        trading_store_free(o.store);
    }
}

static void a_missing_table_fails_an_import(void **state)
{
    (void)state;
    static const char *const tables[] = {
        "engine_state",    "positions",   "orders",      "paper_orders",
        "paper_positions", "paper_fills", "paper_state", "fills"};
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        struct import_rig o;
        char sql[96];
        import_rig_open(&o, "{\"active_positions\": [{" HELD "}]}");
        (void)snprintf(sql, sizeof(sql), "ALTER TABLE %s RENAME TO gone", tables[i]);
        assert_int_equal(db_run(o.store->db, sql, DB_NO_VALUES, NULL), 0);
        assert_true(import(&o) < 0);
        (void)snprintf(sql, sizeof(sql), "ALTER TABLE gone RENAME TO %s", tables[i]);
        assert_int_equal(db_run(o.store->db, sql, DB_NO_VALUES, NULL), 0);
        assert_true(is_untouched(&o));
        assert_int_equal(import(&o), 0);
        trading_store_free(o.store);
    }
}

/* The next export of an imported tripped breaker still has the reason. */
static void a_tripped_breaker_is_imported(void **state)
{
    (void)state;
    struct recorder_rig f;
    char path[256];
    struct state_file file;
    recorder_rig_prepare(&f, NULL, 0);
    assert_int_equal(file_write(recorder_rig_path(&f, STATE_FILE_NAME, path),
                                STR_LIT("{\"circuit_breaker_tripped\": true,"
                                        "\"last_circuit_trip_reason\": \"too much at once\"}"),
                                0640, NULL),
                     0);
    recorder_rig_start(&f);
    recorder_rig_run(&f, 30);
    assert_int_equal(driver_snapshot(f.driver)->state, TRADING_BREAKER);
    assert_int_equal(driver_snapshot(f.driver)->position_count, 0);
    assert_int_equal(state_file_read(path, &file, NULL), 0);
    assert_true(file.breaker_tripped);
    assert_string_equal(file.last_trip_reason, "too much at once");
    recorder_rig_close(&f);
}

UNIT_GROUP(state_file_invalid, cmocka_unit_test(each_invalid_field_is_reported_with_its_position),
           cmocka_unit_test(long_texts_are_cut), cmocka_unit_test(unknown_values_are_null),
           cmocka_unit_test(a_position_without_a_bracket_is_written),
           cmocka_unit_test(a_change_of_any_relevant_field_is_detected),
           cmocka_unit_test(impossible_accounts_change_nothing),
           cmocka_unit_test(an_account_elsewhere_takes_no_import),
           cmocka_unit_test(invalid_ids_are_replaced),
           cmocka_unit_test(open_orders_are_cancelled_by_an_import),
           cmocka_unit_test(an_active_state_is_not_lifted),
           cmocka_unit_test(a_missing_table_fails_an_import),
           cmocka_unit_test(a_tripped_breaker_is_imported))
