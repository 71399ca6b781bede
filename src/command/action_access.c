#include "builtin.h"
#include "store/audit_chain.h"
#include "store/read_table.h"

#define ROWS_MAX     50
#define DETAIL_SHOWN 80 /* bytes */

/* "door" is the name of 0.1.0, kept for programs that read it. */
static void add_channel(struct json_object *o, const char *name)
{
    (void)json_object_object_add(o, "channel", json_object_new_string(name));
    (void)json_object_object_add(o, "door", json_object_new_string(name));
}

static int show_whoami(struct action_call *call, struct err *err)
{
    (void)err; /* cannot fail */
    const struct principal *who = action_who(call);
    struct reply *r = action_reply(call);
    struct json_object *data = reply_data(r);
    reply_title(r, TONE_PLAIN, "%s", who->name);
    reply_line(r, "Role %s%s, channel %s, id %lld", role_name(who->role),
               who->emergency ? " with the emergency grant" : "", channel_name(who->channel),
               (long long)who->id);
    (void)json_object_object_add(data, "name", json_object_new_string(who->name));
    (void)json_object_object_add(data, "role", json_object_new_string(role_name(who->role)));
    (void)json_object_object_add(data, "emergency", json_object_new_boolean(who->emergency));
    add_channel(data, channel_name(who->channel));
    (void)json_object_object_add(data, "id", json_object_new_int64(who->id));
    return ACTION_DONE;
}

static struct json_object *row_json(const struct audit_row *row)
{
    AUTO_BUF struct buf at = BUF_INIT(64);
    struct json_object *o = json_object_new_object();
    clock_add_iso(&at, row->at_us, false);
    (void)json_object_object_add(o, "id", json_object_new_int64(row->id));
    (void)json_object_object_add(o, "at", json_object_new_string(at.data));
    (void)json_object_object_add(o, "user", json_object_new_string(row->user));
    add_channel(o, row->channel);
    (void)json_object_object_add(o, "action", json_object_new_string(row->action));
    (void)json_object_object_add(o, "detail", json_object_new_string(row->detail));
    (void)json_object_object_add(o, "result", json_object_new_string(row->result));
    return o;
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
    int n = audit_chain_list(builtin->store, 0, rows, (size_t)count, err);
    int rc = n < 0 ? n : audit_chain_verify_recent(builtin->store, &chain, &all, err);
    if (rc < 0) {
        return rc;
    }
    struct json_object *list = json_object_new_array();
    if (chain.ok && chain.rows < all) { /* older rows are not verified here, or are archived */
        reply_title(r, TONE_GOOD, "Audit log: %lld rows, the newest %lld verified", (long long)all,
                    (long long)chain.rows);
        reply_line(r, "`nightdesk auditlog verify` verifies all of them.");
    } else if (chain.ok) {
        reply_title(r, TONE_GOOD, "Audit log: %lld rows, all verified", (long long)chain.rows);
    } else {
        reply_title(r, TONE_BAD, "Audit log: broken at row %lld: %s", (long long)chain.bad_id,
                    chain.why);
    }
    int64_t reads = 0;
    if ((rc = read_table_sum(builtin->store, clock_wall_us(builtin->clock) - USEC_PER_DAY, &reads,
                             err)) < 0) {
        json_object_put(list);
        return rc;
    }
    reply_line(r, "%lld read-only command%s in the last day: counted, not listed.",
               (long long)reads, reads == 1 ? "" : "s");
    reply_table(r, 6, (const char *const[]){"#", "time (UTC)", "who", "what", "detail", "result"});
    for (int i = 0; i < n; i++) {
        const struct audit_row *row = &rows[i];
        AUTO_BUF struct buf id = BUF_INIT(32);
        AUTO_BUF struct buf at = BUF_INIT(64);
        AUTO_BUF struct buf detail = BUF_INIT(DETAIL_SHOWN + 8);
        buf_addf(&id, "%lld", (long long)row->id);
        clock_add_when(&at, row->at_us, clock_wall_us(builtin->clock));
        add_truncated(&detail, row->detail);
        reply_row(r, (const char *const[]){id.data, at.data, row->user, row->action, detail.data,
                                           row->result});
        (void)json_object_array_add(list, row_json(row));
    }
    (void)json_object_object_add(reply_data(r), "rows", list);
    (void)json_object_object_add(reply_data(r), "reads_of_a_day", json_object_new_int64(reads));
    (void)json_object_object_add(reply_data(r), "whole", json_object_new_boolean(chain.ok));
    reply_protect(r);
    return ACTION_DONE;
}

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
     .params = ACTION_PARAMS({.name = "count",
                              .type = PARAM_INT,
                              .default_text = "15",
                              .minimum = "1",
                              .maximum = PARAM_BOUND(ROWS_MAX),
                              .help = "how many"}),
     .run = show_auditlog},
    {0},
};
