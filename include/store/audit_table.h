/*
 * audit_table.h: the auditor's runs in ops.db.
 *
 *     audit_table_add(store, &(struct audit_record){.started_us = …, .verdict = "findings",
 *         .report_json = report, ...}, &id, err);
 *     audit_table_last(store, &record, err);                     // audit_record_release
 *
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stddef.h>
#include <stdint.h>

#define AUDIT_REPORT_MAX ((size_t)1024 * 1024)

struct audit_record {
    int64_t id;
    int64_t started_us;
    int64_t finished_us;
    char verdict[32]; /* "clear" "findings" "unproven" "no_verdict", set by the auditor */
    char trigger[32]; /* "schedule" "operator" "cli" */
    char model[64];   /* "": no model was used */
    char request_id[64];
    int64_t tokens_in;
    int64_t tokens_out;
    int64_t cost_microusd;
    int64_t findings_by_severity[5]; /* index: enum severity */
    int64_t claimed;                 /* findings in the model's answer */
    int64_t rejected;                /* findings with a figure that could not be verified */
    int64_t dropped;                 /* claimed ones that were invalid, too many or said twice */
    int64_t cut;                     /* of the others, shortened */
    char note[256];                  /* why there is no verdict, or that no model was used */
    char *report_json;               /* owned when read; borrowed when added */
};

void audit_record_release(struct audit_record *record);
#define AUTO_AUDIT_RECORD __attribute__((cleanup(audit_record_release)))

int audit_table_add(struct ops_store *store, const struct audit_record *record, int64_t *ret_id,
                    struct err *err);
/* ERR_STORE_NOT_FOUND. */
int audit_table_last(struct ops_store *store, struct audit_record *ret, struct err *err);
/* Newest first, without the reports (report_json is NULL); returns the number. before_id: only
 * those with a smaller id; 0: all. */
int audit_table_list(struct ops_store *store, int64_t before_id, struct audit_record *ret,
                     size_t max, struct err *err);

/* How often the model was wrong. */
#define AUDIT_ERRORS_USUAL 24 /* audits that such a figure is about */
struct audit_errors {
    int64_t audits; /* that the model answered */
    int64_t claimed;
    int64_t rejected;
};
/* Over the newest `audits` audits that the model answered. */
int audit_table_errors(struct ops_store *store, int64_t audits, struct audit_errors *ret,
                       struct err *err);
/* The audits that ended at or after since_us. */
struct audit_sums {
    int64_t audits;
    int64_t no_verdict;          /* the model was asked and gave none */
    struct audit_errors answers; /* of the model */
};
int audit_table_sums(struct ops_store *store, int64_t since_us, struct audit_sums *ret,
                     struct err *err);
/* The number of audits that began after since_us and that the model answered. */
int audit_table_answered_since(struct ops_store *store, int64_t since_us, int64_t *ret,
                               struct err *err);
