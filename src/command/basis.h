/*
 * basis.h: what a prompt showed that may change until it is answered: prices, and facts such as a
 * position or what a service is. Private to this module.
 *
 *     struct basis basis = BASIS_INIT;
 *     basis_add_price(&basis, "BTC-USD", price);
 *     basis_add_fact(&basis, "position BTC-USD", "long 0.0031");
 *     ... stored with the prompt as basis.text; when it is answered, with the basis of that moment:
 *     count = basis_compare(stored, buf_str(&now.text), 1.0, &lines);
 *
 * Always true: the text has one line for each entry, in order; equal bases have equal texts.
 * Thread: ops.
 */
#pragma once

#include "base/buf.h"
#include "base/dec.h"
#include "base/str.h"

#define BASIS_MAX ((size_t)64 * 1024)

struct basis {
    struct buf text;
};
#define BASIS_INIT                  \
    {                               \
        .text = BUF_INIT(BASIS_MAX) \
    }

void basis_add_price(struct basis *basis, const char *what, struct dec price);
void basis_add_fact(struct basis *basis, const char *what, const char *value);
/* Appends a line for each entry that is not the same: "BTC-USD: 64,120.5 → 65,000 (+1.4 %)". A
 * price may differ by band_pct percent. Returns their number. */
int basis_compare(struct str before, struct str now, double band_pct, struct buf *ret_lines);
