/*
 * scenario.h: what one scenario has: the fakes, a state folder, the real daemon. Private to
 * tests/scenario.
 *
 *     struct scene s;
 *     scene_open(&s, binary, yaml_root(doc));
 *     daemon_start(&s) && steps_run(&s, yaml_get(root, "steps")) && scene_check(&s);
 *     scene_close(&s);
 *
 * Always true: the first thing that goes wrong fills `why` and ends the scenario; nothing waits
 * without a deadline; the daemon dies with this process.
 * Thread: main.
 */
#pragma once

#include "base/buf.h"
#include "fakes/fake_claude.h"
#include "fakes/fake_telegram.h"
#include "io/yaml.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ALICE 1001 /* admin with the emergency grant */
#define BOB   1002 /* read_only */
#define CAROL 1003 /* operator */
#define EVE   6666 /* a stranger */
#define GROUP (-77)

/* The ops loop may serve nobody for this long: chat, API and alerts wait meanwhile. */
#define ABSENCE_MAX_MS 50

struct scene {
    const char *binary;
    const struct yaml_node *root;
    struct fake_telegram *telegram;
    struct fake_claude *claude;
    char dir[128];            /* state folder, configuration, log */
    char config[192];         /* path of the configuration */
    char log[192];            /* what the daemon wrote to stdout and stderr */
    uint16_t port;            /* of the demo service */
    pid_t pid;                /* 0: not running */
    struct ops_store *locker; /* NULL: nobody holds ops.db */
    size_t mark; /* messages before this one were there before the last thing that people did */
    bool marked; /* nothing was expected since */
    double absence_ms; /* the longest of the daemon's ops loop, and whose it was */
    char absence_in[64];
    bool ended; /* a daemon ended by itself after SIGTERM, and so has said it */
    struct buf why;
};

/* ---- scene.c ---- */
bool scene_open(struct scene *s, const char *binary, const struct yaml_node *root);
void scene_close(struct scene *s); /* removes the folder when why is empty */
/* At the end: no secret in a log, no violation, nothing sent to the stranger, the ops loop of no
 * daemon away for more than ABSENCE_MAX_MS. */
bool scene_check(struct scene *s);
/* Notes why it failed; always false. */
__attribute__((format(printf, 2, 3))) bool scene_fail(struct scene *s, const char *format, ...);
/* A name of the file as an id: alice, bob, carol, eve, group, or a number. */
bool scene_person(struct scene *s, const struct yaml_node *name, int64_t *ret);

/* ---- daemon.c ---- */
bool daemon_start(struct scene *s); /* until it polls */
bool daemon_kill(struct scene *s);  /* kill -9 */
bool daemon_stop(struct scene *s);  /* SIGTERM; it must exit with 0 */
/* Another process of the same program with the scenario's configuration; false: not even that. */
bool daemon_run(struct scene *s, const struct yaml_node *args, struct str input, struct buf *out,
                int *ret_exit);

/* ---- steps.c ---- */
bool steps_run(struct scene *s, const struct yaml_node *steps);
