/*
 * file.h: whole files: read bounded, write atomically, lock.
 *
 *     AUTO_BUF struct buf text = BUF_INIT(64 * 1024);
 *     if ((rc = file_read(path, &text, err)) < 0) return rc;
 *     file_write(path, buf_str(&text), 0640, err);        // whole or not at all, also after a
 * crash
 *
 * Always true: errors are FILE_… of the catalogue with the path as their context.
 * Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <sys/types.h>

/* Appends the file; ERR_FILE_TOO_LARGE when it would pass the buffer's maximum. */
int file_read(const char *path, struct buf *out, struct err *err);
/* Temporary file beside it, fsync, rename, fsync of the folder. */
int file_write(const char *path, struct str bytes, mode_t mode, struct err *err);
/* The folder and its missing parents. An existing folder is fine and keeps its mode. */
int file_make_folder(const char *path, mode_t mode, struct err *err);
/* Whether file_make_folder could make it, or files in it could be written: nothing is made. */
int file_check_folder(const char *path, struct err *err);
/* Whether an existing file could be written; one that does not exist can. */
int file_check_writable(const char *path, struct err *err);
bool file_exists(const char *path);
/* A lock that ends with the process or when *ret_fd is closed; the file holds our pid.
 * ERR_FILE_LOCKED with the holder's pid in the context when somebody else has it. */
int file_lock(const char *path, int *ret_fd, struct err *err);
