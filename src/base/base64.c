#include "base/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct buf *out, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        unsigned word = (unsigned)(unsigned char)bytes.ptr[i] << 16;
        word |= left > 1 ? (unsigned)(unsigned char)bytes.ptr[i + 1] << 8 : 0;
        word |= left > 2 ? (unsigned)(unsigned char)bytes.ptr[i + 2] : 0;
        buf_add_char(out, digits[word >> 18 & 63]);
        buf_add_char(out, digits[word >> 12 & 63]);
        buf_add_char(out, left > 1 ? digits[word >> 6 & 63] : '=');
        buf_add_char(out, left > 2 ? digits[word & 63] : '=');
    }
}

/* The bits of four characters, of which the last ones may be padding; -1: they are not valid. */
static int32_t read_word(const char *four, int padding)
{
    int32_t word = 0;
    for (int i = 0; i < 4; i++) {
        const char *at = i >= 4 - padding  ? digits
                         : four[i] == '\0' ? NULL
                                           : strchr(digits, four[i]);
        if (at == NULL) {
            return -1;
        }
        word = word << 6 | (int32_t)(at - digits);
    }
    int32_t left_over = padding == 2 ? 0xFFFF : padding == 1 ? 0xFF : 0;
    return (word & left_over) == 0 ? word : -1;
}

bool base64_decode(struct str text, struct buf *out)
{
    if (text.len % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i += 4) {
        const char *four = text.ptr + i;
        bool last = i + 4 == text.len;
        int padding = !last || four[3] != '=' ? 0 : four[2] != '=' ? 1 : 2;
        int32_t word = read_word(four, padding);
        if (word < 0) {
            return false;
        }
        for (int k = 0; k < 3 - padding; k++) {
            buf_add_char(out, (char)(word >> (16 - 8 * k) & 0xFF));
        }
    }
    return !buf_failed(out);
}
