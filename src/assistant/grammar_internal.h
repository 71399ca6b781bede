/*
 * grammar_internal.h: how a question becomes a reading. Private to grammar*.c.
 *
 * In order: grammar_words.c splits the question into words and mends typing errors;
 * grammar_lexicon.c has every word and phrase with what it means; grammar_lexemes.c gives each part
 * of the question its meaning; grammar_change.c looks whether it asks for a change;
 * grammar_period.c reads the periods; grammar_measure.c has what can be asked and what each answer
 * needs; grammar.c puts it together. Always true: a lexeme is used once; one that is neither used
 * nor without meaning makes the question not understood. Thread: any.
 */
#pragma once

#include "assistant/grammar.h"
#include "base/buf.h"

#define WORDS_MAX   48
#define ALL_FROM_US (30 * 365 * INT64_C(86400000000)) /* before any trade */
#define WORD_SIZE   40

/* ------------------------------------------------------------------ words */

enum word_kind { WORD_TEXT, WORD_NUMBER, WORD_CLOCK, WORD_DATE, WORD_FOREIGN };

struct word {
    enum word_kind kind;
    char text[WORD_SIZE];  /* in lower case, mended */
    char typed[WORD_SIZE]; /* before it was mended; "": it was not */
    bool capitals;         /* typed without a small letter */
    int64_t number;        /* a number; the minute of a clock time; the day of a date since 1970 */
};

struct words {
    int count;
    bool too_long;
    struct word items[WORDS_MAX];
};

void words_read(struct str text, struct words *ret);

/* ------------------------------------------------------------------ the lexicon */

enum lex {
    LEX_UNKNOWN,
    LEX_SKIP, /* no bearing: "please", "the", "our" */
    LEX_NUMBER,
    LEX_CLOCK,
    LEX_DATE,
    LEX_SYMBOL,  /* index in the context */
    LEX_SERVICE, /* index in the context */
    LEX_AGENT,   /* index of grammar_agents */
    LEX_MEASURE, /* enum measure */
    LEX_SHOW,    /* enum show */
    LEX_GROUP,   /* enum group: "coin", "by hour" */
    LEX_BY,      /* "by", "per", "for each" */
    LEX_WHICH,   /* "which", "what" */
    LEX_RANK,    /* 1: best, -1: worst */
    LEX_SIDE,    /* 1: long, -1: short */
    LEX_PERIOD,  /* enum fixed_period */
    LEX_DAYPART, /* enum day_part */
    LEX_LAST,
    LEX_SINCE,
    LEX_BETWEEN,
    LEX_FROM,
    LEX_TO,
    LEX_AND,
    LEX_AGO,
    LEX_UNIT,     /* enum unit_kind */
    LEX_WEEKDAY,  /* from 0: Monday */
    LEX_MONTH,    /* from 1 */
    LEX_HALF_DAY, /* 0: am, 12: pm */
    LEX_TRADES,   /* "trades", a unit of periods too: "the last 10 trades" */
    LEX_VERSUS,
    LEX_BEFORE, /* "before", "the week before" */
    LEX_WHY,
    LEX_TREND, /* 1: up, -1: down; 2, -2: good, bad */
    LEX_NOW,
    LEX_ASK,    /* a word that makes a question: "did", "is", "show" */
    LEX_CHANGE, /* enum change */
    LEX_OBJECT, /* enum object, of a change: "positions", "everything" */
    LEX_TRADE,  /* "buy" */
    LEX_VAGUE,  /* "how are we doing" */
    LEX_HELP,   /* "what can I ask" */
    LEX_MEAN,   /* "on average" */
    LEX_NOT     /* "not", "without": changes the meaning, so it is never skipped */
};

enum measure {
    MEASURE_NONE,
    MEASURE_SUMMARY,
    MEASURE_PROFIT,
    MEASURE_WIN_RATE,
    MEASURE_TRADES,
    MEASURE_FEES,
    MEASURE_FUNDING,
    MEASURE_SLIPPAGE,
    MEASURE_ACCURACY,
    MEASURE_DRAWDOWN,
    MEASURE_HELD,
    MEASURE_STREAK,
    MEASURE_FACTOR,
    MEASURE_AVERAGE,
    MEASURE_EXTREMES,
    MEASURE_VOLUME,
    MEASURE_VETOES,
    MEASURE_DECISIONS,
    MEASURE_EQUITY,
    MEASURE_EXPOSURE,
    MEASURE_ALERTS,
    MEASURE_FINDINGS,
    MEASURE_AUDITS,
    MEASURE_COST,
    MEASURE_UPTIME,
    MEASURE_OUTAGES,
    MEASURE_ERRORS,
    MEASURE_COMMANDS,
    MEASURE_INCIDENTS,
    MEASURES
};

enum show {
    SHOW_POSITIONS,
    SHOW_BALANCE,
    SHOW_ORDERS,
    SHOW_STATUS,
    SHOW_SERVICES,
    SHOW_ALERTS,
    SHOW_FINDINGS,
    SHOW_RISK,
    SHOW_LIMITS,
    SHOW_COOLDOWNS,
    SHOW_RULES,
    SHOW_INCIDENTS,
    SHOW_RUNS,
    SHOW_VERSION,
    SHOW_LOGS,
    SHOW_WHY,
    SHOWS
};

enum group {
    GROUP_NONE,
    GROUP_SYMBOL,
    GROUP_EXIT,
    GROUP_SIDE,
    GROUP_HOUR,
    GROUP_DAY,
    GROUP_AGENT,
    GROUP_REGIME,
    GROUP_CODE,
    GROUP_SERVICE,
    GROUPS
};

enum fixed_period {
    PERIOD_TODAY,
    PERIOD_YESTERDAY,
    PERIOD_THIS_WEEK,
    PERIOD_THIS_MONTH,
    PERIOD_THIS_YEAR,
    PERIOD_LAST_WEEK,
    PERIOD_LAST_MONTH,
    PERIOD_LAST_YEAR,
    PERIOD_WEEKEND,
    PERIOD_ALL
};

enum day_part { PART_MORNING, PART_AFTERNOON, PART_EVENING, PART_NIGHT, PART_TONIGHT };

enum unit_kind { UNIT_MINUTE, UNIT_HOUR, UNIT_DAY, UNIT_WEEK, UNIT_MONTH, UNIT_YEAR };

enum change {
    CHANGE_PAUSE,
    CHANGE_RESUME,
    CHANGE_STOP, /* "stop": what follows says what */
    CHANGE_START,
    CHANGE_CLOSE,
    CHANGE_EMERGENCY,
    CHANGE_CANCEL,
    CHANGE_RESTART,
    CHANGE_RELOAD,
    CHANGE_ACK,
    CHANGE_MUTE,
    CHANGE_UNMUTE,
    CHANGE_AUDIT,
    CHANGE_BACKUP,
    CHANGE_DEPLOY,
    CHANGE_ROLLBACK,
    CHANGE_ON,
    CHANGE_OFF
};

enum object {
    OBJECT_TRADING,
    OBJECT_ALL,
    OBJECT_POSITIONS,
    OBJECT_ORDERS,
    OBJECT_ALERTS,
    OBJECT_ENTRIES,
    OBJECT_MAINTENANCE,
    OBJECT_AUTOFIX,
    OBJECT_CONFIG
};

struct phrase {
    const char *text; /* words separated by one space */
    enum lex lex;
    int value;
};
extern const struct phrase grammar_phrases[];
extern const size_t grammar_phrase_count;

#define GRAMMAR_AGENTS 8
extern const char *const grammar_agents[GRAMMAR_AGENTS];

/* Other names of well-known assets: "bitcoin" for BTC. NULL: it is none. */
const char *grammar_asset_of(const char *word);

/* ------------------------------------------------------------------ lexemes */

struct lexeme {
    enum lex lex;
    int64_t value;
    int first; /* words */
    int last;
    bool used;
};

struct lexemes {
    const struct grammar_context *context;
    struct words words;
    int count;
    struct lexeme items[WORDS_MAX];
    /* A word that can be two symbols or services: what it can be. */
    int unclear;
    int unclear_count;
    struct symbol unclear_symbols[GRAMMAR_CHOICES_MAX];
};

void lexemes_read(const struct grammar_context *context, struct str question, struct lexemes *ret);
/* The first unused lexeme of this kind; NULL: none. */
struct lexeme *lexemes_find(struct lexemes *lexemes, enum lex lex);
/* Whether there is an unused one, and uses it. */
bool lexemes_take(struct lexemes *lexemes, enum lex lex, int64_t *ret_value);
/* The words of lexemes that are neither used nor without meaning: "“feet”, “moon”". Returns how
 * many. */
int lexemes_left(const struct lexemes *lexemes, struct buf *out);
/* "“proffit” as “profit”": what was mended. */
void lexemes_mended(const struct lexemes *lexemes, struct buf *out);

/* ------------------------------------------------------------------ periods */

struct grammar_span {
    bool given;
    bool all;
    int64_t from_us;
    int64_t to_us;
    int64_t trades;      /* the last so many; else 0 */
    bool unclear;        /* it was named, but not clearly */
    enum unit_kind unit; /* its length: that of "the one before" */
    int64_t count;
    enum fixed_period fixed;
    bool is_fixed;
    char name[64]; /* as it was read: "yesterday" */
};

/* Takes the first period of the lexemes from `from` on, before `to`. */
void period_take(struct lexemes *lexemes, int from, int to, int64_t now_us,
                 struct grammar_span *ret);
/* The period of the same length that ends where this one begins: "the week before". */
void period_before(const struct grammar_context *context, const struct grammar_span *span,
                   struct grammar_span *ret);
/* The current period of the kind of this one: this week for last week. False: it has none. */
bool period_current(const struct grammar_context *context, const struct grammar_span *span,
                    int64_t now_us, struct grammar_span *ret);
/* "yesterday (28 Nov 00:00 to 24:00 UTC)" */
void period_describe(const struct grammar_context *context, const struct grammar_span *span,
                     struct buf *out);

/* ------------------------------------------------------------------ what can be asked */

struct measure_info {
    const char *word;  /* of the parameter `measure` */
    const char *title; /* for people: "profit after fees" */
    const char *ask;   /* how to ask for it: "profit" */
    bool wall;         /* its times are wall time, not market time */
    bool now;          /* without a period it is the present state: no period is asked for */
    bool symbols;      /* it can be of one symbol */
    bool sides;
    bool agents;
    bool services;
    bool trades;     /* it can be of the last N trades */
    bool ranks;      /* groups of it can be ordered: "the best coin" */
    unsigned groups; /* bits of enum group */
};
const struct measure_info *measure_info(enum measure measure);

/* ------------------------------------------------------------------ a question */

/* What a question asks for. */
struct query {
    enum measure measure;
    int measure_at; /* lexeme; -1: it is implied */
    bool shown;
    enum show show;
    bool why;
    int64_t rank;
    enum group by;
    int64_t side;
    int64_t agent; /* -1: none */
    int64_t service;
    int symbol_count;
    int64_t symbols[2];
    bool many_symbols;
    struct grammar_span span;
    struct grammar_span versus;
    bool before; /* compared with the period before */
    int64_t row; /* "trade 12"; 0: none */
    /* What the question takes for granted: "" (nothing), "loss", "gain", "up", "down". */
    const char *premise;
};

/* The question with other words in place of one of its lexemes, or -1 and words behind it, as a
 * choice. */
void grammar_reword(const struct lexemes *lexemes, int without, const char *words,
                    const char *label, struct grammar_reading *ret);
/* Not understood: the message, and what is near and can be asked. */
enum grammar_kind grammar_unknown(const struct query *query, const struct lexemes *lexemes,
                                  const char *message, struct grammar_reading *ret);
/* From a question that is understood to the command that answers it, or to what is still open. */
enum grammar_kind grammar_answer(const struct lexemes *lexemes, struct query *query,
                                 struct grammar_reading *ret);

/* ------------------------------------------------------------------ changes */

/* Whether the question asks for a change or a trade; then ret is filled. */
bool grammar_change(struct lexemes *lexemes, struct grammar_reading *ret);

void grammar_choice(struct grammar_reading *reading, const char *label, const char *question);
