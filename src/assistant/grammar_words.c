/* From a question to words in lower case: numbers, clock times and dates among them. */
#include "base/check.h"
#include "grammar_internal.h"
#include "io/zone.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The apostrophes of keyboards and of phones: ' and U+2019. */
static size_t apostrophe(struct str s)
{
    if (s.len > 0 && s.ptr[0] == '\'') {
        return 1;
    }
    return s.len > 3 && memcmp(s.ptr, "\xe2\x80\x99", 3) == 0 ? 3 : 0;
}

static struct word *add(struct words *words, enum word_kind kind, struct str text)
{
    if (words->count == WORDS_MAX || text.len >= WORD_SIZE) {
        words->too_long = true;
        return NULL;
    }
    struct word *word = &words->items[words->count++];
    *word = (struct word){.kind = kind, .capitals = true};
    for (size_t i = 0, to = 0; i < text.len; i++) {
        size_t quote = apostrophe(str_n(text.ptr + i, text.len - i));
        word->capitals &= text.ptr[i] < 'a' || text.ptr[i] > 'z';
        word->text[to++] = quote > 0 ? '\'' : lower(text.ptr[i]);
        i += quote > 0 ? quote - 1 : 0;
    }
    return word;
}

/* The length of the word in front: letters and digits, joined by - / _ and apostrophes. */
static size_t word_size(struct str s)
{
    size_t len = 0;
    while (len < s.len) {
        char c = s.ptr[len];
        size_t quote = apostrophe(str_n(s.ptr + len, s.len - len));
        char next = len + 1 < s.len ? s.ptr[len + 1] : ' ';
        bool joins = len > 0 && strchr("-/_.:", c) != NULL && (is_letter(next) || is_digit(next));
        if (is_letter(c) || is_digit(c) || joins) {
            len++;
        } else if (quote > 0 && len > 0 && len + quote < s.len && is_letter(s.ptr[len + quote])) {
            len += quote;
        } else {
            break;
        }
    }
    return len;
}

/* A whole number of at most six digits. */
static bool read_number(struct str s, int64_t *ret)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i])) {
            return false;
        }
    }
    return s.len > 0 && s.len <= 6 && str_to_i64(s, ret);
}

/* "14:30", "9.15" is none. */
static bool read_clock(struct str s, int64_t *ret)
{
    struct str rest = s, hours, minutes = STR_LIT("");
    int64_t hour = 0, minute = 0;
    if (memchr(s.ptr, ':', s.len) == NULL || !str_split(&rest, ':', &hours)) {
        return false;
    }
    (void)str_split(&rest, ':', &minutes);
    if (rest.len > 0 || minutes.len != 2 || !read_number(hours, &hour) ||
        !read_number(minutes, &minute) || hour > 24 || minute > 59 || hours.len > 2) {
        return false;
    }
    *ret = 60 * hour + minute;
    return *ret <= 24 * 60;
}

/* "2026-05-03" */
static bool read_date(struct str s, int64_t *ret)
{
    int64_t year = 0, month = 0, day = 0;
    if (s.len != 10 || s.ptr[4] != '-' || s.ptr[7] != '-' || !read_number(str_n(s.ptr, 4), &year) ||
        !read_number(str_n(s.ptr + 5, 2), &month) || !read_number(str_n(s.ptr + 8, 2), &day) ||
        year < 2000 || year > 2100 || month < 1 || month > 12 || day < 1) {
        return false;
    }
    int64_t at = zone_day(year, (int)month, (int)day);
    struct zone_date back = zone_date(at);
    *ret = at;
    return back.month == month && back.day == day;
}

/* "24h", "7d", "3rd", "5pm": a number and what is joined to it. */
static bool add_joined(struct words *words, struct str s)
{
    size_t digits = 0;
    int64_t number = 0;
    while (digits < s.len && is_digit(s.ptr[digits])) {
        digits++;
    }
    struct str end = str_n(s.ptr + digits, s.len - digits);
    static const char *const ends[] = {"h",    "d",     "w",   "m",    "min", "mins", "hrs",
                                       "hr",   "st",    "nd",  "rd",   "th",  "am",   "pm",
                                       "days", "hours", "day", "hour", "x"};
    for (size_t i = 0; i < COUNT_OF(ends) && read_number(str_n(s.ptr, digits), &number); i++) {
        if (!str_equal_nocase(end, ends[i])) {
            continue;
        }
        struct word *word = add(words, WORD_NUMBER, str_n(s.ptr, digits));
        if (word != NULL) {
            word->number = number;
        }
        bool ordinal = i >= 8 && i <= 11;
        if (!ordinal) {
            (void)add(words, WORD_TEXT, str_equal_nocase(end, "m") ? STR_LIT("minutes") : end);
        }
        return true;
    }
    return false;
}

static const struct {
    const char *word;
    int64_t number;
} number_words[] = {{"one", 1},     {"two", 2},     {"three", 3},   {"four", 4},
                    {"five", 5},    {"six", 6},     {"seven", 7},   {"eight", 8},
                    {"nine", 9},    {"ten", 10},    {"twelve", 12}, {"fourteen", 14},
                    {"twenty", 20}, {"thirty", 30}, {"fifty", 50},  {"hundred", 100},
                    {"couple", 2}};

/* "14:00-17:00", "2-5": two times of a day. */
static bool add_range(struct words *words, struct str s)
{
    const char *dash = memchr(s.ptr, '-', s.len);
    int64_t from = 0, to = 0;
    if (dash == NULL) {
        return false;
    }
    struct str first = str_n(s.ptr, (size_t)(dash - s.ptr));
    struct str last = str_n(dash + 1, s.len - first.len - 1);
    bool clocks = read_clock(first, &from) && read_clock(last, &to);
    bool numbers = !clocks && read_number(first, &from) && read_number(last, &to) && to <= 24;
    if (!clocks && !numbers) {
        return false;
    }
    struct word *word = add(words, clocks ? WORD_CLOCK : WORD_NUMBER, first);
    if (word != NULL) {
        word->number = from;
    }
    (void)add(words, WORD_TEXT, STR_LIT("to"));
    word = add(words, clocks ? WORD_CLOCK : WORD_NUMBER, last);
    if (word != NULL) {
        word->number = to;
    }
    return true;
}

static void add_word(struct words *words, struct str s)
{
    int64_t number = 0;
    enum word_kind kind = read_number(s, &number)  ? WORD_NUMBER
                          : read_clock(s, &number) ? WORD_CLOCK
                          : read_date(s, &number)  ? WORD_DATE
                                                   : WORD_TEXT;
    if (kind == WORD_TEXT && is_digit(s.ptr[0]) && (add_range(words, s) || add_joined(words, s))) {
        return;
    }
    for (size_t i = 0; kind == WORD_TEXT && i < COUNT_OF(number_words); i++) {
        if (str_equal_nocase(s, number_words[i].word)) {
            kind = WORD_NUMBER;
            number = number_words[i].number;
        }
    }
    /* "BTC's" is about BTC, "what's" has a meaning of its own. */
    if (s.len > 2 && s.len < WORD_SIZE && lower(s.ptr[s.len - 1]) == 's') {
        size_t quote = s.ptr[s.len - 2] == '\'' ? 1 : 0;
        quote = s.len > 4 && memcmp(s.ptr + s.len - 4, "\xe2\x80\x99", 3) == 0 ? 3 : quote;
        if (quote > 0) {
            char plain[WORD_SIZE];
            (void)str_copy(str_n(s.ptr, s.len - quote - 1), plain, sizeof(plain));
            for (char *c = plain; *c != '\0'; c++) {
                *c = lower(*c);
            }
            bool contraction = strcmp(plain, "what") == 0 || strcmp(plain, "how") == 0 ||
                               strcmp(plain, "when") == 0 || strcmp(plain, "who") == 0 ||
                               strcmp(plain, "where") == 0 || strcmp(plain, "it") == 0;
            if (contraction) {
                (void)add(words, WORD_TEXT, str_c(plain));
                (void)add(words, WORD_TEXT, STR_LIT("is"));
                return;
            }
            (void)add(words, WORD_TEXT, str_c(plain));
            return;
        }
    }
    struct word *word = add(words, kind, s);
    if (word != NULL) {
        word->number = number;
    }
}

void words_read(struct str text, struct words *ret)
{
    *ret = (struct words){0};
    while (text.len > 0 && !ret->too_long) {
        size_t len = word_size(text);
        if (len > 0) {
            add_word(ret, str_n(text.ptr, len));
        } else if (text.ptr[0] == '&') {
            (void)add(ret, WORD_TEXT, STR_LIT("and"));
            len = 1;
        } else if (text.ptr[0] == '%') {
            (void)add(ret, WORD_TEXT, STR_LIT("percent"));
            len = 1;
        } else if ((unsigned char)text.ptr[0] >= 0x80 || strchr("<>{}[]|\\^`~=*$@", text.ptr[0])) {
            /* Letters of other languages, and signs that may mean something: never skipped. */
            len = str_utf8_size(text);
            len = len == 0 ? 1 : len;
            size_t end = len;
            while (end < text.len && (unsigned char)text.ptr[end] >= 0x80 && end + 4 < WORD_SIZE) {
                end++;
            }
            (void)add(ret, WORD_FOREIGN, str_n(text.ptr, end));
            len = end;
        } else {
            len = 1;
        }
        text = str_n(text.ptr + len, text.len - len);
    }
}
