#include "base/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void add(struct buf *out, struct str bytes, const char *alphabet, bool padded)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        unsigned word = (unsigned)(unsigned char)bytes.ptr[i] << 16;
        word |= left > 1 ? (unsigned)(unsigned char)bytes.ptr[i + 1] << 8 : 0;
        word |= left > 2 ? (unsigned)(unsigned char)bytes.ptr[i + 2] : 0;
        char four[] = {alphabet[word >> 18 & 63], alphabet[word >> 12 & 63],
                       left > 1 ? alphabet[word >> 6 & 63] : '=',
                       left > 2 ? alphabet[word & 63] : '='};
        buf_add(out, four, padded || left > 2 ? 4 : left + 1);
    }
}

void base64_add(struct buf *out, struct str bytes)
{
    add(out, bytes, digits, true);
}

void base64url_add(struct buf *out, struct str bytes)
{
    add(out, bytes, url_digits, false);
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
