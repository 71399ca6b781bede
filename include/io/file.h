/*
 * file.h: reads whole files up to a limit, writes them atomically, locks them, lists folders.
 *
 *     AUTO_BUF struct buf text = BUF_INIT(64 * 1024);
 *     if ((rc = file_read(path, &text, err)) < 0) return rc;
 *     rc = file_write(path, buf_str(&text), 0640, err);   // all or nothing, even after a crash
 *
 * Always true: errors are FILE_… of the catalogue; their context holds the path.
 * Thread: any.
 */
#pragma once

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Appends the file to out; ERR_FILE_TOO_LARGE if it would exceed the buffer's maximum. */
int file_read(const char *path, struct buf *out, struct err *err);
/* The same for a regular file that people edit: reads it again if it changes meanwhile, so that it
 * is never half of two versions; ERR_FILE_FAILED if it keeps changing. Does not wait for a writer,
 * as file_read does with a named pipe. */
int file_read_settled(const char *path, struct buf *out, struct err *err);
/* The beginning of a regular file, up to the buffer's maximum, and the size of the whole file. A
 * link is not followed. */
int file_read_head(const char *path, struct buf *out, int64_t *ret_bytes, struct err *err);
/* Writes a temporary file in the same folder, fsyncs and renames it, then fsyncs the folder. A
 * device or a pipe is written directly. */
int file_write(const char *path, struct str bytes, mode_t mode, struct err *err);
struct file_owner {
    uid_t uid;
    gid_t gid;
    mode_t mode;
};
/* The same; as root the file is given to this owner before it replaces the old one. */
int file_write_owned(const char *path, struct str bytes, const struct file_owner *owner,
                     struct err *err);
/* Creates the folder and its missing parents. An existing folder is no error and keeps its mode. */
int file_make_folder(const char *path, mode_t mode, struct err *err);
/* 0 if the folder is writable, or if file_make_folder could create it. Creates nothing. */
int file_check_folder(const char *path, struct err *err);
/* 0 if the file is writable or does not exist. */
int file_check_writable(const char *path, struct err *err);
bool file_exists(const char *path);
/* Takes a lock that ends with the process or when *ret_fd is closed; writes our pid to the file.
 * ERR_FILE_LOCKED, with the holder's pid in the context, if another process holds it. */
int file_lock(const char *path, int *ret_fd, struct err *err);
/* 0 if nobody but root and the user that runs this process can change the file, and it is a regular
 * file, or a folder if `folder` is set; else ERR_FILE_UNTRUSTED. */
int file_check_trusted(const char *path, bool folder, struct err *err);

/* Removes a file, a link, or a folder with everything in it; follows no link. Nothing there is no
 * error. */
int file_remove_tree(const char *path, struct err *err);
/* Fills *err for an errno ("path: could not <what>: …") and returns the negative id: FILE_MISSING,
 * FILE_DENIED, FILE_NO_SPACE, else FILE_FAILED. */
int file_error(struct err *err, int error, const char *what, const char *path);

/* The names of a folder's entries. */
struct file_names {
    size_t count;
    char **items;
};
/* Lists the entries of a folder by name, without those that begin with a dot. ERR_FILE_TOO_LARGE if
 * there are more than max. */
int file_list(const char *folder, size_t max, struct file_names *ret, struct err *err);
void file_names_release(struct file_names *names);
#define AUTO_FILE_NAMES AUTO(file_names_release)
