/*
 * privacy.h: keeps personal ids out of the report, which a model of others reads: Telegram ids of
 * users and chats, names of people, mail addresses, and hosts.
 *
 *     struct privacy *privacy = privacy_new(config);
 *     privacy_add_people(privacy, ops);              // those who were granted a role by command
 *     privacy_clean(privacy, root);
 *     privacy_free(privacy);
 *
 * Always true: mail addresses, addresses of the network and the hosts of URLs are replaced in every
 * text of the document ("[mail]", "[host]"); the known ids, names and hosts only under /untrusted,
 * where all texts are that people or other programs wrote: elsewhere a word is one of this program,
 * even if a person has the same name. Keys and figures stay.
 * Thread: one at a time.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

struct config;
struct json_object;
struct ops_store;
struct privacy;

struct privacy *privacy_new(const struct config *config);
void privacy_free(struct privacy *privacy); /* accepts NULL */
void privacy_add_people(struct privacy *privacy, struct ops_store *ops);
void privacy_clean(const struct privacy *privacy, struct json_object *root);
/* One text; words: the known ids, names and hosts as well. Public for tests. */
void privacy_text(const struct privacy *privacy, struct str text, bool words, struct buf *out);
