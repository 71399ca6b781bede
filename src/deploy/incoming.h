/*
 * incoming.h: <root>/incoming, the one artefact of a service that was fetched and is not unpacked
 * yet, with its signature. What is verified there is what is unpacked: nobody else writes there.
 *
 *     rc = incoming_begin(root, "p-1.4.2.tar.gz", &fd, err);     // empties it; write to fd
 *     rc = incoming_copy(root, "/srv/p-1.4.2.tar.gz", &stop, err);
 *     rc = incoming_find(root, path, err);                       // RELEASE_UNKNOWN: nothing there
 *
 * Thread: any; it waits for the disk. All need the lock of the layout.
 */
#pragma once

#include "layout.h"

#include <limits.h>

#define INCOMING_BYTES_MAX ((int64_t)2 << 30)
#define INCOMING_SIG_MAX   ((size_t)1024)

int incoming_begin(const char *root, const char *name, int *ret_fd, struct err *err);
/* Both the artefact and, if there is one, its signature. */
int incoming_copy(const char *root, const char *path, const atomic_bool *stop, struct err *err);
int incoming_find(const char *root, char ret_path[PATH_MAX], struct err *err);
void incoming_clear(const char *root);
