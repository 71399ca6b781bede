#include "names.h"

#include <string.h>

static bool same(const uint64_t a[NAMES_BYTES / 8], const uint64_t b[NAMES_BYTES / 8])
{
    return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) == 0;
}

int names_index(struct names *names, struct str name, bool *ret_fresh)
{
    uint64_t key[NAMES_BYTES / 8] = {0};
    memcpy(key, name.ptr, name.len < NAMES_BYTES ? name.len : NAMES_BYTES);
    uint64_t hash = (key[0] ^ key[1] * 0xff51afd7ed558ccdULL) * 0x9e3779b97f4a7c15ULL;
    size_t at = hash >> 54;
    *ret_fresh = false;
    while (names->slots[at] != 0 && !same(key, names->keys[names->slots[at] - 1])) {
        at = (at + 1) % NAMES_SLOTS;
    }
    if (names->slots[at] == 0) {
        if (names->count == names->max) {
            return names->max - 1;
        }
        memcpy(names->keys[names->count], key, sizeof(key));
        names->slots[at] = ++names->count;
        *ret_fresh = true;
    }
    return names->slots[at] - 1;
}
