/*
 * str.h: a read-only view of bytes, for parsing without copying.
 *
 *     struct str line = str_c("restart prediction"), word;
 *     while (str_word(&line, &word)) { ... }
 *
 * Invariants: ptr is valid for len bytes and owned by somebody else who outlives the view; a view
 * need not be NUL-terminated; the empty view is {"" , 0}, never NULL.
 * Thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *ptr;
    size_t len;
};

/* printf("%.*s", STR_ARG(view)) */
#define STR_ARG(s) (int)(s).len, (s).ptr
#define STR_LIT(s) ((struct str){.ptr = ("" s), .len = sizeof(s) - 1})

/* View of a C string; NULL gives the empty view. */
struct str str_c(const char *text);
struct str str_n(const char *ptr, size_t len);

bool str_equal(struct str a, struct str b);
bool str_equal_c(struct str a, const char *b);
bool str_equal_nocase(struct str a, const char *b);
bool str_starts(struct str s, const char *prefix);

/* Without blanks (space, tab, CR, LF) at both ends. */
struct str str_trim(struct str s);

/* Takes the next blank-separated word off the front of *rest. False when there is none. */
bool str_word(struct str *rest, struct str *ret_word);

/* Splits at the first separator; *rest keeps what follows (empty when there was none).
 * False once *rest is empty at entry. */
bool str_split(struct str *rest, char separator, struct str *ret_part);

/* Whole-view conversions in decimal: no blanks, no trailing bytes, no hex, inf or nan. False, *ret
 * untouched, on anything else (including overflow). */
bool str_to_i64(struct str s, int64_t *ret);
bool str_to_double(struct str s, double *ret);

/* Copies into a fixed array, always terminated. False when it was cut. */
bool str_copy(struct str s, char *dst, size_t dst_size);

/* Valid UTF-8 without overlong forms and surrogates (RFC 3629)? */
bool str_is_utf8(struct str s);

/* Bytes of the valid UTF-8 sequence at the front (1..4); 0 when there is none. */
size_t str_utf8_size(struct str s);

/* Can the character at the front of s (size bytes, as str_utf8_size says) hide or forge text that
 * is shown? Control characters (C0 with line feed and tab, DEL, C1: they move the cursor or begin
 * an escape sequence), line and paragraph separators, what turns the direction of reading, and what
 * cannot be seen. Joiners and variation selectors, which emoji need, are none of them. */
bool str_is_unsafe(struct str s, size_t size);

/* Length in UTF-16 code units, Telegram's unit of message length; s must be valid UTF-8. */
size_t str_utf16_len(struct str s);

/* Edit distance (Damerau, adjacent swaps count one), capped at 8; for "did you mean". */
int str_distance(struct str a, struct str b);
