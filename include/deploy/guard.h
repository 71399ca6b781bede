/*
 * guard.h: lets nightdesk deploy itself. The new version cannot be trusted to undo its own update,
 * so before the switch a marker is written, and the installed program, started by ExecStartPre= of
 * the unit, counts the starts: if the new version has not been confirmed after GUARD_STARTS_MAX of
 * them, or after GUARD_US, it puts the version before back.
 *
 *     guard_arm(root, "1.1", err);             // deploy.arm, before the switch
 *     guard_start(root, now_us, version, err); // nightdesk release guard ROOT, before each start
 *     guard_confirm(root, "1.1", err);         // deploy.confirm, once the new version is healthy
 *
 * Always true: without a marker guard_start changes nothing; a marker of a switch that did not
 * happen is removed. Thread: any; they wait for the disk.
 */
#pragma once

#include "deploy/signature.h"

#define GUARD_STARTS_MAX 3
#define GUARD_US         (10 * USEC_PER_MIN)

enum guard_result { GUARD_IDLE, GUARD_COUNTED, GUARD_UNDONE };

int guard_arm(const char *root, const char *version, int64_t now_us, struct err *err);
/* A guard_result, or negative. ret_version: the one that is current now. */
int guard_start(const char *root, int64_t now_us, char ret_version[RELEASE_VERSION_SIZE],
                struct err *err);
/* After an update that was given up: removes the marker, unless its version is current. */
int guard_disarm(const char *root, struct err *err);
/* The program exe has come up and stays up: if it is the version that the marker is for, a later
 * restart must not undo it, whatever has become of the run that updated. */
int guard_came_up(const char *root, const char *exe, struct err *err);
/* ERR_RELEASE_UNDONE if another version is current. */
int guard_confirm(const char *root, const char *version, struct err *err);
