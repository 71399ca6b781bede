/*
 * detail.h: the private part of a struct config: its texts, its secrets and the origin of each
 * value; and the collection of problems while a configuration is read.
 *
 *     const char *text = detail_text(config->detail, view);
 *     detail_problem(load, ERR_CONFIG_TYPE, node, "%s: expected %s", path, expected);
 *
 * Ownership: a text is valid as long as its config.
 * Thread: main while loading, then read-only.
 */
#pragma once

#include "config/config.h"
#include "config/unseal.h"
#include "io/secret.h"
#include "io/yaml.h"
#include "option.h"
#include "store/sealed_file.h"

/* ORIGIN_RUNNING: kept from the running configuration, because a change needs a restart. */
enum origin_kind {
    ORIGIN_DEFAULT,
    ORIGIN_ENVIRONMENT,
    ORIGIN_FILE,
    ORIGIN_CREDENTIAL,
    ORIGIN_SEALED,
    ORIGIN_RUNNING
};

struct origin {
    enum origin_kind kind;
    int line;
    int column;
    char variable[64]; /* environment variable used in the value */
};

#define DETAIL_TEXT_MAX    ((size_t)1 << 20)
#define DETAIL_OPTIONS_MAX 192
#define DETAIL_SECRETS_MAX 256

struct config_detail {
    char path[256];
    struct origin origins[DETAIL_OPTIONS_MAX]; /* same index as option_table[] */
    int user_lines[CONFIG_USERS_MAX];          /* 0: not from the file */
    int local_lines[CONFIG_LOCALS_MAX];
    struct detail_chunk *chunks;
    size_t text_bytes;
    struct secret *secrets[DETAIL_SECRETS_MAX];
    int secret_count;
};

struct config_detail *detail_new(void);
void detail_free(struct config_detail *detail);
/* A copy; NULL if it would exceed DETAIL_TEXT_MAX. */
const char *detail_text(struct config_detail *detail, struct str text);
/* The same in locked memory. */
const char *detail_secret(struct config_detail *detail, struct str text);
/* An empty list with room for count texts. */
struct config_texts detail_list(struct config_detail *detail, size_t count);

/* A load in progress. */
struct load {
    struct config *config;
    const char *name; /* of the file, for messages */
    struct config_problems *problems;
    const char *credentials;      /* systemd's folder; NULL: none */
    bool without_secrets;         /* a secret whose variable is not set is no problem */
    const struct yaml_node *root; /* NULL: no file */
    struct unseal *unseal;        /* NULL: no sealed secrets */
    bool sealed_tried;            /* the file of sealed secrets was looked for */
    bool sealed_failed;           /* it is there and cannot be used, which was reported */
    struct sealed_set sealed;
};

/* Adds a problem, prefixed by "file:line:column: " if node is not NULL. */
__attribute__((format(printf, 4, 5))) void detail_problem(struct load *load, enum err_id id,
                                                          const struct yaml_node *node,
                                                          const char *format, ...);
/* Adds a problem that already has its context. */
void detail_add(struct load *load, const struct err *err);
