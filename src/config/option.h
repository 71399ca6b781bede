/*
 * option.h: options.def as data.
 *
 *     for (size_t i = 0; i < option_count; i++) use(&option_table[i]);
 *
 * Invariants: in the order of the file; offset is that of the field in struct config (or
 * struct config_user, config_local, config_service, config_check).
 * Thread: any (read-only).
 */
#pragma once

#include "base/str.h"
#include "config/config.h"

#include <stddef.h>

enum option_type {
    OPTION_TEXT,
    OPTION_SECRET,
    OPTION_URL,
    OPTION_ENUM,
    OPTION_INT,
    OPTION_BOOL,
    OPTION_FLOAT,
    OPTION_PERCENT,
    OPTION_DURATION,
    OPTION_MONEY,
    OPTION_INTS,
    OPTION_TEXTS,
    OPTION_SYMBOLS
};

struct option {
    const char *group; /* or the owner of a field */
    const char *name;
    const char *path; /* "telegram.bot_token", "telegram.users[].id", "services.<name>.unit" */
    enum option_type type;
    const char *fallback; /* NULL: must be given (fields only) */
    const char *minimum;
    const char *maximum;
    const char *unit; /* words separated by | for OPTION_ENUM */
    int flags;
    const char *help;
    size_t offset;
};

struct option_group {
    const char *name;
    const char *help;
};

extern const struct option_group option_groups[];
extern const size_t option_group_count;
extern const struct option option_table[];
extern const size_t option_count;
extern const struct option option_user_fields[];
extern const size_t option_user_field_count;
extern const struct option option_local_fields[];
extern const size_t option_local_field_count;
extern const struct option option_service_fields[];
extern const size_t option_service_field_count;
extern const struct option option_check_fields[];
extern const size_t option_check_field_count;

/* "duration", "list of symbols" … */
const char *option_type_name(enum option_type type);
bool option_is_list(enum option_type type);
