/*
 * same.h: compares two structs field by field. memcmp would also compare the padding, whose bytes
 * are undefined.
 *
 *     static const struct same_field fill_fields[] = {SAME(struct fill, client_id), ...};
 *     assert_same(&a, &b, fill_fields, COUNT_OF(fill_fields));
 *
 * Thread: main thread of the test binary.
 */
#pragma once

#include "unit/unit.h"

#include <string.h>

struct same_field {
    const char *name;
    size_t offset;
    size_t size;
};

#define SAME(type, field)                                            \
    {                                                                \
#field, offsetof(type, field), sizeof(((type *)NULL)->field) \
    }

static inline void assert_same(const void *a, const void *b, const struct same_field *fields,
                               size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *x = (const char *)a + fields[i].offset;
        const char *y = (const char *)b + fields[i].offset;
        if (memcmp(x, y, fields[i].size) != 0) {
            fail_msg("field %s differs", fields[i].name);
        }
    }
}
