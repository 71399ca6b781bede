/*
 * csv_format.h: recognises the form of a candle file from its beginning (private to market).
 *
 *     struct csv_format format;
 *     rc = csv_format_find(sample, "f.csv", &format, err);
 *     while (!last && csv_field_next(&rest, format.separator, &field, &last)) …
 *
 * Invariants of a found format: field_of names a time, open, high, low and close column;
 * header_size bytes of the sample are behind us.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "market/csv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum csv_field {
    FIELD_TIME,
    FIELD_OPEN,
    FIELD_HIGH,
    FIELD_LOW,
    FIELD_CLOSE,
    FIELD_VOLUME,
    FIELD_DATE, /* of a file whose time column has no date */
    FIELD_COUNT
};

struct csv_format {
    bool is_json; /* rows are the arrays of a JSON array */
    bool has_volume;
    bool has_date;
    bool grouped; /* thousands separators were seen */
    char separator;
    char decimal;
    int columns;
    signed char field_of[CSV_COLUMNS_MAX + 1]; /* enum csv_field of each column; -1: none */
    size_t header_size;                        /* bytes before the first row */
    int64_t header_lines;
    char note[CSV_NOTE_SIZE]; /* what was assumed; "" for a plain file */
};

/* The sample is the beginning of the file, or all of it. ERR_MARKET_CSV_HEADER names the line and
 * what is missing. */
int csv_format_find(struct str sample, bool whole, const char *name, struct csv_format *ret,
                    struct err *err);
/* Appends to a note of CSV_NOTE_SIZE, after a comma. */
void csv_format_note(char note[CSV_NOTE_SIZE], const char *text);

bool csv_field_next_slow(struct str *rest, char separator, struct str *ret, bool *ret_last);

/* Removes a field and the separator after it from the front; *ret_last when there was no separator.
 * A quoted field is returned without its quotation marks; a doubled one inside stays doubled, since
 * no time and no number contains one. */
static inline bool csv_field_next(struct str *rest, char separator, struct str *ret, bool *ret_last)
{
    if (rest->len == 0 || rest->ptr[0] <= '"') {
        return csv_field_next_slow(rest, separator, ret, ret_last);
    }
    /* Neither blank nor quoted: nearly every field. */
    const char *end = memchr(rest->ptr, separator, rest->len);
    size_t at = end != NULL ? (size_t)(end - rest->ptr) : rest->len;
    size_t len = at;
    while (len > 0 && (unsigned char)rest->ptr[len - 1] <= ' ') { /* JSON has line ends, too */
        len--;
    }
    *ret = (struct str){rest->ptr, len};
    *ret_last = end == NULL;
    size_t behind = at + (end != NULL);
    *rest = (struct str){rest->ptr + behind, rest->len - behind};
    return true;
}
