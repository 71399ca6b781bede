/*
 * access.h: who is asking, and may they. The one place where it is decided.
 *
 *     struct principal who;
 *     if (access_identify(access, CHANNEL_TELEGRAM, from_id, &who) < 0) { access_unauthorised(...);
 * return; } rc = access_permit(&who, ROLE_OPERATOR, false, err);
 *
 * Rules: deny by default; a person is a numeric user id of a door, never a chat; an empty list
 * means nobody; a stranger learns nothing (not even that the bot lives), is logged and
 * rate-limited; a role includes those below it; `emergency` is a grant of its own.
 * Thread: ops.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct ops_store;
struct pool;
struct access;

enum channel { CHANNEL_CONSOLE, CHANNEL_TELEGRAM, CHANNEL_SOCKET, CHANNEL_HTTP, CHANNEL_SCHEDULE };
enum role { ROLE_NONE, ROLE_READ_ONLY, ROLE_OPERATOR, ROLE_ADMIN };

const char *channel_name(enum channel d); /* "console" "telegram" "socket" "http" "schedule" */
const char *role_name(enum role r);       /* "none" "read_only" "operator" "admin" */
bool role_parse(struct str s, enum role *ret);
bool channel_parse(struct str s, enum channel *ret);

struct principal {
    enum channel channel;
    int64_t id; /* Telegram user id; uid for console and socket; 0 for a token or the schedule */
    char name[32];
    enum role role;
    bool emergency;
};

/* Reads users from the configuration: telegram.users and telegram.admin_users; at the socket the
 * uids of api.local_users. The uid that runs the daemon and root are admin with emergency at
 * console and socket, listed or not; any other uid is unauthorised there, also one that the mode of
 * the socket lets in. */
int access_new(const struct config *config, struct ops_store *store, const struct clock *clock,
               struct access **ret, struct err *err);
void access_free(struct access *access);
/* Asks NSS for the names of root and of the uid that runs the daemon, on helpers, because NSS may
 * hang. Until they are known such a caller is called "uid 0". */
void access_learn_names(struct access *access, struct pool *helpers);
bool access_learns_names(const struct access *access); /* still asking */

/* 0 and *ret filled, or -ERR_ACCESS_UNAUTHORISED. */
int access_identify(struct access *access, enum channel channel, int64_t id, struct principal *ret);

/* 0, or -ERR_ACCESS_DENIED with "needs operator, alice is read_only" in the context. */
int access_permit(const struct principal *who, enum role lowest, bool needs_emergency,
                  struct err *err);

/* Notes a stranger's message in the audit log, at most a few lines an hour for each id and in all,
 * with the number left out told in the next one; raises nothing by itself.
 * Returns true when this one was logged. */
bool access_unauthorised(struct access *access, enum channel channel, int64_t id, const char *what);

/* Counts a command that only read, by person and hour, instead of a line in the audit log. */
int access_count_read(struct access *access, const struct principal *who, const char *command,
                      bool failed, struct err *err);

/* Appends one line to the hash-chained audit log. action: "command.denied", "command.received",
 * "confirm.asked", "step.done" …; detail: parameters without secrets; result: "ok" or an error
 * code. Fails only when the database does; the caller then refuses what it wanted to do. */
int access_audit(struct access *access, const struct principal *who, const char *action,
                 const char *detail, const char *result, struct err *err);
