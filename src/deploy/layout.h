/*
 * layout.h: the folders of one service's releases.
 *
 *     <root>/releases/1.4.2/     the files of a release
 *     <root>/info/1.4.2          what is known of it: sha256, signer, size, when it was unpacked
 *     <root>/current             a link to releases/1.4.2
 *     <root>/incoming/           an artefact that was fetched and is not unpacked yet
 *     <root>/history             each switch: time, go or back, version
 *     <root>/blue/release        blue/green: a link to ../releases/1.4.2, of each of the two
 *                                colours; `current` is then a link to blue or green
 *     <root>/.lock               held while one of these changes
 *
 *     rc = layout_lock(root, &fd, err);               // RELEASE_BUSY: somebody else changes it
 *     rc = layout_switch(root, "1.4.2", LAYOUT_GO, err);
 *     rc = layout_read(root, &layout, err);
 *
 * Always true: a folder in releases/ is complete; `current` is replaced by a rename, so there is no
 * moment without it. A switch is in the history before it happens; a last line that did not happen
 * is ignored. The version before the current one is found by replaying the history: `go` adds a
 * version, `back` returns to one and forgets those after it, so that two steps back never lead to
 * the version that was just left.
 * Thread: any; everything waits for the disk, so a helper calls it. Functions that change something
 * need the lock.
 */
#pragma once

#include "config/config.h"
#include "deploy/signature.h"
#include "io/archive.h"

#define LAYOUT_RELEASES_MAX 64
#define LAYOUT_ROOT_SIZE    512
#define LAYOUT_COLOURS_MAX  8 /* two are in use; others are left from another configuration */

struct layout_release {
    char version[RELEASE_VERSION_SIZE];
    char hash[SIGN_HASH_SIZE];     /* of the artefact; "": not known */
    char signer[SIGN_PUBLIC_SIZE]; /* "": not signed, or not known */
    int64_t bytes;                 /* of the artefact */
    int64_t at_us;                 /* when it was unpacked; 0: not known */
    bool failed;                   /* the last deploy of it was rolled back */
};

/* Of blue/green: a folder whose link `release` leads to a release. */
struct layout_colour {
    char name[CONFIG_COLOUR_SIZE];
    char version[RELEASE_VERSION_SIZE];
};

struct layout {
    char current[RELEASE_VERSION_SIZE]; /* "": none */
    char live[CONFIG_COLOUR_SIZE];      /* the colour that `current` leads to; "": it leads to a
                                         * release, or there is none */
    int64_t switched_us;                /* wall: when `current` was made; 0: there is none */
    size_t colour_count;
    struct layout_colour colours[LAYOUT_COLOURS_MAX];
    char previous[RELEASE_VERSION_SIZE]; /* of the releases that are there; "": none */
    size_t count;
    struct layout_release items[LAYOUT_RELEASES_MAX]; /* the newest first */
};

enum layout_way { LAYOUT_GO, LAYOUT_BACK };

/* Of a switch: it has not happened; it must not happen; it happens or has happened. */
enum layout_turn { LAYOUT_OPEN, LAYOUT_STOPPED, LAYOUT_TURNED };

/* Makes the folders if there are none, removes what a crash left, and takes the lock. Closing the
 * descriptor releases it. */
int layout_lock(const char *root, int *ret_fd, struct err *err);
/* Needs no lock. A root that does not exist has no releases. Of more than LAYOUT_RELEASES_MAX the
 * newest are given, and always the current and the previous one. */
int layout_read(const char *root, struct layout *ret, struct err *err);
/* The newest that has not failed; NULL: none. */
const struct layout_release *layout_newest(const struct layout *layout);
const struct layout_release *layout_find(const struct layout *layout, const char *version);

/* Unpacks an artefact that was verified. 1: this release is there already. RELEASE_EXISTS: another
 * artefact of the same version is. */
int layout_unpack(const char *root, const char *artefact, const struct layout_release *release,
                  const atomic_bool *stop, struct err *err);
int layout_switch(const char *root, const char *version, enum layout_way way, struct err *err);
/* Where a switch leads to: to a release, or to a colour whose release has this version. */
struct layout_goal {
    const char *version;
    const char *colour; /* NULL or "": to the release itself */
    enum layout_way way;
};
/* The same, if *turn is still LAYOUT_OPEN right before the rename; it becomes LAYOUT_TURNED.
 * ERR_ARCHIVE_STOPPED if somebody has set it to LAYOUT_STOPPED. */
int layout_switch_unless(const char *root, const struct layout_goal *goal, atomic_int *turn,
                         struct err *err);
/* The version of a colour; "": it has no release. */
const char *layout_colour(const struct layout *layout, const char *colour);
/* Gives a colour that is not live this release. The caller has made sure that no process of
 * the colour runs, so that what runs is always what the link says. */
int layout_prepare(const char *root, const char *colour, const char *version, struct err *err);
/* Notes whether the last deploy of a release failed. */
int layout_mark(const char *root, const char *version, bool failed, struct err *err);
/* Removes the oldest releases beyond `keep`; the current and the previous one always stay, those of
 * the colours, and the version `also` ("": none). */
int layout_prune(const char *root, size_t keep, const char *also, size_t *ret_removed,
                 struct err *err);
