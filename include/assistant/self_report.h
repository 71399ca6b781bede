/*
 * self_report.h: what people say of the assistant's answers, and what it says of itself: questions,
 * ratings, figures that were not verified, what became of proposals, findings, and money by model.
 *
 *     struct self_report report;
 *     rc = self_report_read(store, since_us, &report, err);
 *     self_report_add(reply, &report);                 // fields, and "self_report" in its data
 *
 * The weekly digest and /selfreport show the same. Thread: ops.
 */
#pragma once

#include "command/action.h"
#include "store/alert_table.h"
#include "store/llm_call_table.h"
#include "store/question_table.h"

#define SELF_REPORT_MODELS 8

struct clock;

struct self_report {
    int64_t since_us;
    struct question_sums questions;
    struct alert_findings findings;
    int proposing_count;
    struct question_proposals proposing[SELF_REPORT_MODELS]; /* the models that proposed commands */
    int model_count;
    struct llm_model_spend models[SELF_REPORT_MODELS];
};

int self_report_read(struct ops_store *store, int64_t since_us, struct self_report *ret,
                     struct err *err);
/* Without the findings and the sum of money, which the digest has already. */
void self_report_add(struct reply *reply, const struct self_report *report);
/* "👍" and "👎" below an answer. */
void self_report_add_buttons(struct reply *reply, int64_t question_id);

struct self_report_actions {
    struct ops_store *store;
    const struct clock *clock;
};
/* userdata of the actions; NULL: they are only described. */
void self_report_actions(struct self_report_actions *userdata, struct action_table *table);
