#include "report_text.h"

#include "base/check.h"
#include "model/alert.h"
#include "model/plain_text.h"
#include "report/invariant.h"

#include <ctype.h>
#include <string.h>

#define LINE_WIDTH   100
#define COLUMNS_MAX  16
#define TEXT_SIZE    256
#define INDENT       2
#define SUBJECTS_MAX 20

/* ------------------------------------------------------------------ figures */

static const struct {
    const char *suffix;
    const char *unit;
} units[] = {{"_pct", "%"}, {"_bp", "bp"}, {"_min", "min"}, {"_ms", "ms"},   {"_us", "µs"},
             {"_s", "s"},   {"_h", "h"},   {"_mib", "MiB"}, {"_usd", "USD"}, {"_at", ""}};

/* "average_hold_min" -> "average hold"; *ret_unit: "min". */
static void split_name(const char *key, char label[TEXT_SIZE], const char **ret_unit)
{
    size_t len = strlen(key);
    *ret_unit = "";
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        size_t more = strlen(units[i].suffix);
        if (len > more && strcmp(key + len - more, units[i].suffix) == 0) {
            len -= more;
            *ret_unit = units[i].unit;
            break;
        }
    }
    plain_strip(str_n(key, len), PLAIN_LINE, label, TEXT_SIZE);
    for (char *c = label; *c != '\0'; c++) {
        *c = *c == '_' ? ' ' : *c;
    }
}

/* {"k","n"} with or without its share. */
static bool is_rate(struct json_object *value)
{
    return json_is_object(value) && json_is_number(json_get(value, "k")) &&
           json_is_number(json_get(value, "n"));
}

static bool is_figure(struct json_object *value)
{
    return !json_is_object(value) || is_rate(value);
}

static bool is_time(struct str text)
{
    return text.len == 27 && text.ptr[10] == 'T' && text.ptr[26] == 'Z';
}

/* The words of one figure, without its unit. */
static void figure(struct json_object *value, bool brief, char ret[TEXT_SIZE])
{
    AUTO_BUF struct buf out = BUF_INIT(TEXT_SIZE - 1);
    ret[0] = '\0';
    if (is_rate(value)) {
        buf_addf(&out, "%lld of %lld", (long long)json_i64(value, "k", 0),
                 (long long)json_i64(value, "n", 0));
        struct json_object *pct = json_get(value, "pct");
        if (pct != NULL) {
            buf_addf(&out, " = %s %%", json_object_get_string(pct));
        }
        if (pct != NULL && !brief) {
            buf_addf(&out, " (95 %%: %s to %s)", json_object_get_string(json_get(value, "low_pct")),
                     json_object_get_string(json_get(value, "high_pct")));
        }
        (void)str_copy(buf_str(&out), ret, TEXT_SIZE);
        return;
    }
    if (json_is_text(value)) {
        struct str text = str_c(json_object_get_string(value));
        if (is_time(text)) { /* to the second */
            buf_addf(&out, "%.10s %.8s", text.ptr, text.ptr + 11);
            text = buf_str(&out);
        }
        plain_strip(text, PLAIN_LINE, ret, TEXT_SIZE);
        return;
    }
    plain_strip(str_c(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN)), PLAIN_LINE,
                ret, TEXT_SIZE);
}

/* ------------------------------------------------------------------ lines */

/* Columns on a terminal, for text without wide characters. */
static int width_of(const char *text)
{
    int width = 0;
    for (const char *c = text; *c != '\0'; c++) {
        width += ((unsigned char)*c & 0xc0) != 0x80 ? 1 : 0;
    }
    return width;
}

static void pad(struct buf *out, const char *text, int width)
{
    buf_add_c(out, text);
    for (int i = width_of(text); i < width; i++) {
        buf_add_char(out, ' ');
    }
}

static void spaces(struct buf *out, int count)
{
    pad(out, "", count);
}

/* Adds words to a paragraph, whose later lines are indented; *column: where it stands, 0 at first.
 */
static void add_words(struct buf *out, int indent, const char *text, int *column)
{
    struct str rest = str_c(text), word;
    while (str_split(&rest, ' ', &word)) {
        char plain[TEXT_SIZE];
        plain_strip(word, PLAIN_LINE, plain, sizeof(plain));
        int width = width_of(plain);
        if (*column > indent && *column + 1 + width > LINE_WIDTH) {
            buf_add_char(out, '\n');
            spaces(out, indent + INDENT);
            *column = indent + INDENT;
        } else if (*column == 0) {
            spaces(out, indent);
            *column = indent;
        } else if (*column > indent) {
            buf_add_char(out, ' ');
            *column += 1;
        }
        buf_add_c(out, plain);
        *column += width;
    }
}

static void add_paragraph(struct buf *out, int indent, const char *text)
{
    int column = 0;
    add_words(out, indent, text, &column);
    buf_add_char(out, '\n');
}

/* ------------------------------------------------------------------ invariants */

static struct json_object *outcome_of(struct json_object *report, const struct invariant *invariant)
{
    return json_get(json_get(report, "invariants"), invariant->id);
}

static bool is_in(struct json_object *report, const struct invariant *invariant, const char *state)
{
    return strcmp(json_text(outcome_of(report, invariant), "state"), state) == 0;
}

static int count_of(struct json_object *report, const char *state)
{
    int count = 0;
    for (int i = 0; i < invariant_count(); i++) {
        count += is_in(report, invariant_at(i), state) ? 1 : 0;
    }
    return count;
}

static void add_broken(struct json_object *outcome, const struct invariant *invariant,
                       struct buf *out)
{
    struct json_object *subjects = json_get(outcome, "subjects");
    int64_t count = json_i64(outcome, "count", 0);
    int shown = 0;
    buf_addf(out, "  %-8s  %s: %s\n", severity_name(invariant->severity), invariant->id,
             invariant->title);
    if (!json_is_object(subjects)) {
        return;
    }
    json_object_object_foreach(subjects, subject, figures)
    {
        char line[2 * TEXT_SIZE];
        if (shown++ < SUBJECTS_MAX) {
            (void)snprintf(line, sizeof(line), "%s: %s", subject, json_text(figures, "says"));
            add_paragraph(out, 12, line);
        }
    }
    if (count > shown) {
        buf_addf(out, "%12s%lld more\n", "", (long long)(count - shown));
    }
    add_paragraph(out, 12, invariant->advice);
}

static void add_all_broken(struct json_object *report, struct buf *out)
{
    int count = count_of(report, "broken");
    buf_addf(out, "\nBROKEN INVARIANTS: %d of %d\n", count, invariant_count());
    for (int severity = SEVERITY_CRITICAL; severity >= SEVERITY_INFO; severity--) {
        for (int i = 0; i < invariant_count(); i++) {
            const struct invariant *invariant = invariant_at(i);
            if ((int)invariant->severity == severity && is_in(report, invariant, "broken")) {
                add_broken(outcome_of(report, invariant), invariant, out);
            }
        }
    }
}

/* Adds those that have the same reason as invariant `first`, unless one before it has. */
static void add_of_reason(struct json_object *report, int first, struct buf *out)
{
    const char *why = json_text(outcome_of(report, invariant_at(first)), "why");
    int column = 0;
    for (int i = 0; i < invariant_count(); i++) {
        const struct invariant *invariant = invariant_at(i);
        if (!is_in(report, invariant, "unknown") ||
            strcmp(json_text(outcome_of(report, invariant), "why"), why) != 0) {
            continue;
        }
        if (i < first) {
            return;
        }
        if (i == first) {
            add_words(out, INDENT, why, &column);
            buf_add_char(out, ':');
            column++;
        } else {
            buf_add_char(out, ',');
            column++;
        }
        add_words(out, INDENT, invariant->id, &column);
    }
    buf_add_char(out, '\n');
}

static void add_unknown(struct json_object *report, struct buf *out)
{
    int count = count_of(report, "unknown");
    if (count == 0) {
        return;
    }
    buf_addf(out, "\nNOT EVALUATED: %d of %d (nobody checked these; they may be kept or broken)\n",
             count, invariant_count());
    for (int i = 0; i < invariant_count(); i++) {
        if (is_in(report, invariant_at(i), "unknown")) {
            add_of_reason(report, i, out);
        }
    }
}

/* ------------------------------------------------------------------ sections */

/* The columns of an object whose members are rows; 0: it is no table. */
static int columns_of(struct json_object *rows, const char *ret[COLUMNS_MAX])
{
    int count = 0;
    json_object_object_foreach(rows, name, row)
    {
        (void)name;
        if (!json_is_object(row) || is_rate(row)) {
            return 0;
        }
        json_object_object_foreach(row, key, value)
        {
            int at = 0;
            while (at < count && strcmp(ret[at], key) != 0) {
                at++;
            }
            if (!is_figure(value) || at == COLUMNS_MAX) {
                return 0;
            }
            ret[at] = key;
            count += at == count ? 1 : 0;
        }
    }
    return count;
}

static void heading_of(const char *key, char ret[TEXT_SIZE])
{
    const char *unit;
    split_name(key, ret, &unit);
    if (unit[0] != '\0') {
        size_t len = strlen(ret);
        (void)snprintf(ret + len, TEXT_SIZE - len, " (%s)", unit);
    }
}

static void add_label(const char *name, int width, struct buf *out)
{
    char plain[TEXT_SIZE];
    plain_strip(str_c(name), PLAIN_LINE, plain, sizeof(plain));
    pad(out, plain, width);
}

/* False, and nothing is added: it is too wide for a line. */
static bool add_table(struct json_object *rows, const char *const keys[], int count, int indent,
                      struct buf *out)
{
    int widths[COLUMNS_MAX], first = 0, total = 0;
    char text[TEXT_SIZE];
    for (int c = 0; c < count; c++) {
        heading_of(keys[c], text);
        widths[c] = width_of(text);
    }
    json_object_object_foreach(rows, name, row)
    {
        first = width_of(name) > first ? width_of(name) : first;
        for (int c = 0; c < count; c++) {
            struct json_object *value = json_get(row, keys[c]);
            figure(value, true, text);
            widths[c] = value != NULL && width_of(text) > widths[c] ? width_of(text) : widths[c];
        }
    }
    for (int c = 0; c < count; c++) {
        total += widths[c] + 2;
    }
    if (indent + first + total > LINE_WIDTH) {
        return false;
    }
    spaces(out, indent + first);
    for (int c = 0; c < count; c++) {
        heading_of(keys[c], text);
        spaces(out, 2 + widths[c] - width_of(text));
        buf_add_c(out, text);
    }
    buf_add_char(out, '\n');
    json_object_object_foreach(rows, label, line)
    {
        spaces(out, indent);
        add_label(label, first, out);
        for (int c = 0; c < count; c++) {
            struct json_object *value = json_get(line, keys[c]);
            text[0] = '\0';
            if (value != NULL) {
                figure(value, true, text);
            }
            spaces(out, 2 + widths[c] - width_of(text));
            buf_add_c(out, text);
        }
        buf_add_char(out, '\n');
    }
    return true;
}

/* "trade-17: symbol BTC-USD, side long, …", wrapped. */
static void add_row(const char *name, struct json_object *row, int indent, struct buf *out)
{
    char label[TEXT_SIZE], text[TEXT_SIZE];
    const char *unit;
    AUTO_BUF struct buf line = BUF_INIT(COLUMNS_MAX * 2 * TEXT_SIZE);
    bool more = false;
    buf_addf(&line, "%s:", name);
    json_object_object_foreach(row, key, value)
    {
        split_name(key, label, &unit);
        figure(value, true, text);
        buf_addf(&line, "%s %s %s%s%s", more ? "," : "", label, text, unit[0] != '\0' ? " " : "",
                 unit);
        more = true;
    }
    add_paragraph(out, indent, line.data);
}

static void add_figures(struct json_object *object, int indent, struct buf *out)
{
    char label[TEXT_SIZE], text[TEXT_SIZE];
    const char *unit;
    int width = 0;
    json_object_object_foreach(object, name, member)
    {
        if (is_figure(member)) {
            split_name(name, label, &unit);
            width = width_of(label) > width ? width_of(label) : width;
        }
    }
    json_object_object_foreach(object, key, value)
    {
        if (value != NULL && is_figure(value)) {
            split_name(key, label, &unit);
            figure(value, false, text);
            spaces(out, indent);
            pad(out, label, width);
            buf_addf(out, "  %s%s%s\n", text, unit[0] != '\0' ? " " : "", unit);
        }
    }
}

/* Figures, then the objects in it, each below its name. */
static void add_object(struct json_object *object, int indent, struct buf *out)
{
    char label[TEXT_SIZE];
    add_figures(object, indent, out);
    json_object_object_foreach(object, key, value)
    {
        const char *keys[COLUMNS_MAX];
        if (is_figure(value) || json_object_object_length(value) == 0) {
            continue;
        }
        plain_strip(str_c(key), PLAIN_LINE, label, sizeof(label));
        for (char *c = label; *c != '\0'; c++) {
            *c = *c == '_' ? ' ' : *c;
        }
        buf_addf(out, "%*s%s\n", indent, "", label);
        int count = columns_of(value, keys);
        if (count == 0) {
            add_object(value, indent + INDENT, out);
        } else if (!add_table(value, keys, count, indent + INDENT, out)) {
            json_object_object_foreach(value, name, row)
            {
                add_row(name, row, indent + INDENT, out);
            }
        }
    }
}

static bool is_section(const char *name)
{
    static const char *const others[] = {"schema", "meta", "invariants", "glossary"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (strcmp(name, others[i]) == 0) {
            return false;
        }
    }
    return true;
}

static void add_heading(const char *name, struct buf *out)
{
    buf_add_char(out, '\n');
    for (const char *c = name; *c != '\0'; c++) {
        buf_add_char(out, *c == '_' ? ' ' : (char)toupper((unsigned char)*c));
    }
    buf_add_char(out, '\n');
}

void report_text(struct json_object *report, struct buf *out)
{
    char since[TEXT_SIZE], until[TEXT_SIZE];
    struct json_object *meta = json_get(report, "meta");
    figure(json_get(meta, "market_since"), true, since);
    figure(json_get(meta, "market_time"), true, until);
    buf_addf(out, "Report of %lld h", (long long)json_i64(meta, "hours", 0));
    if (json_get(meta, "market_time") != NULL) {
        buf_addf(out, " of market time, %s to %s UTC", since, until);
    }
    buf_addf(out, "\nMoney is in %s, times are UTC.\n", json_text(meta, "currency"));
    add_all_broken(report, out);
    add_unknown(report, out);
    json_object_object_foreach(report, name, section)
    {
        if (!is_section(name) || !json_is_object(section) ||
            json_object_object_length(section) == 0) {
            continue;
        }
        const char *keys[COLUMNS_MAX];
        int count = columns_of(section, keys);
        add_heading(name, out);
        if (count == 0 || !add_table(section, keys, count, INDENT, out)) {
            add_object(section, INDENT, out);
        }
    }
    struct json_object *glossary = json_get(report, "glossary");
    if (!json_is_object(glossary)) {
        return;
    }
    add_heading("meaning", out);
    json_object_object_foreach(glossary, term, meaning)
    {
        char line[4 * TEXT_SIZE];
        (void)snprintf(line, sizeof(line), "%s: %s", term,
                       json_is_text(meaning) ? json_object_get_string(meaning) : "");
        add_paragraph(out, INDENT, line);
    }
}
