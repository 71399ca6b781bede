/*
 * proof.h: the figures that a text may state because a report has them: those that it cites, and
 * what stands beside them.
 *
 *     struct proof *proof = proof_new(report, &names, finding.evidence, finding.evidence_count);
 *     for (int i = 0; i < proof->count; i++) use(&proof->values[i]);
 *     proof_free(proof);
 *
 * Values: the numbers of the verified evidence, and with a part of a rate its other parts (k, n,
 * pct and the interval). Settings: the numbers of the report's settings, which need not be cited.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "io/json.h"
#include "model/finding.h"
#include "proof/quantity.h"

#define PROOF_VALUES_MAX   (FINDING_EVIDENCE_MAX * 5)
#define PROOF_SETTINGS_MAX 256

struct proof_value {
    char pointer[FINDING_POINTER_SIZE + 16];
    double value;
    struct unit unit;
};

/* What the report calls things: its keys and short texts, outside the untrusted ones. */
struct proof_names {
    struct buf text;
};
void proof_names_init(struct proof_names *names, struct json_object *report);
void proof_names_add(struct proof_names *names, struct json_object *report); /* another one */
void proof_names_add_text(struct proof_names *names, struct str text);
void proof_names_release(struct proof_names *names);

struct proof {
    struct json_object *report;
    const struct proof_names *names;
    int count;
    int evidence_count; /* values that are cited themselves; they come first */
    struct proof_value values[PROOF_VALUES_MAX];
    int setting_count;
    struct proof_value settings[PROOF_SETTINGS_MAX];
};

/* Report and names must outlive it. */
struct proof *proof_new(struct json_object *report, const struct proof_names *names,
                        const struct finding_evidence *evidence, int count);
void proof_free(struct proof *proof);

/* The unit of the report's value at the pointer: amounts are in /account/currency. */
struct unit proof_unit(struct json_object *report, const char *pointer);
/* The rate {"k","n",…} that has the pointer's value as a member; NULL: it is no part of a rate. */
struct json_object *proof_rate_at(struct json_object *report, const char *pointer);
/* Whether the word is a name, or a part of one ("1INCH" of "1INCH-USD"). Case does not matter. */
bool proof_knows_name(const struct proof_names *names, struct str word);
/* Whether a text contains the word, not as a part of a longer word or number, in any case. */
bool proof_has_word(struct str text, struct str word);
/* Whether a step of a pointer names a row: "trade-17", "BTC-USD", "RISK_COOLDOWN". */
bool proof_is_row(struct str step);
