/*
 * kernel_file.h: reads the small text files of /proc and cgroupfs a line at a time, without
 * allocating. Private to this module.
 *
 *     AUTO_KERNEL_FILE struct kernel_file file;
 *     rc = kernel_file_open(&file, "/proc", "meminfo", err);
 *     while (rc == 0 && (rc = kernel_file_line(&file, &line, err)) > 0) use(line);
 *
 * Always true: errors are FILE_…; a line longer than KERNEL_LINE_MAX is cut, and its rest skipped.
 * Numbers are read strictly: a file of another form gives HOST_FORMAT with its path.
 * Thread: any.
 */
#pragma once

#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define KERNEL_PATH_SIZE 512
#define KERNEL_LINE_MAX  2048

struct kernel_file {
    int fd;
    bool ended;
    bool skip;         /* the rest of a line that was cut comes next */
    size_t begin, end; /* of what is read and not yet given out */
    char path[KERNEL_PATH_SIZE];
    char text[KERNEL_LINE_MAX];
};

int kernel_file_open(struct kernel_file *file, const char *folder, const char *name,
                     struct err *err);
/* 1: a line, valid until the next call. 0: the end. Negative: failed. */
int kernel_file_line(struct kernel_file *file, struct str *ret, struct err *err);
int kernel_file_bad(const struct kernel_file *file, struct err *err); /* ERR_HOST_FORMAT */
void kernel_file_close(struct kernel_file *file);
#define AUTO_KERNEL_FILE AUTO(kernel_file_close)

/* The only line of a file. */
int kernel_file_word(struct kernel_file *file, const char *folder, const char *name,
                     struct str *ret, struct err *err);
/* The next word, or the whole text, as a number from 0 to KERNEL_NUMBER_MAX; false if it is none.
 */
#define KERNEL_NUMBER_MAX (INT64_C(1) << 56)
bool kernel_number(struct str *rest, int64_t *ret);
bool kernel_whole_number(struct str text, int64_t *ret);
/* The same, in units of so many bytes. */
bool kernel_bytes(struct str *rest, int64_t unit, int64_t *ret);
bool kernel_add(int64_t *sum, int64_t n); /* false, with *sum unchanged, if that overflows */

/* The entries of a folder, without "." and "..". */
struct kernel_folder {
    int fd;
    size_t begin, end;
    _Alignas(8) char entries[2048];
};

int kernel_folder_open(struct kernel_folder *folder, const char *path, const char *name,
                       struct err *err);
/* 1: a name, valid until the next call. 0: the end. Negative: failed. */
int kernel_folder_next(struct kernel_folder *folder, const char **ret, struct err *err);
void kernel_folder_close(struct kernel_folder *folder);
#define AUTO_KERNEL_FOLDER AUTO(kernel_folder_close)
