/*
 * audit_search.h: the one query of the audit log (audit_chain.h), for /auditlog and for
 * `nightdesk auditlog show` and `export`.
 *
 *     const struct audit_filter filter = {.user = "alice", .command = "close", .since_us = …};
 *     n = audit_search_all(store, &filter, rows, max, err);          // newest first
 *     audit_export(store, &filter, print_row, out, err);             // oldest first, all
 *
 * Thread: the owner of the connection.
 */
#pragma once

#include "store/audit_chain.h"

/* Empty members do not restrict. */
struct audit_filter {
    const char *user;    /* NULL or "": any */
    const char *command; /* its name without "/": of the run, or of the line that was refused */
    const char *result;  /* "ok", an error code, or "failed": anything but ok */
    int64_t since_us;    /* not older than this */
    int64_t run_id;      /* all rows of this run of a command */
    int64_t before_id;   /* only rows with a smaller id */
    int64_t after_id;    /* only rows with a larger id: those next to it */
};

bool audit_filter_matches(const struct audit_filter *filter, const struct audit_row *row);
/* Rows of the table, newest first; returns the number. Looks at every row of the table if few
 * match. */
int audit_search(struct ops_store *store, const struct audit_filter *filter, struct audit_row *ret,
                 size_t max, struct err *err);

/* The same, and then the archives, as far as they are needed; reads files. No after_id (ASSERT).
 * ERR_AUDIT_CHAIN as for audit_export. */
int audit_search_all(struct ops_store *store, const struct audit_filter *filter,
                     struct audit_row *ret, size_t max, struct err *err);

/* Returns 0, or a negative error id, which ends the export. */
typedef int (*audit_export_fn)(const struct audit_row *row, void *userdata, struct err *err);
/* Rows of the archives and of the table, oldest first. ERR_AUDIT_CHAIN if an archive is missing or
 * cannot be read to its end; the hashes are not checked. */
int audit_export(struct ops_store *store, const struct audit_filter *filter, audit_export_fn fn,
                 void *userdata, struct err *err);
