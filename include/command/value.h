/*
 * value.h: the values of arguments and parameters. A value is bound once, where a command enters
 * (a line, JSON, a button), and stays typed from there to the action.
 *
 *     const struct action_param param = {.name = "count", .type = PARAM_INT, .minimum = "1",
 *                                        .maximum = "50"};
 *     struct arg_value value = {0};
 *     rc = value_from_text(&param, str_c("10"), &context, &value, err);      // value.number is 10
 *     value_text(&value, &line);                                             // "10"
 *     value_release(&value);
 *
 * The table of parameters (struct action_param) describes what is accepted: actions have one in C,
 * a manifest has one in YAML, and both are read here. What only another module knows (which
 * symbols are traded, which services exist) it registers as a domain with the action table;
 * this module names none of them.
 *
 * Accepted texts: int "12"; decimal and price as in number.h ("64,120.5"); price also relative to
 * the current price ("-2%", "+1.5 %": a sign is required); duration "90s", "15m", "2h", "1d",
 * "500ms"; time, always UTC: "now", "today" and "yesterday" (their midnight), "14:30" (of today),
 * "-2h" (before now), or an ISO date with or without a time; symbol in any case; choice in any
 * case; list "a,b" (an item has no comma). Invariants: a value fits the range and the choices of
 * its parameter. Its canonical text, read with the same parameter, gives an equal value, and so
 * does its canonical JSON; the JSON is a number for int and user, an array for list and else the
 * canonical text. A value has no control or invisible character and its text at most VALUE_TEXT_MAX
 * bytes. Ownership: a value owns its text and items: value_release. {0} is "not given"
 * (PARAM_NONE). Thread: ops (any without domains).
 */
#pragma once

#include "base/buf.h"
#include "base/dec.h"
#include "base/err.h"
#include "base/str.h"
#include "io/json.h"
#include "io/json_out.h"
#include "model/symbol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_TEXT_MAX 1023 /* bytes */
#define VALUE_LIST_MAX 32   /* items */

enum param_type {
    PARAM_NONE, /* no value */
    PARAM_TEXT,
    PARAM_INT,
    PARAM_DECIMAL,
    PARAM_PRICE, /* above zero, or relative to the current price */
    PARAM_DURATION,
    PARAM_TIME,
    PARAM_SYMBOL,
    PARAM_SYMBOL_OR_ALL,
    PARAM_SERVICE,
    PARAM_POSITION, /* the symbol of an open position, or its number in the list of them */
    PARAM_ORDER,    /* the id of an order */
    PARAM_USER,     /* a name, or a numeric id */
    PARAM_CHOICE,   /* one of `choices` */
    PARAM_LIST      /* items of the type `element` */
};

struct action_param {
    const char *name;
    enum param_type type;
    bool required;
    bool unlisted;            /* the value need not be one that the domain lists */
    bool secret;              /* a code or a key: no history of a console keeps the line */
    const char *default_text; /* NULL: none */
    const char *minimum;      /* int, decimal, duration, time: as text; NULL: none */
    const char *maximum;
    const char *choices;     /* "a|b|c" for PARAM_CHOICE */
    const char *prefix;      /* int, order: "d" for "d12"; NULL: none */
    enum param_type element; /* PARAM_LIST: any type but list; its range and choices as above */
    const char *symbol_of;   /* PARAM_PRICE: the parameter whose symbol a relative price is of */
    /* What else is accepted: tried if the value does not have the form of this type. NULL: nothing.
     * Of a row that is only an alternative, name, required, default and help are not used. */
    const struct action_param *otherwise;
    const char *noun; /* all that is accepted, for refusals: "the number of a trade or a symbol".
                         Only with alternatives; NULL: their types */
    const char *help;
    bool waits; /* a duration that replaces waits_us of the action (action.h); several are added */
};

/* A bound that is also a constant: .maximum = PARAM_BOUND(ROWS_MAX), a plain literal. */
#define PARAM_BOUND(constant)  PARAM_BOUND_(constant)
#define PARAM_BOUND_(constant) #constant

struct value_price {
    bool relative;
    struct dec amount; /* the price, or percent from the current price: -2 */
};

struct value_user {
    int64_t id; /* 0: not looked up */
    char *name; /* NULL: only the id was given, and it was not looked up */
};

struct value_position {
    struct symbol symbol; /* "": not looked up */
    int64_t number;       /* 0: the symbol was given */
};

struct arg_value {
    enum param_type type; /* of the alternative that was accepted; PARAM_NONE: not given */
    const char *prefix;   /* int, order: of the parameter, which owns it; "" without one */
    union {
        char *text; /* PARAM_TEXT, _SERVICE, _CHOICE, and _ORDER with its prefix */
        int64_t number;
        struct dec decimal;
        struct value_price price;
        int64_t duration_us;
        int64_t time_us;
        struct symbol symbol; /* PARAM_SYMBOL; PARAM_SYMBOL_OR_ALL, with "" for all */
        struct value_position position;
        struct value_user user;
        struct {
            struct arg_value *items;
            size_t count;
        } list;
    };
};

/* Called with each candidate, in the order in which they should be shown. */
typedef void (*value_emit_fn)(const char *candidate, void *userdata);

/* What another module knows about the values of a type. */
struct value_domain {
    enum param_type type;
    const char *before; /* for refusals: before + value + after: "no service " "demmo" "" */
    const char *after;
    /* What the candidates are: "configured". NULL: they follow `after`: "is not one of" "a, b". */
    const char *listed;
    int edits; /* at most so many between a value and "did you mean"; 0: never suggested */
    void (*list)(value_emit_fn emit, void *emit_userdata, void *userdata);
    /* Looks the value up and completes it (the symbol of a position's number, the id of a user).
     * NULL: the value must be one that `list` emits. */
    int (*find)(const char *name, struct arg_value *value, void *userdata, struct err *err);
    /* PARAM_PRICE only: the price that is so many percent from the current one of the symbol. */
    int (*price)(struct symbol symbol, struct dec percent, struct dec *ret, void *userdata,
                 struct err *err);
};

struct action_table;

struct value_context {
    const struct action_table *domains; /* NULL: values are not looked up */
    int64_t now_us;                     /* for times */
};

/* Error of both: COMMAND_ARG_INVALID, or what the domain reports; *ret is then unchanged. *ret must
 * be {0}. JSON: a string is read as text, a number as its digits, an array as a list; null gives
 * PARAM_NONE. */
int value_from_text(const struct action_param *param, struct str text,
                    const struct value_context *context, struct arg_value *ret, struct err *err);
int value_from_json(const struct action_param *param, struct json_object *json,
                    const struct value_context *context, struct arg_value *ret, struct err *err);
/* Looks up a value that was made without domains. */
int value_look_up(const struct action_param *param, struct arg_value *value,
                  const struct value_context *context, struct err *err);
/* Makes a relative price absolute; `symbol` is the value whose symbol it is of. Does nothing to any
 * other value, or without domains. */
int value_resolve_price(const struct action_param *param, struct arg_value *value,
                        const struct arg_value *symbol, const struct value_context *context,
                        struct err *err);
/* Converts a value for a parameter that accepts more than the one it was made for: any value for a
 * text, a symbol where all is accepted, one item where a list of them is. False: it cannot be
 * converted. */
bool value_convert(const struct arg_value *value, const struct action_param *to,
                   struct arg_value *ret);

void value_copy(const struct arg_value *value, struct arg_value *ret);
bool value_equal(const struct arg_value *a, const struct arg_value *b);
void value_release(struct arg_value *value); /* leaves {0} */
void value_text(const struct arg_value *value, struct buf *out);
/* The same for people, logs and ops.db: without the query of a URL, which may hold a signature.
 * False if something was left out. */
bool value_shown(const struct arg_value *value, struct buf *out);
/* key: NULL in an array or at the root. */
void value_json(const struct arg_value *value, struct json_out *out, const char *key);
/* The symbol of a PARAM_SYMBOL, _SYMBOL_OR_ALL or _POSITION. */
struct symbol value_symbol(const struct arg_value *value);

/* Emits the candidates that begin with prefix, in any case: choices, and what the domain lists. */
void value_complete(const struct action_param *param, struct str prefix,
                    const struct value_context *context, value_emit_fn emit, void *emit_userdata);

/* "int, 1 to 50", "avoid or favour": for help and docs. */
void value_describe(const struct action_param *param, struct buf *out);
/* Checks a row of a table: names the first fault in err. */
int value_check_param(const struct action_param *param, struct err *err);
/* Checks that `inner` accepts nothing that `outer` refuses, and takes from `outer` what `inner`
 * leaves open. Both have the same type. Error: COMMAND_ARG_INVALID. */
int value_narrow(struct action_param *inner, const struct action_param *outer, struct err *err);

const char *param_type_name(enum param_type type); /* "text" "int" "symbol_or_all" … */
bool param_type_parse(struct str s, enum param_type *ret);
/* All names, comma separated. */
void param_type_list(struct buf *out);
/* "90s", "15m", "2h", "1d", "500ms": a whole number above zero and its unit. In microseconds. */
bool value_parse_duration(struct str s, int64_t *ret_us);
