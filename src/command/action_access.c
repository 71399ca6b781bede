#include "base/check.h"
#include "builtin.h"
#include "io/json_out.h"
#include "store/audit_seal.h"
#include "store/audit_search.h"
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

/* To be copied into the configuration: a phone copies what it shows as code. */
static void add_id(struct reply *r, const char *name, int64_t id)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)id);
    reply_field(r, name, "{}", cell_code(text));
}

static int show_whoami(struct action_call *call, struct err *err)
{
    (void)err; /* cannot fail */
    const struct principal *who = action_who(call);
    struct reply *r = action_reply(call);
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    reply_title(r, TONE_PLAIN, "%s", who->name);
    reply_para(r, "Role {}{}, channel {}", cell_text(role_name(who->role)),
               cell_text(who->emergency ? " with the emergency grant" : ""),
               cell_text(channel_name(who->channel)));
    add_id(r, "User id", who->id);
    if (who->channel ==
        CHANNEL_TELEGRAM) { /* as telegram.users, chat_id and alerts_topic take it */
        add_id(r, "Chat id", action_chat_id(call));
        if (action_thread_id(call) != 0) {
            add_id(r, "Topic id", action_thread_id(call));
        }
    }
    json_out_text(&data, "name", who->name);
    json_out_text(&data, "role", role_name(who->role));
    json_out_bool(&data, "emergency", who->emergency);
    add_channel(&data, channel_name(who->channel));
    json_out_i64(&data, "id", who->id);
    if (who->channel == CHANNEL_TELEGRAM) {
        json_out_i64(&data, "chat_id", action_chat_id(call));
        json_out_i64(&data, "topic_id", action_thread_id(call));
    }
    return ACTION_DONE;
}

static void add_row(struct json_out *data, const struct audit_row *row)
{
    json_out_object(data, NULL);
    audit_row_write(data, row);
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

static const char *text_or_empty(const struct action_call *call, const char *name)
{
    const struct arg_value *value = action_value(call, name);
    return value == NULL ? "" : value->text;
}

static void read_filter(const struct action_call *call, struct audit_filter *ret)
{
    const struct arg_value *user = action_value(call, "user");
    const struct arg_value *since = action_value(call, "since");
    const char *command = text_or_empty(call, "command");
    *ret = (struct audit_filter){.user = user == NULL ? "" : user->user.name,
                                 .command = command[0] == '/' ? command + 1 : command,
                                 .result = text_or_empty(call, "result"),
                                 .since_us = since == NULL ? 0 : since->time_us,
                                 .run_id = action_int(call, "run"),
                                 .before_id = action_int(call, "before"),
                                 .after_id = action_int(call, "after")};
}

/* A word without blanks needs no quotes; any other filter gets no button. */
static bool add_word(struct buf *line, const char *name, const char *text)
{
    if (text[0] != '\0') {
        buf_addf(line, " %s=%s", name, text);
    }
    return strpbrk(text, " \t\n\"'\\=") == NULL;
}

/* The command line of the page with rows before or after this id; false if it cannot be written. */
static bool add_page(struct buf *line_to, const struct audit_filter *f, int64_t count,
                     const char *where, int64_t id)
{
    AUTO_BUF struct buf line = BUF_INIT(512);
    buf_addf(&line, "/auditlog count=%lld", (long long)count);
    bool fits = add_word(&line, "user", f->user);
    fits = add_word(&line, "command", f->command) && fits;
    fits = add_word(&line, "result", f->result) && fits;
    if (f->since_us != 0) {
        buf_add_c(&line, " since=");
        clock_add_iso(&line, f->since_us, false);
    }
    if (f->run_id != 0) {
        buf_addf(&line, " run=%lld", (long long)f->run_id);
    }
    buf_addf(&line, " %s=%lld", where, (long long)id);
    buf_add_str(line_to, buf_str(&line));
    return fits && !buf_failed(&line) && !buf_failed(line_to);
}

/* Rows are newest first: the previous page has newer ones. more: there are rows beyond this page,
 * in the direction in which it was asked for. */
static void add_pages(struct reply *r, const struct audit_filter *f, int64_t count,
                      const struct audit_row *rows, int n, bool more)
{
    AUTO_BUF struct buf newer = BUF_INIT(512), older = BUF_INIT(512);
    bool has_newer = f->after_id != 0 ? more : f->before_id != 0;
    bool has_older = f->after_id != 0 || more;
    has_newer = has_newer && add_page(&newer, f, count, "after", rows[0].id);
    has_older = has_older && add_page(&older, f, count, "before", rows[n - 1].id);
    if (has_newer || has_older) {
        reply_page(r, has_newer ? newer.data : NULL, has_older ? older.data : NULL);
    }
}

/* How far the log is sealed, in the form that `auditlog verify --seal` reads. */
static int add_seal(const struct builtin *builtin, struct reply *r, struct json_out *data,
                    struct err *err)
{
    struct audit_seal seal = {.rows = 0};
    AUTO_BUF struct buf text = BUF_INIT(64);
    int rc = audit_seal_newest(builtin->store, &seal, err);
    if (rc < 0) {
        return rc;
    }
    buf_addf(&text, "%lld:%.*s", (long long)seal.rows, AUDIT_SEAL_HASH_CHARS, seal.last_hash);
    if (seal.rows > 0) {
        reply_para(r, "Newest seal {}", cell_code(text.data));
        json_out_text(data, "seal", text.data);
    } else {
        json_out_null(data, "seal");
    }
    return 0;
}

static void add_rows(struct reply *r, const struct builtin *builtin, const struct audit_row *rows,
                     int n, struct json_out *data)
{
    json_out_array(data, "rows");
    if (n > 0) {
        reply_columns(r, "#", "time (UTC)", "who", "what", "detail", "result");
    }
    for (int i = 0; i < n; i++) {
        const struct audit_row *row = &rows[i];
        AUTO_BUF struct buf detail = BUF_INIT(DETAIL_SHOWN + 8);
        add_truncated(&detail, row->detail);
        reply_cells(r, cell_count(row->id), cell_time(row->at_us, clock_wall_us(builtin->clock)),
                    cell_text(row->user), cell_text(row->action), cell_text(detail.data),
                    cell_text(row->result));
        add_row(data, row);
    }
    json_out_end(data);
}

static int show_auditlog(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    struct reply *r = action_reply(call);
    int64_t count = action_int(call, "count");
    AUTO_FREE struct audit_row *rows = calloc(ROWS_MAX + 1, sizeof(*rows));
    struct audit_chain_result chain;
    struct audit_filter filter;
    int64_t all = 0;
    ASSERT(rows != NULL);
    read_filter(call, &filter);
    int n = audit_search(builtin->store, &filter, rows, (size_t)count + 1, err);
    int rc = n < 0 ? n : audit_chain_verify_recent(builtin->store, &chain, &all, err);
    if (rc < 0) {
        return rc;
    }
    if (chain.ok && chain.rows < all) { /* older rows are not verified here, or are archived */
        reply_title(r, TONE_GOOD, "Audit log: %lld rows, the newest %lld verified", (long long)all,
                    (long long)chain.rows);
        reply_para(r, "{} verifies all of them.", cell_code("nightdesk auditlog verify"));
    } else if (chain.ok) {
        reply_title(r, TONE_GOOD, "Audit log: %lld row%s, all verified", (long long)chain.rows,
                    chain.rows == 1 ? "" : "s");
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
    if ((rc = add_seal(builtin, r, &data, err)) < 0) {
        return rc;
    }
    bool more = n > count;
    n = more ? (int)count : n;
    if (n == 0) {
        reply_line(r, "No row matches.");
    }
    /* Of rows after an id the one too many is the newest. */
    const struct audit_row *shown = more && filter.after_id != 0 ? rows + 1 : rows;
    if (n > 0) {
        add_pages(r, &filter, count, shown, n, more);
    }
    add_rows(r, builtin, shown, n, &data);
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
     .data = "name role id channel door emergency chat_id topic_id",
     .effect = ACTION_READS,
     .lowest = ROLE_READ_ONLY,
     .run = show_whoami},
    {.name = "access.auditlog",
     .summary = "Newest rows of the audit log, with the check of its hash chain",
     .data = "rows seal whole reads_of_a_day",
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
         {.name = "since", .type = PARAM_TIME, .maximum = "now", .help = "not older than this"},
         {.name = "command", .type = PARAM_TEXT, .help = "only of this command"},
         {.name = "result",
          .type = PARAM_TEXT,
          .help = "only with this result: ok, failed or an error code"},
         {.name = "run",
          .type = PARAM_INT,
          .default_text = "0",
          .minimum = "0",
          .help = "only of the run with this number"},
         {.name = "before",
          .type = PARAM_INT,
          .default_text = "0",
          .minimum = "0",
          .help = "only older ones than this number"},
         {.name = "after",
          .type = PARAM_INT,
          .default_text = "0",
          .minimum = "0",
          .help = "only newer ones than this number, those next to it"}),
     .run = show_auditlog},
    {0},
};
