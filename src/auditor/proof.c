#include "proof.h"

#include "base/check.h"
#include "pointer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_BYTES 200
#define DEPTH_MAX      12

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
        v->unit = unit_of_pointer(pointer);
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
            v->unit = unit_of_pointer(pointer);
        } else {
            add_settings(proof, pointer, value, depth + 1);
        }
    }
}

struct proof *proof_new(struct json_object *report, const struct finding *finding)
{
    static const char *const settings[] = {"/settings", "/limits"};
    struct proof *proof = calloc(1, sizeof(*proof));
    ASSERT(proof != NULL);
    proof->report = report;
    proof->finding = finding;
    for (int i = 0; i < finding->evidence_count; i++) {
        struct json_object *value = NULL;
        const struct finding_evidence *evidence = &finding->evidence[i];
        if (evidence->verified && pointer_find(report, evidence->pointer, &value)) {
            add_value(proof, evidence->pointer, value);
        }
    }
    proof->evidence_count = proof->count;
    for (int i = 0; i < finding->evidence_count; i++) {
        if (finding->evidence[i].verified) {
            add_rate(proof, finding->evidence[i].pointer);
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

/* Without regard to case: a sentence may begin with the name. */
static bool same_word(const char *text, struct str word)
{
    return strncasecmp(text, word.ptr, word.len) == 0;
}

bool proof_has_word(struct str text, struct str word)
{
    for (size_t at = 0; word.len > 0 && at + word.len <= text.len; at++) {
        size_t end = at + word.len;
        bool starts = at == 0 || !is_word_char(text.ptr[at - 1]);
        bool decimal = at > 1 && text.ptr[at - 1] == '.' && is_word_char(text.ptr[at - 2]);
        bool ends = end == text.len || !is_word_char(text.ptr[end]);
        bool goes_on = end + 1 < text.len && strchr(".,", text.ptr[end]) != NULL &&
                       text.ptr[end + 1] >= '0' && text.ptr[end + 1] <= '9';
        if (starts && ends && !decimal && !goes_on && same_word(text.ptr + at, word)) {
            return true;
        }
    }
    return false;
}

static bool knows(struct json_object *value, struct str word, int depth)
{
    if (json_is_text(value)) {
        struct str text = json_value_str(value);
        return text.len <= NAME_MAX_BYTES && proof_has_word(text, word);
    }
    if (depth > DEPTH_MAX) {
        return false;
    }
    for (size_t i = 0; i < json_len(value); i++) {
        if (knows(json_item(value, i), word, depth + 1)) {
            return true;
        }
    }
    if (json_is_object(value)) {
        json_object_object_foreach(value, key, member)
        {
            bool outside = depth == 0 && strcmp(key, "untrusted") == 0;
            if (!outside && (proof_has_word(str_c(key), word) || knows(member, word, depth + 1))) {
                return true;
            }
        }
    }
    return false;
}

bool proof_knows_name(struct json_object *report, struct str word)
{
    return knows(report, word, 0);
}
