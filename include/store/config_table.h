/*
 * config_table.h: the configurations that took effect, in ops.db: at each start that finds another
 * one than before, and at each reload.
 *
 *     config_table_add(store, &(struct config_version){.at_us = now_us, .user = "alice",
 *         .channel = "telegram", .why = "quieter", .changes = changes, .text = text}, &id, err);
 *     config_table_get(store, id, &version, err);                // config_version_release
 *
 * Always true: no secret is stored: text, file and changes have *** in their place. The newest
 * CONFIG_VERSIONS_KEPT versions are kept.
 * Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "store/ops.h"

#include <stddef.h>
#include <stdint.h>

#define CONFIG_VERSIONS_KEPT    100
#define CONFIG_VERSION_TEXT_MAX ((size_t)256 * 1024)
#define CONFIG_VERSION_FILE_MAX ((size_t)1024 * 1024)

struct config_version {
    int64_t id;
    int64_t at_us;    /* wall time */
    char user[32];    /* who applied it */
    char channel[16]; /* through which channel */
    char why[201];    /* the person's words, "SIGHUP" or "start" */
    char hash[65];    /* of text, hexadecimal */
    char *changes;    /* one line for each option; owned when read, borrowed when added */
    char *text;       /* the whole configuration as YAML; owned when read, borrowed when added */
    char *file;       /* the file as it was then, comments and all; "": unknown; as text */
};

void config_version_release(struct config_version *version);
#define AUTO_CONFIG_VERSION __attribute__((cleanup(config_version_release)))

/* Fills in the hash. Deletes the versions that are too old. */
int config_table_add(struct ops_store *store, const struct config_version *version, int64_t *ret_id,
                     struct err *err);
/* ERR_STORE_NOT_FOUND. */
int config_table_get(struct ops_store *store, int64_t id, struct config_version *ret,
                     struct err *err);
int config_table_last(struct ops_store *store, struct config_version *ret, struct err *err);
/* Newest first, without texts (text and file are NULL); returns the number. Release each. */
int config_table_list(struct ops_store *store, struct config_version *ret, size_t max,
                      struct err *err);
