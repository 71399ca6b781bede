/*
 * pixels.h: reads a PNG by libcairo, for tests of pictures.
 *
 *     struct pixels p;
 *     pixels_read(buf_str(&png), &p);
 *     assert_true(pixels_count(&p, 0x0b5fc0, 0, 0, p.width, p.height) > 500);
 *     pixels_release(&p);
 *
 * The library is loaded, as the program does; it reads the PNG by libpng, which checks it.
 * Thread: main thread of the test binary.
 */
#pragma once

#include "base/str.h"
#include "unit/unit.h"

#include <cairo.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct pixels {
    int width;
    int height;
    uint32_t *at; /* 0x00RRGGBB, row by row */
};

static cairo_status_t pixels_feed(void *closure, unsigned char *data, unsigned int length)
{
    struct str *rest = closure;
    if (rest->len < length) {
        return CAIRO_STATUS_READ_ERROR;
    }
    memcpy(data, rest->ptr, length);
    *rest = str_n(rest->ptr + length, rest->len - length);
    return CAIRO_STATUS_SUCCESS;
}

#define PIXELS_FUNCTION(name)                         \
    __typeof__(cairo_##name) *name;                   \
    *(void **)&name = dlsym(library, "cairo_" #name); \
    assert_non_null(name)

static inline void pixels_read(struct str png, struct pixels *ret)
{
    void *library = dlopen("libcairo.so.2", RTLD_NOW);
    assert_non_null(library);
    PIXELS_FUNCTION(image_surface_create_from_png_stream);
    PIXELS_FUNCTION(surface_status);
    PIXELS_FUNCTION(image_surface_get_width);
    PIXELS_FUNCTION(image_surface_get_height);
    PIXELS_FUNCTION(image_surface_get_stride);
    PIXELS_FUNCTION(image_surface_get_data);
    PIXELS_FUNCTION(surface_destroy);
    cairo_surface_t *s = image_surface_create_from_png_stream(pixels_feed, &png);
    assert_int_equal(surface_status(s), CAIRO_STATUS_SUCCESS);
    ret->width = image_surface_get_width(s);
    ret->height = image_surface_get_height(s);
    ret->at = calloc((size_t)ret->width * (size_t)ret->height, sizeof(*ret->at));
    assert_non_null(ret->at);
    for (int y = 0; y < ret->height; y++) {
        memcpy(ret->at + (size_t)y * (size_t)ret->width,
               image_surface_get_data(s) + (size_t)y * (size_t)image_surface_get_stride(s),
               (size_t)ret->width * sizeof(*ret->at));
    }
    surface_destroy(s);
}

static inline void pixels_release(struct pixels *p)
{
    free(p->at);
}

static inline uint32_t pixels_at(const struct pixels *p, int x, int y)
{
    return p->at[(size_t)y * (size_t)p->width + (size_t)x] & 0xffffff;
}

/* Pixels of exactly this colour in a rectangle. */
static inline int pixels_count(const struct pixels *p, uint32_t colour, int left, int top,
                               int right, int bottom)
{
    int count = 0;
    for (int y = top; y < bottom; y++) {
        for (int x = left; x < right; x++) {
            count += pixels_at(p, x, y) == colour;
        }
    }
    return count;
}

static inline int pixels_all(const struct pixels *p, uint32_t colour)
{
    return pixels_count(p, colour, 0, 0, p->width, p->height);
}
