/*
 * access_internal.h: the state of access, shared by its files: access.c (who somebody is, what they
 * may do, the audit log), people.c (roles granted by command), pairing.c (the first owner),
 * factor.c (the second factor), token.c (bearer tokens), login.c (sessions of people at the page).
 * Private to this module.
 *
 *     rc = access_people_load(access, err);      // after each change of the table
 *
 * Thread: ops.
 */
#pragma once

#include "access/access.h"
#include "store/factor_table.h"
#include "store/login_table.h"
#include "store/person_table.h"
#include "store/token_table.h"

#define NAME_SIZE        32
#define PAIR_SENDERS_MAX 16
/* Tracked senders. A new one replaces the least recent; the limit of lines of all still applies. */
#define UNAUTHORISED_MAX 64

struct config_local;

struct unauthorised {
    enum channel channel;
    int64_t id;
    int64_t window_us; /* wall; time of the first message of this window */
    int64_t seen_us;
    int lines;
    int64_t left_out;
};

/* The two uids that are admins without being configured. Their names come from NSS. */
enum own { OWN_ROOT, OWN_DAEMON, OWN_COUNT };

struct access {
    const struct config *config;
    char own_names[OWN_COUNT][NAME_SIZE]; /* "": unknown, or the lookup has not finished */
    struct pool_job *lookups[OWN_COUNT];
    struct ops_store *store;
    struct person people[PEOPLE_MAX]; /* those of the database */
    int person_count;
    struct factor_secret factors[FACTOR_SECRETS_MAX]; /* set up by command */
    int factor_count;
    struct token_row *tokens; /* those of the database; NULL: none */
    int token_count;
    struct login_row *logins; /* those of the database; NULL: none */
    int login_count;
    const struct clock *clock;
    int64_t own_uid;
    struct pair_sender {
        int64_t id; /* 0: free */
        int tries;
    } pair_tries[PAIR_SENDERS_MAX]; /* codes that each sender has tried */
    struct unauthorised unauthorised[UNAUTHORISED_MAX];
    int64_t all_window_us;
    int all_lines;
    int64_t all_left_out;
};

const struct config_local *access_find_local(const struct access *access, int64_t uid);

/* factor.c */
int access_factor_load(struct access *access, struct err *err);

/* token.c */
int access_tokens_load(struct access *access, struct err *err);
/* Fills in name, role and commands; false for a token that is unknown, has expired or was revoked.
 */
bool access_token_identify(const struct access *access, int64_t id, struct principal *ret);
/* Fills in the secret, its hash and the time of a new token. */
void access_token_fill(struct access *access, struct token_row *row,
                       char ret_token[ACCESS_TOKEN_SIZE]);
/* Adds a token, in the caller's transaction. */
int access_token_add(struct access *access, struct token_row *row, struct err *err);
/* Commits a change of tokens and reads them again, or rolls it back. */
int access_tokens_end(struct access *access, int rc, struct err *err);

/* login.c */
int access_logins_load(struct access *access, struct err *err);

/* people.c */
/* Reads the people of the database into memory. */
int access_people_load(struct access *access, struct err *err);
bool access_people_identify(const struct access *access, int64_t id, struct principal *ret);
/* Whether the configuration lists this Telegram user. */
bool access_is_configured(const struct access *access, int64_t id);
bool access_name_is_valid(const char *name);
/* Whether a person of the configuration, the database or this machine, or a token, has this name;
 * except: an id of a person of the database that does not count. */
bool access_name_is_taken(const struct access *access, const char *name, int64_t except);
/* Adds the row of a person, or replaces it, in the caller's transaction. */
int access_add_person(struct access *access, const struct principal *by,
                      const struct access_person *grant, struct err *err);
/* Ends the transaction of a change: commits it and reads the people again, or rolls it back. */
int access_people_end(struct access *access, int rc, struct err *err);
