/*
 * login.h: how a person logs in at the page: with a one-time link, or with what Telegram gives a
 * Mini App. A login makes a session: a bearer token that stands for the person, with the role that
 * this person has at each request.
 *
 *     access_login_open(access, who, code, &expires_us, err);         // /web: BASE/#code=CODE
 *     access_login_link(access, hash, "10.1.2.3", &session, err);     // once
 *
 *     access_launch_key(config, &key);
 *     access_launch_check(&key, init_data, now_us, &launch, err);     // any thread
 *     access_login_launch(access, &launch, "10.1.2.3", &session, err);
 *
 * Always true: a code and a set of data log in once, also over a restart; a session ends when its
 * person has no role any more. Each login is in the audit log.
 * Thread: ops, except where it says any.
 */
#pragma once

#include "access/access.h"
#include "base/buf.h"

#define LOGIN_CODE_CHARS  26 /* of 5 random bits */
#define LOGIN_OPEN_MAX    16 /* links that nobody has used; a newer one replaces the oldest */
#define LOGIN_VALID_US    (5 * USEC_PER_MIN)
#define LOGIN_SESSION_MAX 8 /* of one person; a newer one ends the oldest */

struct access_session {
    char token[ACCESS_TOKEN_SIZE]; /* the only copy; the caller wipes it */
    int64_t expires_us;
    struct principal who;
};

/* The address of the page, without a slash at its end. *ret_local: only this machine reaches it.
 * Error: LOGIN_OFF. */
int access_page_url(const struct access *access, struct buf *ret, bool *ret_local, struct err *err);
/* Makes the code of a link, in place of the person's one before. Errors: LOGIN_OFF, ACCESS_DENIED
 * for a caller who is no person. */
int access_login_open(struct access *access, const struct principal *who,
                      char ret_code[LOGIN_CODE_CHARS + 1], int64_t *ret_expires_us,
                      struct err *err);
/* The hash of a link that is open at this time; NULL past the last one. Valid until the next change
 * of a login. */
const char *access_login_at(const struct access *access, int index);
/* hash: access_token_hash of the code. Errors: LOGIN_LINK, LOGIN_NOBODY. */
int access_login_link(struct access *access, const char *hash, const char *from,
                      struct access_session *ret, struct err *err);
/* Whether this caller at the API is a person at the page, and no program with a token. */
bool access_has_session(const struct access *access, const struct principal *who);
/* Ends the session of a caller at the API. Error: LOGIN_NONE. */
int access_logout(struct access *access, const struct principal *who, struct err *err);

/* What Telegram has signed. */
struct access_launch {
    int64_t user_id;
    int64_t signed_us;
    char hash[SECRET_HASH_HEX_SIZE]; /* of the data */
};
/* Any thread. False if the Mini App is off. */
bool access_launch_key(const struct config *config, struct secret_key *ret);
/* Any thread. Verifies the launch data of a Mini App as the Bot API has it, and its age. Errors:
 * LOGIN_DATA, LOGIN_OLD. */
int access_launch_check(const struct secret_key *key, struct str data, int64_t now_us,
                        struct access_launch *ret, struct err *err);
/* Errors: LOGIN_OLD if they were used, LOGIN_NOBODY. */
int access_login_launch(struct access *access, const struct access_launch *launch, const char *from,
                        struct access_session *ret, struct err *err);
