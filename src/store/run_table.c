#include "store/run_table.h"

#include "base/check.h"
#include "row.h"

#include <string.h>

int run_table_add(struct ops_store *store, const struct run_new *r, int64_t now_us, int64_t *ret_id,
                  struct err *err)
{
    if (strlen(r->args_json) > RUN_JSON_MAX) {
        return err_set(err, ERR_STORE_TOO_LONG, "arguments of %.40s", r->command);
    }
    int rc =
        db_run(store->db,
               "INSERT INTO command_runs(command, args, user_id, user_name, role, channel,"
               " chat_id, state, step, created_us, updated_us, result, error_code, manifest)"
               " VALUES (?, ?, ?, ?, ?, ?, ?, ?, -1, ?, ?, '', '', ?)",
               DB_VALUES(DB_TEXT(row_cut(r->command, 64)), DB_TEXT_C(r->args_json),
                         DB_I64(r->user_id), DB_TEXT(row_cut(r->user_name, 64)),
                         DB_TEXT(row_cut(r->role, 32)), DB_TEXT(row_cut(r->channel, 32)),
                         DB_I64(r->chat_id), DB_TEXT_C(run_state_name(r->state)), DB_I64(now_us),
                         DB_I64(now_us), DB_TEXT_C(r->manifest != NULL ? r->manifest : "")),
               err);
    if (rc == 0) {
        *ret_id = db_last_rowid(store->db);
    }
    return rc;
}

int run_table_start(struct ops_store *store, int64_t id, int64_t now_us, struct err *err)
{
    return row_update(store->db,
                      "UPDATE command_runs SET state = 'running', updated_us = ?"
                      " WHERE id = ? AND state = 'confirming'",
                      DB_VALUES(DB_I64(now_us), DB_I64(id)), ERR_STORE_CONFLICT, "run", id, err);
}

int run_table_ask(struct ops_store *store, int64_t id, int64_t now_us, struct err *err)
{
    return row_update(store->db,
                      "UPDATE command_runs SET state = 'confirming', updated_us = ?"
                      " WHERE id = ? AND state = 'running'",
                      DB_VALUES(DB_I64(now_us), DB_I64(id)), ERR_STORE_CONFLICT, "run", id, err);
}

int run_table_finish(struct ops_store *store, int64_t id, enum run_state state, int err_id,
                     const char *result_json, int64_t now_us, struct err *err)
{
    ASSERT(state != RUN_CONFIRMING && state != RUN_RUNNING);
    if (result_json != NULL && strlen(result_json) > RUN_JSON_MAX) {
        return err_set(err, ERR_STORE_TOO_LONG, "result of run %lld", (long long)id);
    }
    return row_update(store->db,
                      "UPDATE command_runs SET state = ?, error_code = ?, result = ?,"
                      " updated_us = ? WHERE id = ? AND state IN ('confirming', 'running')",
                      DB_VALUES(DB_TEXT_C(run_state_name(state)),
                                DB_TEXT_C(err_id == ERR_NONE ? "" : err_info(err_id)->code),
                                DB_TEXT_C(result_json), DB_I64(now_us), DB_I64(id)),
                      ERR_STORE_CONFLICT, "run", id, err);
}

int run_table_cancel(struct ops_store *store, int64_t id, const char *by, struct err *err)
{
    return row_update(
        store->db, "UPDATE command_runs SET cancelled_by = ? WHERE id = ? AND state = 'running'",
        DB_VALUES(DB_TEXT(row_cut(by, 63)), DB_I64(id)), ERR_STORE_CONFLICT, "run", id, err);
}

int run_table_step_outputs(struct ops_store *store, int64_t id, int64_t index, const char *json,
                           struct err *err)
{
    ASSERT(strlen(json) < RUN_OUTPUTS_SIZE);
    return row_update(store->db, "UPDATE run_steps SET outputs = ? WHERE run_id = ? AND idx = ?",
                      DB_VALUES(DB_TEXT_C(json), DB_I64(id), DB_I64(index)), ERR_STORE_CONFLICT,
                      "step of run", id, err);
}

int run_table_step_begin(struct ops_store *store, int64_t id, int64_t index, const char *action,
                         int64_t now_us, struct err *err)
{
    AUTO_ROLLBACK struct db *own = NULL;
    int rc = row_begin(store->db, &own, err);
    if (rc == 0) {
        rc = row_update(store->db,
                        "UPDATE command_runs SET step = ?, updated_us = ?"
                        " WHERE id = ? AND state = 'running'",
                        DB_VALUES(DB_I64(index), DB_I64(now_us), DB_I64(id)), ERR_STORE_CONFLICT,
                        "run", id, err);
    }
    if (rc == 0) {
        rc = db_run(
            store->db,
            "INSERT OR REPLACE INTO run_steps(run_id, idx, action, state, started_us,"
            " ended_us, result) VALUES (?, ?, ?, 'running', ?, 0, '')",
            DB_VALUES(DB_I64(id), DB_I64(index), DB_TEXT(row_cut(action, 64)), DB_I64(now_us)),
            err);
    }
    return rc < 0 ? rc : row_commit(&own, err);
}

int run_table_step_end(struct ops_store *store, int64_t id, int64_t index,
                       enum run_step_state state, const char *result, int64_t now_us,
                       struct err *err)
{
    return row_update(store->db,
                      "UPDATE run_steps SET state = ?, result = ?, ended_us = ?"
                      " WHERE run_id = ? AND idx = ? AND state = 'running'",
                      DB_VALUES(DB_TEXT_C(run_step_state_name(state)),
                                DB_TEXT(row_cut(result, 1024)), DB_I64(now_us), DB_I64(id),
                                DB_I64(index)),
                      ERR_STORE_CONFLICT, "step of run", id, err);
}

int run_table_step_note(struct ops_store *store, int64_t id, int64_t index, const char *note,
                        struct err *err)
{
    return row_update(
        store->db,
        "UPDATE run_steps SET result = ? WHERE run_id = ? AND idx = ? AND state = 'running'",
        DB_VALUES(DB_TEXT(row_cut(note, 1024)), DB_I64(id), DB_I64(index)), ERR_STORE_CONFLICT,
        "step of run", id, err);
}

#define COLUMNS                                                                               \
    "id, command, args, user_id, user_name, role, channel, chat_id, state, step, created_us," \
    " updated_us, result, error_code, cancelled_by, manifest"

static int read_run(struct db_rows *rows, struct run_row *ret, struct err *err)
{
    struct row row = {.rows = rows};
    *ret = (struct run_row){0};
    ret->id = row_i64(&row);
    row_text(&row, ret->command, sizeof(ret->command));
    ret->args_json = row_heap(&row);
    ret->user_id = row_i64(&row);
    row_text(&row, ret->user_name, sizeof(ret->user_name));
    row_text(&row, ret->role, sizeof(ret->role));
    row_text(&row, ret->channel, sizeof(ret->channel));
    ret->chat_id = row_i64(&row);
    row.damaged = !run_state_parse(row_str(&row), &ret->state) || row.damaged;
    ret->step = row_i64(&row);
    ret->created_us = row_i64(&row);
    ret->updated_us = row_i64(&row);
    ret->result_json = row_heap(&row);
    char code[64] = "";
    row_text(&row, code, sizeof(code));
    if (code[0] != '\0') {
        enum err_id known = err_by_code(code);
        ret->err_id = (int)(known == ERR_NONE ? ERR_INTERNAL : known);
    }
    row_text(&row, ret->cancelled_by, sizeof(ret->cancelled_by));
    row_text(&row, ret->manifest, sizeof(ret->manifest));
    int rc = row_check(&row, "command_runs", ret->id, err);
    if (rc < 0) {
        run_row_release(ret);
    }
    return rc;
}

int run_table_get(struct ops_store *store, int64_t id, struct run_row *ret, struct err *err)
{
    AUTO_ROW struct row row = {0};
    int rc = row_query_one(store->db, "SELECT " COLUMNS " FROM command_runs WHERE id = ?",
                           DB_VALUES(DB_I64(id)), &row, err);
    if (rc == 0) {
        return err_set(err, ERR_STORE_NOT_FOUND, "run %lld", (long long)id);
    }
    return rc < 0 ? rc : read_run(row.rows, ret, err);
}

#define STATE_BIT                                                                  \
    "CASE state WHEN 'confirming' THEN 1 WHEN 'running' THEN 2 WHEN 'done' THEN 4" \
    " WHEN 'failed' THEN 8 WHEN 'cancelled' THEN 16 WHEN 'expired' THEN 32"        \
    " WHEN 'refused' THEN 64 ELSE 128 END"
_Static_assert(RUN_CONFIRMING == 0 && RUN_RUNNING == 1 && RUN_DONE == 2 && RUN_FAILED == 3 &&
                   RUN_CANCELLED == 4 && RUN_EXPIRED == 5 && RUN_REFUSED == 6 && RUN_UNKNOWN == 7,
               "STATE_BIT repeats the order of enum run_state");

#define LIVE_STATES (1U << RUN_CONFIRMING | 1U << RUN_RUNNING)
#define SELECT_RUNS "SELECT " COLUMNS " FROM command_runs WHERE "
#define SOME_OF                                                            \
    " AND (?3 IS NULL OR command = ?3) AND (?4 IS NULL OR user_name = ?4)" \
    " AND created_us >= ?5 AND (?6 = 0 OR created_us < ?6)"                \
    " AND (?7 = 0 OR id < ?7) ORDER BY id DESC LIMIT ?2"

int run_table_list(struct ops_store *store, const struct run_query *query, struct run_row *ret,
                   size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    /* Live runs are few. SQLite uses the index command_runs_live only for this condition. */
    bool live = query->states != 0 && (query->states & ~LIVE_STATES) == 0;
    int rc = db_query(store->db,
                      live ? SELECT_RUNS "state IN ('confirming', 'running') AND (" STATE_BIT
                                         ") & ?1 <> 0" SOME_OF
                           : SELECT_RUNS "(?1 = 0 OR (" STATE_BIT ") & ?1 <> 0)" SOME_OF,
                      DB_VALUES(DB_I64(query->states), DB_I64((int64_t)max),
                                DB_TEXT_OR_NULL(query->command), DB_TEXT_OR_NULL(query->user),
                                DB_I64(query->since_us), DB_I64(query->until_us),
                                DB_I64(query->before_id)),
                      &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        rc = read_run(rows, &ret[n], err);
        n += rc == 0 ? 1 : 0;
    }
    if (rc < 0) {
        while (n > 0) {
            run_row_release(&ret[--n]);
        }
        return rc;
    }
    return (int)n;
}

/* Runs get their ids as they begin, so only the newest are looked at. */
#define NEWEST                                                    \
    "id > (SELECT coalesce(max(id), 0) - 2000 FROM command_runs)" \
    " AND created_us >= ?1"

#define WITH_VALUE "(?2 = '' OR EXISTS (SELECT 1 FROM json_each(args) AS a WHERE a.value = ?2))"

/* Another run or person was at it, so that nothing was tried. */
#define BUSY(CODE)    CODE(COMMAND_LOCKED) CODE(SERVICE_BUSY) CODE(POOL_BUSY)
#define QUOTED(code)  "'" #code "', "
#define IS_ID(code)   || err_id == ERR_##code
#define NOTHING_TRIED "(" BUSY(QUOTED) "'COMMAND_CANCELLED')"

bool run_table_is_busy(int err_id)
{
    return false BUSY(IS_ID);
}

int run_table_count_of(struct ops_store *store, const char *command, const char *user,
                       const char *value, int64_t since_us, int64_t *ret, struct err *err)
{
    return db_get_i64(
        store->db,
        "SELECT count(*) FROM command_runs WHERE " NEWEST " AND " WITH_VALUE
        " AND command = ?3 AND user_name = ?4 AND error_code NOT IN " NOTHING_TRIED,
        DB_VALUES(DB_I64(since_us), DB_TEXT_C(value), DB_TEXT_C(command), DB_TEXT_C(user)), 0, ret,
        err);
}

int run_table_newest_of(struct ops_store *store, const char *command, const char *user,
                        int64_t *ret_id, struct err *err)
{
    int rc = db_get_i64(store->db,
                        "SELECT id FROM command_runs WHERE command = ? AND user_name = ?"
                        " ORDER BY id DESC LIMIT 1",
                        DB_VALUES(DB_TEXT_C(command), DB_TEXT_C(user)), 0, ret_id, err);
    return rc < 0         ? rc
           : *ret_id == 0 ? err_set(err, ERR_STORE_NOT_FOUND, "a run of %s", command)
                          : 0;
}

int run_table_by_people(struct ops_store *store, const char *value, int64_t since_us,
                        char (*ret_commands)[RUN_COMMAND_SIZE], size_t max, struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc =
        db_query(store->db,
                 "SELECT DISTINCT command FROM command_runs WHERE " NEWEST " AND " WITH_VALUE
                 " AND channel <> 'schedule' LIMIT ?3",
                 DB_VALUES(DB_I64(since_us), DB_TEXT_C(value), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        str_cut(db_text(rows, 0), ret_commands[n++], RUN_COMMAND_SIZE);
    }
    return rc < 0 ? rc : (int)n;
}

int run_table_running(struct ops_store *store, int64_t after_id, int64_t *ret_ids, size_t max,
                      struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc = db_query(store->db,
                      "SELECT id FROM command_runs WHERE state = 'running' AND id > ?"
                      " ORDER BY id LIMIT ?",
                      DB_VALUES(DB_I64(after_id), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        ret_ids[n++] = db_i64(rows, 0);
    }
    return rc < 0 ? rc : (int)n;
}

int run_table_set_aside(struct ops_store *store, int64_t id, int64_t now_us, struct err *err)
{
    return db_run(store->db,
                  "UPDATE command_runs SET state = 'unknown', error_code = 'STORE_DAMAGED',"
                  " updated_us = ? WHERE id = ?",
                  DB_VALUES(DB_I64(now_us), DB_I64(id)), err);
}

int run_table_steps(struct ops_store *store, int64_t id, struct run_step *ret, size_t max,
                    struct err *err)
{
    AUTO_DB_ROWS struct db_rows *rows = NULL;
    int rc =
        db_query(store->db,
                 "SELECT idx, action, state, started_us, ended_us, result, outputs FROM run_steps"
                 " WHERE run_id = ? ORDER BY idx LIMIT ?",
                 DB_VALUES(DB_I64(id), DB_I64((int64_t)max)), &rows, err);
    size_t n = 0;
    while (rc >= 0 && n < max && (rc = db_next(rows, err)) > 0) {
        struct row row = {.rows = rows};
        struct run_step *step = &ret[n++];
        *step = (struct run_step){0};
        step->index = row_i64(&row);
        row_text(&row, step->action, sizeof(step->action));
        row.damaged = !run_step_state_parse(row_str(&row), &step->state) || row.damaged;
        step->started_us = row_i64(&row);
        step->ended_us = row_i64(&row);
        row_text(&row, step->result, sizeof(step->result));
        row_text(&row, step->outputs, sizeof(step->outputs));
        rc = row_check(&row, "run_steps", id, err);
    }
    return rc < 0 ? rc : (int)n;
}
