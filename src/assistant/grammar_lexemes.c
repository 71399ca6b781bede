/* From words to lexemes: mends typing errors, finds names, and the longest phrase at each place. */
#include "base/check.h"
#include "grammar_internal.h"

#include <stdio.h>
#include <string.h>

#define PHRASE_WORDS_MAX 8
#define MEND_SHORTEST    5  /* of shorter words each is near to some other */
#define MEND_LONG        10 /* of these, two slips are mended */

/* ------------------------------------------------------------------ names */

/* "btc-usd", "btc/usd", "btcusd" and "btc_usd" are the same. */
static bool same_name(const char *word, struct symbol symbol)
{
    const char *name = symbol.name;
    for (; *word != '\0' && *name != '\0'; word++) {
        char c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
        if (*name == '-') {
            name++;
            if (strchr("-/_", *word) != NULL) {
                continue;
            }
            c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
        }
        if (*word != c) {
            return false;
        }
        name++;
    }
    return *word == '\0' && *name == '\0';
}

static bool is_base(const char *word, const struct symbol *symbol)
{
    return str_equal_nocase(symbol_base(symbol), word);
}

/* Fills the indexes of the symbols that the word can be, and returns how many. */
static int find_symbols(const struct grammar_context *context, const char *word, int *ret, int max)
{
    int count = 0;
    const char *asset = grammar_asset_of(word);
    for (size_t i = 0; i < context->symbol_count; i++) {
        if (same_name(word, context->symbols[i])) {
            ret[0] = (int)i;
            return 1;
        }
    }
    for (size_t i = 0; i < context->symbol_count && count < max; i++) {
        if (is_base(word, &context->symbols[i]) ||
            (asset != NULL && is_base(asset, &context->symbols[i]))) {
            ret[count++] = (int)i;
        }
    }
    return count;
}

static int find_service(const struct grammar_context *context, const char *word)
{
    for (size_t i = 0; i < context->service_count; i++) {
        if (strcmp(word, context->services[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static int find_agent(const char *word)
{
    for (int i = 0; i < GRAMMAR_AGENTS; i++) {
        if (strcmp(word, grammar_agents[i]) == 0) {
            return i;
        }
    }
    return -1;
}

/* ------------------------------------------------------------------ typing errors */

/* content: a word that is not just skipped. False: enough. */
typedef bool (*word_fn)(struct str word, bool content, void *userdata);

/* Calls fn with every word that means something here. */
static void each_word(const struct grammar_context *context, word_fn fn, void *userdata)
{
    for (size_t i = 0; i < grammar_phrase_count; i++) {
        struct str rest = str_c(grammar_phrases[i].text), word;
        enum lex lex = grammar_phrases[i].lex;
        while (str_word(&rest, &word)) {
            if (!fn(word, lex != LEX_SKIP && lex != LEX_ASK, userdata)) {
                return;
            }
        }
    }
    for (int i = 0; i < GRAMMAR_AGENTS; i++) {
        if (!fn(str_c(grammar_agents[i]), true, userdata)) {
            return;
        }
    }
    for (size_t i = 0; i < context->service_count; i++) {
        if (!fn(str_c(context->services[i]), true, userdata)) {
            return;
        }
    }
}

/* Whether two words have the same letters: one slip of two fingers. */
static bool same_letters(struct str a, struct str b)
{
    int counts[256] = {0};
    for (size_t i = 0; i < a.len; i++) {
        counts[(unsigned char)a.ptr[i]]++;
    }
    for (size_t i = 0; i < b.len; i++) {
        counts[(unsigned char)b.ptr[i]]--;
    }
    for (int i = 0; i < 256; i++) {
        if (counts[i] != 0) {
            return false;
        }
    }
    return true;
}

/* "trade" and "trades". */
static bool is_plural(struct str a, struct str b)
{
    struct str longer = a.len > b.len ? a : b, shorter = a.len > b.len ? b : a;
    return longer.len == shorter.len + 1 && longer.ptr[longer.len - 1] == 's' &&
           memcmp(longer.ptr, shorter.ptr, shorter.len) == 0;
}

struct nearest {
    struct str word;
    int allowed;
    int distance;
    bool tie;
    char found[WORD_SIZE];
};

static bool compare(struct str candidate, bool content, void *userdata)
{
    struct nearest *n = userdata;
    size_t longer = candidate.len > n->word.len ? candidate.len : n->word.len;
    size_t shorter = candidate.len > n->word.len ? n->word.len : candidate.len;
    if (str_equal(candidate, n->word)) {
        n->distance = 0;
        n->tie = false;
        return false;
    }
    /* A short candidate is near to too many words. */
    if (longer - shorter > (size_t)n->allowed || candidate.len + 1 < MEND_SHORTEST ||
        candidate.len >= WORD_SIZE) {
        return true;
    }
    /* The first letter is seldom wrong. "World" is not "would": a word without meaning is only
     * mended if its letters are swapped. */
    bool first = candidate.ptr[0] == n->word.ptr[0] ||
                 (candidate.ptr[0] == n->word.ptr[1] && candidate.ptr[1] == n->word.ptr[0]);
    if (!first || (!content && !same_letters(candidate, n->word))) {
        return true;
    }
    int distance = str_distance(candidate, n->word);
    if (distance < n->distance) {
        n->distance = distance;
        n->tie = false;
        (void)str_copy(candidate, n->found, sizeof(n->found));
    } else if (distance == n->distance && !str_equal_c(candidate, n->found) &&
               !is_plural(candidate, str_c(n->found))) {
        n->tie = true;
    }
    return true;
}

static void mend(const struct grammar_context *context, struct word *word)
{
    int ignored[1];
    size_t len = strlen(word->text);
    if (word->kind != WORD_TEXT || find_symbols(context, word->text, ignored, 1) > 0) {
        return;
    }
    struct nearest n = {.word = str_c(word->text),
                        .allowed = len >= MEND_LONG       ? 2
                                   : len >= MEND_SHORTEST ? 1
                                                          : 0};
    n.distance = n.allowed + 1;
    each_word(context, compare, &n);
    if (n.distance > 0 && n.distance <= n.allowed && !n.tie) {
        (void)str_copy(str_c(word->text), word->typed, sizeof(word->typed));
        (void)str_copy(str_c(n.found), word->text, sizeof(word->text));
    }
}

/* Names of assets are not in the lexicon, and are mended by themselves: "bitcon". */
static void mend_asset(const struct grammar_context *context, struct word *word)
{
    static const char *const names[] = {"bitcoin",   "ethereum",  "solana",   "cardano",
                                        "dogecoin",  "ripple",    "litecoin", "polkadot",
                                        "avalanche", "chainlink", "polygon"};
    int ignored[1];
    if (word->kind != WORD_TEXT || word->typed[0] != '\0' || strlen(word->text) < MEND_SHORTEST) {
        return;
    }
    struct nearest n = {.word = str_c(word->text), .allowed = strlen(word->text) >= 7 ? 2 : 1};
    n.distance = n.allowed + 1;
    each_word(context, compare, &n);
    if (n.distance == 0) {
        return;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (find_symbols(context, names[i], ignored, 1) > 0) {
            (void)compare(str_c(names[i]), true, &n);
        }
    }
    if (n.distance > 0 && n.distance <= n.allowed && !n.tie && grammar_asset_of(n.found) != NULL) {
        (void)str_copy(str_c(word->text), word->typed, sizeof(word->typed));
        (void)str_copy(str_c(n.found), word->text, sizeof(word->text));
    }
}

/* ------------------------------------------------------------------ phrases */

/* How many words of the phrase stand at the place; 0: not all. */
static int phrase_at(const struct words *words, int at, const char *phrase)
{
    struct str rest = str_c(phrase), word;
    int count = 0;
    while (str_word(&rest, &word)) {
        if (at + count >= words->count || words->items[at + count].kind == WORD_FOREIGN ||
            !str_equal_c(word, words->items[at + count].text)) {
            return 0;
        }
        count++;
    }
    return count;
}

static const struct phrase *longest_phrase(const struct words *words, int at, int *ret_count)
{
    const struct phrase *best = NULL;
    *ret_count = 0;
    for (size_t i = 0; i < grammar_phrase_count; i++) {
        int count = grammar_phrases[i].text[0] == words->items[at].text[0]
                        ? phrase_at(words, at, grammar_phrases[i].text)
                        : 0;
        if (count > *ret_count) {
            *ret_count = count;
            best = &grammar_phrases[i];
        }
    }
    return best;
}

/* ------------------------------------------------------------------ lexemes */

static void add(struct lexemes *l, enum lex lex, int64_t value, int first, int count)
{
    l->items[l->count++] =
        (struct lexeme){.lex = lex, .value = value, .first = first, .last = first + count - 1};
}

/* A name of one word. False: it is none. */
static bool add_name(struct lexemes *l, int at)
{
    const char *word = l->words.items[at].text;
    int found[GRAMMAR_CHOICES_MAX];
    int count = find_symbols(l->context, word, found, GRAMMAR_CHOICES_MAX);
    if (count == 1) {
        add(l, LEX_SYMBOL, found[0], at, 1);
    } else if (count > 1) {
        l->unclear = l->count;
        l->unclear_count = count;
        for (int i = 0; i < count; i++) {
            l->unclear_symbols[i] = l->context->symbols[found[i]];
        }
        add(l, LEX_SYMBOL, found[0], at, 1);
    } else if (find_service(l->context, word) >= 0) {
        add(l, LEX_SERVICE, find_service(l->context, word), at, 1);
    } else if (find_agent(word) >= 0) {
        add(l, LEX_AGENT, find_agent(word), at, 1);
    } else {
        return false;
    }
    return true;
}

/* Whether a word of the lexicon is meant as a name: "SUN" in capitals, "restart api". */
static bool is_name_here(const struct lexemes *l, int at)
{
    const struct word *word = &l->words.items[at];
    int found[1];
    if (word->kind != WORD_TEXT) {
        return false;
    }
    if (find_symbols(l->context, word->text, found, 1) > 0) {
        return (word->capitals && word->typed[0] == '\0') || strpbrk(word->text, "-/_") != NULL;
    }
    const struct lexeme *before = l->count > 0 ? &l->items[l->count - 1] : NULL;
    while (before != NULL && before > l->items && before->lex == LEX_SKIP) {
        before--;
    }
    bool of_service =
        before != NULL && ((before->lex == LEX_CHANGE &&
                            (before->value == CHANGE_RESTART || before->value == CHANGE_DEPLOY ||
                             before->value == CHANGE_ROLLBACK)) ||
                           (before->lex == LEX_SHOW &&
                            (before->value == SHOW_SERVICES || before->value == SHOW_LOGS)));
    return of_service && find_service(l->context, word->text) >= 0;
}

void lexemes_read(const struct grammar_context *context, struct str question, struct lexemes *ret)
{
    *ret = (struct lexemes){.context = context, .unclear = -1};
    words_read(question, &ret->words);
    for (int i = 0; i < ret->words.count; i++) {
        mend(context, &ret->words.items[i]);
        mend_asset(context, &ret->words.items[i]);
    }
    for (int at = 0; at < ret->words.count;) {
        const struct word *word = &ret->words.items[at];
        int count = 0;
        const struct phrase *phrase = longest_phrase(&ret->words, at, &count);
        if ((phrase == NULL || is_name_here(ret, at)) && word->kind == WORD_TEXT &&
            add_name(ret, at)) {
            at++;
            continue;
        }
        if (phrase != NULL) {
            add(ret, phrase->lex, phrase->value, at, count);
            at += count;
            continue;
        }
        enum lex lex = word->kind == WORD_NUMBER  ? LEX_NUMBER
                       : word->kind == WORD_CLOCK ? LEX_CLOCK
                       : word->kind == WORD_DATE  ? LEX_DATE
                                                  : LEX_UNKNOWN;
        add(ret, lex, word->number, at, 1);
        at++;
    }
}

struct lexeme *lexemes_find(struct lexemes *l, enum lex lex)
{
    for (int i = 0; i < l->count; i++) {
        if (!l->items[i].used && l->items[i].lex == lex) {
            return &l->items[i];
        }
    }
    return NULL;
}

bool lexemes_take(struct lexemes *l, enum lex lex, int64_t *ret_value)
{
    struct lexeme *found = lexemes_find(l, lex);
    if (found == NULL) {
        return false;
    }
    found->used = true;
    if (ret_value != NULL) {
        *ret_value = found->value;
    }
    return true;
}

static void add_words(const struct lexemes *l, const struct lexeme *lexeme, struct buf *out)
{
    for (int i = lexeme->first; i <= lexeme->last; i++) {
        const struct word *word = &l->words.items[i];
        buf_addf(out, "%s%s", i > lexeme->first ? " " : "",
                 word->typed[0] != '\0' ? word->typed : word->text);
    }
}

int lexemes_left(const struct lexemes *l, struct buf *out)
{
    int count = 0;
    for (int i = 0; i < l->count; i++) {
        const struct lexeme *lexeme = &l->items[i];
        if (lexeme->used || lexeme->lex == LEX_SKIP || lexeme->lex == LEX_ASK ||
            lexeme->lex == LEX_WHICH) {
            continue;
        }
        buf_add_c(out, count > 0 ? ", \"" : "\"");
        add_words(l, lexeme, out);
        buf_add_char(out, '"');
        count++;
    }
    return count;
}

void lexemes_mended(const struct lexemes *l, struct buf *out)
{
    int count = 0;
    for (int i = 0; i < l->words.count; i++) {
        const struct word *word = &l->words.items[i];
        if (word->typed[0] != '\0') {
            buf_addf(out, "%s\"%s\" as \"%s\"", count > 0 ? ", " : "", word->typed, word->text);
            count++;
        }
    }
}
