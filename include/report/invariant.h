/*
 * invariant.h: the table of the invariants: what must always be true of the books, the times, the
 * rules of trading, the behaviour and the machine.
 *
 *     for (int i = 0; i < invariant_count(); i++) use(invariant_at(i)->title);
 *
 * The report has their outcome at /invariants/ID: "state" is kept, broken or unknown; a broken one
 * has "count", and under "subjects" at most INVARIANT_SUBJECTS of what broke it, each with its
 * figures and "says". An unknown one has "why": it counts neither as kept nor as broken.
 * Thread: any.
 */
#pragma once

#include "model/alert.h"

#define INVARIANT_SUBJECTS 5

struct invariant {
    const char *id; /* "fill_orphan" */
    enum severity severity;
    enum alert_type type;
    const char *reads;  /* what it looks at, for people */
    const char *title;  /* what is wrong if it is broken */
    const char *advice; /* what to do then */
};

int invariant_count(void);
const struct invariant *invariant_at(int index);
/* NULL: there is none with this id. */
const struct invariant *invariant_find(const char *id);
