#include "proof/proof.h"

#include "base/check.h"
#include "proof/pointer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES  200
#define DEPTH_MAX       12
#define NAMES_MAX_BYTES ((size_t)1024 * 1024)

static const char *const rate_members[] = {"k", "n", "pct", "low_pct", "high_pct"};

struct json_object *proof_rate_at(struct json_object *report, const char *pointer)
{
    const char *last = strrchr(pointer, '/');
    char parent[FINDING_POINTER_SIZE];
    struct json_object *owner = NULL;
    if (last == NULL ||
        !str_copy(str_n(pointer, (size_t)(last - pointer)), parent, sizeof(parent)) ||
        !pointer_find(report, parent, &owner)) {
        return NULL;
    }
    return json_is_number(json_get(owner, "n")) && json_is_number(json_get(owner, "k")) ? owner
                                                                                        : NULL;
}

struct unit proof_unit(struct json_object *report, const char *pointer)
{
    struct unit unit = unit_of_pointer(pointer);
    struct str currency = json_str(json_at(report, "/account"), "currency");
    if (unit.dimension != DIMENSION_MONEY || unit.currency[0] != '\0' ||
        currency.len >= sizeof(unit.currency)) {
        return unit;
    }
    for (size_t i = 0; i < currency.len; i++) {
        char c = currency.ptr[i];
        unit.currency[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return unit;
}

static void add_value(struct proof *proof, const char *pointer, struct json_object *value)
{
    for (int i = 0; i < proof->count; i++) {
        if (strcmp(proof->values[i].pointer, pointer) == 0) {
            return;
        }
    }
    if (proof->count < PROOF_VALUES_MAX && json_is_number(value)) {
        struct proof_value *v = &proof->values[proof->count++];
        (void)str_copy(str_c(pointer), v->pointer, sizeof(v->pointer));
        v->value = json_object_get_double(value);
        v->unit = proof_unit(proof->report, pointer);
    }
}

static void add_rate(struct proof *proof, const char *pointer)
{
    const struct json_object *rate = proof_rate_at(proof->report, pointer);
    size_t parent = (size_t)(strrchr(pointer, '/') - pointer);
    for (size_t i = 0; rate != NULL && i < COUNT_OF(rate_members); i++) {
        char member[sizeof(proof->values[0].pointer)];
        (void)snprintf(member, sizeof(member), "%.*s/%s", (int)parent, pointer, rate_members[i]);
        add_value(proof, member, json_get(rate, rate_members[i]));
    }
}

static void add_settings(struct proof *proof, const char *path, struct json_object *object,
                         int depth)
{
    if (!json_is_object(object) || depth > DEPTH_MAX) {
        return;
    }
    json_object_object_foreach(object, key, value)
    {
        char pointer[sizeof(proof->settings[0].pointer)];
        int len = snprintf(pointer, sizeof(pointer), "%s/%s", path, key);
        if (len < 0 || (size_t)len >= sizeof(pointer)) {
            continue;
        }
        if (json_is_number(value) && proof->setting_count < PROOF_SETTINGS_MAX) {
            struct proof_value *v = &proof->settings[proof->setting_count++];
            (void)str_copy(str_c(pointer), v->pointer, sizeof(v->pointer));
            v->value = json_object_get_double(value);
            v->unit = proof_unit(proof->report, pointer);
        } else {
            add_settings(proof, pointer, value, depth + 1);
        }
    }
}

struct proof *proof_new(struct json_object *report, const struct proof_names *names,
                        const struct finding_evidence *evidence, int count)
{
    static const char *const settings[] = {"/settings", "/limits"};
    struct proof *proof = calloc(1, sizeof(*proof));
    ASSERT(proof != NULL);
    proof->report = report;
    proof->names = names;
    for (int i = 0; i < count; i++) {
        struct json_object *value = NULL;
        if (evidence[i].verified && pointer_find(report, evidence[i].pointer, &value)) {
            add_value(proof, evidence[i].pointer, value);
        }
    }
    proof->evidence_count = proof->count;
    for (int i = 0; i < count; i++) {
        if (evidence[i].verified) {
            add_rate(proof, evidence[i].pointer);
        }
    }
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        add_settings(proof, settings[i], json_at(report, settings[i]), 0);
    }
    return proof;
}

void proof_free(struct proof *proof)
{
    free(proof);
}

/* ------------------------------------------------------------------ names */

static bool is_word_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Whether the text has the word, both in lower case, not as a part of a longer word or number. */
static bool has_word(struct str text, struct str word)
{
    const char *end = text.ptr + text.len;
    const char *at = text.ptr;
    while (word.len > 0 && at < end &&
           (at = memmem(at, (size_t)(end - at), word.ptr, word.len)) != NULL) {
        const char *next = at + word.len;
        bool starts = at == text.ptr || !is_word_char(at[-1]);
        bool decimal = at - text.ptr > 1 && at[-1] == '.' && is_word_char(at[-2]);
        bool ends = next == end || !is_word_char(*next);
        bool goes_on =
            next + 1 < end && strchr(".,", *next) != NULL && next[1] >= '0' && next[1] <= '9';
        if (starts && ends && !decimal && !goes_on) {
            return true;
        }
        at++;
    }
    return false;
}

static void add_lower(struct buf *out, struct str text)
{
    size_t from = out->len;
    buf_add_str(out, text);
    for (size_t i = from; i < out->len; i++) {
        char c = out->data[i];
        out->data[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
}

bool proof_has_word(struct str text, struct str word)
{
    AUTO_BUF struct buf lower = BUF_INIT(text.len);
    AUTO_BUF struct buf needle = BUF_INIT(word.len);
    add_lower(&lower, text);
    add_lower(&needle, word);
    return has_word(buf_str(&lower), buf_str(&needle));
}

static void collect(struct json_object *value, int depth, struct buf *out)
{
    if (json_is_text(value) && json_value_str(value).len <= NAME_MAX_BYTES) {
        add_lower(out, json_value_str(value));
        buf_add_char(out, '\n');
    }
    if (depth > DEPTH_MAX) {
        return;
    }
    for (size_t i = 0; i < json_len(value); i++) {
        collect(json_item(value, i), depth + 1, out);
    }
    if (json_is_object(value)) {
        json_object_object_foreach(value, key, member)
        {
            if (depth > 0 || strcmp(key, "untrusted") != 0) {
                add_lower(out, str_c(key));
                buf_add_char(out, '\n');
                collect(member, depth + 1, out);
            }
        }
    }
}

void proof_names_init(struct proof_names *names, struct json_object *report)
{
    buf_init(&names->text, NAMES_MAX_BYTES);
    proof_names_add(names, report);
}

void proof_names_add(struct proof_names *names, struct json_object *report)
{
    collect(report, 0, &names->text);
}

void proof_names_add_text(struct proof_names *names, struct str text)
{
    add_lower(&names->text, text);
    buf_add_char(&names->text, '\n');
}

void proof_names_release(struct proof_names *names)
{
    buf_release(&names->text);
}

bool proof_knows_name(const struct proof_names *names, struct str word)
{
    AUTO_BUF struct buf needle = BUF_INIT(word.len);
    add_lower(&needle, word);
    return memchr(word.ptr, '\n', word.len) == NULL &&
           has_word(buf_str(&names->text), buf_str(&needle));
}

/* Whether a step names a row: "trade-17", "order-nd-1-5", or anything in capitals, such as a symbol
 * or a veto's code. */
bool proof_is_row(struct str step)
{
    const char *dash = memchr(step.ptr, '-', step.len);
    bool upper = step.len > 1;
    for (size_t i = 0; i < step.len; i++) {
        upper &= step.ptr[i] < 'a' || step.ptr[i] > 'z';
    }
    bool letter = step.len > 0 && step.ptr[0] >= 'A' && step.ptr[0] <= 'Z';
    return (dash != NULL && dash > step.ptr) || (upper && letter);
}
