#include "der.h"

#include <string.h>

bool der_take(struct der *d, uint8_t tag, struct der *ret)
{
    if (d->left < 2 || d->at[0] != tag) {
        return false;
    }
    size_t head = 2, size = d->at[1];
    if (size >= 0x80) {
        size_t more = size & 0x7F;
        if (more < 1 || more > 2 || d->left < 2 + more) {
            return false;
        }
        size = more == 1 ? d->at[2] : (size_t)d->at[2] << 8 | d->at[3];
        head += more;
        if (size < (more == 1 ? 0x80U : 0x100U)) {
            return false;
        }
    }
    if (size > d->left - head) {
        return false;
    }
    *ret = der_of(d->at + head, size);
    *d = der_of(d->at + head + size, d->left - head - size);
    return true;
}

bool der_is(const struct der *d, const void *bytes, size_t size)
{
    return d->left == size && memcmp(d->at, bytes, size) == 0;
}

bool der_number(const struct der *integer, uint8_t *ret, size_t size)
{
    const uint8_t *at = integer->at;
    size_t left = integer->left;
    if (left == 0 || (at[0] & 0x80) != 0) {
        return false;
    }
    while (left > 0 && at[0] == 0) {
        at++;
        left--;
    }
    if (left > size) {
        return false;
    }
    memset(ret, 0, size - left);
    memcpy(ret + size - left, at, left);
    return true;
}
