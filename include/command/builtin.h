/*
 * builtin.h: the actions about the program itself: help, version, access.whoami, access.auditlog.
 *
 *     struct builtin builtin = {.store = store, .clock = clock, .access = access};
 *     builtin_actions(&builtin, table);
 *     manifest_list_load(table, &manifests, err);
 *     builtin.manifests = manifests;      // for help; set before the channels start
 *
 * Invariants: help shows only the commands that the user may run.
 * Ownership: the struct must outlive the table; it borrows everything it points to.
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "command/action.h"
#include "command/manifest.h"

struct ops_store;

struct builtin {
    struct ops_store *store;
    const struct clock *clock;
    const struct manifest_list *manifests;
    struct access *access;              /* NULL if the actions are only described */
    const struct action_table *actions; /* set by builtin_actions */
    /* Called after roles were granted or revoked; may be NULL. */
    void (*people_changed)(const char *by, void *userdata);
    void *people_userdata;
    /* Adds to the reply of /runs N what else is known about the run; may be NULL. */
    void (*run_details)(int64_t run_id, struct reply *reply, void *userdata);
    void *run_details_userdata;
    /* The bot's name, for links to it; "" until it is known. May be NULL. */
    const char *(*bot_name)(void *userdata);
};

/* Fills a reply with a code of access_pair_open. bot: its name; "" if that is not known. */
void builtin_show_pairing(const char *code, int64_t expires_us, const char *bot, struct reply *r);
/* Also registers what is known about users. */
void builtin_actions(struct builtin *builtin, struct action_table *table);
