/*
 * yaml.h: parses YAML (libyaml) into a small immutable tree with the position of each node.
 *
 *     AUTO_YAML struct yaml *doc = NULL;
 *     if ((rc = yaml_parse_file(path, &doc, err)) < 0) return rc;
 *     const struct yaml_node *name = yaml_get(yaml_root(doc), "command");
 *     if (name == NULL || name->kind != YAML_SCALAR) ...  "%s:%d:%d", path, name->line, ...
 *
 * Always true: one document; at most YAML_MAX_BYTES, depth YAML_MAX_DEPTH, YAML_MAX_NODES; no
 * anchors, aliases, tags or duplicate keys; keys are scalars; text is valid UTF-8 without NUL.
 * Scalars are not converted: each has its text and whether it was quoted (yaml_is_null is true for
 * an unquoted empty scalar, ~ or null). Errors hold name:line:column, counted from 1.
 * The root of an empty document is an empty mapping.
 * Thread: any; several threads may read the same tree.
 */
#pragma once

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define YAML_MAX_BYTES ((size_t)1 << 20)
#define YAML_MAX_DEPTH 32
#define YAML_MAX_NODES 50000

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
    enum yaml_kind kind;
    bool quoted; /* scalars: '…', "…", | or > */
    bool flow;   /* sequences and mappings: […] or {…} */
    int line;
    int column;
    size_t begin;    /* in characters of the text, from 0; the first item of a block */
    size_t end;      /* behind the last character; of a block, where what follows it begins */
    struct str text; /* scalars; NUL-terminated */
    const struct yaml_node **items; /* sequences: len items; mappings: len keys then len values */
    size_t len;
};

struct yaml;

/* name is used in error contexts ("nightdesk.yaml"). */
int yaml_parse(struct str text, const char *name, struct yaml **ret, struct err *err);
int yaml_parse_file(const char *path, struct yaml **ret, struct err *err);
/* libyaml exports its own yaml_free and calls it; ours would replace it at link time. So ours gets
 * another symbol name. */
void yaml_free(struct yaml *yaml) __asm__("nightdesk_yaml_free");

static inline void yaml_cleanup(struct yaml **slot)
{
    yaml_free(*slot);
}
#define AUTO_YAML AUTO(yaml_cleanup)

const struct yaml_node *yaml_root(const struct yaml *yaml);

/* All of these accept NULL and nodes of another kind, and then return NULL, 0, false or the empty
 * view. So a path can be walked without checks in between. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
const struct yaml_node *yaml_at(const struct yaml_node *sequence, size_t index);
size_t yaml_len(const struct yaml_node *node); /* items or pairs */
/* The key and the value of pair number index, in the order of the file. */
const struct yaml_node *yaml_key(const struct yaml_node *map, size_t index);
const struct yaml_node *yaml_value(const struct yaml_node *map, size_t index);
struct str yaml_text(const struct yaml_node *scalar);
bool yaml_is_null(const struct yaml_node *node); /* also true for a NULL pointer */
/* Where a node begins or ends, in bytes of the text that was parsed. */
size_t yaml_byte(struct str text, size_t characters);
