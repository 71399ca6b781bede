#include "folder.h"
#include "io/db.h"
#include "store/rule_table.h"
#include "unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct trading_store *open_store(const char *folder)
{
    struct trading_store *store = NULL;
    assert_int_equal(trading_store_open(folder, TRADING_STORE_WRITE, &store, NULL), 0);
    return store;
}

static struct rule a_rule(int64_t id, enum rule_status status)
{
    struct rule r = {.id = id,
                     .status = status,
                     .effect = id % 2 == 0 ? RULE_FAVOUR : RULE_AVOID,
                     .success_count = 10 + id,
                     .failure_count = id,
                     .created_us = 1000 * id,
                     .updated_us = 2000 * id};
    (void)snprintf(r.condition, sizeof(r.condition), "rsi14@1h > %d and side == long", (int)id);
    (void)snprintf(r.help, sizeof(r.help), "größer als %d", (int)id);
    (void)snprintf(r.created_by, sizeof(r.created_by), "alice");
    return r;
}

static struct rule_shadow a_shadow(int64_t id)
{
    struct rule_shadow s = {.id = id,
                            .rule_id = 2,
                            .decision_id = 70 + id,
                            .side = id % 2 == 0 ? SIDE_LONG : SIDE_SHORT,
                            .entry = {100 * DEC_ONE},
                            .stop = {98 * DEC_ONE + id},
                            .target = {104 * DEC_ONE},
                            .at_us = 5000 + id};
    assert_true(symbol_parse(str_c("BTC-USD"), &s.symbol));
    return s;
}

static void a_rule_book_is_loaded_as_it_was_saved(void **state)
{
    struct trading_store *store = open_store(*state);
    static struct rule_book book;
    static struct rule_book back;
    struct err err = {0};
    assert_int_equal(rule_table_load(store, &back, &err), 0);
    assert_int_equal(back.rule_count + back.shadow_count, 0);
    assert_int_equal(back.last_rule_id, 0);
    memset(&book, 0, sizeof(book));
    book.rule_count = 3;
    book.rules[0] = a_rule(1, RULE_TESTING);
    book.rules[1] = a_rule(2, RULE_ACTIVE);
    book.rules[2] = a_rule(3, RULE_RETIRED);
    book.shadow_count = 2;
    book.shadows[0] = a_shadow(5);
    book.shadows[1] = a_shadow(8);
    assert_int_equal(rule_table_save(store, &book, &err), 0);
    trading_store_free(store);
    store = open_store(*state);
    assert_int_equal(rule_table_load(store, &back, &err), 0);
    assert_int_equal(back.rule_count, 2); /* the engine does not load the retired one */
    assert_memory_equal(back.rules, book.rules, 2 * sizeof(book.rules[0]));
    assert_int_equal(back.shadow_count, 2);
    assert_memory_equal(back.shadows, book.shadows, 2 * sizeof(book.shadows[0]));
    assert_int_equal(back.last_rule_id, 3);
    assert_int_equal(back.last_shadow_id, 8);

    book.rule_count = 2; /* no longer in the book, kept in the table */
    book.shadow_count = 1;
    book.rules[0].success_count = 99;
    assert_int_equal(rule_table_save(store, &book, &err), 0);
    struct rule rules[8];
    assert_int_equal(rule_table_list(store, &(struct rule_query){.retired = true}, rules, 8, &err),
                     3);
    assert_memory_equal(&rules[0], &book.rules[2], sizeof(rules[0])); /* newest first */
    assert_int_equal(rules[2].success_count, 99);
    assert_int_equal(rule_table_list(store, &(struct rule_query){0}, rules, 8, &err), 2);
    assert_int_equal(rule_table_list(store, &(struct rule_query){.id = 2}, rules, 8, &err), 1);
    assert_int_equal(rules[0].id, 2);
    assert_int_equal(rule_table_list(store, &(struct rule_query){.id = 3}, rules, 8, &err), 0);
    assert_int_equal(rule_table_load(store, &back, &err), 0);
    assert_int_equal(back.shadow_count, 1);
    trading_store_free(store);
}

static void damage(const char *folder, const char *sql)
{
    char path[256];
    struct db *db = NULL;
    (void)snprintf(path, sizeof(path), "%s/trading.db", folder);
    assert_int_equal(db_open(&(struct db_options){.path = path}, &db, NULL), 0);
    assert_int_equal(db_run(db, sql, NULL, 0, NULL), 0);
    db_free(db);
}

static void a_damaged_rule_is_an_error(void **state)
{
    static const struct {
        const char *sql;
        const char *says;
    } cases[] = {
        {"UPDATE trading_rules SET condition = 'rsi41 > 3' WHERE id = 2", "row 2, column 1"},
        {"UPDATE trading_rules SET condition = 'tier == 1', status = 'on' WHERE id = 2", "row 2"},
        {"UPDATE trading_rules SET status = 'active', effect = 'stop' WHERE id = 2", "row 2"},
        {"UPDATE trading_rules SET effect = 'avoid', created_by = printf('%99d', 1) WHERE id = 2",
         "row 2"},
        {"DELETE FROM trading_rules WHERE id = 2", NULL},
        {"UPDATE rule_shadows SET side = 'up'", "rule_shadows, row 5"},
        {"UPDATE rule_shadows SET side = 'long', stop = NULL", "rule_shadows, row 5"},
    };
    static struct rule_book book;
    static struct rule_book back;
    memset(&book, 0, sizeof(book));
    book.rule_count = 2;
    book.rules[0] = a_rule(1, RULE_TESTING);
    book.rules[1] = a_rule(2, RULE_ACTIVE);
    book.shadow_count = 1;
    book.shadows[0] = a_shadow(5);
    struct trading_store *store = open_store(*state);
    struct err err = {0};
    assert_int_equal(rule_table_save(store, &book, &err), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        damage(*state, cases[i].sql);
        if (cases[i].says == NULL) {
            assert_int_equal(rule_table_load(store, &back, &err), 0);
            continue;
        }
        assert_int_equal(rule_table_load(store, &back, &err), -ERR_STORE_DAMAGED);
        if (strstr(err.context, cases[i].says) == NULL) {
            print_error("%s is not in %s\n", cases[i].says, err.context);
            fail();
        }
    }
    trading_store_free(store);
}

static void too_many_rules_are_refused(void **state)
{
    static struct rule_book book;
    static struct rule_book back;
    memset(&book, 0, sizeof(book));
    struct trading_store *store = open_store(*state);
    struct err err = {0};
    for (int i = 0; i < RULES_MAX; i++) {
        book.rules[book.rule_count++] = a_rule(1 + i, RULE_TESTING);
    }
    assert_int_equal(rule_table_save(store, &book, &err), 0);
    assert_int_equal(rule_table_load(store, &back, &err), 0);
    assert_int_equal(back.rule_count, RULES_MAX);
    book.rule_count = 1;
    book.rules[0] = a_rule(1 + RULES_MAX, RULE_TESTING);
    assert_int_equal(rule_table_save(store, &book, &err), 0);
    assert_int_equal(rule_table_load(store, &back, &err), -ERR_RULE_TABLE_FULL);
    trading_store_free(store);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, folder_make, folder_remove)
UNIT_GROUP(rule_table, TEST(a_rule_book_is_loaded_as_it_was_saved),
           TEST(a_damaged_rule_is_an_error), TEST(too_many_rules_are_refused))
