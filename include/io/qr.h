/*
 * qr.h: QR codes (libqrencode), for a terminal and as a picture.
 *
 *     struct qr qr;
 *     rc = qr_encode(str_c("otpauth://totp/…"), &qr, err);
 *     qr_add_text(&qr, &out);      // lines of half blocks, dark on light
 *     qr_add_png(&qr, &png);       // black on white, at least 8 pixels a module
 *     qr_wipe(&qr);                // the text may be a secret
 *
 * Always true: both have the quiet zone of four modules that readers need. Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define QR_TEXT_MAX  300 /* bytes */
#define QR_SIZE_MAX  81  /* modules: version 16 holds QR_TEXT_MAX bytes at level M */
#define QR_PNG_MAX   ((size_t)128 * 1024)
#define QR_LINES_MAX ((size_t)16 * 1024)

struct qr {
    int size;
    bool dark[QR_SIZE_MAX][QR_SIZE_MAX]; /* [row][column] */
};

/* Error: QR_TEXT, for an empty text or one of more than QR_TEXT_MAX bytes. */
int qr_encode(struct str text, struct qr *ret, struct err *err);
void qr_add_text(const struct qr *qr, struct buf *out);
void qr_add_png(const struct qr *qr, struct buf *out);
void qr_wipe(struct qr *qr);
