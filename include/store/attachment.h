/*
 * attachment.h: files that belong to replies, in the folder attachments of the state folder.
 *
 *     struct attachment file;
 *     rc = attachment_add(dir, &(struct attachment_new){.name = "equity.png", .image = true,
 *                         .media_type = "image/png", .bytes = buf_str(&png)}, &file, err);
 *     reply_image(reply, &file.reply_file ...);        // id, name, media type, size
 *
 * Always true: the folder holds at most ATTACHMENT_COUNT_MAX files, each at most 50 MB; adding one
 * deletes the oldest. An id is a file name of hexadecimal digits and the extension of the name, so
 * it cannot leave the folder. A file is complete or not there.
 * Errors: ATTACHMENT_TOO_LARGE, ATTACHMENT_GONE, FILE_….
 * Thread: any; writing waits for the disk, so use a helper.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define ATTACHMENT_IMAGE_MAX    (INT64_C(10) * 1000 * 1000) /* limits of the Bot API */
#define ATTACHMENT_DOCUMENT_MAX (INT64_C(50) * 1000 * 1000)
#define ATTACHMENT_COUNT_MAX    40
#define ATTACHMENT_ID_SIZE      48

struct attachment_new {
    const char *name;       /* shown to people: "trades.csv" */
    const char *media_type; /* "text/csv" */
    bool image;
    struct str bytes;
};

struct attachment {
    char id[ATTACHMENT_ID_SIZE];
    int64_t size_bytes;
};

/* dir: the attachment folder; it is created if it does not exist. */
int attachment_add(const char *dir, const struct attachment_new *file, struct attachment *ret,
                   struct err *err);

/* The same in pieces, for a file that is larger than memory should hold: begin, append any number
 * of times, then commit or abort. `bytes` of the file is not used. A process that dies leaves a
 * part behind, which is deleted as the oldest files are. After an error only abort may follow. */
struct attachment_writer {
    const char *name;
    int64_t max_bytes;
    int64_t size_bytes;
    int fd; /* -1: not open */
    char id[ATTACHMENT_ID_SIZE];
    char dir[4096];
    struct buf pending;
};
int attachment_begin(const char *dir, const struct attachment_new *file,
                     struct attachment_writer *ret, struct err *err);
int attachment_append(struct attachment_writer *writer, struct str bytes, struct err *err);
/* The file is there. */
int attachment_commit(struct attachment_writer *writer, struct attachment *ret, struct err *err);
/* Deletes what was written; does nothing after commit, or for {.fd = -1}. */
void attachment_abort(struct attachment_writer *writer);

/* Appends the path of an existing file. ERR_ATTACHMENT_GONE if there is none. *ret_size may be
 * NULL. */
int attachment_path(const char *dir, const char *id, struct buf *out, int64_t *ret_size,
                    struct err *err);
/* A new id that ends as the name does, for what is no file of the folder. */
void attachment_id(const char *name, char ret[ATTACHMENT_ID_SIZE]);
/* Deletes the files that are older than before_us (wall). ERR_FILE_…; a folder that does not exist
 * is empty. */
int attachment_expire(const char *dir, int64_t before_us, struct err *err);
/* Appends "<state folder>/attachments". */
void attachment_dir(const char *state_dir, struct buf *out);
