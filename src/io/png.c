#include "png.h"

#include "base/auto.h"
#include "base/check.h"
#include "library.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Of 1 to 9: 3 is three times as fast as the usual 6, for a tenth more bytes. */
#define LEVEL       3
#define CHUNK_BYTES ((size_t)64 * 1024)

/* clang-format off */
#define FUNCTIONS(X) X(crc32) X(deflateInit_) X(deflate) X(deflateEnd)
/* clang-format on */

static struct {
#define X(name) __typeof__(name) *name;
    FUNCTIONS(X)
#undef X
} z;

static const struct library_function functions[] = {
#define X(name) {#name, &z.name},
    FUNCTIONS(X)
#undef X
};

static struct library library = {.names = {"libz.so.1"},
                                 .package = "zlib1g",
                                 .error = ERR_LIBRARY,
                                 .functions = functions,
                                 .function_count = COUNT_OF(functions)};

static void add_u32(struct buf *out, uint32_t value)
{
    const unsigned char bytes[] = {(unsigned char)(value >> 24), (unsigned char)(value >> 16),
                                   (unsigned char)(value >> 8), (unsigned char)value};
    buf_add(out, bytes, sizeof(bytes));
}

static void add_chunk(struct buf *out, const char type[4], const void *data, size_t len)
{
    uLong crc = z.crc32(0, (const Bytef *)type, 4);
    crc = len == 0 ? crc : z.crc32(crc, data, (uInt)len);
    add_u32(out, (uint32_t)len);
    buf_add(out, type, 4);
    buf_add(out, data, len);
    add_u32(out, (uint32_t)crc);
}

static void add_header(struct buf *out, const struct png_pixels *p)
{
    static const unsigned char form[] = {8, 2, 0, 0, 0}; /* 8 bits each of red, green, blue */
    AUTO_BUF struct buf header = BUF_INIT(16);
    add_u32(&header, (uint32_t)p->width);
    add_u32(&header, (uint32_t)p->height);
    buf_add(&header, form, sizeof(form));
    buf_add(out, "\x89PNG\r\n\x1a\n", 8);
    add_chunk(out, "IHDR", header.data, header.len);
}

/* Compresses what is in the stream and adds each full chunk. */
static void squeeze(z_stream *stream, int flush, unsigned char *chunk, struct buf *out)
{
    int rc;
    do {
        rc = z.deflate(stream, flush);
        ASSERT(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR);
        if (stream->avail_out == 0 || flush == Z_FINISH) {
            add_chunk(out, "IDAT", chunk, CHUNK_BYTES - stream->avail_out);
            stream->next_out = chunk;
            stream->avail_out = CHUNK_BYTES;
        }
    } while (flush == Z_FINISH ? rc != Z_STREAM_END : stream->avail_in > 0);
}

static void take_row(const struct png_pixels *p, int y, unsigned char *ret)
{
    const unsigned char *row = p->at + (size_t)y * p->stride;
    *ret++ = 0; /* no filter */
    for (int x = 0; x < p->width; x++) {
        uint32_t pixel;
        memcpy(&pixel, row + (size_t)x * sizeof(pixel), sizeof(pixel));
        *ret++ = (unsigned char)(pixel >> 16);
        *ret++ = (unsigned char)(pixel >> 8);
        *ret++ = (unsigned char)pixel;
    }
}

int png_write(const struct png_pixels *p, struct buf *out, struct err *err)
{
    int rc = library_load(&library, err);
    if (rc < 0) {
        return rc;
    }
    size_t row_bytes = 1 + 3 * (size_t)p->width;
    AUTO_FREE unsigned char *row = malloc(row_bytes);
    AUTO_FREE unsigned char *chunk = malloc(CHUNK_BYTES);
    ASSERT(row != NULL && chunk != NULL);
    z_stream stream = {.next_out = chunk, .avail_out = CHUNK_BYTES};
    NEED_MEMORY(z.deflateInit_(&stream, LEVEL, ZLIB_VERSION, (int)sizeof(stream)) == Z_OK);
    add_header(out, p);
    for (int y = 0; y < p->height; y++) {
        take_row(p, y, row);
        stream.next_in = row;
        stream.avail_in = (uInt)row_bytes;
        squeeze(&stream, Z_NO_FLUSH, chunk, out);
    }
    squeeze(&stream, Z_FINISH, chunk, out);
    (void)z.deflateEnd(&stream);
    add_chunk(out, "IEND", "", 0);
    return out->failed
               ? err_set(err, ERR_FILE_TOO_LARGE, "a picture of %d x %d", p->width, p->height)
               : 0;
}
