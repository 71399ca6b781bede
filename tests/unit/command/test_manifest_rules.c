/* The rules of a manifest: what they may say, and whom they concern. */
#include "../../../src/command/bind.h"
#include "base/check.h"
#include "command/manifest.h"
#include "io/embed.h"
#include "io/file.h"
#include "rigs/runner_rig.h"

#include <string.h>

#define HEAD "command: x\ngroup: see\nsummary: s\nrole: operator\n"
#define SELL                                                                                       \
    HEAD                                                                                           \
        "confirm: true\nargs: [{name: symbol, required: true, help: h}, {name: note, type: text, " \
        "help: h}]\nsteps: [{run: test.shut, with: {symbol: $symbol}}]\n"                          \
        "examples: [\"x BTC-USD\"]\n"

static int never(struct action_call *call, struct err *err)
{
    (void)call;
    return err_set(err, ERR_INTERNAL, "must not run");
}

static const struct action_param a_position = {.type = PARAM_POSITION};
static const struct action own[] = {
    {.name = "test.shut",
     .summary = "Close a position",
     .effect = ACTION_MOVES_MONEY,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "symbol",
                              .type = PARAM_SYMBOL_OR_ALL,
                              .required = true,
                              .otherwise = &a_position,
                              .help = "h"}),
     .run = never},
    {.name = "test.list",
     .summary = "Read about several",
     .effect = ACTION_READS,
     .lowest = ROLE_OPERATOR,
     .params = ACTION_PARAMS({.name = "ids", .type = PARAM_LIST, .element = PARAM_INT},
                             {.name = "scope", .type = PARAM_SYMBOL_OR_ALL},
                             {.name = "count", .type = PARAM_INT, .default_text = "10"}),
     .run = never},
    {0},
};

/* One position is open: number 1, BTC-USD. */
static int find_position(const char *name, struct arg_value *value, void *userdata, struct err *err)
{
    (void)userdata;
    if (value->position.number != 1) {
        return err_set(err, ERR_ENGINE_NOTHING_OPEN, "%s", name);
    }
    value->position = (struct value_position){.symbol = {"BTC-USD"}};
    return 0;
}

static const struct value_domain positions = {.type = PARAM_POSITION, .find = find_position};

struct scene {
    struct runner_rig rig;         /* only its table of actions */
    struct embedded_file files[2]; /* outlive the list */
    struct manifest_list *list;
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->rig.config.market_symbols.count = 2;
    assert_true(symbol_parse(STR_LIT("BTC-USD"), &s->rig.config.market_symbols.items[0]));
    assert_true(symbol_parse(STR_LIT("ETH-USD"), &s->rig.config.market_symbols.items[1]));
    runner_rig_actions(&s->rig);
    action_table_add(s->rig.actions, own, s);
    action_table_add_domain(s->rig.actions, &positions, s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    manifest_list_free(s->list);
    action_table_free(s->rig.actions);
    free(s);
    return 0;
}

static int read_text(struct scene *s, const char *text, struct err *err)
{
    s->files[0] =
        (struct embedded_file){.path = "commands/x.yaml", .data = text, .size = strlen(text)};
    manifest_list_free(s->list);
    s->list = NULL;
    return manifest_list_read(s->rig.actions, s->files, &s->list, err);
}

static const struct manifest *load(struct scene *s, const char *text)
{
    struct err err = {0};
    if (read_text(s, text, &err) < 0) {
        fail_msg("%s", err.context);
    }
    return manifest_at(s->list, 0);
}

/* What the line demands of alice, or of bob. */
static struct manifest_demand demand(struct scene *s, const char *user, const char *text)
{
    const struct manifest *m = manifest_at(s->list, 0);
    const struct value_context context = {.domains = s->rig.actions};
    struct principal who = {.channel = CHANNEL_TELEGRAM, .role = ROLE_ADMIN, .emergency = true};
    AUTO_FREE struct line *line = calloc(1, sizeof(*line));
    struct arg_value *values = bind_new(m);
    struct err err = {0};
    assert_non_null(line);
    (void)str_copy(str_c(user), who.name, sizeof(who.name));
    assert_int_equal(line_split(str_c(text), line, &err), 0);
    if (bind_line(m, line, &context, values, &err) < 0) {
        fail_msg("%s: %s", text, err.context);
    }
    const struct manifest_demand d = manifest_demand(m, &who, values);
    assert_int_equal(manifest_permit(m, &who, values, &err),
                     d.denied_by == NULL ? 0 : -ERR_ACCESS_DENIED);
    bind_free(m, values);
    return d;
}

static bool denied(struct scene *s, const char *user, const char *text)
{
    return demand(s, user, text).denied_by != NULL;
}

static void mistakes_are_refused_with_line_and_column(void **state)
{
    static const struct {
        const char *rules;
        const char *words;
    } cases[] = {
        {"rules: deny", "rules must be a list of 1 to 16"},
        {"rules: []", "rules must be a list of 1 to 16"},
        {"rules: [{when: {symbol: all}}]", "9:9: a rule must demand something"},
        {"rules: [{deny: false}]", "9:9: a rule must demand something"},
        {"rules: [{second_factor: false, emergency: false}]", "a rule must demand something"},
        {"rules: [{rolle: admin}]", "9:10: unknown key rolle; did you mean role?"},
        {"rules: [{role: none}]", "9:16: role none is not one of read_only, operator, admin"},
        {"rules: [{role: king}]", "9:16: role king is not one of"},
        {"rules: [{confirm: maybe}]", "9:19: confirm must be true or false"},
        {"rules: [{four_eyes: 2}]", "four_eyes must be true or false"},
        {"rules: [{second_factor: maybe}]", "second_factor must be true, false or if_set"},
        {"rules: [{when: symbol, deny: true}]", "when must name 1 to 4 arguments"},
        {"rules: [{when: {}, deny: true}]", "when must name 1 to 4 arguments"},
        {"rules: [{when: {symbl: all}, deny: true}]", "9:17: the command has no argument symbl"},
        {"rules: [{when: {symbol: []}, deny: true}]", "1 to 16 values"},
        {"rules: [{when: {symbol: [a, [b]]}, deny: true}]", "a value of symbol must be text"},
        {"rules: [{when: {symbol: ~}, deny: true}]", "a value of symbol must be text"},
        {"rules: [{when: {symbol: \"B T\"}, deny: true}]", "symbol: B T is not"},
        {"rules: [{when: {symbol: 1}, deny: true}]",
         "9:25: symbol: a rule names a symbol, not the number of a position"},
        {"rules: [{users: [], deny: true}]", "users must be a list of 1 to 16 names"},
        {"rules: [{users: [alice, \"\"], deny: true}]", "a name has 1 to 31 bytes"},
        {"rules: [{users: [a2345678901234567890123456789012], deny: true}]",
         "a name has 1 to 31 bytes"},
        {"rate: 0", "9:7: rate must be a whole number from 1 to 1000 a minute"},
        {"rate: 1001", "rate must be a whole number"},
        {"rate: often", "rate must be a whole number"},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[1024];
        struct err err = {0};
        (void)snprintf(text, sizeof(text), SELL "%s\n", cases[i].rules);
        if (read_text(s, text, &err) == 0) {
            fail_msg("accepted: %s", cases[i].rules);
        }
        assert_has(err.context, cases[i].words);
        assert_has(err.context, "commands/x.yaml:");
    }
}

/* Of everything that has a limit, as many as it allows are accepted, and one more is not. */
static void limits_are_exact(void **state)
{
    struct scene *s = *state;
    struct err err = {0};
    for (int more = 0; more < 2; more++) {
        AUTO_BUF struct buf rules = BUF_INIT(8192), users = BUF_INIT(8192), values = BUF_INIT(8192);
        buf_addf(&rules, SELL "rules:\n");
        buf_addf(&users, SELL "rules: [{deny: true, users: [");
        buf_addf(&values, SELL "rules: [{deny: true, when: {note: [");
        for (int i = 0; i < 16 + more; i++) {
            buf_addf(&rules, "  - {users: u%d, deny: true}\n", i);
            buf_addf(&users, "%su%d", i == 0 ? "" : ", ", i);
            buf_addf(&values, "%sv%d", i == 0 ? "" : ", ", i);
        }
        buf_add_c(&users, "]}]\n");
        buf_add_c(&values, "]}}]\n");
        const char *const texts[] = {rules.data, users.data, values.data};
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
            assert_int_equal(read_text(s, texts[i], &err), more == 0 ? 0 : -ERR_MANIFEST_FORMAT);
            if (more == 0 && i < 2) {
                assert_true(denied(s, "u15", "x BTC-USD"));
                assert_false(denied(s, "u16", "x BTC-USD"));
            } else if (more == 0) {
                assert_true(denied(s, "u", "x BTC-USD v15"));
            }
        }
    }
    assert_int_equal(load(s, SELL "rate: 1\n")->rate, 1);
    assert_int_equal(load(s, SELL "rate: 1000\n")->rate, 1000);
    assert_int_equal(load(s, SELL)->rate, 0);
    (void)load(s, SELL "rules: [{users: a234567890123456789012345678901, deny: true}]\n");
}

/* What stops or pauses is never denied, and waits for nobody. */
static void the_safe_side_stays_open(void **state)
{
#define PAUSE HEAD "steps: [{run: test.pause}]\nexamples: [x]\n"
#define STOP  HEAD "emergency: true\nsteps: [{run: test.stop}]\nexamples: [x]\n"
    struct scene *s = *state;
    struct err err = {0};
    static const char *const bad[] = {
        PAUSE "rules: [{deny: true}]\n", PAUSE "rules: [{users: bob, deny: true}]\n",
        PAUSE "rules: [{four_eyes: true}]\n", PAUSE "rules: [{second_factor: true}]\n",
        PAUSE "rules: [{second_factor: if_set}]\n"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(read_text(s, bad[i], &err), -ERR_MANIFEST_FORMAT);
        assert_has(err.context,
                   "cannot be denied, nor wait for a second factor or a second person");
    }
    static const char *const unlimited[] = {PAUSE "rate: 5\n", STOP "rate: 5\n"};
    for (size_t i = 0; i < COUNT_OF(unlimited); i++) {
        assert_int_equal(read_text(s, unlimited[i], &err), -ERR_MANIFEST_FORMAT);
        assert_has(err.context, "has no limit");
    }
    (void)load(s, PAUSE "rules: [{users: bob, role: admin, confirm: true}]\n");
    assert_int_equal(demand(s, "bob", "x").role, ROLE_ADMIN);
    assert_int_equal(demand(s, "alice", "x").role, ROLE_OPERATOR);
    assert_int_equal(read_text(s,
                               "command: x\ngroup: see\nsummary: s\nrole: read_only\nevery: 1h\n"
                               "steps: [{run: test.read}]\nexamples: [x]\nrules: [{role: admin}]\n",
                               &err),
                     -ERR_MANIFEST_FORMAT);
    assert_has(err.context, "a command that runs by itself has no rules");
}

static void rules_count_for_their_arguments_and_people(void **state)
{
    struct scene *s = *state;
    (void)load(s, SELL "rules:\n"
                       "  - {when: {symbol: all}, role: admin, four_eyes: true}\n"
                       "  - {users: [carol, bob], when: {symbol: [BTC-USD, eth-usd]}, "
                       "second_factor: true}\n"
                       "  - {users: mallory, deny: true}\n"
                       "  - {when: {symbol: ETH-USD, note: \"at once\"}, emergency: true}\n");
    struct manifest_demand d = demand(s, "alice", "x BTC-USD");
    assert_true(d.role == ROLE_OPERATOR && d.confirm && !d.four_eyes && !d.emergency);
    assert_int_equal(d.second_factor, MANIFEST_FACTOR_NO);
    d = demand(s, "alice", "x ALL");
    assert_true(d.role == ROLE_ADMIN && d.four_eyes && !d.emergency);
    d = demand(s, "bob", "x btc-usd");
    assert_true(d.role == ROLE_OPERATOR && !d.four_eyes);
    assert_int_equal(d.second_factor, MANIFEST_FACTOR_ALWAYS);
    assert_int_equal(demand(s, "carol", "x ETH-USD").second_factor, MANIFEST_FACTOR_ALWAYS);
    assert_int_equal(demand(s, "bob", "x all").second_factor, MANIFEST_FACTOR_NO);
    assert_int_equal(demand(s, "Bob", "x BTC-USD").second_factor, MANIFEST_FACTOR_NO);
    assert_true(denied(s, "mallory", "x BTC-USD"));
    assert_false(denied(s, "alice", "x BTC-USD"));
    /* With several arguments, all have to fit. */
    assert_true(demand(s, "alice", "x ETH-USD \"At Once\"").emergency);
    assert_false(demand(s, "alice", "x ETH-USD later").emergency);
    assert_false(demand(s, "alice", "x ETH-USD").emergency);
    assert_false(demand(s, "alice", "x BTC-USD \"at once\"").emergency);
}

/* A number cannot pass a rule for the symbol that it stands for. */
static void the_number_of_a_position_is_its_symbol(void **state)
{
    struct scene *s = *state;
    (void)load(s, SELL "rules: [{when: {symbol: BTC-USD}, deny: true}]\n");
    assert_true(denied(s, "alice", "x BTC-USD"));
    assert_true(denied(s, "alice", "x 1"));
    assert_true(denied(s, "alice", "x symbol=1"));
    assert_false(denied(s, "alice", "x ETH-USD"));
    assert_false(denied(s, "alice", "x all"));
}

/* Of a list one item is enough; what was not given has its default. */
static void lists_and_defaults_are_looked_into(void **state)
{
#define LIST                                                                              \
    HEAD "args: [{name: ids, help: h}, {name: scope, help: h}, {name: count, help: h}]\n" \
         "steps: [{run: test.list, with: {ids: $ids, scope: $scope, count: $count}}]\n"   \
         "examples: [x]\n"
    struct scene *s = *state;
    (void)load(s, LIST "rules: [{when: {ids: [7, 9]}, deny: true}]\n");
    assert_true(denied(s, "alice", "x 1,2,9"));
    assert_true(denied(s, "alice", "x 7"));
    assert_false(denied(s, "alice", "x 1,77,99"));
    assert_false(denied(s, "alice", "x"));
    (void)load(s, LIST "rules: [{when: {scope: all}, deny: true}]\n");
    assert_true(denied(s, "alice", "x"));
    assert_true(denied(s, "alice", "x scope=all"));
    assert_false(denied(s, "alice", "x scope=BTC-USD"));
    (void)load(s, LIST "rules: [{when: {count: 10}, deny: true}]\n");
    assert_true(denied(s, "alice", "x"));
    assert_true(denied(s, "alice", "x count=10"));
    assert_false(denied(s, "alice", "x count=11"));
    /* Before the arguments are known, no rule with arguments counts. */
    const struct principal alice = {.name = "alice", .role = ROLE_OPERATOR};
    assert_int_equal(manifest_permit(manifest_at(s->list, 0), &alice, NULL, NULL), 0);
}

/* Rules only add: to each other, and to the command. */
static void rules_never_lower_a_demand(void **state)
{
    struct scene *s = *state;
    (void)load(s, SELL "second_factor: true\nrules:\n"
                       "  - {users: bob, role: admin, second_factor: if_set}\n"
                       "  - {users: bob, role: read_only, confirm: false, emergency: true}\n"
                       "  - {users: bob, deny: true}\n  - {users: [bob, eve], deny: true}\n");
    const struct manifest_demand d = demand(s, "bob", "x all");
    assert_int_equal(d.role, ROLE_ADMIN);
    assert_true(d.confirm && d.emergency && !d.four_eyes);
    assert_int_equal(d.second_factor, MANIFEST_FACTOR_ALWAYS);
    assert_string_equal(d.denied_by, "commands/x.yaml:13:5"); /* the first that forbids it */
    const struct principal bob = {.name = "bob", .role = ROLE_ADMIN, .emergency = true};
    struct err err = {0};
    assert_int_equal(manifest_permit(manifest_at(s->list, 0), &bob, NULL, &err),
                     -ERR_ACCESS_DENIED);
    assert_string_equal(err.context, "a rule forbids it to bob: commands/x.yaml:13:5");

    /* For everybody and all arguments: the command itself demands it. */
    const struct manifest *m = load(s, SELL "rules:\n  - {role: admin, four_eyes: true}\n"
                                            "  - {second_factor: if_set}\n  - {emergency: true}\n");
    assert_int_equal(m->role, ROLE_ADMIN);
    assert_true(m->four_eyes && m->emergency && m->confirm);
    assert_int_equal(m->second_factor, MANIFEST_FACTOR_IF_SET);
}

static void a_rule_is_described(void **state)
{
    static const struct {
        const char *rule;
        const char *text;
    } cases[] = {
        {"{when: {symbol: all}, role: admin, four_eyes: true}",
         "for symbol all: role admin, approval of a second person"},
        {"{users: [carol, dan], when: {symbol: [BTC-USD, all], note: x}, second_factor: true}",
         "for symbol BTC-USD or all and note x, by carol or dan: a second factor"},
        {"{users: bob, deny: true, role: admin}", "by bob: forbidden"},
        {"{emergency: true, confirm: true, second_factor: if_set}",
         "the emergency grant, a confirmation, a second factor, if set up"},
    };
    struct scene *s = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[1024];
        AUTO_BUF struct buf out = BUF_INIT(512);
        (void)snprintf(text, sizeof(text), SELL "rules: [%s]\n", cases[i].rule);
        const struct manifest *m = load(s, text);
        manifest_rule_describe(m, &m->rules[0], &out);
        assert_string_equal(out.data, cases[i].text);
    }
}

/* Files of the user's folder that restrict a command of the program. */
struct folder {
    char path[64];
    int problems;
};

static void note_problem(const struct err *why, void *userdata)
{
    (void)why;
    (void)why;
    ((struct folder *)userdata)->problems++;
}

static void restrict_with(struct scene *s, struct folder *f, const char *file, const char *text)
{
    char path[128];
    const struct manifest_problems problems = {note_problem, f};
    (void)snprintf(path, sizeof(path), "%s/%s.yaml", f->path, file);
    assert_int_equal(file_write(path, str_c(text), 0644, NULL), 0);
    f->problems = 0;
    (void)manifest_list_reload(s->list, f->path, MANIFEST_SKIP_BAD, &problems);
}

static void a_mistake_in_a_restriction_shuts_the_command(void **state)
{
    struct scene *s = *state;
    struct folder f = {.path = "/tmp/nd-restrict-XXXXXX"};
    char command[128];
    assert_non_null(mkdtemp(f.path));
    (void)load(s, SELL "rate: 9\n");
    restrict_with(s, &f, "a", "restrict: x\nrate: 5\nrules: [{users: bob, deny: true}]\n");
    assert_int_equal(f.problems, 0);
    assert_int_equal(manifest_find(s->list, "x")->rate, 5);
    assert_true(denied(s, "bob", "x BTC-USD"));
    assert_false(denied(s, "alice", "x BTC-USD"));
    restrict_with(s, &f, "b", "restrict: x\nrate: 7\nrules: [{users: carol, deny: true}]\n");
    assert_int_equal(manifest_find(s->list, "x")->rate, 5); /* the lower one */
    assert_true(denied(s, "bob", "x BTC-USD") && denied(s, "carol", "x BTC-USD"));
    restrict_with(s, &f, "c", "restrict: x\nrules: [{usres: bob, deny: true}]\n");
    assert_int_equal(f.problems, 1);
    assert_true(denied(s, "alice", "x BTC-USD"));
    assert_has(demand(s, "alice", "x all").denied_by, "c.yaml");
    (void)snprintf(command, sizeof(command), "rm -r -- '%s'", f.path);
    assert_int_equal(system(command), 0);
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

UNIT_GROUP(manifest_rules, SCENE_TEST(mistakes_are_refused_with_line_and_column),
           SCENE_TEST(limits_are_exact), SCENE_TEST(the_safe_side_stays_open),
           SCENE_TEST(rules_count_for_their_arguments_and_people),
           SCENE_TEST(the_number_of_a_position_is_its_symbol),
           SCENE_TEST(lists_and_defaults_are_looked_into), SCENE_TEST(rules_never_lower_a_demand),
           SCENE_TEST(a_rule_is_described),
           SCENE_TEST(a_mistake_in_a_restriction_shuts_the_command))
