#include "model/symbol.h"

#include <string.h>

bool symbol_parse(struct str text, struct symbol *ret)
{
    struct symbol s = {{0}};
    if (text.len == 0 || text.len >= SYMBOL_SIZE) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= 'a' && c <= 'z') {
            c = (char)(c - 'a' + 'A');
        }
        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
        s.name[i] = c;
    }
    *ret = s;
    return true;
}

struct str symbol_base(const struct symbol *symbol)
{
    return str_n(symbol->name, strcspn(symbol->name, "-"));
}

struct str symbol_quote(const struct symbol *symbol)
{
    size_t base = strcspn(symbol->name, "-");
    return str_c(symbol->name + base + (symbol->name[base] == '-'));
}
