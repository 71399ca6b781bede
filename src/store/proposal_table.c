#include "store/proposal_table.h"

#include "base/check.h"
#include "row.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                              \
    "id, code, command, args, line, reason, user_id, user, channel, created_us, expires_us," \
    " state, decided_by, decided_us, run_id, messages"

static const char *const states[] = {[PROPOSED_OPEN] = "open",
                                     [PROPOSED_ACCEPTED] = "accepted",
                                     [PROPOSED_DECLINED] = "declined",
                                     [PROPOSED_EXPIRED] = "expired"};

const char *proposal_state_name(enum proposal_state state)
{
    return states[state];
}

static bool proposal_state_parse(struct str text, enum proposal_state *ret)
{
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        if (str_equal_c(text, states[i])) {
            *ret = (enum proposal_state)i;
            return true;
        }
    }
    return false;
}

void proposal_release(struct proposal *proposal)
{
    free(proposal->args_json);
    free(proposal->line);
    free(proposal->reason);
    *proposal = (struct proposal){0};
}

int proposal_table_add(struct ops_store *store, const struct proposal *p, int64_t *ret_id,
                       struct err *err)
{
    int rc = db_run(store->db,
                    "INSERT INTO proposals(code, command, args, line, reason, user_id, user,"
                    " channel, created_us, expires_us, state)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open')",
                    DB_VALUES(DB_TEXT_C(p->code), DB_TEXT_C(p->command), DB_TEXT_C(p->args_json),
                              DB_TEXT_C(p->line), DB_TEXT_C(p->reason), DB_I64(p->user_id),
                              DB_TEXT_C(p->user), DB_TEXT_C(p->channel), DB_I64(p->created_us),
                              DB_I64(p->expires_us)),
                    err);
    if (rc == 0) {
        *ret_id = db_last_rowid(store->db);
    }
    return rc;
}

/* "12:345 13:0": outbox id and chat. */
int proposal_table_set_messages(struct ops_store *store, const struct proposal *p, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(PROPOSAL_MESSAGES_MAX * 64);
    for (size_t i = 0; i < p->message_count; i++) {
        buf_addf(&text, "%s%" PRId64 ":%" PRId64, i > 0 ? " " : "", p->messages[i].outbox_id,
                 p->messages[i].chat_id);
    }
    return row_update(store->db, "UPDATE proposals SET messages = ? WHERE id = ?",
                      DB_VALUES(DB_TEXT(buf_str(&text)), DB_I64(p->id)), ERR_STORE_NOT_FOUND,
                      "proposal", p->id, err);
}

static bool read_messages(struct str text, struct proposal *ret)
{
    struct str word;
    while (str_word(&text, &word)) {
        struct str outbox;
        struct proposal_message *m = &ret->messages[ret->message_count];
        if (ret->message_count == PROPOSAL_MESSAGES_MAX || !str_split(&word, ':', &outbox) ||
            !str_to_i64(outbox, &m->outbox_id) || !str_to_i64(word, &m->chat_id)) {
            return false;
        }
        ret->message_count++;
    }
    return true;
}

static int read_proposal(struct db_rows *rows, struct proposal *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct proposal){0};
    ret->id = row_i64(&row);
    row_text(&row, ret->code, sizeof(ret->code));
    row_text(&row, ret->command, sizeof(ret->command));
    ret->args_json = row_heap(&row);
    ret->line = row_heap(&row);
    ret->reason = row_heap(&row);
    ret->user_id = row_i64(&row);
    row_text(&row, ret->user, sizeof(ret->user));
    row_text(&row, ret->channel, sizeof(ret->channel));
    ret->created_us = row_i64(&row);
    ret->expires_us = row_i64(&row);
    ROW_WORD(&row, proposal_state, &ret->state);
    row_text(&row, ret->decided_by, sizeof(ret->decided_by));
    ret->decided_us = row_i64(&row);
    ret->run_id = row_i64(&row);
    row.damaged = !read_messages(row_str(&row), ret) || row.damaged;
    int rc = row_check(&row, "proposals", ret->id, err);
    if (rc < 0) {
        proposal_release(ret);
    }
    return rc;
}

static int get_one(struct ops_store *store, const char *sql, const struct db_value *values,
                   size_t count, struct proposal *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, sql, values, count, &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "proposal");
    }
    return rc < 0 ? rc : read_proposal(row.rows, ret, err);
}

int proposal_table_get(struct ops_store *store, int64_t id, struct proposal *ret, struct err *err)
{
    return get_one(store, "SELECT " COLUMNS " FROM proposals WHERE id = ?", DB_VALUES(DB_I64(id)),
                   ret, err);
}

int proposal_table_of_code(struct ops_store *store, const char *code, struct proposal *ret,
                           struct err *err)
{
    return get_one(store, "SELECT " COLUMNS " FROM proposals WHERE code = ?",
                   DB_VALUES(DB_TEXT_C(code)), ret, err);
}

int proposal_table_same(struct ops_store *store, const struct proposal *like, struct proposal *ret,
                        struct err *err)
{
    return get_one(store,
                   "SELECT " COLUMNS " FROM proposals WHERE state = 'open' AND line = ? AND"
                   " channel = ? AND user_id = ? AND user = ? AND expires_us > ?"
                   " ORDER BY id DESC LIMIT 1",
                   DB_VALUES(DB_TEXT_C(like->line), DB_TEXT_C(like->channel), DB_I64(like->user_id),
                             DB_TEXT_C(like->user), DB_I64(like->created_us)),
                   ret, err);
}

int proposal_table_count_open(struct ops_store *store, int64_t *ret, struct err *err)
{
    return db_get_i64(store->db, "SELECT count(*) FROM proposals WHERE state = 'open'",
                      DB_NO_VALUES, 0, ret, err);
}

int proposal_table_list(struct ops_store *store, struct proposal *ret, size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db, "SELECT " COLUMNS " FROM proposals ORDER BY id DESC LIMIT ?",
                      DB_VALUES(DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_proposal(rows, &ret[n], err);
        n += rc == 0 ? 1 : 0;
    }
    if (rc < 0) {
        while (n > 0) {
            proposal_release(&ret[--n]);
        }
        return rc;
    }
    return (int)n;
}

int proposal_table_next(struct ops_store *store, struct proposal *ret, struct err *err)
{
    return get_one(store,
                   "SELECT " COLUMNS " FROM proposals WHERE state = 'open'"
                   " ORDER BY expires_us LIMIT 1",
                   DB_NO_VALUES, ret, err);
}

int proposal_table_decide(struct ops_store *store, int64_t id, enum proposal_state state,
                          const char *by, int64_t now_us, int64_t run_id, struct err *err)
{
    return row_update(store->db,
                      "UPDATE proposals SET state = ?, decided_by = ?, decided_us = ?, run_id = ?"
                      " WHERE id = ? AND state = 'open'",
                      DB_VALUES(DB_TEXT_C(states[state]), DB_TEXT_C(by), DB_I64(now_us),
                                DB_I64(run_id), DB_I64(id)),
                      ERR_STORE_CONFLICT, "proposal", id, err);
}
