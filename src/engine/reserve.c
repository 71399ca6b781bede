#include "engine/reserve.h"

#include "base/auto.h"
#include "base/check.h"
#include "io/secret.h"
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_SIZE ((size_t)RESERVE_SLOTS * RESERVE_SLOT_SIZE)
#define HEAD_SIZE ((size_t)28)

struct reserve {
    char path[PATH_MAX];
    int fd;
    int64_t episode;
    int count;
    bool used;                /* writing a note of this episode was attempted */
    uint8_t bytes[FILE_SIZE]; /* copy of the file, up to `count` slots */
    reserve_fault_fn fault;
    void *userdata;
};

/* ---------------------------------------------------------------- slots */

static uint8_t *slot_of(struct reserve *r, int index)
{
    return r->bytes + (size_t)index * RESERVE_SLOT_SIZE;
}

static uint64_t sum_of(const uint8_t *slot)
{
    return secret_checksum(str_n((const char *)slot + 8, RESERVE_SLOT_SIZE - 8), 0);
}

static uint64_t number_at(const uint8_t *bytes, int size)
{
    uint64_t n = 0;
    for (int i = size - 1; i >= 0; i--) {
        n = n << 8 | bytes[i];
    }
    return n;
}

static void write_number(uint8_t *bytes, int size, uint64_t n)
{
    for (int i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(n >> (8 * i));
    }
}

static bool is_whole(const uint8_t *slot)
{
    return number_at(slot, 8) == sum_of(slot) && (int64_t)number_at(slot + 16, 8) > 0;
}

static int64_t episode_of(const uint8_t *slot)
{
    return is_whole(slot) ? (int64_t)number_at(slot + 16, 8) : 0;
}

/* The sum of the previous slot, which each slot stores. */
static uint64_t sum_before(struct reserve *r, int index)
{
    return index == 0 ? 0 : number_at(slot_of(r, index - 1), 8);
}

/* Handles both directions, as in record.c. */
static void note_pack(struct pack *p, struct reserve_note *n)
{
    PACK_ENUM(p, n->kind, RESERVE_REQUEST);
    pack_i64(p, &n->run);
    pack_i64(p, &n->next_order);
    switch (n->kind) {
    case RESERVE_ORDER:
        record_order_pack(p, &n->order);
        record_position_pack(p, &n->adopted);
        record_terms_pack(p, &n->order); /* an older note ends here: zeros, a market order */
        pack_i64(p, &n->order.run_id);
        break;
    case RESERVE_STATE:
        PACK_ENUM(p, n->state, TRADING_MAINTENANCE);
        pack_text(p, n->state_reason, sizeof(n->state_reason));
        pack_i64(p, &n->state_since_wall_us);
        break;
    case RESERVE_REQUEST:
        record_request_pack(p, &n->request);
        pack_count(p, &n->request_err, ERR_COUNT);
        pack_i64(p, &n->at_us);
        pack_i64(p, &n->request.run_id); /* an older note ends here */
        break;
    }
}

static void fill_slot(struct reserve *r, int index, const struct reserve_note *note)
{
    struct reserve_note n = *note;
    n.request.text[0] = '\0';
    n.request_err = note->request_err < 0 ? -note->request_err : note->request_err;
    uint8_t *slot = slot_of(r, index);
    memset(slot, 0, RESERVE_SLOT_SIZE);
    struct pack p = PACK_WRITE(slot + HEAD_SIZE, RESERVE_SLOT_SIZE - HEAD_SIZE);
    note_pack(&p, &n);
    ASSERT(!p.failed);
    write_number(slot + 8, 8, sum_before(r, index));
    write_number(slot + 16, 8, (uint64_t)r->episode);
    write_number(slot + 24, 4, (uint64_t)index);
    write_number(slot, 8, sum_of(slot));
}

/* ---------------------------------------------------------------- the file */

static int failed(const struct reserve *r, const char *why, struct err *err)
{
    return err_set(err, ERR_ENGINE_RESERVE, "%s: %s", r->path, why);
}

static int write_synced(struct reserve *r, const uint8_t *bytes, size_t size, size_t offset,
                        struct err *err)
{
    size_t allowed = size;
    int rc = 0;
    if (r->fault != NULL) {
        rc = r->fault(size, &allowed, r->userdata);
        allowed = rc < 0 ? (allowed < size ? allowed : size) : size;
    }
    for (size_t done = 0; done < allowed;) {
        ssize_t n = pwrite(r->fd, bytes + done, allowed - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return failed(r, n < 0 ? strerror(errno) : "no bytes were written", err);
        }
        done += (size_t)n;
    }
    if (rc < 0) {
        return failed(r, strerror(EIO), err);
    }
    return fdatasync(r->fd) < 0 ? failed(r, strerror(errno), err) : 0;
}

void reserve_reload(struct reserve *r)
{
    memset(r->bytes, 0, sizeof(r->bytes));
    for (size_t at = 0; at < FILE_SIZE;) {
        ssize_t n = pread(r->fd, r->bytes + at, FILE_SIZE - at, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break; /* what cannot be read counts as zeros, which are no notes */
        }
        at += (size_t)n;
    }
    int64_t newest = 0;
    for (int i = 0; i < RESERVE_SLOTS; i++) {
        int64_t episode = episode_of(slot_of(r, i));
        newest = episode > newest ? episode : newest;
    }
    r->count = 0;
    r->used = false;
    r->episode = newest + 1;
    if (!is_whole(slot_of(r, 0))) {
        return;
    }
    r->episode = episode_of(slot_of(r, 0));
    for (; r->count < RESERVE_SLOTS; r->count++) {
        const uint8_t *slot = slot_of(r, r->count);
        if (episode_of(slot) != r->episode || number_at(slot + 8, 8) != sum_before(r, r->count) ||
            number_at(slot + 24, 4) != (uint64_t)r->count) {
            break;
        }
    }
    r->used = r->count > 0;
}

/* Extends the file to its full size with written zeros: a hole would need disk space later. */
static int preallocate(struct reserve *r, struct err *err)
{
    off_t size = lseek(r->fd, 0, SEEK_END);
    if (size < 0) {
        return failed(r, strerror(errno), err);
    }
    if ((size_t)size >= FILE_SIZE) {
        return 0;
    }
    int rc = write_synced(r, r->bytes, FILE_SIZE - (size_t)size, (size_t)size, err);
    return rc < 0 ? rc : fsync(r->fd) < 0 ? failed(r, strerror(errno), err) : 0;
}

int reserve_open(const char *path, struct reserve **ret, struct err *err)
{
    struct reserve *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    int rc = 0;
    if (!str_copy(str_c(path), r->path, sizeof(r->path))) {
        rc = failed(r, strerror(ENAMETOOLONG), err);
        free(r);
        return rc;
    }
    r->fd = strcmp(path, ":memory:") == 0
                ? memfd_create("reserve", MFD_CLOEXEC)
                : open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    rc = r->fd < 0 ? failed(r, strerror(errno), err) : preallocate(r, err);
    if (rc < 0) {
        reserve_free(r);
        return rc;
    }
    reserve_reload(r);
    *ret = r;
    return 0;
}

void reserve_free(struct reserve *reserve)
{
    if (reserve == NULL) {
        return;
    }
    if (reserve->fd >= 0) {
        (void)close(reserve->fd);
    }
    free(reserve);
}

/* ---------------------------------------------------------------- notes */

int64_t reserve_episode(const struct reserve *reserve)
{
    return reserve->episode;
}

void reserve_number_from(struct reserve *reserve, int64_t at_least)
{
    if (!reserve->used && reserve->episode < at_least) {
        reserve->episode = at_least;
    }
}

int reserve_count(const struct reserve *reserve)
{
    return reserve->count;
}

bool reserve_is_used(const struct reserve *reserve)
{
    return reserve->used;
}

bool reserve_read(const struct reserve *reserve, int index, struct reserve_note *ret)
{
    ASSERT(index >= 0 && index < reserve->count);
    const uint8_t *slot = reserve->bytes + (size_t)index * RESERVE_SLOT_SIZE;
    struct pack p = PACK_READ(slot + HEAD_SIZE, RESERVE_SLOT_SIZE - HEAD_SIZE);
    memset(ret, 0, sizeof(*ret));
    note_pack(&p, ret);
    return !p.failed && ret->run >= 0 && ret->next_order >= 0;
}

int reserve_add(struct reserve *reserve, const struct reserve_note *notes, int count,
                struct err *err)
{
    if (count > RESERVE_SLOTS - reserve->count) {
        return failed(reserve, "no free slot", err);
    }
    reserve->used = true;
    for (int i = 0; i < count; i++) {
        fill_slot(reserve, reserve->count + i, &notes[i]);
    }
    int rc =
        write_synced(reserve, slot_of(reserve, reserve->count), (size_t)count * RESERVE_SLOT_SIZE,
                     (size_t)reserve->count * RESERVE_SLOT_SIZE, err);
    reserve->count += rc < 0 ? 0 : count;
    return rc;
}

int reserve_clear(struct reserve *reserve, struct err *err)
{
    static const uint8_t zeros[RESERVE_SLOT_SIZE];
    if (!reserve->used) {
        return 0;
    }
    int rc = write_synced(reserve, zeros, sizeof(zeros), 0, err);
    if (rc >= 0) {
        reserve->count = 0;
        reserve->used = false;
        reserve->episode++;
    }
    return rc;
}

struct reserve *reserve_view(const struct reserve *reserve)
{
    struct reserve *view = calloc(1, sizeof(*view));
    ASSERT(view != NULL);
    view->fd = fcntl(reserve->fd, F_DUPFD_CLOEXEC, 0);
    ASSERT(view->fd >= 0);
    reserve_reload(view);
    return view;
}

void reserve_set_fault(struct reserve *reserve, reserve_fault_fn fn, void *userdata)
{
    reserve->fault = fn;
    reserve->userdata = userdata;
}
