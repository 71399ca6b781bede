#include "mention.h"

#include "base/check.h"

#include <string.h>
#include <strings.h>

#define SHORT_BASE 2 /* letters; such a base is too often a word */

/* Names that are no common English word. */
static const struct {
    const char *base;
    const char *name;
} coins[] = {
    {"BTC", "bitcoin"},      {"ETH", "ethereum"},   {"ETH", "ether"},        {"SOL", "solana"},
    {"XRP", "ripple"},       {"ADA", "cardano"},    {"DOGE", "dogecoin"},    {"DOT", "polkadot"},
    {"LTC", "litecoin"},     {"LINK", "chainlink"}, {"BNB", "binance coin"}, {"XMR", "monero"},
    {"BCH", "bitcoin cash"}, {"UNI", "uniswap"},    {"SHIB", "shiba inu"},   {"ALGO", "algorand"},
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80;
}

/* Whether the text has the word, which no letter or digit is beside. */
static bool has_word(struct str text, struct str word, bool any_case, bool needs_dollar)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        struct str here = str_n(text.ptr + i, word.len);
        bool same = any_case ? strncasecmp(here.ptr, word.ptr, word.len) == 0
                             : memcmp(here.ptr, word.ptr, word.len) == 0;
        char before = i > 0 ? text.ptr[i - 1] : ' ';
        char after = i + word.len < text.len ? text.ptr[i + word.len] : ' ';
        if (same && !is_letter(before) && !is_letter(after) && (!needs_dollar || before == '$')) {
            return true;
        }
    }
    return false;
}

static bool names(struct str text, const struct symbol *symbol)
{
    struct str base = symbol_base(symbol);
    if (has_word(text, base, false, base.len <= SHORT_BASE)) {
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(coins); i++) {
        if (str_equal_c(base, coins[i].base) && has_word(text, str_c(coins[i].name), true, false)) {
            return true;
        }
    }
    return false;
}

static void add_named(struct str text, const struct config_symbols *symbols, struct buf *out)
{
    for (int i = 0; i < symbols->count; i++) {
        const struct symbol *s = &symbols->items[i];
        if (out->len + 1 + strlen(s->name) <= out->max && names(text, s)) {
            buf_addf(out, "%s%s", out->len > 0 ? "," : "", s->name);
        }
    }
}

void mention_symbols(struct str title, struct str summary, const struct config_symbols *symbols,
                     struct buf *out)
{
    add_named(title, symbols, out);
    if (out->len == 0) {
        add_named(summary, symbols, out);
    }
}
