/*
 * feed.h: the entries of an RSS (0.9x, 1.0, 2.0) or Atom document. Private to this module.
 *
 *     rc = feed_read(&source, config, body, now_us, &reading, err);
 *
 * Of each entry the title, the summary (only for the symbols it names), the id or link and the date
 * are read; markup in titles is removed. At most READING_MAX entries, in the order of the document.
 * ERR_XML_SYNTAX for what is no XML, ERR_SENTIMENT_ANSWER for XML that is no feed. Thread: any.
 */
#pragma once

#include "reading.h"

int feed_read(const struct config_sentiment *source, const struct config *config, struct str body,
              int64_t now_us, struct sentiment_reading *ret, struct err *err);
