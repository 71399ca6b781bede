/* A journal, with its checksums corrected so that the parser behind them is reached, and the same
 * bytes as a state file. An accepted journal is replayed. */
#include "engine/journal_source.h"
#include "engine/replay.h"
#include "engine/state_file.h"
#include "io/secret.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC_SIZE ((size_t)16)
#define FRAME_HEAD ((size_t)12)
#define STEPS_MAX  200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fix_checksums(uint8_t *bytes, size_t size)
{
    for (size_t at = MAGIC_SIZE; at + FRAME_HEAD <= size;) {
        const uint8_t *b = bytes + at + 8;
        size_t length = (size_t)b[0] | (size_t)b[1] << 8 | (size_t)b[2] << 16 | (size_t)b[3] << 24;
        if (length > size - at - FRAME_HEAD) {
            return;
        }
        uint64_t sum = secret_checksum(str_n((const char *)b, length + 4), at);
        for (unsigned i = 0; i < 8; i++) {
            bytes[at + i] = (uint8_t)(sum >> (8 * i));
        }
        at += FRAME_HEAD + length;
    }
}

static void replay_file(const char *path)
{
    AUTO_REPLAY struct replay *replay = NULL;
    struct err err = {0};
    int rc = replay_open(path, NULL, &replay, &err);
    if ((rc == 0) != (replay != NULL) || (rc < 0 && err.id != -rc)) {
        abort();
    }
    /* A step that differs may continue; a damaged one may not. */
    for (int i = 0; rc != -ERR_ENGINE_RECORD_DAMAGED && replay != NULL && i < STEPS_MAX; i++) {
        rc = replay_step(replay, &err);
        if (rc == 0) {
            break;
        }
    }
}

static void read_market(const char *path)
{
    struct source *source = NULL;
    if (journal_source_open(path, &source, NULL) < 0) {
        return;
    }
    int64_t last_us = -1;
    for (int i = 0; i < STEPS_MAX && source_next_us(source) != INT64_MAX; i++) {
        struct source_bar bars[SYMBOLS_LIMIT];
        if (source_next_us(source) <= last_us) {
            abort();
        }
        last_us = source_next_us(source);
        (void)source_next(source, bars);
    }
    (void)journal_source_end(source, NULL);
    journal_source_free(source);
}

static void read_state(const uint8_t *data, size_t size)
{
    struct state_file file;
    struct state_file again;
    if (state_file_parse(str_n((const char *)data, size), "fuzz", &file, NULL) < 0) {
        return;
    }
    AUTO_BUF struct buf text = BUF_INIT(STATE_FILE_MAX_BYTES);
    state_file_text(&file, &text);
    if (buf_failed(&text) || state_file_parse(buf_str(&text), "again", &again, NULL) < 0 ||
        state_file_differs(&file, &again)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_state(data, size);
    char path[64];
    int fd = memfd_create("journal", MFD_CLOEXEC);
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (fd < 0 || copy == NULL) {
        abort();
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    fix_checksums(copy, size);
    if (write(fd, copy, size) != (ssize_t)size) {
        abort();
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    (void)journal_source_fits(path);
    replay_file(path);
    read_market(path);
    free(copy);
    (void)close(fd);
    return 0;
}
