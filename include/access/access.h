/*
 * access.h: authentication and authorisation: who sent this, and what they may do. Nothing else
 * decides it.
 *
 *     struct principal who;
 *     if (access_identify(access, CHANNEL_TELEGRAM, from_id, &who) < 0) {
 *         access_unauthorised(access, CHANNEL_TELEGRAM, from_id, "message");   // no reply
 *         return;
 *     }
 *     rc = access_permit(&who, ROLE_OPERATOR, false, err);
 *
 * People are those of the configuration and those who were granted a role by command (/grant,
 * pairing); the configuration wins.
 * A program at the API has a bearer token, which stands for a person of its own: with a name, a
 * role and the commands that it may run. Rules: deny by default. A person is identified by the
 * numeric user id of a channel, never by the chat. An empty user list admits nobody. An
 * unauthorised user gets no reply, so that they cannot tell whether the bot is running; their
 * messages are logged, with a limit on the log lines. A role includes the roles below it;
 * `emergency` is a separate grant. Thread: ops.
 */
#pragma once

#include "base/address.h"
#include "base/clock.h"
#include "base/err.h"
#include "io/secret.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct ops_store;
struct pool;
struct access;

enum channel {
    CHANNEL_CONSOLE,
    CHANNEL_TELEGRAM,
    CHANNEL_SOCKET,
    CHANNEL_HTTP,
    CHANNEL_SCHEDULE,
    CHANNEL_ASSISTANT /* the assistant reads something for a person, with that person's role */
};
enum role { ROLE_NONE, ROLE_READ_ONLY, ROLE_OPERATOR, ROLE_ADMIN };

/* "console" "telegram" "socket" "http" "schedule" "assistant" */
const char *channel_name(enum channel c);
const char *role_name(enum role r); /* "none" "read_only" "operator" "admin" */
bool role_parse(struct str s, enum role *ret);
bool channel_parse(struct str s, enum channel *ret);

struct principal {
    enum channel channel;
    /* Telegram user id; uid for console and socket; of a token of access_token_create its number, 0
     * for api.token; 0 for the schedule */
    int64_t id;
    char name[32];
    enum role role;
    bool emergency;
    char commands[128]; /* globs, separated by commas: the commands that a token may run; "": all */
};

/* Reads the users from the configuration: telegram.users and telegram.admin_users for Telegram,
 * the uids of api.local_users for the socket. On console and socket, root and the uid that runs the
 * daemon are admins with the emergency grant, listed or not. Every other unlisted uid is
 * unauthorised, even if the file mode of the socket lets it connect. */
int access_new(const struct config *config, struct ops_store *store, const struct clock *clock,
               struct access **ret, struct err *err);
void access_free(struct access *access);
/* The users of a new configuration, which replaces the one before from now on. */
void access_apply(struct access *access, const struct config *config);
/* Asks NSS for the names of root and of the uid that runs the daemon. Runs on helper threads,
 * because NSS may hang. Until a name is known, the caller is named "uid 0". */
void access_learn_names(struct access *access, struct pool *helpers);
bool access_learns_names(const struct access *access); /* a lookup is still running */

/* Fills *ret and returns 0, or returns -ERR_ACCESS_UNAUTHORISED. */
int access_identify(const struct access *access, enum channel channel, int64_t id,
                    struct principal *ret);

/* Root, or the uid that runs the daemon, in a terminal of this machine. */
bool access_is_local_owner(const struct access *access, const struct principal *who);

/* Calls fn with everyone who may have a role: the users of telegram.users and api.local_users, and
 * the uids that are admins anyway, if their names are known. */
void access_each_user(const struct access *access,
                      void (*fn)(int64_t id, const char *name, void *userdata), void *userdata);

/* 0, or -ERR_ACCESS_DENIED with a context such as "needs operator, alice is read_only". */
int access_permit(const struct principal *who, enum role lowest, bool needs_emergency,
                  struct err *err);
/* Whether one of the globs (* and ?, separated by commas) fits the command; "" fits all. */
bool access_commands_have(const char *globs, const char *command);
/* 0, or -ERR_ACCESS_DENIED if a token is limited to other commands. */
int access_permit_command(const struct principal *who, const char *command, struct err *err);

/* The second factor: a code of the person's authenticator app (io/otp.h), whose secret is `totp` of
 * telegram.users or api.local_users; over other channels, of the entry with the same name. */
bool access_has_factor(const struct access *access, const struct principal *who);
/* Accepts a code of the app, or a recovery code, once, in the caller's transaction. Five wrong
 * codes within ten minutes lock it for fifteen, also over a restart. *ret_why: ERR_NONE,
 * ACCESS_NO_FACTOR, ACCESS_FACTOR_WRONG or ACCESS_FACTOR_LOCKED. Fails only if the database fails.
 */
int access_verify_code(struct access *access, const struct principal *who, const char *code,
                       struct err *ret_why, struct err *err);
/* Setting up a second factor by command: begin makes a secret, which the app takes over, and its
 * first code confirms it; only then it is asked for. A person whose configuration has totp cannot.
 */
#define FACTOR_SECRET_SIZE  33
#define RECOVERY_CODES      10
#define RECOVERY_CODE_CHARS 10
struct access_factor {
    bool is_configured; /* totp of the configuration */
    bool is_active;
    bool is_begun;
    int64_t recovery_left; /* unused recovery codes */
};
int access_factor_get(struct access *access, const struct principal *who, struct access_factor *ret,
                      struct err *err);
/* A secret that was begun before and not confirmed is replaced. Errors: FACTOR_CONFIGURED,
 * FACTOR_EXISTS. */
int access_factor_begin(struct access *access, const struct principal *who,
                        char ret_secret[FACTOR_SECRET_SIZE], struct err *err);
/* Makes the recovery codes; each works once, in place of a code of the app. Errors:
 * FACTOR_NOT_BEGUN, ACCESS_FACTOR_WRONG. */
int access_factor_confirm(struct access *access, const struct principal *who, const char *code,
                          char ret_codes[RECOVERY_CODES][RECOVERY_CODE_CHARS + 1], struct err *err);
/* New recovery codes, in place of those before. */
int access_factor_codes(struct access *access, const struct principal *who,
                        char ret_codes[RECOVERY_CODES][RECOVERY_CODE_CHARS + 1], struct err *err);
/* Takes the second factor of a person away; by: that person, or an admin. */
int access_factor_remove(struct access *access, const struct principal *by, const char *name,
                         struct err *err);

/* People on Telegram: those of telegram.users, then those who were granted a role by command. A
 * person of both is one of the configuration. */
struct access_person {
    int64_t id;
    char name[32];
    enum role role;
    bool emergency;
    bool is_configured;
    char granted_by[64]; /* "" for a person of the configuration */
    int64_t granted_us;
};
/* In this order; false past the end. */
bool access_person_at(const struct access *access, int index, struct access_person *ret);
bool access_telegram_user(const struct access *access, int index, struct principal *ret);
int access_telegram_admins(const struct access *access); /* their number */
/* Gives a person a role, in place of the one before, or takes it away; durable when it returns, and
 * in the audit log. Only for people who are not in the configuration, never for the caller, and
 * never for the last admin. The check alone changes nothing. Errors: USER_…. */
int access_check_grant(const struct access *access, const struct principal *by,
                       const struct access_person *grant, struct err *err);
int access_grant(struct access *access, const struct principal *by,
                 const struct access_person *grant, struct err *err);
int access_check_revoke(const struct access *access, const struct principal *by, int64_t id,
                        struct err *err);
int access_revoke(struct access *access, const struct principal *by, int64_t id, struct err *err);

/* Bearer tokens of the API: made by the owner of the machine, shown once, kept as a hash. */
#define ACCESS_TOKEN_PREFIX       "nd_" /* for programs that look for secrets in files */
#define ACCESS_TOKEN_CHARS        52    /* of 5 random bits */
#define ACCESS_TOKEN_SIZE         (sizeof(ACCESS_TOKEN_PREFIX) + ACCESS_TOKEN_CHARS)
#define ACCESS_TOKEN_NETWORKS_MAX 8
struct access_token_times { /* wall clock */
    int64_t created_us;
    int64_t expires_us; /* 0: never */
    int64_t revoked_us; /* 0: not */
};
struct access_token {
    int64_t id; /* never used again for another token */
    const char *name;
    const char *hash;     /* access_token_hash of the token */
    enum role role;       /* of a session: of its person now, ROLE_NONE if that has none */
    const char *commands; /* as in struct principal */
    struct network networks[ACCESS_TOKEN_NETWORKS_MAX];
    int network_count; /* 0: from everywhere */
    struct access_token_times times;
    const char *created_by;
    const char *revoked_by;
    int64_t used_us; /* 0: never; at most a minute old */
    const char *used_from;
    bool is_session; /* of a person at the page (access/login.h) */
};
struct access_token_wish {
    const char *name; /* that nobody else has */
    enum role role;
    int64_t lifetime_us;  /* 0: never expires */
    const char *networks; /* "10.0.0.0/8,::1"; "": from everywhere */
    const char *commands; /* "status,get_*"; "": all that the role may run */
};
/* Those that have ended included, the oldest first; false past the end. Valid until the next change
 * of a token. */
bool access_token_at(const struct access *access, int index, struct access_token *ret);
/* The one with this name that is not revoked. Error: TOKEN_UNKNOWN. */
int access_token_find(const struct access *access, const char *name, struct access_token *ret,
                      struct err *err);
/* Durable and in the audit log when they return. ret_token is the only copy of the secret. Errors:
 * USER_NAME, TOKEN_NETWORK, TOKEN_COMMANDS, TOKEN_MANY; TOKEN_UNKNOWN. */
int access_token_create(struct access *access, const struct principal *by,
                        const struct access_token_wish *wish, char ret_token[ACCESS_TOKEN_SIZE],
                        struct err *err);
int access_token_revoke(struct access *access, const struct principal *by, const char *name,
                        struct err *err);
/* Notes when and from which address a token was used. */
int access_token_used(struct access *access, int64_t id, int64_t at_us, const char *from,
                      struct err *err);
/* Any thread: a plain hash, because 260 random bits cannot be guessed from it. */
void access_token_hash(struct str token, char ret_hex[SECRET_HASH_HEX_SIZE]);
/* Any thread: whether a text has the form of a token; one that was cut has not. */
bool access_token_is_shaped(struct str token);
/* Any thread: ERR_NONE, API_TOKEN_ENDED, or API_TOKEN_CLOCK: the clock is before the time at which
 * the token was made, so that whether it has expired is unknown. */
enum err_id access_token_check(const struct access_token_times *times, int64_t now_us);

/* Pairing: a person who sends the one-time code that the terminal has shown becomes an owner: admin
 * with the emergency grant. Nobody becomes an owner by writing first. */
#define PAIR_CODE_CHARS 10
/* True while Telegram is configured and nobody there is an admin. */
bool access_lacks_owner(const struct access *access);
/* Makes a new code, which replaces the one before. It works once, for fifteen minutes, also over a
 * restart; ten wrong ones, or three of one sender, end it. Only its keyed hash is stored. */
int access_pair_open(struct access *access, const struct principal *by,
                     char ret_code[PAIR_CODE_CHARS + 1], int64_t *ret_expires_us, struct err *err);
/* Whether a code is open that has not expired. */
int access_pair_is_open(struct access *access, bool *ret, struct err *err);
/* Compares a text that has the form of a code; *ret_right is false for any other. A wrong one is
 * counted, and nothing more is done about it. */
int access_pair_try(struct access *access, int64_t id, struct str text, bool *ret_right,
                    struct err *err);
/* Makes the person an owner and ends the code, in the caller's transaction. name: as Telegram shows
 * it; *ret: the person. access_pair_done follows the commit. */
int access_pair_accept(struct access *access, int64_t id, const char *name, struct principal *ret,
                       struct err *err);
int access_pair_done(struct access *access, struct err *err);

/* Writes an unauthorised user's message into the audit log: at most 3 lines an hour for each id and
 * 30 in all. The next line gives the number of those that were left out. Raises no alert. Returns
 * true if this message was logged. */
bool access_unauthorised(struct access *access, enum channel channel, int64_t id, const char *what);

/* Counts read-only commands by person and hour, instead of adding a line each to the audit log.
 * command: at most 32 bytes are kept. */
int access_count_reads(struct access *access, const struct principal *who, const char *command,
                       int64_t count, int64_t failed, struct err *err);
/* Adds to the audit log what was counted for this channel in the hours that have passed: a line for
 * each person and hour. Each hour is added once, also over a restart. */
int access_audit_reads(struct access *access, enum channel channel, struct err *err);

/* Appends one line to the hash-chained audit log. action: "command.denied", "command.received",
 * "confirm.asked", "step.done" …; detail: parameters without secrets; result: "ok" or an error
 * code. Fails only if the database fails; the caller must then refuse the operation. */
int access_audit(struct access *access, const struct principal *who, const char *action,
                 const char *detail, const char *result, struct err *err);
