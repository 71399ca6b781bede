/*
 * tool_document.h: what a model sees of the reply of a command: a bounded JSON document without
 * ids and names of people, hosts and registered secrets.
 *
 *     struct json_object *document = tool_document(&(struct tool_document_sources){config, store},
 *                                                  reply, err);
 *
 * {"title", "data": {...}} with what programs get of the reply; of a reply without data its
 * "blocks"; after a failure "error" with code, message, context and remedy. Of what is too long the
 * first items of lists and the beginning of texts are kept; then there is a "note", and beside a
 * list that was cut its length: "trades_in_all": 200.
 * Always true: at most TOOL_DOCUMENT_MAX bytes as JSON, before what is removed. Thread: ops.
 */
#pragma once

#include "base/err.h"
#include "command/reply.h"

#include <stddef.h>

#define TOOL_DOCUMENT_MAX ((size_t)24 * 1024)

struct config;
struct json_object;
struct ops_store;

struct tool_document_sources {
    const struct config *config; /* its people and hosts are left out */
    struct ops_store *store;     /* those who were granted a role by command, too */
};

/* The caller releases it. err: NULL if the command succeeded. */
struct json_object *tool_document(const struct tool_document_sources *sources,
                                  const struct reply *reply, const struct err *err);
