/* /chart, /export and /status live: replies with files, and the message that is kept up to date. */
#include "base/check.h"
#include "io/file.h"
#include "io/pool.h"
#include "rigs/golden.h"
#include "steer_rig.h"
#include "store/attachment.h"
#include "store/equity_table.h"
#include "store/live_table.h"
#include "store/order_table.h"
#include "store/outbox_table.h"

#include <string.h>
#include <unistd.h>

static void start_helpers(struct steer_rig *s)
{
    const struct pool_options options = {.name = "helper", .threads_max = 1, .queue_max = 4};
    s->helpers = pool_new(s->rig.loop, &options, NULL);
    assert_non_null(s->helpers);
    steer_rig_crash(s);
}

/* A helper works in real time. */
static void wait_full(struct steer_rig *s, const char *part)
{
    for (int i = 0; i < 2000 && strstr(s->full, part) == NULL; i++) {
        (void)usleep(5000);
        loop_advance(s->rig.loop, 0);
    }
    assert_has(s->full, part);
}

/* Ids of files are random, and the size of a picture depends on the library. */
static void hide(char *text, const char *key, const char *until)
{
    for (char *at = strstr(text, key); at != NULL; at = strstr(at, key)) {
        at += strlen(key);
        for (; strchr(until, *at) == NULL; at++) {
            *at = 'x';
        }
    }
}

static void check_golden(struct steer_rig *s, const char *line, const char *part, const char *name)
{
    s->full[0] = '\0';
    steer_rig_send(s, &s->rig.adam, line);
    wait_full(s, part);
    hide(s->full, "\"id\":\"", ".\"");
    char *size = strstr(s->full, "\"size_bytes\":");
    if (size != NULL) {
        size += strlen("\"size_bytes\":");
        *size = '1';
        size_t digits = strspn(size, "0123456789");
        memset(size + 1, ' ', digits - 1);
    }
    golden_check_reply(name, s->full, NULL);
}

static void charts_and_exports_match_the_golden_files(void **state)
{
    struct steer_rig *s = *state;
    start_helpers(s);
    steer_rig_publish_plain(s, 1);
    check_golden(s, "/chart", "No equity recorded yet", "chart_none");
    check_golden(s, "/chart profit 3d", "No trades to draw", "chart_no_trades");
    check_golden(s, "/chart price", "No candles", "chart_no_candles");
    check_golden(s, "/export fills", "Nothing to export", "export_none");
    for (int64_t id = 1; id <= 12; id++) {
        steer_rig_add_trade(s, id, id % 3 == 0 ? "-4.1" : "2.39",
                            RIG_WALL_US - (13 - id) * USEC_PER_HOUR);
    }
    for (int64_t h = 0; h < 24; h++) {
        const struct equity_point point = {.at_us = RIG_WALL_US - h * USEC_PER_HOUR,
                                           .equity = steer_rig_dec("10412.88")};
        assert_int_equal(equity_table_add(s->engine_store, &point, NULL), 0);
    }
    check_golden(s, "/chart 2d", "chart.png", "chart");
    check_golden(s, "/chart profit 3d", "chart.png", "chart_profit");
    check_golden(s, "/export", "trades.csv", "export");
    check_golden(s, "/export trades 30h json", "trades.json", "export_json");
}

/* The id of the file of the newest reply. */
static void read_id(const struct steer_rig *s, char ret[ATTACHMENT_ID_SIZE])
{
    const char *id = strstr(s->full, "\"id\":\"");
    assert_non_null(id);
    id += strlen("\"id\":\"");
    (void)str_copy(str_n(id, strcspn(id, "\"")), ret, ATTACHMENT_ID_SIZE);
}

/* The bytes of the file of the newest reply. */
static void read_file(struct steer_rig *s, const char *extension, struct buf *ret)
{
    AUTO_BUF struct buf dir = BUF_INIT(4096);
    AUTO_BUF struct buf path = BUF_INIT(8192);
    char name[ATTACHMENT_ID_SIZE];
    read_id(s, name);
    assert_has(name, extension);
    attachment_dir(s->rig.folder, &dir);
    assert_int_equal(attachment_path(dir.data, name, &path, NULL, NULL), 0);
    assert_int_equal(file_read(path.data, ret, NULL), 0);
}

/* Runs /chart as a program of this channel; returns how many files there are then. */
static size_t chart_as(struct steer_rig *s, struct principal *who, enum channel channel)
{
    AUTO_FILE_NAMES struct file_names names = {0};
    AUTO_BUF struct buf dir = BUF_INIT(4096);
    *who = s->rig.adam;
    who->channel = channel;
    who->id = 7;
    s->full[0] = '\0';
    (void)runner_rig_submit(&s->rig, who, "chart 2d");
    wait_full(s, "chart.png");
    attachment_dir(s->rig.folder, &dir);
    assert_int_equal(file_exists(dir.data) ? file_list(dir.data, 100, &names, NULL) : 0, 0);
    return names.count;
}

static void a_program_gets_its_picture_from_memory(void **state)
{
    struct steer_rig *s = *state;
    struct principal program, local;
    char id[ATTACHMENT_ID_SIZE];
    start_helpers(s);
    steer_rig_publish_plain(s, 0);
    for (int64_t h = 0; h < 24; h++) {
        const struct equity_point point = {.at_us = RIG_WALL_US - h * USEC_PER_HOUR,
                                           .equity = steer_rig_dec("10412.88")};
        assert_int_equal(equity_table_add(s->engine_store, &point, NULL), 0);
    }
    assert_int_equal(chart_as(s, &program, CHANNEL_HTTP), 0);
    read_id(s, id);
    const struct shelf_picture *p = shelf_find(s->shelf, &program, id);
    assert_non_null(p);
    assert_string_equal(p->media_type, "image/png");
    assert_true(str_starts(str_n(p->bytes, p->size), "\x89PNG\r\n"));
    assert_int_equal(chart_as(s, &local, CHANNEL_SOCKET), 1); /* nightdesk do shows its path */
    read_id(s, id);
    assert_non_null(shelf_find(s->shelf, &local, id));
    assert_null(shelf_find(s->shelf, &program, id));
    assert_int_equal(chart_as(s, &local, CHANNEL_TELEGRAM), 2);
    read_id(s, id);
    assert_null(shelf_find(s->shelf, &local, id));
}

static void an_export_has_all_rows_of_its_period(void **state)
{
    struct steer_rig *s = *state;
    AUTO_BUF struct buf csv = BUF_INIT((size_t)1 << 20);
    AUTO_BUF struct buf json = BUF_INIT((size_t)1 << 20);
    AUTO_BUF struct buf audit = BUF_INIT((size_t)1 << 20);
    start_helpers(s);
    for (int64_t id = 1; id <= 12; id++) {
        steer_rig_add_trade(s, id, "-4.1", RIG_WALL_US - (13 - id) * USEC_PER_HOUR);
    }
    steer_rig_publish_plain(s, 0);
    steer_rig_send(s, &s->rig.rita, "/export_trades");
    wait_full(s, "12 rows, oldest first");
    read_file(s, ".csv", &csv);
    assert_true(str_starts(buf_str(&csv), "id,opened_at,closed_at,symbol,side,qty,entry_price,"
                                          "exit_price,pnl,fees,exit_reason,client_id,"
                                          "decision_id,run_id\r\n1,"));
    assert_has(csv.data, ",\"BTC-USD\",\"long\",0.0031,64120.5,64891.5,-4.1,0.2,\"operator\","
                         "\"nd-1-12\",12,0\r\n");
    struct order order = {.side = SIDE_LONG, .created_us = RIG_WALL_US, .run_id = 8};
    (void)str_copy(STR_LIT("nd-1-9"), order.client_id, sizeof(order.client_id));
    assert_int_equal(order_table_write(s->engine_store, &order, NULL), 0);
    AUTO_BUF struct buf orders = BUF_INIT((size_t)1 << 20);
    steer_rig_send(s, &s->rig.rita, "/export orders");
    wait_full(s, "orders.csv");
    assert_has(s->full, "1 row, oldest first.");
    assert_has(s->full, "orders: 1 row, oldest first\"");
    read_file(s, ".csv", &orders);
    assert_true(str_starts(buf_str(&orders), "client_id,created_at,updated_at,symbol,kind,side,"));
    assert_has(orders.data, "\"nd-1-9\",");
    assert_has(orders.data, ",0,8\r\n");
    steer_rig_send(s, &s->rig.rita, "/export trades 30h json");
    wait_full(s, "trades.json");
    assert_has(s->full, "rows, oldest first, of the last 1 d 6 h.");
    read_file(s, ".json", &json);
    AUTO_JSON struct json_object *document = NULL;
    assert_int_equal(json_parse(buf_str(&json), &JSON_LIMITS_DEFAULT, &document, NULL), 0);
    assert_string_equal(json_text(document, "schema"), "nightdesk.export_trades/1");
    size_t rows = json_len(json_get(document, "rows"));
    assert_in_range(rows, 5, 6);
    assert_string_equal(json_text(json_item(json_get(document, "rows"), rows - 1), "client_id"),
                        "nd-1-12");
    steer_rig_send(s, &s->rig.rita, "/export audit");
    assert_has(s->full, "ACCESS_");
    s->full[0] = '\0';
    steer_rig_send(s, &s->rig.adam, "/export audit");
    wait_full(s, "audit.csv");
    read_file(s, ".csv", &audit);
    assert_true(str_starts(buf_str(&audit), "id,at,user,channel,action,detail,result,hash\r\n1,"));
    assert_has(audit.data, "/export");
}

/* ---------------------------------------------------------------------------- live status ---- */

static int count_rows(struct steer_rig *s, enum outbox_kind kind)
{
    int count = 0;
    for (int64_t id = 1; id < 200; id++) {
        AUTO_OUTBOX_ROW struct outbox_row row = {0};
        count += outbox_table_get(s->rig.store, id, &row, NULL) == 0 && row.kind == kind;
    }
    return count;
}

static bool is_in_a_row(struct steer_rig *s, const char *words)
{
    for (int64_t id = 1; id < 200; id++) {
        AUTO_OUTBOX_ROW struct outbox_row row = {0};
        if (outbox_table_get(s->rig.store, id, &row, NULL) == 0 &&
            strstr(row.payload, words) != NULL) {
            return true;
        }
    }
    return false;
}

/* What Telegram does with the rows. */
static void deliver_all(struct steer_rig *s)
{
    for (int64_t id = 1; id < 200; id++) {
        AUTO_OUTBOX_ROW struct outbox_row row = {0};
        if (outbox_table_get(s->rig.store, id, &row, NULL) == 0 && row.state == OUTBOX_QUEUED) {
            assert_int_equal(outbox_table_delivered(s->rig.store, id, 7000 + id, NULL), 0);
        }
    }
}

static struct live_message the_live(struct steer_rig *s, int wanted)
{
    struct live_message live[2] = {0};
    assert_int_equal(live_table_list(s->rig.store, live, 2, NULL), wanted);
    return live[0];
}

static void a_live_message_is_edited_only_when_it_changes(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.alice, "/status live");
    assert_has(s->full, "Live status is on");
    assert_int_equal(count_rows(s, OUTBOX_PIN), 1);
    int64_t message = the_live(s, 1).outbox_id;
    assert_has(runner_rig_message(&s->rig, message), "Equity");
    deliver_all(s);
    loop_advance(s->rig.loop, 14 * USEC_PER_SEC);
    assert_int_equal(count_rows(s, OUTBOX_REFRESH), 0);
    loop_advance(s->rig.loop, 20 * USEC_PER_SEC); /* only the time has changed */
    int first = count_rows(s, OUTBOX_REFRESH);
    steer_rig_draft(s)->equity = steer_rig_dec("10999.5");
    steer_rig_publish(s);
    loop_advance(s->rig.loop, 16 * USEC_PER_SEC);
    assert_int_equal(count_rows(s, OUTBOX_REFRESH), 1);
    assert_true(first <= 1);
    assert_true(is_in_a_row(s, "10999.5"));
    deliver_all(s);
    steer_rig_send(s, &s->rig.alice, "/live");
    assert_has(s->full, "It is the pinned message.");
    assert_int_equal(the_live(s, 1).outbox_id, message);
    assert_int_equal(count_rows(s, OUTBOX_PIN), 1);

    steer_rig_crash(s);
    steer_rig_publish_plain(s, 1);
    loop_advance(s->rig.loop, 16 * USEC_PER_SEC);
    assert_int_equal(the_live(s, 1).outbox_id, message);
    assert_int_equal(count_rows(s, OUTBOX_PIN), 1);
    assert_int_equal(count_rows(s, OUTBOX_REFRESH), 1);
    deliver_all(s);
    steer_rig_send(s, &s->rig.alice, "/status live off");
    (void)the_live(s, 0);
    assert_int_equal(count_rows(s, OUTBOX_UNPIN), 1);
    assert_true(is_in_a_row(s, "Ended by alice."));
    int rows = count_rows(s, OUTBOX_SEND) + count_rows(s, OUTBOX_REFRESH);
    loop_advance(s->rig.loop, USEC_PER_MIN);
    assert_int_equal(count_rows(s, OUTBOX_SEND) + count_rows(s, OUTBOX_REFRESH), rows);
}

static void a_message_that_may_not_have_arrived_is_sent_again(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.alice, "/status live");
    int64_t lost = the_live(s, 1).outbox_id;
    deliver_all(s);
    assert_int_equal(outbox_table_uncertain(s->rig.store, lost, "killed", NULL), 0);
    steer_rig_crash(s);
    steer_rig_publish_plain(s, 1);
    loop_advance(s->rig.loop, 16 * USEC_PER_SEC);
    assert_true(the_live(s, 1).outbox_id > lost);
    assert_int_equal(count_rows(s, OUTBOX_PIN), 2);
}

static void a_person_who_loses_access_gets_no_live_message(void **state)
{
    struct steer_rig *s = *state;
    steer_rig_publish_plain(s, 1);
    steer_rig_send(s, &s->rig.alice, "/status live");
    const struct live_message live = the_live(s, 1);
    deliver_all(s);
    assert_int_equal(
        outbox_table_drop_chat(s->rig.store, live.channel, live.chat_id, "removed", NULL), 0);
    (void)the_live(s, 0);
    int rows = count_rows(s, OUTBOX_SEND) + count_rows(s, OUTBOX_REFRESH);
    loop_advance(s->rig.loop, USEC_PER_MIN);
    assert_int_equal(count_rows(s, OUTBOX_SEND) + count_rows(s, OUTBOX_REFRESH), rows);
}

UNIT_GROUP(trading_files, STEER_RIG_TEST(charts_and_exports_match_the_golden_files),
           STEER_RIG_TEST(a_program_gets_its_picture_from_memory),
           STEER_RIG_TEST(an_export_has_all_rows_of_its_period),
           STEER_RIG_TEST(a_live_message_is_edited_only_when_it_changes),
           STEER_RIG_TEST(a_message_that_may_not_have_arrived_is_sent_again),
           STEER_RIG_TEST(a_person_who_loses_access_gets_no_live_message))
