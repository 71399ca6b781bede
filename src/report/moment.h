/*
 * moment.h: the parts of the report that only the running process knows: settings, the account and
 * positions of the newest snapshot, the engine, the clocks and the process; and the disk.
 *
 * Thread: that of the sources, but for moment_add_disk.
 */
#pragma once

#include "io/json_out.h"
#include "report/report.h"

/* Times that the report's parts share. */
struct moment {
    const struct report_sources *from;
    const struct settings *settings;
    const struct snapshot *snapshot; /* NULL: none */
    int64_t wall_us;
    int64_t hours;
};

/* Adds "settings", "account" (without an engine only what is on disk, later) and "system". */
void moment_add_settings(const struct moment *m, struct json_out *out);
void moment_add_account(const struct moment *m, struct json_out *out, struct json_out *untrusted);
/* Members of "system". */
void moment_add_system(const struct moment *m, struct json_out *out);
/* The same; waits for the file system, which may hang. Thread: any. */
void moment_add_disk(const char *state_dir, struct json_out *out);
