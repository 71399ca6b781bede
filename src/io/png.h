/*
 * png.h: writes an RGB picture as a PNG. Private to this module: chart.c.
 *
 *     rc = png_write(&(struct png_pixels){.width = w, .height = h, .stride = s, .rgb = data}, out,
 *                    err);
 *
 * cairo can write PNGs, too, but takes three times as long for the same size.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct png_pixels {
    int width;
    int height;
    size_t stride;           /* bytes from row to row */
    const unsigned char *at; /* rows of 32-bit values 0x00RRGGBB in this machine's byte order */
};

/* Appends a PNG. ERR_FILE_TOO_LARGE if it does not fit into the buffer. */
int png_write(const struct png_pixels *pixels, struct buf *out, struct err *err);
