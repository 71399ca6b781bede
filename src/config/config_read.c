#include "config_read.h"

#include "base/check.h"
#include "expand.h"
#include "io/file.h"
#include "value.h"

#include <limits.h>
#include <string.h>

#define EXPANDED_MAX ((size_t)4096)

/* The source of a value, and the struct that it is stored in. */
struct place {
    const struct option *option;
    void *owner;                  /* struct config, config_user or config_service */
    const struct yaml_node *node; /* NULL: not from the file */
    const char *path;             /* for messages: "services.demo.unit" */
    struct origin *origin;        /* NULL: not recorded */
};

static void *slot_of(const struct place *place)
{
    return (char *)place->owner + place->option->offset;
}

/* Adds a problem; names the environment variable for a default, which has no line. */
static void add_problem(struct load *load, const struct place *place, enum err_id id,
                        const struct expand_used *used, const char *what)
{
    if (place->node == NULL && used->name[0] != '\0') {
        detail_problem(load, id, NULL, "environment: %s: expected %s in $%s", place->path, what,
                       used->name);
    } else {
        detail_problem(load, id, place->node, "%s: expected %s", place->path, what);
    }
}

static enum err_id id_of(enum value_problem problem)
{
    return problem == VALUE_OUT_OF_RANGE ? ERR_CONFIG_RANGE : ERR_CONFIG_TYPE;
}

/* Appends the value found, unless it is a secret or comes from the environment. */
static void add_found(struct buf *out, const struct option *option, struct str text,
                      const struct expand_used *used)
{
    if (str_looks_secret(text)) {
        buf_addf(out, ", found %zu bytes that may be a secret and are not shown", text.len);
    } else if (option->type != OPTION_SECRET && !used->any) {
        struct str shown = str_n(text.ptr, text.len < 40 ? text.len : 40);
        while (shown.len < text.len && shown.len > 0 &&
               ((unsigned char)shown.ptr[shown.len] & 0xc0) == 0x80) {
            shown.len--;
        }
        buf_addf(out, ", found \"%.*s\"%s", STR_ARG(shown), shown.len < text.len ? "…" : "");
    }
}

static const char *keep_text(struct load *load, const struct place *place, struct str text)
{
    const char *copy = place->option->type == OPTION_SECRET
                           ? detail_secret(load->config->detail, text)
                           : detail_text(load->config->detail, text);
    if (copy == NULL) {
        detail_problem(load, ERR_CONFIG_LIMIT, place->node,
                       "%s: all texts together exceed the limit", place->path);
    }
    return copy;
}

/* Stores one value, or appends one item of a list. */
static void store(struct load *load, const struct place *place, const union value *value)
{
    void *slot = slot_of(place);
    const char *text = NULL;
    switch (place->option->type) {
    case OPTION_TEXT:
    case OPTION_SECRET:
    case OPTION_URL:
    case OPTION_ENUM:
        if ((text = keep_text(load, place, value->text)) != NULL) {
            *(const char **)slot = text;
        }
        return;
    case OPTION_INT:
    case OPTION_DURATION:
        *(int64_t *)slot = value->i64;
        return;
    case OPTION_BOOL:
        *(bool *)slot = value->truth;
        return;
    case OPTION_FLOAT:
    case OPTION_PERCENT:
        *(double *)slot = value->number;
        return;
    case OPTION_MONEY:
        *(struct dec *)slot = value->money;
        return;
    case OPTION_INTS: {
        struct config_ints *list = slot;
        ASSERT(list->count < CONFIG_LIST_MAX);
        for (int i = 0; i < list->count; i++) {
            if (list->items[i] == value->i64) {
                detail_problem(load, ERR_CONFIG_DUPLICATE, place->node,
                               "%s: %lld is already in the list", place->path,
                               (long long)value->i64);
                return;
            }
        }
        list->items[list->count++] = value->i64;
        return;
    }
    case OPTION_TEXTS: { /* clear_list has made room */
        struct config_texts *list = slot;
        if ((text = keep_text(load, place, value->text)) != NULL) {
            list->items[list->count++] = text;
        }
        return;
    }
    case OPTION_SYMBOLS: {
        struct config_symbols *list = slot;
        ASSERT(list->count < SYMBOLS_LIMIT);
        for (int i = 0; i < list->count; i++) {
            if (symbol_equal(list->items[i], value->symbol)) {
                detail_problem(load, ERR_CONFIG_DUPLICATE, place->node,
                               "%s: %s is already in the list", place->path, value->symbol.name);
                return;
            }
        }
        list->items[list->count++] = value->symbol;
        return;
    }
    }
}

/* Makes room for count items. */
static void clear_list(struct load *load, const struct place *place, size_t count)
{
    switch (place->option->type) {
    case OPTION_INTS:
        *(struct config_ints *)slot_of(place) = (struct config_ints){0};
        return;
    case OPTION_TEXTS:
        *(struct config_texts *)slot_of(place) = detail_list(load->config->detail, count);
        return;
    case OPTION_SYMBOLS:
        *(struct config_symbols *)slot_of(place) = (struct config_symbols){0};
        return;
    case OPTION_TEXT:
    case OPTION_SECRET:
    case OPTION_URL:
    case OPTION_ENUM:
    case OPTION_INT:
    case OPTION_BOOL:
    case OPTION_FLOAT:
    case OPTION_PERCENT:
    case OPTION_DURATION:
    case OPTION_MONEY:
        return;
    }
}

static void note_origin(const struct place *place, const struct expand_used *used)
{
    struct origin *origin = place->origin;
    if (origin == NULL) {
        return;
    }
    *origin = (struct origin){.kind = ORIGIN_DEFAULT};
    (void)str_copy(str_c(used->name), origin->variable, sizeof(origin->variable));
    if (place->node != NULL) {
        origin->kind = ORIGIN_FILE;
        origin->line = place->node->line;
        origin->column = place->node->column;
    } else if (used->name[0] != '\0') {
        origin->kind = used->sealed ? ORIGIN_SEALED : ORIGIN_ENVIRONMENT;
    }
}

/* Whether a secret may stay empty here: this subcommand uses none, or the secret has a credential
 * of its own, which is read after the file. */
static bool is_optional(const struct load *load, const struct place *place)
{
    AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
    if (load->without_secrets) {
        return true;
    }
    if (load->credentials == NULL || load->credentials[0] == '\0') {
        return false;
    }
    buf_addf(&path, "%s/%s", load->credentials, place->path);
    return !buf_failed(&path) && file_exists(path.data);
}

/* Expands, parses and stores one scalar. */
static void read_scalar(struct load *load, const struct place *place, struct str text)
{
    AUTO_BUF struct buf expanded = BUF_INIT(EXPANDED_MAX);
    AUTO_BUF struct buf where = BUF_INIT(512);
    AUTO_BUF struct buf expected = BUF_INIT(512);
    struct expand_used used;
    struct err err;
    if (place->node != NULL) {
        buf_addf(&where, "%.80s:%d:%d: ", load->name, place->node->line, place->node->column);
    }
    buf_add_c(&where, place->path);
    bool is_secret = place->option->type == OPTION_SECRET;
    const struct expand_sources more = {.credentials = load->credentials,
                                        .sealed = load->without_secrets ? NULL : config_find_sealed,
                                        .userdata = load};
    if (is_secret) {
        buf_reserve(&expanded, EXPANDED_MAX); /* growing would leave a copy behind */
    }
    if (expand_text(text, &expanded, &used, is_secret ? &more : NULL, where.data, &err) < 0) {
        if (!is_secret || !used.unset || !(is_optional(load, place) || load->sealed_failed)) {
            detail_add(load, &err);
        }
        return;
    }
    struct str value_text = buf_str(&expanded);
    if (place->option->type == OPTION_SECRET || used.any) {
        value_text = str_trim(value_text); /* files and variables often end in a line feed */
    }
    union value value;
    enum value_problem problem = value_parse(place->option, value_text, &value, &expected);
    if (problem != VALUE_GOOD) {
        add_found(&expected, place->option, value_text, &used);
        add_problem(load, place, id_of(problem), &used, expected.data);
    } else {
        store(load, place, &value);
        note_origin(place, &used);
    }
    if (place->option->type == OPTION_SECRET) {
        secret_wipe(expanded.data, expanded.len);
    }
}

static const char *kind_name(const struct yaml_node *node)
{
    switch (node->kind) {
    case YAML_SCALAR:
        return "a single value";
    case YAML_SEQUENCE:
        return "a list";
    case YAML_MAPPING:
        return "a group of options";
    }
    return "";
}

bool config_expect_kind(struct load *load, const struct yaml_node *node, enum yaml_kind kind,
                        const char *path, const char *expected)
{
    if (node->kind == kind) {
        return true;
    }
    detail_problem(load, ERR_CONFIG_TYPE, node, "%s: expected %s, found %s", path, expected,
                   kind_name(node));
    return false;
}

static void read_list(struct load *load, const struct place *place, const struct yaml_node *list)
{
    AUTO_BUF struct buf expected = BUF_INIT(512);
    struct expand_used none = {.any = false};
    if (value_check_count(place->option, yaml_len(list), &expected) != VALUE_GOOD) {
        buf_addf(&expected, ", found %zu", yaml_len(list));
        add_problem(load, place, ERR_CONFIG_RANGE, &none, expected.data);
        return;
    }
    clear_list(load, place, yaml_len(list));
    note_origin(place, &none);
    for (size_t i = 0; i < yaml_len(list); i++) {
        const struct yaml_node *item = yaml_at(list, i);
        struct place at = *place;
        at.node = place->node != NULL ? item : NULL;
        at.origin = NULL;
        if (config_expect_kind(load, item, YAML_SCALAR, place->path, "single values in the list")) {
            read_scalar(load, &at, yaml_text(item));
        }
    }
}

/* Reads a value of the file; null is the same as not given. */
static void read_node(struct load *load, const struct place *place)
{
    if (yaml_is_null(place->node)) {
        return;
    }
    if (option_is_list(place->option->type)) {
        if (config_expect_kind(load, place->node, YAML_SEQUENCE, place->path,
                               option_type_name(place->option->type))) {
            read_list(load, place, place->node);
        }
    } else if (config_expect_kind(load, place->node, YAML_SCALAR, place->path,
                                  option_type_name(place->option->type))) {
        read_scalar(load, place, yaml_text(place->node));
    }
}

static void read_fallback(struct load *load, const struct place *place)
{
    const struct option *option = place->option;
    if (!option_is_list(option->type)) {
        read_scalar(load, place, str_c(option->fallback));
        return;
    }
    AUTO_YAML struct yaml *doc = NULL;
    ASSERT(yaml_parse(str_c(option->fallback), option->path, &doc, NULL) == 0);
    read_list(load, place, yaml_root(doc));
}

void config_read_defaults(struct load *load)
{
    for (size_t i = 0; i < option_count; i++) {
        read_fallback(load, &(struct place){.option = &option_table[i],
                                            .owner = load->config,
                                            .path = option_table[i].path,
                                            .origin = &load->config->detail->origins[i]});
    }
}

/* ------------------------------------------------------------------ unknown names */

struct nearest {
    struct str wanted;
    int distance;
    char path[64];
};

static void consider(struct nearest *nearest, const char *name, const char *path)
{
    int distance = str_distance(nearest->wanted, str_c(name));
    if (distance < nearest->distance) {
        nearest->distance = distance;
        (void)str_copy(str_c(path), nearest->path, sizeof(nearest->path));
    }
}

/* A typing error changes at most a third of the letters. */
static struct nearest nearest_start(struct str wanted)
{
    int limit = (int)(wanted.len < 21 ? wanted.len : 21) / 3;
    return (struct nearest){.wanted = wanted, .distance = (limit < 1 ? 1 : limit) + 1};
}

static void unknown_key(struct load *load, const struct yaml_node *key, const char *group,
                        const struct nearest *nearest, const char *known)
{
    struct str name = yaml_text(key);
    if (str_looks_secret(name)) {
        name = STR_LIT("(a key that may be a secret)");
    }
    int len = name.len > 60 ? 60 : (int)name.len;
    const char *dot = group[0] == '\0' ? "" : ".";
    if (nearest->path[0] != '\0') {
        detail_problem(load, ERR_CONFIG_UNKNOWN_KEY, key, "%s%s%.*s: did you mean %s?", group, dot,
                       len, name.ptr, nearest->path);
    } else {
        detail_problem(load, ERR_CONFIG_UNKNOWN_KEY, key, "%s%s%.*s: expected one of %s", group,
                       dot, len, name.ptr, known);
    }
}

/* Finds an option of exactly this name in another group. */
static void consider_everywhere(struct nearest *nearest)
{
    struct nearest exact = *nearest;
    exact.distance = 1;
    for (size_t i = 0; i < option_count; i++) {
        consider(&exact, option_table[i].name, option_table[i].path);
    }
    if (exact.path[0] != '\0' && exact.distance == 0) {
        *nearest = exact;
    }
}

static void unknown_option(struct load *load, const struct yaml_node *key, const char *group)
{
    struct nearest nearest = nearest_start(yaml_text(key));
    AUTO_BUF struct buf known = BUF_INIT(1024);
    const char *list = strcmp(group, "telegram") == 0 ? "users"
                       : strcmp(group, "api") == 0    ? "local_users"
                                                      : NULL;
    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(option_table[i].group, group) == 0) {
            consider(&nearest, option_table[i].name, option_table[i].path);
            buf_addf(&known, "%s%s", known.len > 0 ? ", " : "", option_table[i].name);
        }
    }
    if (list != NULL) {
        AUTO_BUF struct buf path = BUF_INIT(64);
        buf_addf(&path, "%s.%s", group, list);
        consider(&nearest, list, path.data);
        buf_addf(&known, ", %s", list);
    }
    if (nearest.path[0] == '\0') {
        consider_everywhere(&nearest);
    }
    unknown_key(load, key, group, &nearest, known.data);
}

static void unknown_group(struct load *load, const struct yaml_node *key)
{
    struct nearest nearest = nearest_start(yaml_text(key));
    AUTO_BUF struct buf known = BUF_INIT(1024);
    for (size_t i = 0; i < option_group_count; i++) {
        consider(&nearest, option_groups[i].name, option_groups[i].name);
        buf_addf(&known, "%s%s", i > 0 ? ", " : "", option_groups[i].name);
    }
    if (nearest.path[0] == '\0') {
        consider_everywhere(&nearest);
    }
    unknown_key(load, key, "", &nearest, known.data);
}

/* ------------------------------------------------------------------ users and services */

void config_read_fields(struct load *load, const struct config_fields *item, void *owner,
                        const struct yaml_node *map, const char *path)
{
    const struct option *fields = item->fields;
    size_t count = item->count;
    for (size_t f = 0; f < count; f++) {
        AUTO_BUF struct buf field_path = BUF_INIT(256);
        buf_addf(&field_path, "%s.%s", path, fields[f].name);
        struct place place = {.option = &fields[f], .owner = owner, .path = field_path.data};
        if (fields[f].fallback != NULL) {
            read_fallback(load, &place);
        }
        const struct yaml_node *value = yaml_get(map, fields[f].name);
        if (value != NULL && !yaml_is_null(value)) {
            place.node = value;
            read_node(load, &place);
        } else if (fields[f].fallback == NULL) {
            detail_problem(load, ERR_CONFIG_MISSING, map, "%s: %s is missing", path,
                           fields[f].name);
        }
    }
    for (size_t k = 0; k < yaml_len(map); k++) {
        const struct yaml_node *key = yaml_key(map, k);
        struct nearest nearest = nearest_start(yaml_text(key));
        AUTO_BUF struct buf known = BUF_INIT(1024);
        bool found = item->more != NULL && str_equal_c(yaml_text(key), item->more);
        for (size_t f = 0; f < count; f++) {
            found = found || str_equal_c(yaml_text(key), fields[f].name);
            consider(&nearest, fields[f].name, fields[f].name);
            buf_addf(&known, "%s%s", f > 0 ? ", " : "", fields[f].name);
        }
        if (item->more != NULL) {
            consider(&nearest, item->more, item->more);
            buf_addf(&known, ", %s", item->more);
        }
        if (!found) {
            unknown_key(load, key, path, &nearest, known.data);
        }
    }
}

static void refuse_same_user(struct load *load, const struct yaml_node *node, int64_t id,
                             const char *name, const char *path)
{
    const struct config *config = load->config;
    for (int i = 0; i < config->user_count; i++) {
        if (config->users[i].id == id) {
            detail_problem(load, ERR_CONFIG_DUPLICATE, node,
                           "%s: user id %lld is already used on line %d", path, (long long)id,
                           config->detail->user_lines[i]);
        } else if (strcmp(config->users[i].name, name) == 0) {
            detail_problem(load, ERR_CONFIG_DUPLICATE, node,
                           "%s: user name %s is already used on line %d", path, name,
                           config->detail->user_lines[i]);
        }
    }
}

static void read_users(struct load *load, const struct yaml_node *list)
{
    struct config *config = load->config;
    if (yaml_is_null(list) ||
        !config_expect_kind(load, list, YAML_SEQUENCE, "telegram.users", "a list of users")) {
        return;
    }
    if (yaml_len(list) > CONFIG_USERS_MAX) {
        detail_problem(load, ERR_CONFIG_RANGE, list,
                       "telegram.users: expected at most %d users, found %zu", CONFIG_USERS_MAX,
                       yaml_len(list));
        return;
    }
    for (size_t i = 0; i < yaml_len(list); i++) {
        const struct yaml_node *item = yaml_at(list, i);
        AUTO_BUF struct buf path = BUF_INIT(64);
        buf_addf(&path, "telegram.users[%zu]", i);
        struct config_user user = {.name = "", .role = ""};
        if (!config_expect_kind(load, item, YAML_MAPPING, path.data,
                                "id, name, role and emergency")) {
            continue;
        }
        int before = load->problems->count + load->problems->more;
        config_read_fields(
            load, &(struct config_fields){option_user_fields, option_user_field_count, NULL}, &user,
            item, path.data);
        if (before == load->problems->count + load->problems->more) {
            refuse_same_user(load, item, user.id, user.name, path.data);
        }
        config->detail->user_lines[config->user_count] = item->line;
        config->users[config->user_count++] = user;
    }
}

static void refuse_same_local(struct load *load, const struct yaml_node *node,
                              const struct config_local *user, const char *path)
{
    const struct config *config = load->config;
    for (int i = 0; i < config->local_count; i++) {
        if (config->locals[i].uid == user->uid) {
            detail_problem(load, ERR_CONFIG_DUPLICATE, node,
                           "%s: uid %lld is already used on line %d", path, (long long)user->uid,
                           config->detail->local_lines[i]);
        } else if (strcmp(config->locals[i].name, user->name) == 0) {
            detail_problem(load, ERR_CONFIG_DUPLICATE, node,
                           "%s: user name %s is already used on line %d", path, user->name,
                           config->detail->local_lines[i]);
        }
    }
}

static void read_locals(struct load *load, const struct yaml_node *list)
{
    struct config *config = load->config;
    if (yaml_is_null(list) ||
        !config_expect_kind(load, list, YAML_SEQUENCE, "api.local_users", "a list of users")) {
        return;
    }
    if (yaml_len(list) > CONFIG_LOCALS_MAX) {
        detail_problem(load, ERR_CONFIG_RANGE, list,
                       "api.local_users: expected at most %d users, found %zu", CONFIG_LOCALS_MAX,
                       yaml_len(list));
        return;
    }
    for (size_t i = 0; i < yaml_len(list); i++) {
        const struct yaml_node *item = yaml_at(list, i);
        AUTO_BUF struct buf path = BUF_INIT(64);
        buf_addf(&path, "api.local_users[%zu]", i);
        struct config_local user = {.name = "", .role = ""};
        if (!config_expect_kind(load, item, YAML_MAPPING, path.data,
                                "uid, name, role and emergency")) {
            continue;
        }
        int before = load->problems->count + load->problems->more;
        config_read_fields(
            load, &(struct config_fields){option_local_fields, option_local_field_count, NULL},
            &user, item, path.data);
        if (before == load->problems->count + load->problems->more) {
            refuse_same_local(load, item, &user, path.data);
        }
        config->detail->local_lines[config->local_count] = item->line;
        config->locals[config->local_count++] = user;
    }
}

/* ------------------------------------------------------------------ the tree */

static void read_group(struct load *load, const char *group, const struct yaml_node *map)
{
    for (size_t k = 0; k < yaml_len(map); k++) {
        const struct yaml_node *key = yaml_key(map, k);
        if (strcmp(group, "telegram") == 0 && str_equal_c(yaml_text(key), "users")) {
            read_users(load, yaml_value(map, k));
            continue;
        }
        if (strcmp(group, "api") == 0 && str_equal_c(yaml_text(key), "local_users")) {
            read_locals(load, yaml_value(map, k));
            continue;
        }
        size_t i = 0;
        while (i < option_count && (strcmp(option_table[i].group, group) != 0 ||
                                    !str_equal_c(yaml_text(key), option_table[i].name))) {
            i++;
        }
        if (i == option_count) {
            unknown_option(load, key, group);
            continue;
        }
        read_node(load, &(struct place){.option = &option_table[i],
                                        .owner = load->config,
                                        .node = yaml_value(map, k),
                                        .path = option_table[i].path,
                                        .origin = &load->config->detail->origins[i]});
    }
}

void config_read_tree(struct load *load, const struct yaml_node *root)
{
    if (!config_expect_kind(load, root, YAML_MAPPING, "the file", "groups of options")) {
        return;
    }
    for (size_t k = 0; k < yaml_len(root); k++) {
        const struct yaml_node *key = yaml_key(root, k);
        const struct yaml_node *value = yaml_value(root, k);
        size_t g = 0;
        while (g < option_group_count && !str_equal_c(yaml_text(key), option_groups[g].name)) {
            g++;
        }
        if (g == option_group_count) {
            unknown_group(load, key);
        } else if (yaml_is_null(value)) {
            continue; /* a group whose options are all commented out */
        } else if (strcmp(option_groups[g].name, "services") == 0) {
            config_services_read(load, value);
        } else if (config_expect_kind(load, value, YAML_MAPPING, option_groups[g].name,
                                      "a group of options")) {
            read_group(load, option_groups[g].name, value);
        }
    }
}

/* ------------------------------------------------------------------ credentials */

void config_read_credentials(struct load *load)
{
    const char *folder = load->credentials;
    if (folder == NULL || folder[0] == '\0') {
        return;
    }
    for (size_t i = 0; i < option_count; i++) {
        if (option_table[i].type != OPTION_SECRET) {
            continue;
        }
        AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
        AUTO_BUF struct buf bytes = BUF_INIT(EXPANDED_MAX);
        AUTO_BUF struct buf expected = BUF_INIT(256);
        struct err err;
        union value value;
        buf_addf(&path, "%s/%s", folder, option_table[i].path);
        if (buf_failed(&path) || !file_exists(path.data)) {
            continue;
        }
        if (file_read(path.data, &bytes, &err) < 0) {
            detail_add(load, &err);
            continue;
        }
        enum value_problem problem =
            value_parse(&option_table[i], str_trim(buf_str(&bytes)), &value, &expected);
        if (problem != VALUE_GOOD) {
            detail_problem(load, id_of(problem), NULL, "%s: %s: expected %s", path.data,
                           option_table[i].path, expected.data);
        } else {
            struct origin *origin = &load->config->detail->origins[i];
            store(load, &(struct place){.option = &option_table[i], .owner = load->config}, &value);
            *origin = (struct origin){.kind = ORIGIN_CREDENTIAL};
        }
        secret_wipe(bytes.data, bytes.len);
    }
}

/* ------------------------------------------------------------------ across several options */

static void add_admins(struct load *load, const struct yaml_node *root)
{
    struct config *config = load->config;
    const struct yaml_node *list = yaml_get(yaml_get(root, "telegram"), "admin_users");
    for (int i = 0; i < config->telegram_admin_users.count; i++) {
        int64_t id = config->telegram_admin_users.items[i];
        const struct yaml_node *node = yaml_at(list, (size_t)i);
        AUTO_BUF struct buf name = BUF_INIT(40);
        buf_addf(&name, "admin-%lld", (long long)id);
        if (id <= 0) {
            detail_problem(load, ERR_CONFIG_RANGE, node,
                           "telegram.admin_users: expected a user id of at least 1");
            continue;
        }
        if (config->user_count == CONFIG_USERS_MAX) {
            detail_problem(load, ERR_CONFIG_RANGE, node,
                           "telegram.admin_users: expected at most %d users in total",
                           CONFIG_USERS_MAX);
            return;
        }
        refuse_same_user(load, node, id, name.data, "telegram.admin_users");
        config->detail->user_lines[config->user_count] = node != NULL ? node->line : 0;
        config->users[config->user_count++] =
            (struct config_user){.id = id,
                                 .name = detail_text(config->detail, buf_str(&name)),
                                 .role = "admin",
                                 .emergency = true,
                                 .totp = ""};
    }
}

void config_read_finish(struct load *load, const struct yaml_node *root)
{
    struct config *config = load->config;
    add_admins(load, root);
    struct str heartbeat = str_c(config->monitoring_heartbeat_url);
    if (heartbeat.len > 0 && !value_is_url(heartbeat)) { /* a secret: never shown */
        detail_problem(load, ERR_CONFIG_TYPE,
                       yaml_get(yaml_get(root, "monitoring"), "heartbeat_url"),
                       "monitoring.heartbeat_url: expected a URL that starts with http:// or "
                       "https:// and contains no password");
    }
    config_services_finish(load, yaml_is_null(yaml_get(root, "services")));
    config_check(load, root);
}
