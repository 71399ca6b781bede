/*
 * scenario.h: one scenario: the fakes, a state folder, the real daemon. Private to tests/scenario.
 *
 *     struct scene s;
 *     scene_open(&s, binary, yaml_root(doc));
 *     daemon_start(&s) && steps_run(&s, yaml_get(root, "steps")) && scene_check(&s);
 *     scene_close(&s);
 *
 * Invariants: the first failure fills `why` and ends the scenario; every wait has a deadline; the
 * daemon is killed when this process exits.
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
#define EVE   6666 /* an unauthorised user */
#define GROUP (-77)

/* The longest time that the ops loop may be busy or blocked: chat, API and alerts wait that long.
 */
#define ABSENCE_MAX_MS 50

struct fake_venue;
struct http_pieces;

struct scene {
    const char *binary;
    const struct yaml_node *root;
    const struct yaml_node *own; /* what differs from the default configuration; may be NULL */
    struct fake_telegram *telegram;
    struct fake_claude *claude;
    struct fake_venue *venue;        /* NULL: the scenario has none */
    struct fake_venue *second_venue; /* only for its prices; NULL: the scenario has none */
    struct http_pieces *pages; /* serves what `pages` has, by path; NULL: the scenario has none */
    char dir[128];             /* state folder, configuration, log */
    char config[192];          /* path of the configuration */
    char log[192];             /* stdout and stderr of the daemon */
    uint16_t port;             /* of the demo service */
    pid_t pid;                 /* 0: not running */
    char kept[256];            /* a word that a step has kept, for "@kept" in a text */
    struct ops_store *locker;  /* holds the lock of ops.db; NULL: not locked */
    size_t mark;               /* index of the first message after the last action of a person */
    bool marked;               /* no message was expected since that action */
    double absence_ms;         /* the longest absence of the daemon's ops loop */
    char absence_in[64];       /* its log text: duration and cause */
    bool ended; /* a daemon exited after SIGTERM and has logged its longest absence */
    struct buf why;
};

/* ---- scene.c ---- */
bool scene_open(struct scene *s, const char *binary, const struct yaml_node *root);
void scene_close(struct scene *s); /* removes the folder if why is empty */
/* Final checks: no secret in a log, no violation, no message to the unauthorised user. Reads the
 * longest absence of the ops loops, which the caller compares with ABSENCE_MAX_MS. */
bool scene_check(struct scene *s);
/* Writes own commands into the folder `commands` of the state folder; NULL: none. */
bool scene_commands(struct scene *s, const struct yaml_node *own);
/* Writes the configuration: the defaults with what differs. `own` may be a text, which is then the
 * whole file. */
bool scene_configure(struct scene *s, const struct yaml_node *own);
/* Records the reason of a failure; always returns false. */
__attribute__((format(printf, 2, 3))) bool scene_fail(struct scene *s, const char *format, ...);
/* The id of a name in the file: alice, bob, carol, eve, group, or a number. */
bool scene_person(struct scene *s, const struct yaml_node *name, int64_t *ret);

/* ---- daemon.c ---- */
bool daemon_start(struct scene *s);   /* returns once it polls */
bool daemon_kill(struct scene *s);    /* kill -9 */
bool daemon_stop(struct scene *s);    /* SIGTERM; it must exit with 0 */
bool daemon_hang_up(struct scene *s); /* SIGHUP */
/* Runs another process of the program with the scenario's configuration; false if it cannot run. */
bool daemon_run(struct scene *s, const struct yaml_node *args, struct str input, struct buf *out,
                int *ret_exit);

/* ---- pages.c ---- */
bool pages_start(struct scene *s);

/* ---- venue.c: with a venue only ---- */
bool venue_do(struct scene *s, const struct yaml_node *lines);
/* Whether its state is as the step wants it; what it is. */
bool venue_has(struct scene *s, const struct yaml_node *step, struct buf *ret_got);
/* Every request kept the rules, and no order was accepted twice. */
bool venue_check(struct scene *s);

/* ---- steps.c ---- */
bool steps_run(struct scene *s, const struct yaml_node *steps);
