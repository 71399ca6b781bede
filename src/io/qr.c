#include "io/qr.h"

#include "base/check.h"
#include "base/crc32.h"
#include "io/secret.h"

#include <errno.h>
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>

#define QUIET     4 /* modules of light around the code */
#define PIXELS    8 /* of a module */
#define ROW_BYTES (((QR_SIZE_MAX + 2 * QUIET) * PIXELS + 7) / 8)

int qr_encode(struct str text, struct qr *ret, struct err *err)
{
    char copy[QR_TEXT_MAX + 1];
    if (text.len == 0 || !str_copy(text, copy, sizeof(copy))) {
        return err_set(err, ERR_QR_TEXT, "%zu bytes", text.len);
    }
    QRcode *code = QRcode_encodeString(copy, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
    secret_wipe(copy, sizeof(copy));
    if (code == NULL || code->width > QR_SIZE_MAX) {
        int why = errno;
        QRcode_free(code);
        return err_set(err, ERR_QR_TEXT, "%zu bytes: %s", text.len, strerror(why));
    }
    *ret = (struct qr){.size = code->width};
    for (int y = 0; y < ret->size; y++) {
        for (int x = 0; x < ret->size; x++) {
            ret->dark[y][x] = (code->data[y * ret->size + x] & 1U) != 0;
        }
    }
    secret_wipe(code->data, (size_t)ret->size * (size_t)ret->size);
    QRcode_free(code);
    return 0;
}

void qr_wipe(struct qr *qr)
{
    secret_wipe(qr, sizeof(*qr));
}

static bool is_dark(const struct qr *qr, int y, int x)
{
    return y >= 0 && x >= 0 && y < qr->size && x < qr->size && qr->dark[y][x];
}

/* Most terminals are dark, so light modules are drawn: the code is then dark on light. */
void qr_add_text(const struct qr *qr, struct buf *out)
{
    for (int y = -QUIET; y < qr->size + QUIET; y += 2) {
        for (int x = -QUIET; x < qr->size + QUIET; x++) {
            bool upper = !is_dark(qr, y, x);
            bool lower = !is_dark(qr, y + 1, x) && y + 1 < qr->size + QUIET;
            buf_add_c(out, upper && lower ? "█" : upper ? "▀" : lower ? "▄" : " ");
        }
        buf_add_char(out, '\n');
    }
}

/* ----------------------------------------------------------------------------------- png ---- */

static void add_u32(struct buf *out, uint32_t value)
{
    const char bytes[4] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8),
                           (char)value};
    buf_add(out, bytes, sizeof(bytes));
}

static void add_chunk(struct buf *out, const char *type, struct str data)
{
    add_u32(out, (uint32_t)data.len);
    size_t begin = out->len;
    buf_add(out, type, 4);
    buf_add_str(out, data);
    add_u32(out, crc32_of(str_n(out->data + begin, out->len - begin)));
}

/* A zlib stream (RFC 1950) of stored blocks (RFC 1951): a code is small, so compressing it would
 * only need another library. */
static void add_zlib(struct buf *out, struct str data)
{
    uint32_t a = 1, b = 0;
    buf_add(out, "\x78\x01", 2);
    for (size_t at = 0; at < data.len;) {
        size_t size = data.len - at < 65535 ? data.len - at : 65535;
        const char head[5] = {(char)(at + size == data.len ? 1 : 0), (char)size, (char)(size >> 8),
                              (char)~size, (char)(~size >> 8)};
        buf_add(out, head, sizeof(head));
        buf_add(out, data.ptr + at, size);
        at += size;
    }
    for (size_t i = 0; i < data.len; i++) { /* Adler-32 */
        a = (a + (unsigned char)data.ptr[i]) % 65521;
        b = (b + a) % 65521;
    }
    add_u32(out, (b << 16) | a);
}

/* A row of one bit a pixel; 1 is white. */
static void add_row(const struct qr *qr, int y, struct buf *out)
{
    char row[ROW_BYTES] = {0};
    int pixels = (qr->size + 2 * QUIET) * PIXELS;
    for (int p = 0; p < pixels; p++) {
        if (!is_dark(qr, y, p / PIXELS - QUIET)) {
            row[p / 8] = (char)((unsigned char)row[p / 8] | (0x80U >> (p % 8)));
        }
    }
    buf_add(out, "", 1); /* no filter */
    buf_add(out, row, (size_t)(pixels + 7) / 8);
}

void qr_add_png(const struct qr *qr, struct buf *out)
{
    AUTO_BUF struct buf rows = BUF_INIT(QR_PNG_MAX);
    AUTO_BUF struct buf part = BUF_INIT(QR_PNG_MAX);
    uint32_t pixels = (uint32_t)(qr->size + 2 * QUIET) * PIXELS;
    for (int y = -QUIET; y < qr->size + QUIET; y++) {
        for (int i = 0; i < PIXELS; i++) {
            add_row(qr, y, &rows);
        }
    }
    buf_add(out, "\x89PNG\r\n\x1a\n", 8);
    add_u32(&part, pixels);
    add_u32(&part, pixels);
    buf_add(&part, "\1\0\0\0\0", 5); /* one bit, greyscale, deflate, no filter, not interlaced */
    add_chunk(out, "IHDR", buf_str(&part));
    buf_clear(&part);
    add_zlib(&part, buf_str(&rows));
    add_chunk(out, "IDAT", buf_str(&part));
    add_chunk(out, "IEND", str_c(""));
    secret_wipe(rows.data, rows.len);
    secret_wipe(part.data, part.len);
    ASSERT(!buf_failed(out) && !buf_failed(&part) && !buf_failed(&rows));
}
