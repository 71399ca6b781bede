/*
 * embed.h: the files that are part of the binary: commands/<name>.yaml, prompts/<name>.md.
 *
 *     for (const struct embedded_file *f = embedded_files; f->path != NULL; f++) { ... }
 *
 * Invariants: sorted by path, ended by a row with a NULL path; data is NUL-terminated behind size.
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
