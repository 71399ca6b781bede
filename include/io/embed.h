/*
 * embed.h: the files embedded in the binary: commands/<name>.yaml, prompts/<name>.md,
 * docs/<name>.md, and the files of the page, web/<name>, each also as web/<name>.gz.
 *
 *     for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) { ... }
 *
 * Always true: sorted by path; the last row has a NULL path; data has a NUL after its size bytes.
 * The table is generated at build time. Thread: any (read-only).
 */
#pragma once

#include <stddef.h>

struct embedded_file {
    const char *path; /* "commands/status.yaml" */
    const char *data;
    size_t size;
};

extern const struct embedded_file embedded_files[];
