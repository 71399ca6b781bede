/*
 * answers.h: scripted answers of the model over the report reports/night.json, with what must pass.
 *
 *     for (size_t i = 0; i < answer_case_count; i++) judge(&answer_cases[i]);
 *
 * Thread: any (constants).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* One finding; members that are NULL have an unremarkable value. */
struct answer_case {
    const char *name;
    bool right; /* it must pass */
    const char *subject;
    const char *evidence; /* "pointer=value; pointer=value", values as JSON */
    const char *title;
    const char *description;
    const char *recommendation;
};
extern const struct answer_case answer_cases[];
extern const size_t answer_case_count;

/* A whole answer, as text. */
struct answer_text {
    const char *name;
    const char *text; /* @ is a valid finding, # a wrong one; NULL: made by the program */
    int verdict;      /* 0: an answer, else no verdict */
    int kept;
    int dropped;
    int cut;
    int passed; /* findings that are not rejected */
};
extern const struct answer_text answer_texts[];
extern const size_t answer_text_count;
