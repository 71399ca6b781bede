/*
 * reply_json.h: a reply as JSON: the answer of REST and of `nightdesk do --json`, and the payload
 * of a message in the outbox.
 *
 *     reply_json_message(reply, &payload);
 *     rc = reply_json_read(text, len, &reply, err);
 *
 * {"schema": "nightdesk.reply/2", "title", "tone", "error": {...}, "blocks": [...], "buttons":
 * [[{"text", "command", "style"}]], "page": {"previous", "next"}, "footer", "choice", "protect",
 * "data": {...}}. Blocks:
 *     {"type": "para", "spans": ["Equity ", {"type": "money", "value": 2.39, "unit": "USD"}]}
 *     {"type": "heading" | "pre" | "quote", "text"}
 *     {"type": "fields", "fields": [{"name", "spans"}]}
 *     {"type": "list", "items": [spans]}
 *     {"type": "table", "columns": ["symbol"], "rows": [[value]]}
 *     {"type": "link", "text", "url"}
 *     {"type": "progress", "fraction", "text"}
 *     {"type": "image" | "document", "id", "name", "media_type", "size_bytes", "caption"}
 *     {"type": "fold", "title", "blocks": [...]}
 * Values are those of cell.h. A page holds command lines. "page", "error", "choice" and "caption"
 * may be absent. Version 1 (0.1.0, without "schema") had the blocks {"line"}, {"table": {"headers",
 * "rows"}} and {"pre"}; it can still be read.
 * Thread: any.
 */
#pragma once

#include "command/reply.h"

#define REPLY_JSON_SCHEMA "nightdesk.reply/2"

struct json_out;

void reply_json_text(const struct reply *r, struct buf *out);
/* The payload of a message in the outbox: without "data", which chats do not show. */
void reply_json_message(const struct reply *r, struct buf *out);
/* The members, into an object that is open. */
void reply_json_write(const struct reply *r, struct json_out *out);
struct json_object *reply_json(const struct reply *r); /* as a tree: a new reference */
int reply_json_read(const char *text, size_t len, struct reply **ret, struct err *err);
