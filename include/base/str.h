/*
 * str.h: a read-only view of bytes, for parsing without copying.
 *
 *     struct str line = str_c("restart prediction"), word;
 *     while (str_word(&line, &word)) { ... }
 *
 * Invariants: ptr is valid for len bytes; the view does not own them, and their owner must outlive
 * it. A view need not be NUL-terminated; the empty view is {"", 0}, never NULL.
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

/* Removes white space (space, tab, CR, LF) at both ends. */
struct str str_trim(struct str s);

/* Removes the next blank-separated word from the front of *rest. False if there is none. */
bool str_word(struct str *rest, struct str *ret_word);

/* Splits *rest at the first separator: *ret_part is the text before it, *rest the text after it
 * (empty if there was no separator). False if *rest is empty. */
bool str_split(struct str *rest, char separator, struct str *ret_part);

/* Convert the whole view from decimal: no spaces, trailing bytes, hex, inf or nan. False, with *ret
 * unchanged, on anything else (including overflow). */
bool str_to_i64(struct str s, int64_t *ret);
bool str_to_double(struct str s, double *ret);

/* Copies into a fixed array, always NUL-terminated. False if it was truncated. */
bool str_copy(struct str s, char *dst, size_t dst_size);
/* The same, but cut between characters: as many whole characters of UTF-8 as fit. */
void str_cut(struct str s, char *dst, size_t dst_size);

/* Whether s is valid UTF-8, without overlong forms and surrogates (RFC 3629). */
bool str_is_utf8(struct str s);

/* The length in bytes (1..4) of the valid UTF-8 sequence at the front; 0 if there is none. */
size_t str_utf8_size(struct str s);

/* Whether the character at the front of s (size bytes, from str_utf8_size) can hide or forge
 * displayed text: control characters (C0 including line feed and tab, DEL, C1: they move the cursor
 * or begin an escape sequence), line and paragraph separators, bidirectional controls and invisible
 * characters. Joiners and variation selectors are not included, since emoji need them. */
bool str_is_unsafe(struct str s, size_t size);
/* Replaces, in place, the bytes of a text from outside that are not valid UTF-8, and those of
 * unsafe characters, by "?"; line feeds and tabs stay. */
void str_make_safe(char *text);

/* Length in UTF-16 code units, Telegram's unit of message length; s must be valid UTF-8. */
size_t str_utf16_len(struct str s);

/* Edit distance (Damerau, adjacent swaps count one), capped at 8; for "did you mean". */
int str_distance(struct str a, struct str b);

/* Whether a text looks as if it held a secret that somebody has put in the wrong place: a bot
 * token, an API key, a password in a URL, or 20 letters and digits that are no word. Such a text is
 * not shown; a wrong guess only makes a message less clear. */
bool str_looks_secret(struct str s);
