/*
 * tone.h: how good or bad the news of a reply, or of a state in it, are.
 *
 *     buf_add_c(&line, tone_icon(TONE_GOOD));      // "🟢 "
 *
 * Thread: any.
 */
#pragma once

#include <stdbool.h>

enum tone { TONE_PLAIN, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_BUSY };

const char *tone_name(enum tone tone); /* "plain" "good" "warn" "bad" "busy" */
bool tone_parse(const char *name, enum tone *ret);
const char *tone_icon(enum tone tone); /* with a space behind it; "" for TONE_PLAIN */
