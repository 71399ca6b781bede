/*
 * notice.h: the kinds of messages that nightdesk sends by itself: alerts by severity, and the
 * notifications of a trading day. Each kind can be on, silent or off (options notify.*), and have
 * recipients of its own (alerts.routes).
 *
 *     enum notice_kind kind = notice_of_severity(SEVERITY_HIGH);
 *     uint32_t kinds;
 *     if (notice_kinds_parse(str_c("trades"), &kinds)) ...       // entry and exit
 *
 * Thread: any (plain values).
 */
#pragma once

#include "base/str.h"
#include "model/alert.h"

#include <stdbool.h>
#include <stdint.h>

enum notice_kind {
    NOTICE_INFO, /* the severities, in their order */
    NOTICE_LOW,
    NOTICE_MEDIUM,
    NOTICE_HIGH,
    NOTICE_CRITICAL,
    NOTICE_ENTRY,
    NOTICE_EXIT,
    NOTICE_VETO,
    NOTICE_PAUSE,
    NOTICE_START,
    NOTICE_DAILY,
    NOTICE_REPORT,
    NOTICE_WEEKLY,
    NOTICE_KIND_COUNT
};

const char *notice_kind_name(enum notice_kind kind); /* "info" … "entry" … */
bool notice_kind_parse(struct str s, enum notice_kind *ret);
/* A kind, or a group of kinds: alerts, trades, all. *ret: bits 1u << enum notice_kind. */
bool notice_kinds_parse(struct str s, uint32_t *ret);
enum notice_kind notice_of_severity(enum severity severity);
