#include "base/check.h"
#include "proof/text_proof.h"
#include "unit/unit.h"

#include <string.h>

static const char measure[] =
    "{\"measure\":\"profit\",\"from\":\"2026-11-27T00:00:00Z\",\"to\":\"2026-11-28T00:00:00Z\","
    "\"net_usd\":-41.37,\"fees_usd\":3.12,\"count\":14,\"win_rate\":{\"k\":5,\"n\":14,"
    "\"pct\":35.71,\"low_pct\":16.34,\"high_pct\":61.24},\"by_symbol\":{"
    "\"BTC-USD\":{\"count\":6,\"losses\":2,\"net_usd\":12.5},"
    "\"SOL-USD\":{\"count\":8,\"losses\":7,\"net_usd\":-53.87}},"
    "\"note\":\"stops are 2.5 % away\"}";
static const char services[] =
    "{\"services\":[{\"name\":\"prediction\",\"state\":\"down\",\"latency_ms\":812.4},"
    "{\"name\":\"feed\",\"state\":\"up\",\"latency_ms\":31.2}],\"alerts\":[]}";
/* A reply's blocks, as its JSON has them. */
static const char reply[] =
    "{\"blocks\":[{\"type\":\"table\",\"columns\":[\"coin\",\"profit\",\"held\"],\"rows\":["
    "[{\"type\":\"symbol\",\"value\":\"ADA-USD\"},{\"type\":\"money\",\"value\":7.25,"
    "\"unit\":\"USD\"},{\"type\":\"duration\",\"value\":5400,\"unit\":\"s\"}],"
    "[{\"type\":\"symbol\",\"value\":\"ETH-USD\"},{\"type\":\"money\",\"value\":-9.75,"
    "\"unit\":\"USD\"},{\"type\":\"duration\",\"value\":600,\"unit\":\"s\"}]]},"
    "{\"type\":\"fields\",\"fields\":[{\"name\":\"Drawdown\",\"spans\":[{\"type\":\"percent\","
    "\"value\":4.2}]}]}]}";

/* The standing of each figure: f, d or u. */
static void standings(const char *text, char *ret, size_t size)
{
    AUTO_JSON struct json_object *a = NULL, *b = NULL, *c = NULL;
    assert_int_equal(json_parse(str_c(measure), &JSON_LIMITS_DEFAULT, &a, NULL), 0);
    assert_int_equal(json_parse(str_c(services), &JSON_LIMITS_DEFAULT, &b, NULL), 0);
    assert_int_equal(json_parse(str_c(reply), &JSON_LIMITS_DEFAULT, &c, NULL), 0);
    struct text_proof *proof = text_proof_new();
    text_proof_add(proof, "trading.measure", a);
    text_proof_add(proof, "service.list", b);
    text_proof_add(proof, "trading.performance", c);
    text_proof_add_text(proof, "question", STR_LIT("why did we lose over the last 3 days?"));
    if (!text_proof_check(proof, str_c(text))) {
        (void)str_copy(STR_LIT("unread"), ret, size);
        text_proof_free(proof);
        return;
    }
    int counts[3] = {0};
    for (int i = 0; i < proof->count; i++) {
        ret[i] = text_standing_name(proof->figures[i].standing)[0];
        counts[proof->figures[i].standing]++;
    }
    ret[proof->count] = '\0';
    assert_int_equal(counts[TEXT_FOUND], proof->found);
    assert_int_equal(counts[TEXT_DERIVED], proof->derived);
    assert_int_equal(counts[TEXT_UNVERIFIED], proof->unverified);
    text_proof_free(proof);
}

static void check_rows(const char *const (*rows)[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char found[TEXT_PROOF_FIGURES_MAX + 8];
        standings(rows[i][0], found, sizeof(found));
        if (strcmp(found, rows[i][1]) != 0) {
            print_error("%s\n", rows[i][0]);
        }
        assert_string_equal(found, rows[i][1]);
    }
}

static void right_figures_are_found(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"We lost $41.37 on 14 trades.", "ff"},
        {"The result was −$41.37, after $3.12 of fees.", "ff"},
        {"Win rate 35.7 % (5 of 14; 95 % interval 16.3 to 61.2 %).", "ffffff"},
        {"SOL lost $53.87 with 7 losses, while BTC made $12.50.", "fff"},
        {"Between 2026-11-27 and 28 November.", "ff"},
        {"The latency of prediction is 812 ms.", "f"},
        {"Its latency is 0.81 s.", "f"},
        {"Stops are 2.5 % away.", "f"},
        {"Over the last 3 days it went wrong.", "f"},
        {"There are no alerts.", "f"},
        {"ADA made $7.25 and was held for 1.5 h.", "ff"},
        {"Drawdown is 4.2 %.", "f"},
    };
    check_rows(rows, COUNT_OF(rows));
}

static void wrong_figures_are_not(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"We lost $41.38 on 15 trades.", "uu"},
        {"We made $41.37.", "u"},
        {"The result was +$41.37, after $3.21 of fees.", "uu"},
        {"Win rate 36.7 %.", "u"},
        {"BTC lost $53.87.", "u"},
        {"ETH made $7.25.", "u"},
        {"SOL had 2 losses.", "u"},
        {"Since 2026-11-26 trading was bad.", "u"},
        {"The latency of feed is 812 ms.", "u"},
        {"Trade 17 lost most.", "u"},
        {"There are 3 alerts.", "u"},
        {"We lost dozens of times.", "u"},
        {"Drawdown is 4.3 %.", "u"},
        {"Equity is 812.4 USD.", "u"},
        {"It took 31 s.", "u"},
        {"Fees of $3.12 were above the $12.50 that BTC made.", "uf"},
        {"SOL made $66.37 more than BTC in profit.", "u"},
        {"Wir verloren $41.37, zwei Mal.", "uu"},
    };
    check_rows(rows, COUNT_OF(rows));
}

static void arithmetic_is_recomputed(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"BTC made $12.50 and SOL lost $53.87, $41.37 in total.", "ffd"},
        {"SOL lost 7 of 8 trades.", "ff"},
        {"Of 14 trades 5 won, so 9 lost (14 - 5).", "ffdff"},
        {"Of 14 trades 5 won, so 9 lost (5 - 14).", "ffduf"},
        {"Of 14 trades 5 won, so 9 lost (14 - 6).", "ffduf"},
        {"$12.50 plus $3.12 of fees is $15.62 in total.", "ffd"},
        {"$12.50 plus $3.12 of fees is $15.72 in total.", "ffu"},
        {"Fees of $3.12 are 7.5 % of the $41.37 lost.", "fdf"},
        {"BTC made $66.37 more than SOL in profit.", "d"},
        {"BTC made $66.47 more than SOL in profit.", "u"},
        {"Fees of $3.12 were below the $12.50 that BTC made.", "ff"},
        {"SOL made $66.37 less than BTC in profit.", "d"},
        {"Fees of $3.12 are 9.5 % of the $41.37 lost.", "fuf"},
    };
    check_rows(rows, COUNT_OF(rows));
}

static void another_language_cannot_be_checked(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"Мы потеряли $41.37.", "unread"},
                                          {"Nothing to say.", ""}};
    check_rows(rows, COUNT_OF(rows));
}

static void unverified_figures_are_marked_in_place(void **state)
{
    (void)state;
    AUTO_JSON struct json_object *document = NULL;
    assert_int_equal(json_parse(str_c(measure), &JSON_LIMITS_DEFAULT, &document, NULL), 0);
    struct text_proof *proof = text_proof_new();
    text_proof_add(proof, "trading.measure", document);
    AUTO_BUF struct buf out = BUF_INIT(400);
    assert_true(text_proof_check(proof, STR_LIT("Profit $99.10, fees $3.12, drawdown 8.05 %.")));
    text_proof_mark(proof, " (unverified)", &out);
    assert_string_equal(out.data,
                        "Profit $99.10 (unverified), fees $3.12, drawdown 8.05 % (unverified).");
    assert_string_equal(proof->figures[1].where, "trading.measure /fees_usd");
    assert_string_equal(proof->figures[0].where, "");
    text_proof_free(proof);
}

UNIT_GROUP(text_proof, cmocka_unit_test(right_figures_are_found),
           cmocka_unit_test(wrong_figures_are_not), cmocka_unit_test(arithmetic_is_recomputed),
           cmocka_unit_test(another_language_cannot_be_checked),
           cmocka_unit_test(unverified_figures_are_marked_in_place))
