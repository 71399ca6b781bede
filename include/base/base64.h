/*
 * base64.h: bytes as text and back (RFC 4648, section 4, with padding).
 *
 *     base64_add(&out, str_c("hello"));                     // aGVsbG8=
 *     if (base64_decode(str_c("aGVsbG8="), &bytes)) …       // hello
 *
 * Always true: base64_decode accepts only what base64_add writes: the bits that padding leaves
 * over are zero, and nothing is skipped. Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

void base64_add(struct buf *out, struct str bytes);
/* The alphabet for URLs and file names, without padding (RFC 4648, section 5; RFC 7515). */
void base64url_add(struct buf *out, struct str bytes);
/* Appends the bytes; false, with a part of them in *out, if the text is not valid. */
bool base64_decode(struct str text, struct buf *out);
