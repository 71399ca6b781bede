/* The conditions of steps: what is true, and where a mistake is. */
#include "../../../src/command/when.h"
#include "base/check.h"
#include "unit/unit.h"

#include <string.h>

static bool value_of(const void *userdata, struct str name, struct buf *out)
{
    static const char *const values[][2] = {{"a", "3"},   {"b", "3.0"},      {"yes", "yes"},
                                            {"no", "no"}, {"zero", "0"},     {"word", "word"},
                                            {"e", ""},    {"look.n", "-0.5"}};
    (void)userdata;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        if (str_equal_c(name, values[i][0])) {
            buf_add_c(out, values[i][1]);
            return true;
        }
    }
    if (str_equal_c(name, "long")) {
        for (int i = 0; i < 100; i++) {
            buf_add_char(out, 'x');
        }
        return true;
    }
    return false;
}

static const struct when_values values = {.value = value_of};

static void conditions_hold_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool holds;
    } cases[] = {
        {"$a == 3", true},
        {"$a == $b", true}, /* as numbers */
        {"$a != $b", false},
        {"$word == word", true},
        {"$word == 3", false},
        {"3 == $word", false},
        {"$word != 3", true},
        {"$a < 4", true},
        {"$a < 3", false},
        {"$a <= 3", true},
        {"$a <= 2.9", false},
        {"$a > 2", true},
        {"$a > 3", false},
        {"$a >= 3", true},
        {"$a >= 3.1", false},
        {"$a>2", true},
        {"$look.n < 0", true},
        {"$look.n == -0.50", true},
        {"$a > $look.n and $look.n < $a", true},
        /* A value that is missing is neither more nor less. */
        {"$e < 5", false},
        {"$e <= 5", false},
        {"$e > 5", false},
        {"$e >= 0", false},
        {"5 > $e", false},
        {"5 >= $gone", false},
        {"$e == ''", true},
        {"$yes", true},
        {"$no", false},
        {"$zero", false},
        {"$e", false},
        {"false", false},
        {"0", false},
        {"no", false},
        {"00", true},
        {"''", false},
        {"'x'", true},
        {"'a b' == \"a b\"", true},
        {"\"it's\" == \"it's\"", true},
        {"' a' == 'a'", false},
        {"not $no", true},
        {"not $yes", false},
        {"not not $yes", true},
        {"not ($a > 5)", true},
        {"not 0 and 1", true},
        {"1 and 1", true},
        {"1 and 0", false},
        {"0 and 1", false},
        {"0 or 0", false},
        {"0 or 1", true},
        {"1 or 0", true},
        {"1 or 0 and 0", true},
        {"(1 or 0) and 0", false},
        {"0 and 1 or 1", true},
        {"1 and 1 and 0", false},
        {"0 or 0 or 1", true},
        {"  $a\n==\n3  ", true},
        {"(((1)))", true},
        {"nothing == nothing", true}, /* words that begin like a keyword */
        {"order == order", true},
        {"android == android", true},
        {"a == a and z == z and A == A and Z == Z and 0 == 0 and 9 == 9", true},
        {"a-b_c.d:e%f+g == a-b_c.d:e%f+g", true},
        {"(1) and (1) and (1) and (1) and (1) and (1) and (1) and (1) and (1) and (1) and (1) "
         "and (1) and (1) and (1) and (1) and (1) and (1) and (1)",
         true},
        {"not 0 and not 0 and not 0 and not 0 and not 0 and not 0 and not 0 and not 0 and not 0 "
         "and not 0 and not 0 and not 0 and not 0 and not 0 and not 0 and not 0 and not 0",
         true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err err = {0};
        bool holds = !cases[i].holds;
        int rc = when_eval(str_c(cases[i].text), &values, &holds, &err);
        if (rc != 0 || holds != cases[i].holds) {
            fail_msg("%s: %s %s", cases[i].text, holds ? "holds" : "does not hold", err.context);
        }
    }
}

static void only_numbers_are_compared_by_size(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"$word > 5", "when: word is not a number"},
        {"5 < $yes", "when: yes is not a number"},
        {"0 and $word <= 5", "when: word is not a number"}, /* both sides are looked at */
        {"1 or $word >= 5", "when: word is not a number"},
        {"$word > 5 or $yes > 5", "when: word is not a number"}, /* the first one */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err err = {0};
        bool holds = true;
        int rc = when_eval(str_c(cases[i][0]), &values, &holds, &err);
        assert_int_equal(rc, -ERR_COMMAND_ARG_INVALID);
        assert_string_equal(err.context, cases[i][1]);
    }
    struct err err = {0};
    bool holds = true;
    assert_true(when_eval(str_c("$long > 5"), &values, &holds, &err) < 0);
    assert_int_equal(strlen(err.context), strlen("when:  is not a number") + 60);
}

static bool known(const void *userdata, struct str name, struct err *err)
{
    (void)userdata;
    if (str_equal_c(name, "a") || str_equal_c(name, "look.n")) {
        return true;
    }
    (void)err_set(err, ERR_MANIFEST_FORMAT, "no $%.*s", STR_ARG(name));
    return false;
}

static void mistakes_are_found_with_their_place(void **state)
{
    (void)state;
    static const struct when_names names = {.known = known};
    static const struct {
        const char *text;
        size_t offset;
        const char *complaint; /* NULL: none */
    } cases[] = {
        {"$a > 5", 6, NULL},
        {"$look.n == 1 or not ($a < 2)", 28, NULL},
        {"$a < word", 9, NULL}, /* known only when it is evaluated */
        {"", 0, "expected a value"},
        {"  ", 2, "expected a value"},
        {"$a ==", 5, "expected a value"},
        {"$a == and", 6, "expected a value"},
        {"$a == or", 6, "expected a value"},
        {"$a == not", 6, "expected a value"},
        {"and", 0, "expected a value"},
        {"not", 3, "expected a value"},
        {"$a and", 6, "expected a value"},
        {"$a or", 5, "expected a value"},
        {"$a == = 5", 6, "expected a value"},
        {"$a 5", 3, "expected and, or, a comparison, or the end"},
        {"$a )", 3, "expected and, or"},
        {"($a", 3, "expected )"},
        {"($a $a)", 4, "expected )"},
        {"$x == 1", 0, "no $x"},
        {"$a == $x", 6, "no $x"},
        {"$x == $y", 0, "no $x"}, /* the first mistake */
        {"$", 0, "no $"},
        {"$a == 'b", 6, "the quotation mark is not closed"},
        {"$a == \"b'", 6, "the quotation mark is not closed"},
        {"(((((((((((((((1)))))))))))))))", 31, NULL}, /* 16 deep with the value */
        {"((((((((((((((((1))))))))))))))))", 16, "nested too deeply"},
        {"not not not not not not not not not not not not not not not not 1", 64,
         "nested too deeply"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err err = {0};
        size_t offset = 0;
        int rc = when_check(str_c(cases[i].text), &names, &offset, &err);
        bool right = cases[i].complaint == NULL
                         ? rc == 0
                         : rc == -ERR_MANIFEST_FORMAT && strncmp(err.context, cases[i].complaint,
                                                                 strlen(cases[i].complaint)) == 0;
        if (!right || (rc < 0 && offset != cases[i].offset)) {
            fail_msg("'%s': %s at byte %zu", cases[i].text, err.context, offset);
        }
    }
}

/* The text is part of a longer one. */
static void nothing_is_read_past_the_end(void **state)
{
    (void)state;
    static const char text[] = "yes == yesterday";
    bool holds = false;
    assert_int_equal(when_eval(str_n(text, strlen("yes == yes")), &values, &holds, NULL), 0);
    assert_true(holds);
}

UNIT_GROUP(when, cmocka_unit_test(conditions_hold_or_not),
           cmocka_unit_test(only_numbers_are_compared_by_size),
           cmocka_unit_test(mistakes_are_found_with_their_place),
           cmocka_unit_test(nothing_is_read_past_the_end))
