#include "config/unseal.h"

#include "base/check.h"
#include "config_read.h"
#include "expand.h"
#include "io/file.h"
#include "io/seal.h"

#include <limits.h>
#include <string.h>

#define INSTALLED_FOLDER "/var/lib/nightdesk"
#define INSTALLED_KEY    "/etc/credstore/nightdesk." SEALED_KEY_NAME

void unseal_release(struct unseal *unseal)
{
    seal_release(unseal->key);
    unseal->key = NULL;
}

void unseal_paths(struct unseal *unseal, const char *folder, const char *configured)
{
    int n = snprintf(unseal->path, sizeof(unseal->path), "%.4000s/" SEALED_FILE_NAME, folder);
    if (configured[0] != '\0') {
        n = snprintf(unseal->key_file, sizeof(unseal->key_file), "%.4000s", configured);
    } else if (strcmp(folder, INSTALLED_FOLDER) == 0) {
        n = snprintf(unseal->key_file, sizeof(unseal->key_file), INSTALLED_KEY);
    } else {
        n = snprintf(unseal->key_file, sizeof(unseal->key_file), "%.4000s/" SEALED_KEY_NAME,
                     folder);
    }
    ASSERT(n > 0);
}

/* An option's text before the configuration is read; "" if it cannot be expanded, which the reader
 * reports. */
static void early_text(const struct yaml_node *root, const char *group, const char *name,
                       struct buf *out)
{
    const struct yaml_node *node = yaml_get(yaml_get(root, group), name);
    struct expand_used used;
    struct str text = STR_LIT("");
    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(option_table[i].group, group) == 0 && strcmp(option_table[i].name, name) == 0) {
            text = str_c(option_table[i].fallback);
        }
    }
    if (node != NULL && node->kind == YAML_SCALAR && !yaml_is_null(node)) {
        text = yaml_text(node);
    }
    if (expand_text(text, out, &used, NULL, "", NULL) < 0) {
        buf_clear(out);
    }
}

static void find_paths(struct load *load)
{
    struct unseal *unseal = load->unseal;
    AUTO_BUF struct buf folder = BUF_INIT(PATH_MAX), key_file = BUF_INIT(PATH_MAX);
    early_text(load->root, "state", "dir", &folder);
    early_text(load->root, "secrets", "key_file", &key_file);
    unseal_paths(unseal, unseal->folder(folder.data, unseal->userdata), key_file.data);
}

static int find_key(struct load *load, const struct sealed_file *file, struct secret_key *ret,
                    struct err *err)
{
    struct unseal *unseal = load->unseal;
    const struct sealed_source source = {.credentials = load->credentials,
                                         .key_file = unseal->key_file,
                                         .ask = unseal->ask,
                                         .userdata = unseal->userdata};
    if (unseal->key != NULL && sealed_file_fits(file, unseal->key)) {
        *ret = *unseal->key;
        return 0;
    }
    if (unseal->key != NULL && unseal->ask == NULL && file->head.by_passphrase) {
        return err_set(err, ERR_SEALED_WRONG_KEY, "%.300s: its passphrase is new since the start",
                       file->path);
    }
    int rc = sealed_key_find(&source, file, ret, err);
    if (rc == 0) {
        unseal->key = unseal->key != NULL ? unseal->key : seal_alloc(sizeof(*unseal->key));
        *unseal->key = *ret;
    }
    return rc;
}

static int open_file(struct load *load, struct err *err)
{
    AUTO_SEALED_FILE struct sealed_file *file = NULL;
    struct secret_key *key = NULL;
    if (load->unseal->path[0] == '\0') {
        find_paths(load);
    }
    if (!file_exists(load->unseal->path)) {
        return 0;
    }
    int rc = sealed_file_read(load->unseal->path, &file, err);
    if (rc == 0) {
        key = seal_alloc(sizeof(*key));
        rc = find_key(load, file, key, err);
    }
    rc = rc < 0 ? rc : sealed_file_open(file, key, &load->sealed, err);
    seal_release(key);
    return rc;
}

bool config_find_sealed(const char *name, struct buf *out, void *userdata)
{
    struct load *load = userdata;
    struct err err = {0};
    if (load->unseal == NULL) {
        return false;
    }
    if (!load->sealed_tried) {
        load->sealed_tried = true;
        if (open_file(load, &err) < 0) {
            load->sealed_failed = true;
            detail_add(load, &err);
        }
    }
    struct str value = sealed_set_get(&load->sealed, str_c(name));
    buf_add_str(out, value);
    return value.len > 0;
}
