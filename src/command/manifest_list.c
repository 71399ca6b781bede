#include "base/check.h"
#include "io/embed.h"
#include "io/file.h"
#include "manifest_internal.h"

#include <limits.h>
#include <string.h>

#define NEAR_ENOUGH    2 /* edits */
#define FILE_BYTES_MAX ((size_t)64 * 1024)
#define EMBEDDED       "commands/"
#define SUFFIX         ".yaml"

/* One generation of manifests; a reload replaces it as a whole. */
struct generation {
    size_t count;
    size_t capacity;
    struct manifest **items; /* a reference each; sorted by group, then by name */
};

struct manifest_list {
    const struct action_table *actions;
    const struct embedded_file *files; /* a command that is restricted is read from them again */
    struct generation embedded;        /* read once: they cannot change */
    struct generation now;
};

/* The order of groups in /help; other groups follow alphabetically. */
static const char *const group_order[] = {"see", "trading", "services", "think", "change", "stop"};

static size_t group_rank(const char *group)
{
    size_t i = 0;
    while (i < COUNT_OF(group_order) && strcmp(group_order[i], group) != 0) {
        i++;
    }
    return i;
}

static int compare_manifests(const void *a, const void *b)
{
    const struct manifest *x = *(const struct manifest *const *)a;
    const struct manifest *y = *(const struct manifest *const *)b;
    size_t rank_x = group_rank(x->group);
    size_t rank_y = group_rank(y->group);
    if (rank_x != rank_y) {
        return rank_x < rank_y ? -1 : 1;
    }
    int by_group = strcmp(x->group, y->group);
    return by_group != 0 ? by_group : strcmp(x->name, y->name);
}

/* ------------------------------------------------------------------------- one generation ---- */

static void generation_release(struct generation *g)
{
    for (size_t i = 0; i < g->count; i++) {
        manifest_unref(g->items[i]);
    }
    free(g->items);
    *g = (struct generation){0};
}

static bool goes_by(const struct manifest *m, struct str name)
{
    for (int i = 0; i < m->alias_count; i++) {
        if (str_equal_c(name, m->aliases[i])) {
            return true;
        }
    }
    return str_equal_c(name, m->name);
}

static struct manifest *generation_find(const struct generation *g, struct str name)
{
    for (size_t i = 0; i < g->count; i++) {
        if (goes_by(g->items[i], name)) {
            return g->items[i];
        }
    }
    return NULL;
}

/* By its name alone. */
static struct manifest *generation_find_name(const struct generation *g, const char *name)
{
    struct manifest *m = generation_find(g, str_c(name));
    return m != NULL && strcmp(m->name, name) == 0 ? m : NULL;
}

static void generation_sort(struct generation *g)
{
    if (g->count > 0) {
        qsort(g->items, g->count, sizeof(struct manifest *), compare_manifests);
    }
}

/* Takes over the reference, also if the name or an alias is in use already. */
static int generation_add(struct generation *g, struct manifest *m, struct err *err)
{
    const char *name = m->name;
    const struct manifest *other = generation_find(g, str_c(name));
    for (int i = 0; other == NULL && i < m->alias_count; i++) {
        name = m->aliases[i];
        other = generation_find(g, str_c(name));
    }
    if (other != NULL) {
        (void)err_set(err, ERR_MANIFEST_FORMAT, "%s: command %s is defined twice, first in %s",
                      m->where, name, other->where);
        manifest_unref(m);
        return -ERR_MANIFEST_FORMAT;
    }
    if (g->count == g->capacity) {
        g->capacity = g->capacity == 0 ? 64 : 2 * g->capacity;
        g->items = reallocarray(g->items, g->capacity, sizeof(struct manifest *));
        ASSERT(g->items != NULL);
    }
    g->items[g->count++] = m;
    return 0;
}

static int read_one(const struct manifest_list *list, struct generation *g, const char *path,
                    struct str text, struct err *err)
{
    struct manifest *m = NULL;
    int rc = manifest_parse(list->actions, path, text, &m, err);
    return rc < 0 ? rc : generation_add(g, m, err);
}

static int read_embedded(struct manifest_list *list, const struct embedded_file *files,
                         struct err *err)
{
    int rc = 0;
    for (const struct embedded_file *f = files; rc == 0 && f->path != NULL; f++) {
        if (str_starts(str_c(f->path), EMBEDDED)) {
            rc = read_one(list, &list->embedded, f->path, str_n(f->data, f->size), err);
        }
    }
    return rc;
}

static void share_embedded(const struct manifest_list *list, struct generation *g)
{
    for (size_t i = 0; i < list->embedded.count; i++) {
        list->embedded.items[i]->refs++;
        int rc = generation_add(g, list->embedded.items[i], NULL);
        ASSERT(rc == 0); /* they differ by name, and g was empty */
    }
}

/* ----------------------------------------------------------------- the user's own manifests ----
 */

/* A manifest of its own for this generation, in place of the shared one. */
static struct manifest *own_copy(const struct manifest_list *list, struct generation *g,
                                 const char *name)
{
    size_t at = 0;
    while (at < g->count && strcmp(g->items[at]->name, name) != 0) {
        at++;
    }
    if (at == g->count || generation_find_name(&list->embedded, name) == NULL) {
        return NULL;
    }
    if (g->items[at] != generation_find_name(&list->embedded, name)) {
        return g->items[at]; /* another file restricts it, too */
    }
    for (const struct embedded_file *f = list->files; f->path != NULL; f++) {
        struct manifest *m = NULL;
        if (!str_starts(str_c(f->path), EMBEDDED)) {
            continue;
        }
        int rc = manifest_parse(list->actions, f->path, str_n(f->data, f->size), &m, NULL);
        ASSERT(rc == 0); /* it was read at the start */
        if (strcmp(m->name, name) == 0) {
            manifest_unref(g->items[at]);
            g->items[at] = m;
            return m;
        }
        manifest_unref(m);
    }
    return NULL;
}

/* A file that cannot be used leaves the command as it is, but then the owner's rule would silently
 * not apply: nobody may run the command until the file is mended. */
static int restrict_command(const struct manifest_list *list, struct generation *g,
                            const char *name, const char *path, struct str text, struct err *err)
{
    struct manifest *m = own_copy(list, g, name);
    if (m == NULL) {
        return err_set(err, ERR_MANIFEST_FORMAT,
                       "%s:1:1: restrict: %s is no command of the program; rules of your own "
                       "command belong into its own file",
                       path, name);
    }
    int rc = manifest_restrict(path, text, m, err);
    if (rc < 0) {
        manifest_deny_all(m, path);
    }
    return rc;
}

static int read_file(const struct manifest_list *list, struct generation *g, const char *path,
                     struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT(FILE_BYTES_MAX);
    int rc = file_check_trusted(path, false, err);
    if (rc == 0) {
        rc = file_read(path, &text, err);
    }
    char restricted[MANIFEST_NAME_SIZE] = "";
    if (rc == 0) {
        manifest_restricted_name(path, buf_str(&text), restricted);
    }
    if (restricted[0] != '\0') {
        return restrict_command(list, g, restricted, path, buf_str(&text), err);
    }
    return rc < 0 ? rc : read_one(list, g, path, buf_str(&text), err);
}

static bool is_manifest(const char *name)
{
    size_t len = strlen(name);
    return name[0] != '.' && len > sizeof(SUFFIX) - 1 &&
           strcmp(name + len - (sizeof(SUFFIX) - 1), SUFFIX) == 0;
}

/* Returns the number of problems, each of which was reported. */
static int read_folder(const struct manifest_list *list, struct generation *g, const char *folder,
                       const struct manifest_problems *problems)
{
    AUTO_FILE_NAMES struct file_names names = {0};
    struct err err = {0};
    int count = 0;
    if (folder[0] == '\0') {
        return 0;
    }
    if (file_check_trusted(folder, true, &err) < 0 ||
        file_list(folder, MANIFEST_FILES_MAX, &names, &err) < 0) {
        problems->report(&err, problems->userdata);
        return 1;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (!is_manifest(names.items[i])) {
            continue;
        }
        AUTO_BUF struct buf path = BUF_INIT(PATH_MAX);
        buf_addf(&path, "%s/%s", folder, names.items[i]);
        if (read_file(list, g, path.data, &err) < 0) {
            problems->report(&err, problems->userdata);
            count++;
        }
    }
    return count;
}

int manifest_list_reload(struct manifest_list *list, const char *folder, enum manifest_reload how,
                         const struct manifest_problems *problems)
{
    struct generation fresh = {0};
    share_embedded(list, &fresh);
    int count = read_folder(list, &fresh, folder, problems);
    if (count > 0 && how == MANIFEST_ALL_OR_NOTHING) {
        generation_release(&fresh);
        return count;
    }
    generation_sort(&fresh);
    generation_release(&list->now);
    list->now = fresh;
    return count;
}

/* ---------------------------------------------------------------------------------- lists ---- */

int manifest_list_read(const struct action_table *actions, const struct embedded_file *files,
                       struct manifest_list **ret, struct err *err)
{
    struct manifest_list *list = calloc(1, sizeof(*list));
    ASSERT(list != NULL);
    list->actions = actions;
    list->files = files;
    int rc = read_embedded(list, files, err);
    if (rc < 0) {
        manifest_list_free(list);
        return rc;
    }
    share_embedded(list, &list->now);
    generation_sort(&list->now);
    *ret = list;
    return 0;
}

int manifest_list_load(const struct action_table *actions, struct manifest_list **ret,
                       struct err *err)
{
    return manifest_list_read(actions, embedded_files, ret, err);
}

void manifest_list_free(struct manifest_list *list)
{
    if (list != NULL) {
        generation_release(&list->embedded);
        generation_release(&list->now);
        free(list);
    }
}

const struct manifest *manifest_find(const struct manifest_list *list, const char *name)
{
    return generation_find(&list->now, str_c(name));
}

const struct manifest *manifest_at(const struct manifest_list *list, size_t index)
{
    return index < list->now.count ? list->now.items[index] : NULL;
}

bool manifest_is_visible(const struct manifest *m, enum channel channel)
{
    return (m->channels & (1U << channel)) != 0;
}

const char *manifest_nearest(const struct manifest_list *list, enum channel channel,
                             struct str name)
{
    const struct manifest *near = NULL;
    int near_distance = NEAR_ENOUGH + 1;
    for (size_t i = 0; i < list->now.count; i++) {
        const struct manifest *m = list->now.items[i];
        int distance = str_distance(name, str_c(m->name));
        bool nearer = distance < near_distance ||
                      (near != NULL && near->changes && !m->changes && distance == near_distance);
        if (manifest_is_visible(m, channel) && nearer) {
            near = m;
            near_distance = distance;
        }
    }
    return near == NULL || near->changes ? NULL : near->name;
}
