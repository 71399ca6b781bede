/*
 * quantity.h: a figure with its unit, and when two of them are the same figure.
 *
 *     struct unit unit = unit_of_pointer("/trades/net_usd");         // money, US dollars
 *     struct quantity shown = {.value = -12.35, .half = 0.005, .unit = unit};
 *     bool same = quantity_is(-12.345, unit, &shown);
 *
 * Rules: a figure equals a value if it is the value rounded to the digits shown, and is not further
 * from it than a tenth of the value. So 0.57 and 0.6 are 0.5733, and 1 is not; 12 is 12.345, and 1
 * is not 1.4; zero is only zero. The unit must be the same kind of unit (per cent is not a
 * fraction, money is not a count), and is converted (90 s are 1.5 min). A figure that is written
 * without a unit is compared with the number as the report has it. Units of the report are the
 * endings of its keys: _usd, _pct, _min, _s, _ms, _us, _mib, … Thread: any.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>

enum dimension {
    DIMENSION_NONE,  /* a number without a unit */
    DIMENSION_COUNT, /* of things: "7 trades" */
    DIMENSION_TIMES, /* a factor: "3 times" */
    DIMENSION_PCT,
    DIMENSION_MONEY,
    DIMENSION_TIME, /* scale: seconds */
    DIMENSION_BYTES
};

struct unit {
    enum dimension dimension;
    double scale;     /* the base unit's number in one of this unit; 0 is 1 */
    char currency[8]; /* of money, in lower case; "": the quote currency, whatever it is */
};

struct quantity {
    double value;
    double half; /* half a unit of the last digit shown, in the same unit; 0: it is exact */
    struct unit unit;
};

/* The unit of a value in the report, by the last step of its pointer. */
struct unit unit_of_pointer(const char *pointer);
/* The unit that is written as one word ("%", "min", "USDT", "hours"). False: the word is no unit.
 */
bool unit_read(struct str word, struct unit *ret);
/* Whether the units can be of the same figure. */
bool unit_fits(struct unit value, struct unit shown);

/* Whether shown is this value of this unit. */
bool quantity_is(double value, struct unit unit, const struct quantity *shown);
/* The same for plain numbers. */
bool quantity_rounds(double value, double shown, double half);
/* Reads a number in decimal notation, with half a unit of its last digit; 0 with an exponent. */
bool quantity_read(struct str text, double *ret_value, double *ret_half);
