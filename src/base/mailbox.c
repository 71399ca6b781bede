#include "base/mailbox.h"

#include "base/check.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#define APART 128
#define FRESH 4U /* flag beside the index of a value that the reader has not read yet */
#define INDEX 3U

/* Of the three buffers one is the writer's draft, one the reader's, and one is in the middle. Each
 * side exchanges its own with the middle one atomically, so the three indices always differ. */
struct mailbox {
    _Alignas(APART) atomic_uint middle;
    _Alignas(APART) unsigned draft;  /* the writer's */
    _Alignas(APART) unsigned latest; /* the reader's */
    _Alignas(APART) size_t stride;
    void *block; /* what calloc returned */
    _Alignas(APART) unsigned char values[];
};

struct mailbox *mailbox_new(size_t value_size)
{
    ASSERT(value_size > 0 && value_size <= (1U << 26));
    size_t stride = (value_size + APART - 1) / APART * APART;
    /* calloc and not aligned_alloc: the pages of a large value that no writer reaches stay
     * untouched. */
    void *block = calloc(1, sizeof(struct mailbox) + 3 * stride + APART);
    ASSERT(block != NULL);
    struct mailbox *mailbox = (struct mailbox *)(((uintptr_t)block + APART - 1) / APART * APART);
    mailbox->block = block;
    mailbox->stride = stride;
    mailbox->draft = 0;
    atomic_init(&mailbox->middle, 1);
    mailbox->latest = 2;
    return mailbox;
}

void mailbox_free(struct mailbox *mailbox)
{
    if (mailbox != NULL) {
        free(mailbox->block);
    }
}

void *mailbox_draft(struct mailbox *mailbox)
{
    return mailbox->values + mailbox->draft * mailbox->stride;
}

void mailbox_publish(struct mailbox *mailbox)
{
    /* Release makes the draft's bytes visible to the reader; acquire orders our writes after the
     * reader's last access to the buffer that we get back. */
    unsigned old =
        atomic_exchange_explicit(&mailbox->middle, mailbox->draft | FRESH, memory_order_acq_rel);
    mailbox->draft = old & INDEX;
}

const void *mailbox_latest(struct mailbox *mailbox, bool *ret_fresh)
{
    bool fresh = (atomic_load_explicit(&mailbox->middle, memory_order_relaxed) & FRESH) != 0;
    if (fresh) {
        unsigned old =
            atomic_exchange_explicit(&mailbox->middle, mailbox->latest, memory_order_acq_rel);
        mailbox->latest = old & INDEX;
    }
    if (ret_fresh != NULL) {
        *ret_fresh = fresh;
    }
    return mailbox->values + mailbox->latest * mailbox->stride;
}
