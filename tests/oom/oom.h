/*
 * oom.h: what a module does when memory runs out. A scenario runs once for each of its allocations,
 * and each time another one fails:
 *
 *     static int parse(struct oom *oom, struct err *err) { ... OOM_CHECK(len == 3); return 0; }
 *     OOM_SCENARIO(json, parse, .run = parse)
 *
 * Each run is a child process: prepare, then run with the failing allocation, then release. It must
 * end in one of these ways; anything else is a fault (signal, leak, hang, wrong result):
 *   done    run returned 0, and all its OOM_CHECKs hold
 *   error   run returned a negative error id, and *err says the same
 *   abort   NEED_MEMORY failed, or an ASSERT on the result of the allocation: running out of memory
 *           may abort, but only on purpose and with a message
 *
 * Afterwards verify runs in the parent, without failures, and looks at the files that are left.
 * Allocations in libraries count as well; those of the dynamic linker do not.
 *
 * Thread: main thread of the test binary; scenarios may start others.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct oom {
    char folder[128]; /* empty when prepare starts; deleted after verify */
    void *self;       /* the scenario's, from prepare to release */
    void *shared;     /* OOM_SHARED_SIZE zeroed bytes that verify sees too, even after an abort */
    const char *outcome; /* for verify: "done", "error" or "abort" */
};
#define OOM_SHARED_SIZE ((size_t)4 << 20)

struct oom_scenario {
    const char *module;
    const char *name;
    /* Parts of the names of shared libraries with faults that we cannot mend: where one of their
     * own allocations fails, a fault is counted as the library's. Say which, beside it. */
    const char *libraries[2];
    size_t stride; /* fails each n-th allocation only, where a run is slow; 0: each */
    bool threads;  /* run it again with failures in the threads that it starts */
    int (*prepare)(struct oom *oom, struct err *err); /* NULL: nothing to prepare */
    int (*run)(struct oom *oom, struct err *err);
    void (*release)(struct oom *oom); /* frees what prepare made; NULL: nothing */
    /* NULL, or what is wrong with the files; NULL: no files. */
    const char *(*verify)(struct oom *oom);
    struct oom_scenario *next;
};

void oom_register(struct oom_scenario *scenario);

/* Ends the child: the result is wrong although no error was returned. */
_Noreturn void oom_wrong(const char *expression, const char *file, int line);

#define OOM_CHECK(expression)                           \
    do {                                                \
        if (!(expression)) {                            \
            oom_wrong(#expression, __FILE__, __LINE__); \
        }                                               \
    } while (0)

#define OOM_SCENARIO(module_name, scenario_name, ...)                                       \
    __attribute__((constructor)) static void module_name##_##scenario_name##_register(void) \
    {                                                                                       \
        static struct oom_scenario scenario = {                                             \
            .module = #module_name, .name = #scenario_name, __VA_ARGS__};                   \
        oom_register(&scenario);                                                            \
    }

/* ---- alloc.c: malloc and its relatives, with one that fails ---- */

enum oom_thread { OOM_THIS_THREAD, OOM_OTHER_THREADS };
struct oom_plan {
    size_t fail_at;        /* 1 is the first allocation; 0: none fails */
    bool and_all_later;    /* memory stays exhausted until oom_disarm */
    enum oom_thread which; /* whose allocations count */
    bool trace;            /* print the stack of the allocation that fails */
    size_t *counted;       /* counts in shared memory, which survives an abort */
    const void **callers;  /* two: of the first and the last allocation that failed */
};
void oom_arm(const struct oom_plan *plan);
/* Returns how many allocations were counted. */
size_t oom_disarm(void);
long oom_live(void); /* blocks allocated and not yet freed, by any thread */
