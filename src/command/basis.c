#include "basis.h"

#include <math.h>
#include <string.h>

/* "P<tab>BTC-USD<tab>6412050000000" or "F<tab>position BTC-USD<tab>long 0.0031" */
static void add(struct buf *out, char kind, const char *what, const char *value)
{
    buf_addf(out, "%c\t%s\t", kind, what);
    for (const char *c = value; *c != '\0'; c++) {
        buf_add_char(out, *c == '\n' || *c == '\t' ? ' ' : *c);
    }
    buf_add_char(out, '\n');
}

void basis_add_price(struct basis *basis, const char *what, struct dec price)
{
    char value[24];
    (void)snprintf(value, sizeof(value), "%lld", (long long)price.e8);
    add(&basis->text, 'P', what, value);
}

void basis_add_fact(struct basis *basis, const char *what, const char *value)
{
    add(&basis->text, 'F', what, value);
}

struct entry {
    struct str kind;
    struct str what;
    struct str value;
};

static bool next_entry(struct str *rest, struct entry *ret)
{
    struct str line;
    return str_split(rest, '\n', &line) && str_split(&line, '\t', &ret->kind) &&
           str_split(&line, '\t', &ret->what) && (ret->value = line, true);
}

static bool find(struct str text, const struct entry *like, struct entry *ret)
{
    while (next_entry(&text, ret)) {
        if (str_equal(ret->kind, like->kind) && str_equal(ret->what, like->what)) {
            return true;
        }
    }
    return false;
}

static void add_price(struct str value, struct buf *out)
{
    struct dec price = {0};
    (void)str_to_i64(value, &price.e8);
    dec_add_text(out, price);
}

static bool is_price(const struct entry *e)
{
    return str_equal_c(e->kind, "P");
}

/* Whether the difference counts; the line of a price says by how much it has moved. */
static bool differs(const struct entry *before, const struct entry *now, double band_pct,
                    struct buf *lines)
{
    int64_t from = 0, to = 0;
    if (!is_price(now)) {
        if (str_equal(before->value, now->value)) {
            return false;
        }
        buf_addf(lines, "%.*s: %.*s → %.*s\n", STR_ARG(now->what), STR_ARG(before->value),
                 STR_ARG(now->value));
        return true;
    }
    (void)str_to_i64(before->value, &from);
    (void)str_to_i64(now->value, &to);
    double moved_pct =
        from == 0 ? (to == 0 ? 0 : 100) : ((double)to - (double)from) / fabs((double)from) * 100;
    if (fabs(moved_pct) <= band_pct) {
        return false;
    }
    buf_addf(lines, "%.*s: ", STR_ARG(now->what));
    add_price(before->value, lines);
    buf_add_c(lines, " → ");
    add_price(now->value, lines);
    buf_addf(lines, " (%+.1f %%)\n", moved_pct);
    return true;
}

int basis_compare(struct str before, struct str now, double band_pct, struct buf *ret_lines)
{
    struct entry e, other;
    int count = 0;
    for (struct str rest = now; next_entry(&rest, &e);) {
        if (find(before, &e, &other)) {
            count += differs(&other, &e, band_pct, ret_lines) ? 1 : 0;
        } else if (!is_price(&e)) { /* the fact that goes with a new price is there, too */
            buf_addf(ret_lines, "%.*s: new, %.*s\n", STR_ARG(e.what), STR_ARG(e.value));
            count++;
        } else {
            count++;
        }
    }
    for (struct str rest = before; next_entry(&rest, &e);) {
        if (find(now, &e, &other)) {
            continue;
        }
        if (!is_price(&e)) {
            buf_addf(ret_lines, "%.*s: gone\n", STR_ARG(e.what));
        }
        count++;
    }
    return count;
}
