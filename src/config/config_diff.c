#include "base/check.h"
#include "config_read.h"
#include "config_value.h"
#include "io/yaml.h"

#include <stdlib.h>
#include <string.h>

/* Longer than any value that is shown in full. */
#define VALUE_MAX ((size_t)65536)

/* ------------------------------------------------------------------ one value */

static const void *slot_of(const struct option *o, const void *owner)
{
    return (const char *)owner + o->offset;
}

static bool same_value(const struct option *o, const void *before, const void *after)
{
    if (o->type == OPTION_SECRET) { /* as text both are "***" */
        const char *const *a = slot_of(o, before);
        const char *const *b = slot_of(o, after);
        return strcmp(*a, *b) == 0;
    }
    AUTO_BUF struct buf a = BUF_INIT(VALUE_MAX), b = BUF_INIT(VALUE_MAX);
    config_add_value(&a, o, before);
    config_add_value(&b, o, after);
    return str_equal(buf_str(&a), buf_str(&b));
}

/* Copies text; the end of one that is too long becomes "…", without splitting a character. */
static void copy_shown(struct str text, char *dst, size_t size)
{
    if (str_copy(text, dst, size)) {
        return;
    }
    size_t len = size - sizeof("…");
    while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80) {
        len--;
    }
    memcpy(dst, text.ptr, len);
    memcpy(dst + len, "…", sizeof("…"));
}

static struct config_change *add_change(struct config_diff *diff, bool live, bool file_only)
{
    *(live ? &diff->live : &diff->restart) += 1;
    diff->file_only += file_only ? 1 : 0;
    if (diff->count == CONFIG_CHANGES_MAX) {
        return NULL;
    }
    struct config_change *change = &diff->items[diff->count++];
    *change = (struct config_change){.live = live, .file_only = file_only};
    return change;
}

static void show_value(const struct option *o, const void *owner, char *dst, size_t size)
{
    AUTO_BUF struct buf text = BUF_INIT(VALUE_MAX);
    config_add_value(&text, o, owner);
    copy_shown(buf_str(&text), dst, size);
}

static void compare_value(struct config_diff *diff, const struct option *o, const char *path,
                          const void *before, const void *after)
{
    if (same_value(o, before, after)) {
        return;
    }
    struct config_change *change =
        add_change(diff, (o->flags & CONFIG_LIVE) != 0,
                   (o->flags & CONFIG_FILE_ONLY) != 0 || o->type == OPTION_SECRET);
    if (change != NULL) {
        (void)str_copy(str_c(path), change->path, sizeof(change->path));
        show_value(o, before, change->before, sizeof(change->before));
        show_value(o, after, change->after, sizeof(change->after));
    }
}

/* ------------------------------------------------------------------ lists of groups */

/* telegram.users, api.local_users, services, or the checks of a service. */
struct items {
    const char *path;
    const struct option *fields;
    size_t field_count;
    const void *first;
    int count;
    size_t size;
    const char *(*name)(const void *item);
    bool (*same)(const void *a, const void *b); /* the same person or service */
    struct items (*inner)(const void *item);    /* a list in each item, without its path; or NULL */
};

static const char *user_name(const void *item)
{
    return ((const struct config_user *)item)->name;
}

static bool same_user(const void *a, const void *b)
{
    return ((const struct config_user *)a)->id == ((const struct config_user *)b)->id;
}

static const char *local_name(const void *item)
{
    return ((const struct config_local *)item)->name;
}

static bool same_local(const void *a, const void *b)
{
    return ((const struct config_local *)a)->uid == ((const struct config_local *)b)->uid;
}

static const char *service_name(const void *item)
{
    return ((const struct config_service *)item)->name;
}

static bool same_service(const void *a, const void *b)
{
    return strcmp(service_name(a), service_name(b)) == 0;
}

static const char *check_name(const void *item)
{
    return ((const struct config_check *)item)->name;
}

static bool same_check(const void *a, const void *b)
{
    return strcmp(check_name(a), check_name(b)) == 0;
}

static struct items checks_of(const void *item)
{
    const struct config_service *service = item;
    return (struct items){
        "checks",        option_check_fields,  option_check_field_count,
        service->checks, service->check_count, sizeof(service->checks[0]),
        check_name,      same_check,           NULL,
    };
}

/* Without the users from admin_users, an option of its own. */
static struct items users_of(const struct config *c)
{
    return (struct items){
        "telegram.users",
        option_user_fields,
        option_user_field_count,
        c->users,
        c->user_count - c->telegram_admin_users.count,
        sizeof(c->users[0]),
        user_name,
        same_user,
        NULL,
    };
}

static struct items locals_of(const struct config *c)
{
    return (struct items){
        "api.local_users", option_local_fields, option_local_field_count,
        c->locals,         c->local_count,      sizeof(c->locals[0]),
        local_name,        same_local,          NULL,
    };
}

static struct items services_of(const struct config *c)
{
    return (struct items){
        "services",   option_service_fields, option_service_field_count,
        c->services,  c->service_count,      sizeof(c->services[0]),
        service_name, same_service,          checks_of,
    };
}

static const void *item_at(const struct items *items, int index)
{
    return (const char *)items->first + (size_t)index * items->size;
}

static const void *find_item(const struct items *items, const void *like)
{
    for (int i = 0; i < items->count; i++) {
        if (items->same(item_at(items, i), like)) {
            return item_at(items, i);
        }
    }
    return NULL;
}

/* "{id: 5, name: "bob", role: operator, emergency: false}" */
static void show_item(const struct items *items, const void *item, char *dst, size_t size)
{
    AUTO_BUF struct buf text = BUF_INIT(VALUE_MAX);
    for (size_t f = 0; f < items->field_count; f++) {
        buf_addf(&text, "%s%s: ", f == 0 ? "{" : ", ", items->fields[f].name);
        config_add_value(&text, &items->fields[f], item);
    }
    if (items->inner != NULL) {
        struct items inner = items->inner(item);
        buf_addf(&text, ", %s: [", inner.path);
        for (int i = 0; i < inner.count; i++) {
            buf_addf(&text, "%s%s", i > 0 ? ", " : "", inner.name(item_at(&inner, i)));
        }
        buf_add_char(&text, ']');
    }
    buf_add_char(&text, '}');
    copy_shown(buf_str(&text), dst, size);
}

/* An item that only one side has. */
static void add_item(struct config_diff *diff, const struct items *items, const void *before,
                     const void *after)
{
    struct config_change *change = add_change(diff, true, true);
    if (change == NULL) {
        return;
    }
    (void)snprintf(change->path, sizeof(change->path), "%s.%s", items->path,
                   items->name(before != NULL ? before : after));
    (void)str_copy(STR_LIT("none"), change->before, sizeof(change->before));
    (void)str_copy(STR_LIT("none"), change->after, sizeof(change->after));
    if (before != NULL) {
        show_item(items, before, change->before, sizeof(change->before));
    } else {
        show_item(items, after, change->after, sizeof(change->after));
    }
}

static void compare_items(struct config_diff *diff, const struct items *before,
                          const struct items *after)
{
    for (int i = 0; i < before->count; i++) {
        const void *old = item_at(before, i);
        const void *now = find_item(after, old);
        if (now == NULL) {
            add_item(diff, before, old, NULL);
            continue;
        }
        for (size_t f = 0; f < before->field_count; f++) {
            char path[sizeof(((struct config_change *)0)->path)];
            (void)snprintf(path, sizeof(path), "%s.%s.%s", before->path, before->name(old),
                           before->fields[f].name);
            compare_value(diff, &before->fields[f], path, old, now);
        }
        if (before->inner != NULL) {
            char path[sizeof(((struct config_change *)0)->path)];
            struct items was = before->inner(old);
            struct items is = after->inner(now);
            (void)snprintf(path, sizeof(path), "%s.%s.%s", before->path, before->name(old),
                           was.path);
            was.path = is.path = path;
            compare_items(diff, &was, &is);
        }
    }
    for (int i = 0; i < after->count; i++) {
        const void *now = item_at(after, i);
        if (find_item(before, now) == NULL) {
            add_item(diff, after, NULL, now);
        }
    }
}

void config_diff(const struct config *before, const struct config *after, struct config_diff *ret)
{
    *ret = (struct config_diff){.count = 0};
    for (size_t i = 0; i < option_count; i++) {
        compare_value(ret, &option_table[i], option_table[i].path, before, after);
    }
    const struct items old[] = {users_of(before), locals_of(before), services_of(before)};
    const struct items now[] = {users_of(after), locals_of(after), services_of(after)};
    for (size_t i = 0; i < COUNT_OF(old); i++) {
        compare_items(ret, &old[i], &now[i]);
    }
}

/* ------------------------------------------------------------------ stored texts */

/* Two texts as trees. */
struct sides {
    struct str before;
    struct str after;
    struct config_diff *diff;
};

static struct str raw(struct str text, const struct yaml_node *node)
{
    size_t begin = yaml_byte(text, node->begin);
    return str_n(text.ptr + begin, yaml_byte(text, node->end) - begin);
}

static const struct option *option_of(const char *path)
{
    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(option_table[i].path, path) == 0) {
            return &option_table[i];
        }
    }
    return NULL;
}

static void compare_leaves(const struct sides *s, const char *path, const struct yaml_node *a,
                           const struct yaml_node *b)
{
    struct str before = a != NULL ? str_trim(raw(s->before, a)) : STR_LIT("none");
    struct str after = b != NULL ? str_trim(raw(s->after, b)) : STR_LIT("none");
    const struct option *o = option_of(path);
    if (str_equal(before, after)) {
        return;
    }
    struct config_change *change = add_change(s->diff, o == NULL || (o->flags & CONFIG_LIVE) != 0,
                                              o != NULL && (o->flags & CONFIG_FILE_ONLY) != 0);
    if (change != NULL) {
        copy_shown(str_c(path), change->path, sizeof(change->path));
        copy_shown(before, change->before, sizeof(change->before));
        copy_shown(after, change->after, sizeof(change->after));
    }
}

/* Recursion is bounded by YAML_MAX_DEPTH. */
static void compare_nodes(const struct sides *s, const char *path, const struct yaml_node *a,
                          const struct yaml_node *b)
{
    bool maps = (a == NULL || a->kind == YAML_MAPPING) && (b == NULL || b->kind == YAML_MAPPING);
    if (!maps) {
        compare_leaves(s, path, a, b);
        return;
    }
    for (size_t i = 0; i < yaml_len(a); i++) {
        AUTO_BUF struct buf name = BUF_INIT(1024);
        struct str key = yaml_key(a, i)->text;
        buf_addf(&name, "%s%s%.*s", path, path[0] != '\0' ? "." : "", STR_ARG(key));
        compare_nodes(s, name.data, yaml_value(a, i), yaml_get(b, key.ptr));
    }
    for (size_t i = 0; i < yaml_len(b); i++) {
        AUTO_BUF struct buf name = BUF_INIT(1024);
        struct str key = yaml_key(b, i)->text;
        buf_addf(&name, "%s%s%.*s", path, path[0] != '\0' ? "." : "", STR_ARG(key));
        if (yaml_get(a, key.ptr) == NULL) {
            compare_nodes(s, name.data, NULL, yaml_value(b, i));
        }
    }
}

int config_text_diff(struct str before, struct str after, struct config_diff *ret, struct err *err)
{
    AUTO_YAML struct yaml *a = NULL, *b = NULL;
    const struct sides sides = {.before = before, .after = after, .diff = ret};
    *ret = (struct config_diff){.count = 0};
    int rc = yaml_parse(before, "before", &a, err);
    rc = rc < 0 ? rc : yaml_parse(after, "after", &b, err);
    if (rc == 0) {
        compare_nodes(&sides, "", yaml_root(a), yaml_root(b));
    }
    return rc;
}

/* ------------------------------------------------------------------ secrets */

void config_each_secret(const struct config *config,
                        void (*fn)(const char *path, const char *value, void *userdata),
                        void *userdata)
{
    const struct items lists[] = {users_of(config), locals_of(config), services_of(config)};
    for (size_t i = 0; i < option_count; i++) {
        const char *const *value = slot_of(&option_table[i], config);
        if (option_table[i].type == OPTION_SECRET && (*value)[0] != '\0') {
            fn(option_table[i].path, *value, userdata);
        }
    }
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        for (size_t f = 0; f < lists[i].field_count; f++) {
            const struct option *o = &lists[i].fields[f];
            for (int k = 0; o->type == OPTION_SECRET && k < lists[i].count; k++) {
                char path[sizeof(((struct config_change *)0)->path)];
                const void *item = item_at(&lists[i], k);
                const char *const *value = slot_of(o, item);
                (void)snprintf(path, sizeof(path), "%s.%s.%s", lists[i].path, lists[i].name(item),
                               o->name);
                if (*value != NULL && (*value)[0] != '\0') {
                    fn(path, *value, userdata);
                }
            }
        }
    }
}

/* ------------------------------------------------------------------ what needs a restart */

static bool copy_text(struct config *fresh, const struct option *o, const char *text, void *slot)
{
    const char *copy = o->type == OPTION_SECRET ? detail_secret(fresh->detail, str_c(text))
                                                : detail_text(fresh->detail, str_c(text));
    if (copy != NULL) {
        *(const char **)slot = copy;
    }
    return copy != NULL;
}

static bool copy_texts(struct config *fresh, const struct option *o,
                       const struct config_texts *from, struct config_texts *ret)
{
    *ret = detail_list(fresh->detail, (size_t)from->count);
    for (; ret->count < from->count; ret->count++) {
        if (!copy_text(fresh, o, from->items[ret->count], &ret->items[ret->count])) {
            return false;
        }
    }
    return true;
}

/* False if the texts together exceed their limit. */
static bool keep_value(struct config *fresh, const struct config *running, const struct option *o)
{
    const void *from = slot_of(o, running);
    void *to = (char *)fresh + o->offset;
    switch (o->type) {
    case OPTION_TEXT:
    case OPTION_SECRET:
    case OPTION_URL:
    case OPTION_ENUM:
        return copy_text(fresh, o, *(const char *const *)from, to);
    case OPTION_TEXTS:
        return copy_texts(fresh, o, from, to);
    case OPTION_INT:
    case OPTION_DURATION:
        memcpy(to, from, sizeof(int64_t));
        return true;
    case OPTION_BOOL:
        memcpy(to, from, sizeof(bool));
        return true;
    case OPTION_FLOAT:
    case OPTION_PERCENT:
        memcpy(to, from, sizeof(double));
        return true;
    case OPTION_MONEY:
        memcpy(to, from, sizeof(struct dec));
        return true;
    case OPTION_INTS:
        memcpy(to, from, sizeof(struct config_ints));
        return true;
    case OPTION_SYMBOLS:
        memcpy(to, from, sizeof(struct config_symbols));
        return true;
    }
    return true;
}

int config_keep_running(struct config *fresh, const struct config *running, const char *except,
                        struct err *err)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        bool excepted = except != NULL && strcmp(o->path, except) == 0;
        if ((o->flags & CONFIG_RESTART) == 0 || excepted || same_value(o, running, fresh)) {
            continue;
        }
        if (!keep_value(fresh, running, o)) {
            return err_set(err, ERR_CONFIG_LIMIT, "%s: all texts together exceed the limit",
                           o->path);
        }
        fresh->detail->origins[i] = (struct origin){.kind = ORIGIN_RUNNING};
    }
    AUTO_FREE struct config_problems *problems = calloc(1, sizeof(*problems));
    ASSERT(problems != NULL);
    struct load load = {.config = fresh, .name = fresh->detail->path, .problems = problems};
    config_check(&load, NULL);
    if (problems->count > 0) {
        if (err != NULL) {
            *err = problems->items[0];
        }
        return -problems->items[0].id;
    }
    return 0;
}
