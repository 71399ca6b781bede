/*
 * mask.h: the text of a configuration file without its secrets, to be kept or shown; and back.
 *
 *     rc = config_mask(text, "nightdesk.yaml", &shown, err);       // bot_token: "***"
 *     rc = config_unmask(buf_str(&shown), text, "nightdesk.yaml", &whole, err);
 *
 * Always true: every byte that is no secret stays, comments as well. A secret that the file takes
 * from elsewhere (${NAME}) stays, since it is none. A word of a comment that looks like a secret is
 * masked for good.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Refuses a text that is no YAML. */
int config_mask(struct str text, const char *file, struct buf *out, struct err *err);
/* Each secret of the text that is *** becomes that of the same option in `current`; people are
 * compared by id, services by name. CONFIG_MASKED if current has none. *out is empty then. */
int config_unmask(struct str text, struct str current, const char *file, struct buf *out,
                  struct err *err);
