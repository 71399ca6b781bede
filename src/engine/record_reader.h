/*
 * record_reader.h: reads a journal file frame by frame (format in record.h).
 *
 *     rc = record_reader_open(&reader, path, err);
 *     while ((rc = record_reader_next(&reader, RECORD_STEP_MAX, err)) > 0) use(reader.bytes +
 * RECORD_FRAME_SIZE, reader.size); record_reader_release(&reader);
 *
 * Invariants: a payload is returned only if it is complete and its checksum matches; reader.offset
 * is the end of the last such frame. The file's length is that at opening: data that a running
 * daemon appends later is not read.
 * Thread: one at a time per reader.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct record_reader {
    int fd;      /* -1: closed */
    int version; /* of the journal */
    int64_t file_size;
    int64_t offset; /* of the next frame */
    uint8_t *bytes; /* the current frame and its payload; owned */
    size_t size;    /* of the payload */
    uint8_t *ahead; /* read-ahead buffer; owned */
    size_t ahead_capacity;
    int64_t ahead_at;
    size_t ahead_size;
};

/* ERR_ENGINE_RECORD_FOREIGN, ERR_ENGINE_RECORD_DAMAGED (shorter than its magic), ERR_FILE_…. */
int record_reader_open(struct record_reader *reader, const char *path, struct err *err);
void record_reader_release(
    struct record_reader *reader); /* closed, or all zero with fd -1: does nothing */
/* 1: the payload follows RECORD_FRAME_SIZE bytes in reader.bytes; 0: end of the file;
 * ERR_ENGINE_RECORD_DAMAGED with the offset. max <= RECORD_START_MAX. */
int record_reader_next(struct record_reader *reader, size_t max, struct err *err);
