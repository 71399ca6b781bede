/*
 * record_reader.h: a journal file, frame by frame (record.h tells what is in them).
 *
 *     rc = record_reader_open(&reader, path, err);
 *     while ((rc = record_reader_next(&reader, RECORD_STEP_MAX, err)) > 0) use(reader.payload);
 *     record_reader_release(&reader);
 *
 * Always true: a payload is handed out only when it is whole and its sum fits; reader.offset stands
 * behind the last such frame. The file's length is that of when it was opened: what a running
 * daemon adds meanwhile is not seen. Thread: one at a time per reader.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct record_reader {
    int fd; /* -1: closed */
    int64_t file_size;
    int64_t offset; /* of the next frame */
    uint8_t *bytes; /* a frame and its payload; owned */
    size_t size;    /* of the payload */
    uint8_t *ahead; /* a piece of the file; owned */
    size_t ahead_room;
    int64_t ahead_at;
    size_t ahead_size;
};

/* ERR_ENGINE_RECORD_FOREIGN, ERR_ENGINE_RECORD_DAMAGED (shorter than its magic), ERR_FILE_…. */
int record_reader_open(struct record_reader *reader, const char *path, struct err *err);
void record_reader_release(
    struct record_reader *reader); /* closed or all zero but fd -1: nothing */
/* 1 and a payload behind RECORD_FRAME_SIZE bytes of reader.bytes; 0 at the end of the file;
 * ERR_ENGINE_RECORD_DAMAGED with the offset. max <= RECORD_START_MAX. */
int record_reader_next(struct record_reader *reader, size_t max, struct err *err);
