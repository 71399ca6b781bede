#include "command/quote.h"

#include "base/check.h"

#include <string.h>

/* Opening and closing marks. Phones replace plain marks by typographic ones. */
static const struct {
    const char *open;
    const char *close;
} quotes[] = {
    {"\"", "\""}, {"'", "'"}, {"“", "”"}, {"«", "»"}, {"„", "“"},
};

const char *quote_opens(struct str s, size_t *ret_size)
{
    for (size_t i = 0; i < COUNT_OF(quotes); i++) {
        if (str_starts(s, quotes[i].open)) {
            *ret_size = strlen(quotes[i].open);
            return quotes[i].close;
        }
    }
    return NULL;
}

size_t quote_name_size(struct str s)
{
    size_t size = 0;
    while (size < s.len && ((s.ptr[size] >= 'a' && s.ptr[size] <= 'z') ||
                            (s.ptr[size] >= '0' && s.ptr[size] <= '9') || s.ptr[size] == '_')) {
        size++;
    }
    return size > 0 && size < s.len && s.ptr[size] == '=' ? size + 1 : 0;
}

/* Whether the value has to be quoted: it is empty, contains a blank or begins with a mark. */
static bool needs_quotes(struct str s)
{
    size_t size = 0;
    bool blank = s.len == 0;
    for (size_t i = 0; i < s.len; i++) {
        blank =
            blank || s.ptr[i] == ' ' || s.ptr[i] == '\t' || s.ptr[i] == '\r' || s.ptr[i] == '\n';
    }
    return blank || quote_opens(s, &size) != NULL;
}

static bool add_quoted(struct buf *out, struct str value)
{
    size_t i = 0;
    while (i < COUNT_OF(quotes) &&
           memmem(value.ptr, value.len, quotes[i].close, strlen(quotes[i].close)) != NULL) {
        i++;
    }
    bool fits = i < COUNT_OF(quotes);
    i = fits ? i : 0;
    buf_add_c(out, quotes[i].open);
    buf_add_str(out, value);
    buf_add_c(out, quotes[i].close);
    return fits;
}

bool quote_add(struct buf *out, struct str value)
{
    if (needs_quotes(value) || quote_name_size(value) > 0) {
        return add_quoted(out, value);
    }
    buf_add_str(out, value);
    return true;
}

bool quote_add_named(struct buf *out, const char *name, struct str value)
{
    buf_addf(out, "%s=", name);
    if (needs_quotes(value)) {
        return add_quoted(out, value);
    }
    buf_add_str(out, value);
    return true;
}
