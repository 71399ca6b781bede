/*
 * shelf.h: the pictures of replies in memory, for a program that fetches them behind the reply:
 * REST, the page.
 *
 *     shelf_put(shelf, who, &(struct shelf_picture){.id = id, .media_type = "image/png", ...});
 *     const struct shelf_picture *p = shelf_find(shelf, who, id);  // NULL: it is not kept
 *
 * Always true: a picture is found only for the caller (channel and id: a token, a session, a uid)
 * whose command has made it, and for SHELF_KEPT_US. The shelf holds at most SHELF_COUNT_MAX of them
 * and SHELF_BYTES_MAX bytes; a new one takes the place of the oldest. None of it is on a disk.
 * Ownership: the shelf owns the bytes. Thread: ops.
 */
#pragma once

#include "access/access.h"
#include "base/str.h"
#include "store/attachment.h"

#include <stdint.h>

#define SHELF_KEPT_US     (5 * USEC_PER_MIN)
#define SHELF_COUNT_MAX   32
#define SHELF_BYTES_MAX   ((size_t)8 << 20)
#define SHELF_PICTURE_MAX ((size_t)2 << 20)

struct loop;
struct shelf;

struct shelf_picture {
    char id[ATTACHMENT_ID_SIZE]; /* as in the reply */
    const char *media_type;      /* a constant */
    char *bytes;                 /* from malloc */
    size_t size;                 /* at most SHELF_PICTURE_MAX (ASSERT) */
    int64_t expires_us;          /* wall; set by shelf_put */
};

struct shelf *shelf_new(struct loop *loop);
void shelf_free(struct shelf *shelf); /* takes NULL */

/* Takes the bytes. */
void shelf_put(struct shelf *shelf, const struct principal *who,
               const struct shelf_picture *picture);
/* Valid until the loop goes on; NULL: there is none of this caller. */
const struct shelf_picture *shelf_find(const struct shelf *shelf, const struct principal *who,
                                       const char *id);
/* The caller's session has ended. */
void shelf_forget(struct shelf *shelf, const struct principal *who);
