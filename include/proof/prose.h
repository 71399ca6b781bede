/*
 * prose.h: the figures that a text states: digits and number words, with their units, and the words
 * beside them.
 *
 *     struct prose *prose = prose_new();
 *     if (!prose_read(prose, str_c(finding->description))) …;      // too long to check
 *     for (int i = 0; i < prose->figure_count; i++) check(&prose->figures[i]);
 *     prose_free(prose);
 *
 * What is read: 1,234.5 · -12 · $12 · 12 % · 1.2k · 3 h 5 min · 24-hour · 17th · 14:05 · 2026-11-21
 * · twelve · twenty-three · a dozen · half · two thirds · a quarter of · doubled · threefold · none
 * · never · no trades · all trades · always. A word with a digit in it ("1INCH", "trade-17", "p99")
 * is a name, and so is a JSON Pointer. "first", "second", "once" and "one" as a pronoun ("one of",
 * "no one") are no figures. A figure in other digits than 0 to 9, a vague one ("dozens"), and a
 * number word of another language ("zwei") are unreadable. Always true: figures are in the order of
 * the text, and refer to it; it must outlive them. Thread: any.
 */
#pragma once

#include "proof/quantity.h"

#include <stddef.h>

#define PROSE_TOKENS_MAX  1024
#define PROSE_FIGURES_MAX 96

enum prose_kind {
    PROSE_NUMBER,
    PROSE_FRACTION, /* "half", "two thirds": a part of a whole, loosely */
    PROSE_FACTOR,   /* "doubled", "halved": one figure against another, loosely */
    PROSE_DATE,     /* 2026-11-21, 21 November */
    PROSE_HOUR,     /* 14:05 */
    PROSE_ALL,      /* "all trades", "every order", "always" */
    PROSE_NAME,
    PROSE_UNREADABLE
};

struct prose_figure {
    enum prose_kind kind;
    struct str text; /* as written, without its unit */
    struct quantity shown;
    double low; /* a fraction or factor states a figure from low to high times its value: half is */
    double high;     /* 0.95 to 1.05 of 0.5, "more than half" 1 to 2 of it */
    int sign;        /* as written: -1, 1, or 0 for none */
    bool is_word;    /* a number word */
    bool is_item;    /* "1." that numbers the items of a list */
    struct str noun; /* of a count: "trades", "losing trades" */
    int year;        /* of a date; 0: not written */
    int month;
    int day;
    int minute; /* of an hour: since midnight */
    int second; /* of an hour; -1: not written */
    int first;  /* tokens, unit included */
    int last;
};

enum prose_token_kind { PROSE_WORD, PROSE_DIGITS, PROSE_MARK };

struct prose_token {
    enum prose_token_kind kind;
    struct str text;
    int sentence;
};

struct prose {
    struct prose_token tokens[PROSE_TOKENS_MAX];
    int token_count;
    struct prose_figure figures[PROSE_FIGURES_MAX];
    int figure_count;
};

struct prose *prose_new(void);
void prose_free(struct prose *prose);
/* False: it has more tokens or figures than can be checked, or is in another script than Latin. */
bool prose_read(struct prose *prose, struct str text);

/* The second part of prose_read: the figures of the tokens. False: too many. */
bool prose_figures(struct prose *prose);

/* Whether the word is a number in German, French, Spanish, Italian, Portuguese or Dutch, which is
 * unreadable, and no English word as well. */
bool prose_is_foreign_number(struct str word);
/* False: it is in another language, of which number words are not known. */
bool prose_is_english(const struct prose *prose);

/* Whether one of the words (ended by NULL) is among the tokens from first - before to last + after,
 * in the same sentence, without another figure in between. */
struct prose_near {
    int before;
    int after;
};
bool prose_is_near(const struct prose *prose, int figure, struct prose_near near,
                   const char *const *words);
/* Whether one of the words is in the figure's sentence. */
bool prose_in_sentence(const struct prose *prose, int figure, const char *const *words);
/* The text of the figure's sentence. */
struct str prose_sentence(const struct prose *prose, int figure);
