/*
 * sources.h: what changes between two source trees, as a unified diff, for the review of a release.
 *
 *     AUTO_BUF struct buf diff = BUF_INIT(64 << 20);
 *     rc = sources_diff(&(struct sources){"old", "new", SOURCES_US}, &diff, err);
 *
 * The system's `diff -ruN` compares them. Always true: its paths begin with a/ and b/, and name no
 * folder of this machine; a symbolic link is not followed, its target is compared as text; of a
 * binary file only the name is shown; sockets, pipes and devices, and the folders .git, .hg and
 * .svn are left out. ERR_RELEASE_SOURCES if diff is missing or fails, if the trees are equal or
 * larger than SOURCES_FILES or SOURCES_BYTES, if the diff is larger than the buffer, or after
 * within_us.
 * Thread: any; waits for the disk and for diff.
 */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

#include <stdint.h>

#define SOURCES_US    (60 * USEC_PER_SEC)
#define SOURCES_FILES 200000 /* and folders, in both */
#define SOURCES_BYTES ((int64_t)1 << 30)
#define SOURCES_DEPTH 64

struct sources {
    const char *before, *after; /* folders */
    int64_t within_us;
};

int sources_diff(const struct sources *sources, struct buf *out, struct err *err);
