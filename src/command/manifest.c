#include "command/manifest.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/secret.h"
#include "io/yaml.h"
#include "manifest_internal.h"

#include <string.h>

#define NEAR_ENOUGH 2 /* edits */

/* Command names that the runner handles itself. */
static const char *const reserved_names[] = {"confirm", "cancel"};

int manifest_complain(const struct manifest_reader *r, const struct yaml_node *at,
                      const char *format, ...)
{
    AUTO_BUF struct buf text = BUF_INIT(200);
    va_list args;
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    return err_set(r->err, ERR_MANIFEST_FORMAT, "%s:%d:%d: %s", r->path, at->line, at->column,
                   text.data);
}

static bool is_known(struct str key, const char *const *known)
{
    for (size_t i = 0; known[i] != NULL; i++) {
        if (str_equal_c(key, known[i])) {
            return true;
        }
    }
    return false;
}

/* NULL: none is near enough. */
static const char *nearest(struct str key, const char *const *known)
{
    const char *near = NULL;
    int near_distance = NEAR_ENOUGH + 1;
    for (size_t i = 0; known[i] != NULL; i++) {
        int distance = str_distance(key, str_c(known[i]));
        if (distance < near_distance) {
            near = known[i];
            near_distance = distance;
        }
    }
    return near;
}

int manifest_check_keys(const struct manifest_reader *r, const struct yaml_node *map,
                        const char *const *known)
{
    if (map->kind != YAML_MAPPING) {
        return manifest_complain(r, map, "expected a mapping");
    }
    for (size_t i = 0; i < yaml_len(map); i++) {
        const struct yaml_node *key = yaml_key(map, i);
        if (is_known(key->text, known)) {
            continue;
        }
        const char *near = nearest(key->text, known);
        return near == NULL ? manifest_complain(r, key, "unknown key %.*s", STR_ARG(key->text))
                            : manifest_complain(r, key, "unknown key %.*s; did you mean %s?",
                                                STR_ARG(key->text), near);
    }
    return 0;
}

int manifest_read_text(const struct manifest_reader *r, const struct yaml_node *map,
                       const char *key, bool required, char *dst, size_t size)
{
    const struct yaml_node *node = yaml_get(map, key);
    if (yaml_is_null(node)) {
        return required ? manifest_complain(r, map, "%s is missing", key) : 0;
    }
    if (node->kind != YAML_SCALAR) {
        return manifest_complain(r, node, "%s must be text", key);
    }
    if (!str_copy(node->text, dst, size)) {
        return manifest_complain(r, node, "%s is longer than %zu bytes", key, size - 1);
    }
    return 0;
}

int manifest_read_bool(const struct manifest_reader *r, const struct yaml_node *map,
                       const char *key, bool *ret)
{
    const struct yaml_node *node = yaml_get(map, key);
    if (yaml_is_null(node)) {
        return 0;
    }
    if (str_equal_c(yaml_text(node), "true") || str_equal_c(yaml_text(node), "false")) {
        *ret = str_equal_c(yaml_text(node), "true");
        return 0;
    }
    return manifest_complain(r, node, "%s must be true or false", key);
}

bool manifest_name_is_valid(const char *name, size_t max)
{
    size_t len = strlen(name);
    return len > 0 && len <= max && name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static int read_examples(const struct manifest_reader *r, const struct yaml_node *root)
{
    const struct yaml_node *list = yaml_get(root, "examples");
    if (yaml_len(list) == 0 || list->kind != YAML_SEQUENCE || list->len > MANIFEST_EXAMPLES_MAX) {
        return manifest_complain(r, list == NULL ? root : list,
                                 "examples must be a list of 1 to %d", MANIFEST_EXAMPLES_MAX);
    }
    for (size_t i = 0; i < list->len; i++) {
        const struct yaml_node *item = yaml_at(list, i);
        struct str text = yaml_text(item);
        struct str rest = text;
        struct str word;
        if (!str_word(&rest, &word) || !str_equal_c(word, r->m->name)) {
            return manifest_complain(r, item, "an example must begin with %s", r->m->name);
        }
        if (!str_copy(text, r->m->examples[i], sizeof(r->m->examples[i]))) {
            return manifest_complain(r, item, "an example is longer than %zu bytes",
                                     sizeof(r->m->examples[i]) - 1);
        }
        int rc = manifest_args_check_example(r, item);
        if (rc < 0) {
            return rc;
        }
        r->m->example_count++;
    }
    return 0;
}

/* A command's name or alias. */
static int check_name(const struct manifest_reader *r, const struct yaml_node *at, const char *name)
{
    if (!manifest_name_is_valid(name, MANIFEST_NAME_SIZE - 1)) {
        return manifest_complain(r, at, "name %s does not match [a-z][a-z0-9_]{0,31}", name);
    }
    for (size_t i = 0; i < COUNT_OF(reserved_names); i++) {
        if (strcmp(name, reserved_names[i]) == 0) {
            return manifest_complain(r, at, "%s is reserved for confirmations", name);
        }
    }
    return 0;
}

static int read_aliases(const struct manifest_reader *r, const struct yaml_node *root)
{
    struct manifest *m = r->m;
    const struct yaml_node *list = yaml_get(root, "aliases");
    if (list != NULL && (list->kind != YAML_SEQUENCE || list->len > MANIFEST_ALIASES_MAX)) {
        return manifest_complain(r, list, "aliases must be a list of at most %d names",
                                 MANIFEST_ALIASES_MAX);
    }
    for (size_t i = 0; i < yaml_len(list); i++) {
        const struct yaml_node *item = yaml_at(list, i);
        char *alias = m->aliases[m->alias_count];
        if (!str_copy(yaml_text(item), alias, MANIFEST_NAME_SIZE)) {
            return manifest_complain(r, item, "an alias is longer than %d bytes",
                                     MANIFEST_NAME_SIZE - 1);
        }
        int rc = check_name(r, item, alias);
        if (rc < 0) {
            return rc;
        }
        bool twice = strcmp(alias, m->name) == 0;
        for (int k = 0; k < m->alias_count; k++) {
            twice = twice || strcmp(alias, m->aliases[k]) == 0;
        }
        if (twice) {
            return manifest_complain(r, item, "%s is a name of this command already", alias);
        }
        m->alias_count++;
    }
    return 0;
}

/* The channels on which the command exists; all if there is no list. */
static int read_channels(const struct manifest_reader *r, const struct yaml_node *root)
{
    const struct yaml_node *list = yaml_get(root, "channels");
    r->m->channels = list == NULL ? ~0U : 1U << CHANNEL_SCHEDULE; /* it may always run by itself */
    if (list != NULL &&
        (list->kind != YAML_SEQUENCE || (list->len == 0 && yaml_get(root, "trigger") == NULL))) {
        return manifest_complain(r, list, "channels must be a list such as [telegram, console]");
    }
    for (size_t i = 0; i < yaml_len(list); i++) {
        const struct yaml_node *item = yaml_at(list, i);
        enum channel channel;
        if (!channel_parse(yaml_text(item), &channel) || channel >= CHANNEL_SCHEDULE) {
            return manifest_complain(r, item,
                                     "channel %.*s is not one of console, telegram, socket, http",
                                     STR_ARG(yaml_text(item)));
        }
        r->m->channels |= 1U << channel;
    }
    return 0;
}

static int read_head(const struct manifest_reader *r, const struct yaml_node *root)
{
    struct manifest *m = r->m;
    char role[16] = "";
    int rc = 0;
    if ((rc = manifest_read_text(r, root, "command", true, m->name, sizeof(m->name))) < 0 ||
        (rc = manifest_read_text(r, root, "group", true, m->group, sizeof(m->group))) < 0 ||
        (rc = manifest_read_text(r, root, "summary", true, m->summary, sizeof(m->summary))) < 0 ||
        (rc = manifest_read_text(r, root, "role", true, role, sizeof(role))) < 0 ||
        (rc = manifest_read_bool(r, root, "emergency", &m->emergency)) < 0 ||
        (rc = manifest_read_bool(r, root, "confirm", &m->confirm)) < 0 ||
        (rc = manifest_read_factor(r, root, &m->second_factor)) < 0 ||
        (rc = manifest_read_bool(r, root, "four_eyes", &m->four_eyes)) < 0) {
        return rc;
    }
    const struct yaml_node *at = yaml_get(root, "command");
    (void)snprintf(m->where, sizeof(m->where), "%s:%d:%d", r->path, at->line, at->column);
    if ((rc = check_name(r, at, m->name)) < 0 || (rc = read_aliases(r, root)) < 0 ||
        (rc = read_channels(r, root)) < 0) {
        return rc;
    }
    if (!role_parse(str_c(role), &m->role) || m->role == ROLE_NONE) {
        return manifest_complain(r, yaml_get(root, "role"),
                                 "role %s is not one of read_only, operator, admin", role);
    }
    return 0;
}

/* "07:30" in minutes; -1 if it is no time of day. */
static int parse_minutes(struct str text)
{
    if (text.len != 5 || text.ptr[2] != ':') {
        return -1;
    }
    for (size_t i = 0; i < 5; i++) {
        if (i != 2 && (text.ptr[i] < '0' || text.ptr[i] > '9')) {
            return -1;
        }
    }
    int hours = (text.ptr[0] - '0') * 10 + text.ptr[1] - '0';
    int minutes = (text.ptr[3] - '0') * 10 + text.ptr[4] - '0';
    return hours < 24 && minutes < 60 ? hours * 60 + minutes : -1;
}

static int read_times(const struct manifest_reader *r, const struct yaml_node *at)
{
    struct manifest_schedule *schedule = &r->m->schedule;
    size_t count = at->kind == YAML_SEQUENCE ? at->len : 1;
    if (count == 0 || count > MANIFEST_TIMES_MAX) {
        return manifest_complain(r, at, "at must be a time such as \"07:30\", or a list of 1 to %d",
                                 MANIFEST_TIMES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *item = at->kind == YAML_SEQUENCE ? yaml_at(at, i) : at;
        int minutes = parse_minutes(yaml_text(item));
        if (minutes < 0) {
            return manifest_complain(r, item,
                                     "a time must be written as \"07:30\", from 00:00 to 23:59");
        }
        if (i > 0 && minutes <= schedule->at_minutes[i - 1]) {
            return manifest_complain(r, item, "the times must ascend");
        }
        schedule->at_minutes[schedule->at_count++] = minutes;
    }
    return 0;
}

/* A scheduled command has nobody who could answer a prompt or give an argument. */
static int read_schedule(const struct manifest_reader *r, const struct yaml_node *root)
{
    struct manifest *m = r->m;
    const struct yaml_node *every = yaml_get(root, "every");
    const struct yaml_node *at = yaml_get(root, "at");
    const struct yaml_node *deliver = yaml_get(root, "deliver");
    if (every != NULL && at != NULL) {
        return manifest_complain(r, at, "a command has either every or at");
    }
    if (every == NULL && at == NULL) {
        return deliver == NULL ? 0 : manifest_complain(r, deliver, "deliver needs every or at");
    }
    const struct yaml_node *where = every != NULL ? every : at;
    if (every != NULL &&
        (!value_parse_duration(yaml_text(every), &m->schedule.every_us) ||
         m->schedule.every_us < USEC_PER_MIN || USEC_PER_DAY % m->schedule.every_us != 0)) {
        return manifest_complain(r, every,
                                 "every must be a duration from 1m to 1d that divides a day");
    }
    int rc = at != NULL ? read_times(r, at) : 0;
    if (rc < 0) {
        return rc;
    }
    if (m->confirm || m->second_factor || m->four_eyes || m->emergency) {
        return manifest_complain(r, where,
                                 "a command that asks for a confirmation or needs the emergency "
                                 "grant cannot run by itself");
    }
    for (int i = 0; i < m->arg_count; i++) {
        if (m->args[i].rule.required) {
            return manifest_complain(r, where,
                                     "argument %s is required, so the command cannot run by itself",
                                     m->args[i].rule.name);
        }
    }
    return manifest_read_bool(r, root, "deliver", &m->deliver);
}

/* Of a file that restricts a command: only more. */
static int read_protect(const struct manifest_reader *r, const struct yaml_node *root)
{
    bool protect = false;
    int rc = manifest_read_bool(r, root, "protect", &protect);
    r->m->protect = r->m->protect || protect;
    return rc;
}

/* `undo`, after the steps of on_failure. */
static int read_undo(const struct manifest_reader *r, const struct yaml_node *root)
{
    int rc = manifest_read_bool(r, root, "undo", &r->m->undo);
    return rc == 0 && r->m->undo && r->m->on_failure_count == 0
               ? manifest_complain(r, yaml_get(root, "undo"), "undo needs steps under on_failure")
               : rc;
}

/* `confirm_after: <id>`: the step after which the confirmation is asked for. */
static int read_confirm_after(const struct manifest_reader *r, const struct yaml_node *root)
{
    struct manifest *m = r->m;
    const struct yaml_node *at = yaml_get(root, "confirm_after");
    char id[MANIFEST_NAME_SIZE] = "";
    int rc = manifest_read_text(r, root, "confirm_after", false, id, sizeof(id));
    if (rc < 0 || at == NULL) {
        return rc;
    }
    int last = manifest_find_step(m, str_c(id));
    if (!m->confirm || m->emergency) {
        return manifest_complain(r, at, "confirm_after needs confirm: true, and no emergency");
    }
    if (last < 0 || last >= m->step_count - 1) {
        return manifest_complain(r, at, "confirm_after must be the id of a step before the last");
    }
    if (m->steps[last].group != 0 && m->steps[last].group == m->steps[last + 1].group) {
        return manifest_complain(r, at, "confirm_after cannot part a parallel group");
    }
    for (int i = 0; i <= last; i++) {
        if (m->steps[i].action->effect != ACTION_READS) {
            return manifest_complain(r, at, "%s is before the confirmation, and does not only read",
                                     m->steps[i].action->name);
        }
    }
    m->confirm_after = last + 1;
    return 0;
}

static int read_manifest(const struct manifest_reader *r, const struct yaml_node *root)
{
    static const char *const keys[] = {
        "command", "group",    "summary",       "role",      "confirm",  "emergency", "args",
        "steps",   "examples", "on_failure",    "aliases",   "channels", "every",     "at",
        "deliver", "always",   "second_factor", "four_eyes", "rules",    "rate",      "protect",
        "trigger", "undo",     "confirm_after", NULL};
    struct manifest *m = r->m;
    int rc = 0;
    if ((rc = manifest_check_keys(r, root, keys)) < 0 || (rc = read_head(r, root)) < 0 ||
        (rc = manifest_args_read(r, root)) < 0 ||
        (rc = manifest_steps_read(r, root, "steps", &m->steps, &m->step_count)) < 0 ||
        (rc = manifest_steps_read(r, root, "on_failure", &m->on_failure, &m->on_failure_count)) <
            0 ||
        (rc = read_undo(r, root)) < 0 ||
        (rc = manifest_steps_read(r, root, "always", &m->always, &m->always_count)) < 0 ||
        (rc = read_confirm_after(r, root)) < 0 || (rc = manifest_args_check(r, root)) < 0 ||
        (rc = read_schedule(r, root)) < 0 || (rc = manifest_trigger_read(r, root)) < 0 ||
        (rc = read_examples(r, root)) < 0) {
        return rc;
    }
    if (m->step_count == 0) {
        return manifest_complain(r, root, "steps are missing");
    }
    manifest_steps_summarise(m);
    if ((rc = manifest_rules_read(r, root)) < 0 || (rc = manifest_rate_read(r, root)) < 0 ||
        (rc = read_protect(r, root)) < 0) {
        return rc;
    }
    if (m->safe_side && (m->second_factor || m->four_eyes)) {
        return manifest_complain(r, root,
                                 "a command that stops or pauses trading cannot wait for a "
                                 "second factor or a second person");
    }
    return 0;
}

static void add_node(struct buf *out, const struct yaml_node *node)
{
    static const char *const for_people[] = {"summary", "group", "examples",
                                             "aliases", "help",  "protect"};
    switch (node->kind) {
    case YAML_SCALAR:
        buf_addf(out, "%zu:%.*s", node->text.len, STR_ARG(node->text));
        return;
    case YAML_SEQUENCE:
        buf_addf(out, "[%zu", yaml_len(node));
        for (size_t i = 0; i < yaml_len(node); i++) {
            add_node(out, yaml_at(node, i));
        }
        return;
    case YAML_MAPPING:
        buf_add_char(out, '{');
        for (size_t i = 0; i < yaml_len(node); i++) {
            bool skip = false;
            for (size_t k = 0; k < COUNT_OF(for_people); k++) {
                skip = skip || str_equal_c(yaml_key(node, i)->text, for_people[k]);
            }
            if (!skip) {
                add_node(out, yaml_key(node, i));
                add_node(out, yaml_value(node, i));
            }
        }
        buf_add_char(out, '}');
        return;
    }
}

static void make_digest(struct manifest *m, const struct yaml_node *root)
{
    AUTO_BUF struct buf text = BUF_INIT(YAML_MAX_BYTES * 4);
    char hex[SECRET_HASH_HEX_SIZE];
    add_node(&text, root);
    secret_hash(NULL, buf_str(&text), hex);
    (void)str_copy(str_n(hex, MANIFEST_DIGEST_SIZE - 1), m->digest, sizeof(m->digest));
}

int manifest_parse(const struct action_table *actions, const char *path, struct str text,
                   struct manifest **ret, struct err *err)
{
    AUTO_YAML struct yaml *doc = NULL;
    int rc = yaml_parse(text, path, &doc, err);
    if (rc < 0) {
        return rc;
    }
    struct manifest *m = calloc(1, sizeof(*m));
    ASSERT(m != NULL);
    m->refs = 1;
    const struct manifest_reader r = {
        .path = path, .actions = actions, .m = m, .root = yaml_root(doc), .err = err};
    rc = read_manifest(&r, yaml_root(doc));
    if (rc < 0) {
        manifest_unref(m);
        return rc;
    }
    make_digest(m, yaml_root(doc));
    *ret = m;
    return 0;
}

void manifest_restricted_name(const char *path, struct str text, char ret[MANIFEST_NAME_SIZE])
{
    AUTO_YAML struct yaml *doc = NULL;
    ret[0] = '\0';
    if (yaml_parse(text, path, &doc, NULL) == 0) {
        (void)str_copy(yaml_text(yaml_get(yaml_root(doc), "restrict")), ret, MANIFEST_NAME_SIZE);
    }
}

int manifest_restrict(const char *path, struct str text, struct manifest *m, struct err *err)
{
    static const char *const keys[] = {"restrict", "rules", "rate", "protect", NULL};
    AUTO_YAML struct yaml *doc = NULL;
    char before[MANIFEST_DIGEST_SIZE];
    int rc = yaml_parse(text, path, &doc, err);
    if (rc < 0) {
        return rc;
    }
    const struct yaml_node *root = yaml_root(doc);
    const struct manifest_reader r = {.path = path, .m = m, .root = root, .err = err};
    if ((rc = manifest_check_keys(&r, root, keys)) < 0 ||
        (rc = manifest_rules_read(&r, root)) < 0 || (rc = manifest_rate_read(&r, root)) < 0 ||
        (rc = read_protect(&r, root)) < 0) {
        return rc;
    }
    if (yaml_get(root, "rules") == NULL && yaml_get(root, "rate") == NULL && !m->protect) {
        return manifest_complain(&r, root, "rules, rate or protect are missing");
    }
    memcpy(before, m->digest, sizeof(before)); /* prompts from before must be asked again */
    make_digest(m, root);
    AUTO_BUF struct buf both = BUF_INIT(4 * MANIFEST_DIGEST_SIZE);
    char hex[SECRET_HASH_HEX_SIZE];
    buf_addf(&both, "%s%s", before, m->digest);
    secret_hash(NULL, buf_str(&both), hex);
    (void)str_copy(str_n(hex, MANIFEST_DIGEST_SIZE - 1), m->digest, sizeof(m->digest));
    return 0;
}

const struct manifest *manifest_ref(const struct manifest *m)
{
    struct manifest *counted = (struct manifest *)m; /* only the count changes */
    counted->refs++;
    return counted;
}

void manifest_unref(const struct manifest *m)
{
    struct manifest *counted = (struct manifest *)m;
    if (counted != NULL && --counted->refs == 0) {
        manifest_args_release(counted);
        free(counted);
    }
}
