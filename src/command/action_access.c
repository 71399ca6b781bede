#include "base/check.h"
#include "builtin.h"
#include "io/json_out.h"
#include "store/audit_chain.h"
#include "store/read_table.h"

#include <string.h>

#define ROWS_MAX     50
#define DETAIL_SHOWN 80 /* bytes */

/* "door" is the name of 0.1.0, kept for programs that read it. */
static void add_channel(struct json_out *out, const char *name)
{
    json_out_text(out, "channel", name);
    json_out_text(out, "door", name);
}

static int show_whoami(struct action_call *call, struct err *err)
{
    (void)err; /* cannot fail */
    const struct principal *who = action_who(call);
    struct reply *r = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    reply_title(r, TONE_PLAIN, "%s", who->name);
    reply_para(r, "Role {}{}, channel {}, id {}", cell_text(role_name(who->role)),
               cell_text(who->emergency ? " with the emergency grant" : ""),
               cell_text(channel_name(who->channel)), cell_count(who->id));
    json_out_text(&data, "name", who->name);
    json_out_text(&data, "role", role_name(who->role));
    json_out_bool(&data, "emergency", who->emergency);
    add_channel(&data, channel_name(who->channel));
    json_out_i64(&data, "id", who->id);
    return ACTION_DONE;
}

static void add_row(struct json_out *data, const struct audit_row *row)
{
    json_out_object(data, NULL);
    json_out_i64(data, "id", row->id);
    json_out_time(data, "at", row->at_us);
    json_out_text(data, "user", row->user);
    add_channel(data, row->channel);
    json_out_text(data, "action", row->action);
    json_out_text(data, "detail", row->detail);
    json_out_text(data, "result", row->result);
    json_out_end(data);
}

/* Truncates between characters and adds "…". */
static void add_truncated(struct buf *out, const char *text)
{
    struct str rest = str_c(text);
    while (rest.len > 0) {
        size_t size = str_utf8_size(rest);
        size = size == 0 ? 1 : size;
        if (out->len + size > DETAIL_SHOWN) {
            buf_add_c(out, "…");
            return;
        }
        buf_add(out, rest.ptr, size);
        rest = str_n(rest.ptr + size, rest.len - size);
    }
}

static int show_auditlog(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    struct reply *r = action_reply(call);
    int64_t count = action_int(call, "count");
    struct audit_row rows[ROWS_MAX];
    struct audit_chain_result chain;
    int64_t all = 0;
    const struct arg_value *user = action_value(call, "user");
    const struct arg_value *since = action_value(call, "since");
    int n = audit_chain_search(builtin->store, user == NULL ? "" : user->user.name,
                               since == NULL ? 0 : since->time_us, rows, (size_t)count, err);
    int rc = n < 0 ? n : audit_chain_verify_recent(builtin->store, &chain, &all, err);
    if (rc < 0) {
        return rc;
    }
    if (chain.ok && chain.rows < all) { /* older rows are not verified here, or are archived */
        reply_title(r, TONE_GOOD, "Audit log: %lld rows, the newest %lld verified", (long long)all,
                    (long long)chain.rows);
        reply_para(r, "{} verifies all of them.", cell_code("nightdesk auditlog verify"));
    } else if (chain.ok) {
        reply_title(r, TONE_GOOD, "Audit log: %lld rows, all verified", (long long)chain.rows);
    } else {
        reply_title(r, TONE_BAD, "Audit log: broken at row %lld: %s", (long long)chain.bad_id,
                    chain.why);
    }
    int64_t reads = 0;
    if ((rc = read_table_sum(builtin->store, clock_wall_us(builtin->clock) - USEC_PER_DAY, &reads,
                             err)) < 0) {
        return rc;
    }
    reply_para(r, "{} read-only command{} in the last day: counted, not listed.", cell_count(reads),
               cell_text(reads == 1 ? "" : "s"));
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "rows");
    reply_columns(r, "#", "time (UTC)", "who", "what", "detail", "result");
    for (int i = 0; i < n; i++) {
        const struct audit_row *row = &rows[i];
        AUTO_BUF struct buf detail = BUF_INIT(DETAIL_SHOWN + 8);
        add_truncated(&detail, row->detail);
        reply_cells(r, cell_count(row->id), cell_time(row->at_us, clock_wall_us(builtin->clock)),
                    cell_text(row->user), cell_text(row->action), cell_text(detail.data),
                    cell_text(row->result));
        add_row(&data, row);
    }
    json_out_end(&data);
    json_out_i64(&data, "reads_of_a_day", reads);
    json_out_bool(&data, "whole", chain.ok);
    reply_protect(r);
    return ACTION_DONE;
}

/* ---------------------------------------------------------------------------------- users ---- */

struct emission {
    value_emit_fn emit;
    void *userdata;
};

static void emit_user(int64_t id, const char *name, void *userdata)
{
    const struct emission *to = userdata;
    (void)id;
    to->emit(name, to->userdata);
}

static void list_users(value_emit_fn emit, void *emit_userdata, void *userdata)
{
    const struct builtin *builtin = userdata;
    struct emission to = {emit, emit_userdata};
    access_each_user(builtin->access, emit_user, &to);
}

struct user_search {
    const struct value_user *wanted;
    int64_t id;
    char name[32];
    struct buf all;
};

static void look_at_user(int64_t id, const char *name, void *userdata)
{
    struct user_search *s = userdata;
    bool same = s->wanted->name != NULL ? strcmp(s->wanted->name, name) == 0 : s->wanted->id == id;
    if (same && s->name[0] == '\0') {
        s->id = id;
        (void)str_copy(str_c(name), s->name, sizeof(s->name));
    }
    buf_addf(&s->all, "%s%s", s->all.len == 0 ? "" : ", ", name);
}

static int find_user(const char *name, struct arg_value *value, void *userdata, struct err *err)
{
    const struct builtin *builtin = userdata;
    struct user_search s = {.wanted = &value->user, .all = BUF_INIT(150)};
    access_each_user(builtin->access, look_at_user, &s);
    if (s.name[0] == '\0') {
        AUTO_BUF struct buf shown = BUF_INIT(40);
        value_text(value, &shown);
        (void)err_set(err, ERR_COMMAND_ARG_INVALID, "%s: no user %s; configured: %s", name,
                      shown.data, s.all.data);
        buf_release(&s.all);
        return -ERR_COMMAND_ARG_INVALID;
    }
    buf_release(&s.all);
    free(value->user.name);
    value->user = (struct value_user){.id = s.id, .name = strdup(s.name)};
    ASSERT(value->user.name != NULL);
    return 0;
}

const struct value_domain action_access_users = {
    .type = PARAM_USER, .list = list_users, .find = find_user};

const struct action action_access_rows[] = {
    {.name = "access.whoami",
     .summary = "Your name and role, and what you may do",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = show_whoami},
    {.name = "access.auditlog",
     .summary = "Newest rows of the audit log, with the check of its hash chain",
     .effect = ACTION_READS,
     .lowest = ROLE_ADMIN,
     .params = ACTION_PARAMS(
         {.name = "count",
          .type = PARAM_INT,
          .default_text = "15",
          .minimum = "1",
          .maximum = PARAM_BOUND(ROWS_MAX),
          .help = "how many"},
         {.name = "user", .type = PARAM_USER, .help = "only of this user"},
         {.name = "since", .type = PARAM_TIME, .maximum = "now", .help = "not older than this"}),
     .run = show_auditlog},
    {0},
};
