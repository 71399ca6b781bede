/*
 * Who may do what, over every kind of update: kinds × people × chats × commands, by each of their
 * names. What must happen
 * is worked out here from the tables alone: the command files, read as plain YAML, the effects of
 * the actions, and the two tables below. A new command is part of it by itself, and so is a kind
 * that the description of the Bot API has and this file does not: it must do nothing.
 */
#include "base/check.h"
#include "fakes/bot_api.h"
#include "io/embed.h"
#include "io/yaml.h"
#include "rigs/update_rig.h"
#include "unit/unit.h"

#include <stdlib.h>

#define WORDS_MAX  16
#define OURS       INT64_C(-1001)
#define ELSEWHERE  INT64_C(-100777)
#define COMPLAINTS 12

/* Under a sanitizer one cell of 19: memory is the same in all of them, and the release build
 * tries each. 19 divides no number of forms, people or chats. */
#define STRIDE (UNIT_SANITIZED ? 19 : 1)

/* ------------------------------------------------------------------ what updates look like ---- */

/* What becomes of the words in an update, if a user of the bot sent them. */
enum rule {
    RULE_NEW,     /* their own, new words */
    RULE_UNDATED, /* the same, but of unknown age: what changes something is only asked */
    RULE_EDITED,  /* refused, with an answer */
    RULE_FORWARDED,
    RULE_VIA_BOT,
    RULE_NOTHING /* no answer, no effect */
};

#define MESSAGE "\"message_id\":7,\"date\":$DATE,\"from\":$FROM,\"chat\":$CHAT"
#define TEXT    ",\"text\":$LINE"
#define PHOTO   ",\"photo\":[{\"file_id\":\"p\",\"file_unique_id\":\"p\",\"width\":1,\"height\":1}]"
#define CAPTION ",\"caption\":$LINE"
#define OTHERS \
    "{\"message_id\":3,\"date\":$DATE,\"from\":$OTHER,\"chat\":$CHAT,\"text\":\"/pause\"}"
#define ORIGIN   ",\"forward_origin\":{\"type\":\"user\",\"date\":1,\"sender_user\":$OTHER}"
#define GROUP_AS ",\"sender_chat\":$CHAT"
#define BUTTON   "\"id\":\"9\",\"from\":$FROM,\"chat_instance\":\"c\",\"data\":$LINE"

/* The first form of a kind is tried with all examples and in all chats. */
static const struct form {
    const char *kind;
    const char *name;
    const char *content;
    enum rule rule;
} forms[] = {
    {"message", "text", "{" MESSAGE TEXT "}", RULE_NEW},
    {"message", "caption of a photo", "{" MESSAGE PHOTO CAPTION "}", RULE_NEW},
    {"message", "caption of a document",
     "{" MESSAGE ",\"document\":{\"file_id\":\"d\",\"file_unique_id\":\"d\"}" CAPTION "}",
     RULE_NEW},
    {"message", "reply", "{" MESSAGE TEXT ",\"reply_to_message\":" OTHERS "}", RULE_NEW},
    {"message", "reply to another chat",
     "{" MESSAGE TEXT ",\"external_reply\":{\"origin\":{\"type\":\"user\",\"date\":1,"
     "\"sender_user\":$OTHER}},\"quote\":{\"text\":\"/pause\",\"position\":0}}",
     RULE_NEW},
    {"message", "in a topic",
     "{" MESSAGE TEXT ",\"message_thread_id\":5,\"is_topic_message\":true}", RULE_NEW},
    {"message", "with unknown members",
     "{\"news\":{\"from\":$OTHER,\"text\":\"/pause\"}," MESSAGE TEXT ",\"more\":[1,{\"id\":2}]}",
     RULE_NEW},
    {"message", "of an hour ago",
     "{\"message_id\":7,\"date\":$EARLIER,\"from\":$FROM,\"chat\":$CHAT" TEXT "}", RULE_UNDATED},
    {"message", "without a date", "{\"message_id\":7,\"from\":$FROM,\"chat\":$CHAT" TEXT "}",
     RULE_UNDATED},
    {"message", "forwarded", "{" MESSAGE TEXT ORIGIN "}", RULE_FORWARDED},
    {"message", "forwarded caption", "{" MESSAGE PHOTO CAPTION ORIGIN "}", RULE_FORWARDED},
    {"message", "forwarded, before Bot API 7.0", "{" MESSAGE TEXT ",\"forward_date\":1}",
     RULE_FORWARDED},
    {"message", "through another bot", "{" MESSAGE TEXT ",\"via_bot\":$OTHER}", RULE_VIA_BOT},
    {"message", "in the name of the group", "{" MESSAGE TEXT GROUP_AS "}", RULE_NOTHING},
    {"message", "in the name of a channel",
     "{" MESSAGE TEXT ",\"sender_chat\":{\"id\":-1009,\"type\":\"channel\",\"title\":\"c\"}}",
     RULE_NOTHING},
    {"message", "without a sender", "{\"message_id\":7,\"date\":$DATE,\"chat\":$CHAT" TEXT "}",
     RULE_NOTHING},
    {"message", "without a chat", "{\"message_id\":7,\"date\":$DATE,\"from\":$FROM" TEXT "}",
     RULE_NOTHING},
    {"message", "only quoting a command",
     "{" MESSAGE ",\"reply_to_message\":" OTHERS ",\"quote\":{\"text\":$LINE,\"position\":0}}",
     RULE_NOTHING},
    {"message", "from a web app",
     "{" MESSAGE ",\"web_app_data\":{\"data\":$LINE,\"button_text\":"
     "$LINE}}",
     RULE_NOTHING},
    {"message", "with a contact",
     "{" MESSAGE ",\"contact\":{\"phone_number\":\"1\",\"first_name\":"
     "$LINE}}",
     RULE_NOTHING},
    {"message", "for another bot", "{" MESSAGE ",\"text\":$MENTION}", RULE_NOTHING},
    {"edited_message", "text", "{" MESSAGE TEXT ",\"edit_date\":$DATE}", RULE_EDITED},
    {"edited_message", "caption", "{" MESSAGE PHOTO CAPTION ",\"edit_date\":$DATE}", RULE_EDITED},
    {"edited_message", "forwarded", "{" MESSAGE TEXT ORIGIN ",\"edit_date\":$DATE}",
     RULE_FORWARDED},
    {"edited_message", "in the name of the group", "{" MESSAGE TEXT GROUP_AS "}", RULE_NOTHING},
    {"channel_post", "text", "{" MESSAGE TEXT GROUP_AS "}", RULE_NOTHING},
    {"channel_post", "signed", "{" MESSAGE TEXT ",\"author_signature\":\"alice\"}", RULE_NOTHING},
    {"edited_channel_post", "text", "{" MESSAGE TEXT GROUP_AS "}", RULE_NOTHING},
    {"business_message", "text", "{" MESSAGE TEXT ",\"business_connection_id\":\"b\"}",
     RULE_NOTHING},
    {"edited_business_message", "text", "{" MESSAGE TEXT ",\"business_connection_id\":\"b\"}",
     RULE_NOTHING},
    {"guest_message", "text", "{" MESSAGE TEXT ",\"guest_query_id\":\"g\"}", RULE_NOTHING},
    {"callback_query", "under a new message",
     "{" BUTTON ",\"message\":{\"message_id\":3,\"date\":$DATE,\"from\":$BOT,\"chat\":$CHAT}}",
     RULE_NEW},
    {"callback_query", "under a message in the name of the group",
     "{" BUTTON
     ",\"message\":{\"message_id\":3,\"date\":$DATE,\"from\":$BOT,\"chat\":$CHAT" GROUP_AS "}}",
     RULE_NEW},
    {"callback_query", "under a message that is gone",
     "{" BUTTON ",\"message\":{\"message_id\":3,\"date\":0,\"chat\":$CHAT}}", RULE_UNDATED},
    {"callback_query", "under an inline message", "{" BUTTON ",\"inline_message_id\":\"i\"}",
     RULE_NOTHING},
    {"callback_query", "of a game",
     "{\"id\":\"9\",\"from\":$FROM,\"chat_instance\":\"c\",\"game_short_name\":$LINE}",
     RULE_NOTHING},
    {"inline_query", "with a command",
     "{\"id\":\"9\",\"from\":$FROM,\"query\":$LINE,\"offset\":\"\"}", RULE_NOTHING},
    {"chosen_inline_result", "with a command",
     "{\"result_id\":$LINE,\"from\":$FROM,\"query\":$LINE}", RULE_NOTHING},
    {"my_chat_member", "added",
     "{\"chat\":$CHAT,\"from\":$FROM,\"date\":$DATE,\"old_chat_member\":{\"status\":\"left\","
     "\"user\":$BOT},\"new_chat_member\":{\"status\":\"member\",\"user\":$BOT}}",
     RULE_NOTHING},
    {"message_reaction", "by a person",
     "{\"chat\":$CHAT,\"message_id\":3,\"user\":$FROM,\"date\":$DATE,\"old_reaction\":[],"
     "\"new_reaction\":[{\"type\":\"emoji\",\"emoji\":\"👍\"}]}",
     RULE_NOTHING},
    {"chat_join_request", "with a command",
     "{\"chat\":$CHAT,\"from\":$FROM,\"user_chat_id\":$ID,\"date\":$DATE,\"bio\":$LINE}",
     RULE_NOTHING},
};

/* Kinds that the description has and the forms above do not, and some that it does not have: every
 * member that could name a person or hold words. */
static const char everything[] =
    "{" MESSAGE TEXT CAPTION ",\"user\":$FROM,\"data\":$LINE,\"query\":$LINE,\"id\":\"9\","
    "\"message\":{" MESSAGE TEXT "},\"edited_message\":{" MESSAGE TEXT "}}";
static const char *const later_kinds[] = {"subscription", "managed_bot", "kind_of_next_year"};

/* -------------------------------------------------------------------------------- people ---- */

static const char config[] =
    "telegram:\n"
    "  bot_token: \"123456789:FAKE-token_0123456789abcdefghijk\"\n"
    "  api_url: http://127.0.0.1:1\n"
    "  chat_id: -1001\n"
    "  users:\n"
    "    - {id: 1001, name: ann, role: admin, emergency: true}\n"
    "    - {id: 1002, name: rita, role: read_only}\n"
    "    - {id: 1003, name: olaf, role: operator}\n"
    "    - {id: 1004, name: adam, role: admin}\n"
    "    - {id: 1005, name: eve, role: read_only, emergency: true}\n"
    "    - {id: 1006, name: frank, role: admin, emergency: true, totp: JBSWY3DPEHPK3PXP}\n"
    "commands: {rate: 0}\n";

enum rank { NOBODY, READ_ONLY, OPERATOR, ADMIN };
static const struct person {
    const char *name;
    int64_t id;
    enum rank rank;
    bool emergency;
    bool has_factor;
} people[] = {
    {"an unauthorised user", 2001, NOBODY, false, false},
    {"rita, read_only", 1002, READ_ONLY, false, false},
    {"eve, read_only with the emergency grant", 1005, READ_ONLY, true, false},
    {"olaf, operator", 1003, OPERATOR, false, false},
    {"adam, admin", 1004, ADMIN, false, false},
    {"ann, admin with the emergency grant", 1001, ADMIN, true, false},
    {"frank, the same with a second factor", 1006, ADMIN, true, true},
    {"dora, whose role was revoked", 1007, NOBODY, false, false},
    {"the id that anonymous admins share", 1087968824, NOBODY, false, false},
    {"an id below zero", -1002, NOBODY, false, false},
};

/* ------------------------------------------------------------------------------ commands ---- */

/* A command file, read without the code that reads command files. */
struct command {
    struct yaml *file;
    const struct yaml_node *root;
    char name[64];
    bool on_telegram;
    bool changes;
    int steps;
    int before; /* of these, those in front of its prompt */
};

static enum rank rank_of(struct str name)
{
    return str_equal_c(name, "admin")       ? ADMIN
           : str_equal_c(name, "operator")  ? OPERATOR
           : str_equal_c(name, "read_only") ? READ_ONLY
                                            : NOBODY;
}

static bool is_true(const struct yaml_node *map, const char *key)
{
    return str_equal_c(yaml_text(yaml_get(map, key)), "true");
}

static bool changes_something(const struct update_rig *rig, const struct yaml_node *steps)
{
    bool changes = false;
    for (size_t i = 0; i < yaml_len(steps); i++) {
        const struct yaml_node *step = yaml_at(steps, i), *group = yaml_get(step, "parallel");
        if (group != NULL) {
            changes = changes || changes_something(rig, group);
            continue;
        }
        if (yaml_get(step, "run") == NULL) { /* approve: it asks a person */
            continue;
        }
        const struct action *a = action_find(rig->described, yaml_text(yaml_get(step, "run")).ptr);
        assert_non_null(a);
        changes = changes || a->effect != ACTION_READS;
    }
    return changes;
}

static void read_command(const struct update_rig *rig, const struct embedded_file *file,
                         struct command *ret)
{
    struct err err = {0};
    *ret = (struct command){0};
    assert_int_equal(yaml_parse(str_n(file->data, file->size), file->path, &ret->file, &err), 0);
    ret->root = yaml_root(ret->file);
    assert_true(str_copy(yaml_text(yaml_get(ret->root, "command")), ret->name, sizeof(ret->name)));
    const struct yaml_node *channels = yaml_get(ret->root, "channels");
    ret->on_telegram = channels == NULL;
    for (size_t i = 0; i < yaml_len(channels); i++) {
        ret->on_telegram =
            ret->on_telegram || str_equal_c(yaml_text(yaml_at(channels, i)), "telegram");
    }
    static const char *const lists[] = {"steps", "on_failure", "always"};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        ret->changes = ret->changes || changes_something(rig, yaml_get(ret->root, lists[i]));
    }
    const struct yaml_node *steps = yaml_get(ret->root, "steps");
    const struct yaml_node *after = yaml_get(ret->root, "confirm_after");
    for (size_t i = 0; i < yaml_len(steps); i++) { /* those that always run */
        ret->steps += yaml_get(yaml_at(steps, i), "when") == NULL ? 1 : 0;
        struct str id = yaml_text(yaml_get(yaml_at(steps, i), "id"));
        if (after != NULL && str_equal(yaml_text(after), id)) {
            ret->before = ret->steps;
        }
    }
}

/* The value that a line gives an argument: "close all" → symbol → "all"; the default, or "". */
static struct str value_of(const struct command *c, struct str line, const char *arg)
{
    const struct yaml_node *args = yaml_get(c->root, "args");
    struct str word = {0}, rest = line;
    size_t place = 0;
    (void)str_word(&rest, &word); /* the command */
    while (str_word(&rest, &word)) {
        struct str value = word, key = {0};
        bool named = memchr(word.ptr, '=', word.len) != NULL && str_split(&value, '=', &key);
        const struct yaml_node *at = yaml_at(args, place);
        if (named ? str_equal_c(key, arg) : str_equal_c(yaml_text(yaml_get(at, "name")), arg)) {
            return named ? value : word;
        }
        place += named ? 0 : 1;
    }
    for (size_t i = 0; i < yaml_len(args); i++) {
        if (str_equal_c(yaml_text(yaml_get(yaml_at(args, i), "name")), arg)) {
            return yaml_text(yaml_get(yaml_at(args, i), "default"));
        }
    }
    return str_c("");
}

static bool lists(const struct yaml_node *node, struct str value)
{
    bool found = node->kind == YAML_SCALAR && str_equal_nocase(value, node->text.ptr);
    for (size_t i = 0; i < yaml_len(node) && node->kind == YAML_SEQUENCE; i++) {
        found = found || str_equal_nocase(value, yaml_text(yaml_at(node, i)).ptr);
    }
    return found;
}

static bool rule_applies(const struct command *c, const struct yaml_node *rule, struct str line,
                         const char *person)
{
    const struct yaml_node *when = yaml_get(rule, "when"), *users = yaml_get(rule, "users");
    bool applies = users == NULL || lists(users, str_c(person));
    for (size_t i = 0; i < yaml_len(when); i++) {
        applies = applies &&
                  lists(yaml_value(when, i), value_of(c, line, yaml_text(yaml_key(when, i)).ptr));
    }
    return applies;
}

/* What the command file demands of this person for this line. */
struct demand {
    enum rank rank;
    bool emergency;
    bool asks;   /* a confirmation, or another person's approval */
    bool factor; /* a person who has none is refused */
    bool if_set;
    bool denied;
};

static void add_demand(const struct yaml_node *map, struct demand *d)
{
    enum rank rank = rank_of(yaml_text(yaml_get(map, "role")));
    d->rank = rank > d->rank ? rank : d->rank;
    d->emergency = d->emergency || is_true(map, "emergency");
    d->asks = d->asks || is_true(map, "confirm") || is_true(map, "four_eyes");
    d->factor = d->factor || is_true(map, "second_factor");
    d->if_set = d->if_set || str_equal_c(yaml_text(yaml_get(map, "second_factor")), "if_set");
    d->denied = d->denied || is_true(map, "deny");
}

/* ----------------------------------------------------------------------- what must happen ---- */

enum outcome { SILENCE, REFUSAL, PROMPT, RUN };
static const char *const outcomes[] = {"silence", "a refusal", "a prompt", "a run"};

struct wanted {
    enum outcome outcome;
    const char *error;
};

static struct wanted refusal(const char *error)
{
    return (struct wanted){REFUSAL, error};
}

static struct wanted expect(const struct command *c, const struct person *p, enum rule rule,
                            struct str line)
{
    struct demand d = {0};
    const struct yaml_node *rules = yaml_get(c->root, "rules");
    char name[32] = "";
    (void)str_copy(str_n(p->name, strcspn(p->name, ",")), name, sizeof(name));
    add_demand(c->root, &d);
    for (size_t i = 0; i < yaml_len(rules); i++) {
        if (rule_applies(c, yaml_at(rules, i), line, name)) {
            add_demand(yaml_at(rules, i), &d);
        }
    }
    if (p->rank == NOBODY || rule == RULE_NOTHING) {
        return (struct wanted){SILENCE, ""};
    }
    switch (rule) {
    case RULE_EDITED:
        return refusal("COMMAND_EDITED");
    case RULE_FORWARDED:
        return refusal("COMMAND_FORWARDED");
    case RULE_VIA_BOT:
        return refusal("COMMAND_VIA_BOT");
    case RULE_NEW:
    case RULE_UNDATED:
    case RULE_NOTHING:
        break;
    }
    if (!c->on_telegram) {
        return refusal("COMMAND_UNKNOWN");
    }
    if (p->rank < d.rank || (d.emergency && !p->emergency) || d.denied) {
        return refusal("ACCESS_DENIED");
    }
    if (d.factor && !p->has_factor) {
        return refusal("ACCESS_NO_FACTOR");
    }
    bool prompts =
        d.asks || (p->has_factor && (d.factor || d.if_set)) || (rule == RULE_UNDATED && c->changes);
    return (struct wanted){prompts ? PROMPT : RUN, ""};
}

/* ------------------------------------------------------------------------------- the walk ---- */

struct walk {
    struct update_rig rig;
    int64_t update_id;
    int names; /* of commands, with their aliases */
    int cells;
    int outcomes[COUNT_OF(outcomes)];
    int wrong;
};

struct matrix_cell {
    const char *kind;
    const char *form;
    const char *content;
    enum rule rule;
    const struct person *person;
    int64_t chat_id; /* 0: the private one */
    const struct command *command;
    struct str name; /* that of the command, or an alias */
    struct str line; /* without the slash */
};

static void add_user(struct buf *out, int64_t id, const char *name)
{
    buf_addf(out, "{\"id\":%lld,\"is_bot\":false,\"first_name\":\"%s\"}", (long long)id, name);
}

static void add_name(struct buf *out, const struct walk *w, const struct matrix_cell *cell,
                     struct str name)
{
    int64_t now_s = clock_wall_us(&w->rig.clock.clock) / USEC_PER_SEC;
    int64_t chat_id = cell->chat_id == 0 ? cell->person->id : cell->chat_id;
    AUTO_BUF struct buf line = BUF_INIT(1024);
    buf_add_char(&line, '/');
    buf_add_str(&line, cell->line);
    if (str_equal_c(name, "FROM")) {
        add_user(out, cell->person->id, "somebody");
    } else if (str_equal_c(name, "OTHER")) {
        add_user(out, 1001, "ann");
    } else if (str_equal_c(name, "BOT")) {
        add_user(out, 999, "nightdesk");
    } else if (str_equal_c(name, "CHAT")) {
        buf_addf(out, "{\"id\":%lld,\"type\":\"%s\",\"title\":\"t\"}", (long long)chat_id,
                 cell->chat_id == 0 ? "private" : "supergroup");
    } else if (str_equal_c(name, "DATE")) {
        buf_addf(out, "%lld", (long long)now_s);
    } else if (str_equal_c(name, "EARLIER")) {
        buf_addf(out, "%lld", (long long)now_s - 3600);
    } else if (str_equal_c(name, "ID")) {
        buf_addf(out, "%lld", (long long)cell->person->id);
    } else if (str_equal_c(name, "LINE")) {
        buf_add_char(out, '"');
        buf_add_json(out, buf_str(&line));
        buf_add_char(out, '"');
    } else {
        assert_true(str_equal_c(name, "MENTION"));
        buf_addf(out, "\"/%.*s@another_bot\"", STR_ARG(cell->name));
    }
}

static struct json_object *make_update(struct walk *w, const struct matrix_cell *cell)
{
    static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const struct json_limits limits = {.max_bytes = (size_t)64 << 10, .max_depth = 32};
    AUTO_BUF struct buf text = BUF_INIT((size_t)64 << 10);
    struct json_object *update = NULL;
    struct err err = {0};
    buf_addf(&text, "{\"update_id\":%lld,\"%s\":", (long long)++w->update_id, cell->kind);
    for (const char *c = cell->content; *c != '\0'; c++) {
        if (*c != '$') {
            buf_add_char(&text, *c);
            continue;
        }
        size_t len = strspn(c + 1, capitals);
        add_name(&text, w, cell, str_n(c + 1, len));
        c += len;
    }
    buf_add_char(&text, '}');
    if (json_parse(buf_str(&text), &limits, &update, &err) < 0) {
        fail_msg("%s %s: %s: %s", cell->kind, cell->form, err.context, text.data);
    }
    return update;
}

static enum outcome outcome_of(const struct update_seen *seen)
{
    return seen->waiting > 0        ? PROMPT
           : seen->calls > 0        ? RUN
           : seen->error[0] != '\0' ? REFUSAL
                                    : SILENCE;
}

static bool is_as_wanted(const struct matrix_cell *cell, const struct wanted *wanted,
                         const struct update_seen *seen)
{
    int64_t chat_id = cell->chat_id == 0 ? cell->person->id : cell->chat_id;
    bool answered = seen->messages > 0 && seen->chat_id == chat_id;
    bool untouched = seen->calls == 0 && seen->runs == seen->waiting;
    switch (wanted->outcome) {
    case SILENCE:
        return untouched && seen->messages == 0 && seen->runs == 0;
    case REFUSAL:
        return untouched && seen->runs == 0 && answered && strcmp(seen->error, wanted->error) == 0;
    case PROMPT:
        return seen->calls == (cell->rule == RULE_UNDATED ? 0 : cell->command->before) &&
               seen->runs == 1 && seen->waiting == 1 && answered;
    case RUN:
        return seen->calls >= cell->command->steps && seen->waiting == 0 && answered &&
               seen->error[0] == '\0';
    }
    return false;
}

static void try_cell(struct walk *w, const struct matrix_cell *cell)
{
    if (w->cells++ % STRIDE != 0) {
        return;
    }
    struct wanted wanted = expect(cell->command, cell->person, cell->rule, cell->line);
    AUTO_JSON struct json_object *update = make_update(w, cell);
    assert_int_equal(update_rig_push(&w->rig, update), 0);
    struct update_seen seen = update_rig_look(&w->rig);
    w->outcomes[wanted.outcome]++;
    if (!is_as_wanted(cell, &wanted, &seen) && ++w->wrong <= COMPLAINTS) {
        print_error("%s, %s; %s; chat %lld; /%.*s: wanted %s %s, saw %s %s (%d calls, %d "
                    "messages, %d runs)\n",
                    cell->kind, cell->form, cell->person->name, (long long)cell->chat_id,
                    STR_ARG(cell->line), outcomes[wanted.outcome], wanted.error,
                    outcomes[outcome_of(&seen)], seen.error, seen.calls, seen.messages, seen.runs);
    }
    if (seen.waiting > 0) {
        update_rig_settle(&w->rig);
    } else {
        clock_fake_advance(&w->rig.clock,
                           10 * USEC_PER_SEC); /* commands have limits of their own */
    }
}

static void try_everyone(struct walk *w, const struct matrix_cell *cell, bool first_form)
{
    static const int64_t chats[] = {0, OURS, ELSEWHERE};
    const struct yaml_node *examples = yaml_get(cell->command->root, "examples");
    for (size_t p = 0; p < COUNT_OF(people); p++) {
        for (size_t c = 0; c < (first_form ? COUNT_OF(chats) : 1); c++) {
            size_t count = first_form && c == 0 ? yaml_len(examples) : 1;
            for (size_t e = 0; e < count; e++) {
                struct matrix_cell one = *cell;
                AUTO_BUF struct buf line = BUF_INIT(1024);
                struct str rest = yaml_text(yaml_at(examples, e)), word = {0};
                (void)str_word(&rest, &word); /* the command */
                rest = str_trim(rest);
                buf_addf(&line, "%.*s%s%.*s", STR_ARG(cell->name), rest.len == 0 ? "" : " ",
                         STR_ARG(rest));
                one.person = &people[p];
                one.chat_id = chats[c];
                one.line = buf_str(&line);
                try_cell(w, &one);
            }
        }
    }
}

/* Who may not run a command learns nothing about its arguments. */
static void try_denied(struct walk *w, const struct command *c, struct str name)
{
    AUTO_BUF struct buf line = BUF_INIT(128);
    buf_addf(&line, "%.*s ]= ]= ]= ]= ]= ]= ]= ]= ]= ]=", STR_ARG(name));
    for (size_t p = 0; p < COUNT_OF(people); p++) {
        struct matrix_cell cell = {.kind = forms[0].kind,
                                   .form = "wrong arguments",
                                   .content = forms[0].content,
                                   .rule = forms[0].rule,
                                   .person = &people[p],
                                   .command = c,
                                   .name = name,
                                   .line = buf_str(&line)};
        struct wanted wanted = expect(c, cell.person, cell.rule, cell.line);
        /* A person who only lacks the second factor may run it, so arguments are checked first. */
        bool lacks_factor = strcmp(wanted.error, "ACCESS_NO_FACTOR") == 0;
        if ((wanted.outcome == SILENCE || wanted.outcome == REFUSAL) && !lacks_factor) {
            try_cell(w, &cell);
        }
    }
}

static bool has_form(const char *kind)
{
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        found = found || strcmp(forms[i].kind, kind) == 0;
    }
    return found;
}

/* An alias meets the same rules as its command. */
static void try_name(struct walk *w, const struct command *c, struct str name)
{
    const char *kind = NULL;
    w->names++;
    try_denied(w, c, name);
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        const struct form *f = &forms[i];
        bool first = i == 0 || strcmp(f->kind, forms[i - 1].kind) != 0;
        try_everyone(w,
                     &(struct matrix_cell){.kind = f->kind,
                                           .form = f->name,
                                           .content = f->content,
                                           .rule = f->rule,
                                           .command = c,
                                           .name = name},
                     first);
    }
    struct matrix_cell other = {.form = "everything",
                                .content = everything,
                                .rule = RULE_NOTHING,
                                .command = c,
                                .name = name};
    for (size_t i = 0; (kind = bot_api_update_kind(i)) != NULL; i++) {
        other.kind = kind;
        if (!has_form(kind)) {
            try_everyone(w, &other, false);
        }
    }
    for (size_t i = 0; i < COUNT_OF(later_kinds); i++) {
        other.kind = later_kinds[i];
        try_everyone(w, &other, false);
    }
}

static void try_command(struct walk *w, const struct command *c)
{
    const struct yaml_node *aliases = yaml_get(c->root, "aliases");
    try_name(w, c, str_c(c->name));
    for (size_t i = 0; i < yaml_len(aliases); i++) {
        try_name(w, c, yaml_text(yaml_at(aliases, i)));
    }
}

/* A person who had every right until a moment ago. */
static void grant_and_revoke(struct update_rig *rig)
{
    struct err err = {0};
    struct principal ann;
    const struct access_person dora = {
        .id = 1007, .name = "dora", .role = ROLE_ADMIN, .emergency = true};
    assert_int_equal(access_identify(rig->access, CHANNEL_TELEGRAM, 1001, &ann), 0);
    assert_int_equal(access_grant(rig->access, &ann, &dora, &err), 0);
    assert_int_equal(access_revoke(rig->access, &ann, dora.id, &err), 0);
}

static void every_kind_of_update_meets_the_same_rules(void **state)
{
    (void)state;
    struct walk *w = calloc(1, sizeof(*w));
    size_t commands = 0, loaded = 0, aliases = 0;
    assert_non_null(w);
    update_rig_open(&w->rig, config);
    grant_and_revoke(&w->rig);
    for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) {
        struct command c;
        if (strncmp(f->path, "commands/", strlen("commands/")) == 0) {
            read_command(&w->rig, f, &c);
            try_command(w, &c);
            yaml_free(c.file);
            commands++;
        }
    }
    while (manifest_at(w->rig.manifests, loaded) != NULL) {
        aliases += (size_t)manifest_at(w->rig.manifests, loaded++)->alias_count;
    }
    print_message(
        "%zu commands, %d names, %d cells: %d silence, %d refusals, %d prompts, %d runs\n",
        commands, w->names, w->cells, w->outcomes[SILENCE], w->outcomes[REFUSAL],
        w->outcomes[PROMPT], w->outcomes[RUN]);
    assert_int_equal(commands, loaded);
    assert_int_equal(w->names, commands + aliases);
    assert_true(aliases > 0);
    for (size_t i = 0; i < COUNT_OF(outcomes); i++) {
        assert_true(w->outcomes[i] > 0);
    }
    assert_int_equal(w->wrong, 0);
    update_rig_close(&w->rig);
    free(w);
}

UNIT_GROUP(matrix, cmocka_unit_test(every_kind_of_update_meets_the_same_rules))
