/*
 * incident_table.h: incidents and their time lines, in ops.db. An incident has the number of the
 * alert with which it began; alerts that this one caused are part of it.
 *
 *     incident_table_open(store, alert.id, now_us, err);
 *     incident_table_add(store, &(struct incident_event){.incident_id = alert.id, .at_us = now_us,
 *                        .kind = INCIDENT_RAISED, .alert_id = alert.id, .text = "…"}, err);
 *     n = incident_table_events(store, alert.id, INCIDENT_ALL, events, COUNT_OF(events), &total,
 *                               err);
 *     incident_table_close(store, alert.id, now_us, err);
 *
 * Always true: the rows are deleted with their alert. A time line keeps INCIDENT_EVENTS_MAX events:
 * after that the oldest one but the first is deleted for each new one.
 * Thread: writes from ops; reads from the owner of the connection.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stddef.h>
#include <stdint.h>

#define INCIDENT_EVENTS_MAX 200

enum incident_kind {
    INCIDENT_RAISED,
    INCIDENT_CHANGED, /* something that was done shortly before it, at that time */
    INCIDENT_WORSE,
    INCIDENT_CHILD, /* an alert that it caused */
    INCIDENT_CHILD_OVER,
    INCIDENT_ACKNOWLEDGED,
    INCIDENT_ESCALATED,
    INCIDENT_RUN,  /* a run that works on what the incident is about: it begins, or has ended */
    INCIDENT_NOTE, /* what nightdesk did by itself */
    INCIDENT_RESOLVED
};
#define INCIDENT_ALL UINT32_MAX

/* "raised" "changed" … */
const char *incident_kind_name(enum incident_kind kind);

struct incident {
    int64_t id; /* of its first alert */
    int64_t opened_us;
    int64_t closed_us;   /* 0: open */
    int64_t merged_into; /* the incident that caused it, with its events; 0: none */
    int64_t escalated;   /* steps of alerts.escalate that were taken */
};

struct incident_event {
    int64_t id;
    int64_t incident_id;
    int64_t at_us;
    enum incident_kind kind;
    int64_t alert_id; /* 0: none */
    int64_t run_id;   /* 0: none */
    char text[240];
};

/* Opens it, also one that was closed or merged: its events stay. */
int incident_table_open(struct ops_store *store, int64_t id, int64_t now_us, struct err *err);
int incident_table_close(struct ops_store *store, int64_t id, int64_t now_us, struct err *err);
/* Closes it; its events move. */
int incident_table_merge(struct ops_store *store, int64_t id, int64_t into, int64_t now_us,
                         struct err *err);
int incident_table_set_escalated(struct ops_store *store, int64_t id, int64_t steps,
                                 struct err *err);
/* ERR_STORE_NOT_FOUND. */
int incident_table_get(struct ops_store *store, int64_t id, struct incident *ret, struct err *err);
/* Newest first, without those that were merged; returns the number. before_id: only those with a
 * smaller id; 0: all. */
int incident_table_list(struct ops_store *store, bool open_only, int64_t before_id,
                        struct incident *ret, size_t max, struct err *err);
int incident_table_add(struct ops_store *store, const struct incident_event *event,
                       struct err *err);
/* The event that this alert is part of the incident. *ret_new false: there is one already. */
int incident_table_add_child(struct ops_store *store, int64_t incident_id, int64_t alert_id,
                             const char *title, int64_t now_us, bool *ret_new, struct err *err);
/* The newest events of these kinds (bits), oldest first; *ret_total counts all of them. Returns the
 * number. */
int incident_table_events(struct ops_store *store, int64_t incident_id, uint32_t kinds,
                          struct incident_event *ret, size_t max, int64_t *ret_total,
                          struct err *err);
/* The incident with an event of this run; 0: none. */
int incident_table_of_run(struct ops_store *store, int64_t run_id, int64_t *ret_id,
                          struct err *err);

/* A step of a run that began at or after a time. */
struct incident_change {
    int64_t run_id;
    int64_t at_us;
    char command[48];
    char args[120]; /* JSON, cut */
    char user[64];
    char action[64];
    char state[16];
};
/* Newest first; returns the number. */
int incident_table_changes(struct ops_store *store, int64_t since_us, struct incident_change *ret,
                           size_t max, struct err *err);
