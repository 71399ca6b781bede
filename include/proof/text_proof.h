/*
 * text_proof.h: which figures of a free text are in the JSON documents that it was written from.
 *
 *     struct text_proof *proof = text_proof_new();
 *     text_proof_add(proof, "trading.measure", result);           // each result of a tool
 *     text_proof_add_text(proof, "question", str_c(question));    // what the reader said
 *     if (!text_proof_check(proof, str_c(answer))) …;             // cannot be checked at all
 *     text_proof_mark(proof, " (unverified)", &out);              // the text with its marks
 *     use(proof->found, proof->derived, proof->unverified, proof->figures);
 *     text_proof_free(proof);
 *
 * A figure is
 * - found, if a document has it, by the rules of quantity.h: the value rounded to the digits shown,
 *   of the same kind of unit, with its sign said. A named count must be that count; a sentence
 *   about one row ("BTC-USD") cannot state a figure of another row of the same table; and a figure
 *   of fewer than three digits needs a word of its sentence that names the value;
 * - derived, if it is arithmetic on such values that is written out ("7 - 4"), or that a word names
 *   ("in total", "25 % of", "more than", "doubled");
 * - unverified otherwise.
 * Figures are digits, number words, dates, hours, and names that have a digit in them (prose.h). A
 * number that only numbers the items of a list is none, nor are "nothing" and "never". The length
 * of an array is a value, named by its key; so are the figures in a text of a document. Always
 * true: a document is bounded: of more than TEXT_PROOF_VALUES_MAX values, the rest is not there,
 * and figures of it are unverified. Thread: any, one at a time per proof.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"
#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>

#define TEXT_PROOF_VALUES_MAX  8192
#define TEXT_PROOF_FIGURES_MAX 96
#define TEXT_PROOF_WHERE_SIZE  400

enum text_standing { TEXT_FOUND, TEXT_DERIVED, TEXT_UNVERIFIED };
const char *text_standing_name(enum text_standing standing); /* "found" "derived" "unverified" */

struct text_figure {
    size_t from; /* in the text that was checked, its unit included */
    size_t len;
    enum text_standing standing;
    /* found: "trading.measure /net_usd"; derived: "difference of … and …"; "" if unverified. */
    char where[TEXT_PROOF_WHERE_SIZE];
};

struct facts;

struct text_proof {
    struct facts *facts;
    struct str text; /* that was checked last; the caller's */
    int found;
    int derived;
    int unverified;
    int count;
    struct text_figure figures[TEXT_PROOF_FIGURES_MAX];
};

struct text_proof *text_proof_new(void);
void text_proof_free(struct text_proof *proof);
/* Documents that the text may take figures from. The document must outlive the proof; source and
 * the text are copied. */
void text_proof_add(struct text_proof *proof, const char *source, struct json_object *document);
void text_proof_add_text(struct text_proof *proof, const char *source, struct str text);
/* Fills figures and counts. The text must outlive its use in text_proof_mark. False: it has more
 * figures than can be checked, or is in another script than Latin; then nothing of it is proven. */
bool text_proof_check(struct text_proof *proof, struct str text);
/* The text, with the mark behind each figure that is unverified. */
void text_proof_mark(const struct text_proof *proof, const char *mark, struct buf *out);
