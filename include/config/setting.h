/*
 * setting.h: one option of the table, as a person looks it up or changes it by its name.
 *
 *     struct config_setting setting;
 *     rc = config_setting_find(str_c("alerts.storm"), &setting, err);
 *     config_setting_add_value(&setting, config, &text);            // 10
 *     rc = config_setting_edit(&setting, value, text, path, &edited, err);
 *
 * Always true: the edited text differs from the text in this one value (yaml_edit.h). Whether the
 * value is of the right type and in range is known when the text is parsed (config_load).
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "config/config.h"

struct option;

struct config_setting {
    const struct option *option;
    const char *path;
    const char *type; /* "duration", "list of symbols" */
    const char *unit; /* or the words of a choice, separated by |; "": none */
    const char *fallback;
    const char *help;
    bool live;
    bool file_only; /* CONFIG_FILE_ONLY, or a secret */
    bool secret;
};

/* By its path, or by its name alone if only one group has it. CONFIG_UNKNOWN_KEY with the nearest
 * path, or with the groups that have the name. */
int config_setting_find(struct str name, struct config_setting *ret, struct err *err);
/* NULL past the end; in the order of the table. */
const char *config_setting_path(size_t index);
/* As in the file; a secret as "***". */
void config_setting_add_value(const struct config_setting *setting, const struct config *config,
                              struct buf *out);
/* "1s to 1h"; nothing if there is no limit. */
void config_setting_add_range(const struct config_setting *setting, struct buf *out);
/* Whether the value is that of the table. */
bool config_setting_is_default(const struct config_setting *setting, const struct config *config);
/* value: as a person types it: 12 %, 22:00-07:00, or of a list its items with commas between them,
 * in brackets or not. CONFIG_GUARDED if it is a secret. */
int config_setting_edit(const struct config_setting *setting, struct str value, struct str text,
                        const char *file, struct buf *out, struct err *err);
