/*
 * scratch.h: a temporary folder for one test, deleted on exit with its files.
 *
 *     AUTO_SCRATCH struct scratch s = scratch_make();
 *     scratch_path(&s, "x.db");                          // "/…/nightdesk-io-AbCdEf/x.db"
 *
 * Always true: the folder is flat; a path is valid for the next seven calls of scratch_path.
 * Thread: the test's.
 */
#pragma once

#include "base/auto.h"
#include "base/check.h"
#include "base/str.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

struct scratch {
    char folder[64];
    char paths[8][160];
    int next;
};

static inline struct scratch scratch_make(void)
{
    struct scratch s = {.folder = "/var/tmp/nightdesk-io-XXXXXX"};
    char *made = mkdtemp(s.folder);
    ASSERT(made != NULL);
    return s;
}

static inline const char *scratch_path(struct scratch *s, const char *name)
{
    char *path = s->paths[s->next++ % 8];
    bool good = str_copy(str_c(s->folder), path, sizeof(s->paths[0]));
    size_t len = strlen(path);
    path[len++] = '/';
    ASSERT(good && str_copy(str_c(name), path + len, sizeof(s->paths[0]) - len));
    return path;
}

static inline void scratch_remove(struct scratch *s)
{
    DIR *dir = opendir(s->folder);
    const struct dirent *entry = NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    (void)rmdir(s->folder);
}
#define AUTO_SCRATCH AUTO(scratch_remove)
