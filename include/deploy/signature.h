/*
 * signature.h: the detached signature of a release's artefact: <artefact>.sig, a small text.
 *
 *     nightdesk-release 1
 *     name prediction
 *     version 1.4.2
 *     sha256 9f86d081…
 *     key 3b6a27bc…
 *     signature 1f2e…                             Ed25519 of the five lines above
 *
 *     rc = signature_make("p-1.4.2.tar.gz", &id, &key, err);       // writes p-1.4.2.tar.gz.sig
 *     rc = signature_check("p-1.4.2.tar.gz", &found, err);         // then compare found.key
 *
 * Always true: after signature_check the artefact has the sha256 that was signed, and the signature
 * is by found.key. Whether that key is trusted is the caller's decision.
 * Thread: any after secret_init; both wait for the disk.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "io/sign.h"

#include <stdbool.h>
#include <stdint.h>

#define RELEASE_NAME_SIZE    32
#define RELEASE_VERSION_SIZE 48
#define SIGNATURE_SUFFIX     ".sig"

struct release_id {
    char name[RELEASE_NAME_SIZE];       /* [a-z0-9_-], of the service */
    char version[RELEASE_VERSION_SIZE]; /* [A-Za-z0-9._+~-], begins with a letter or digit */
};

struct signature {
    struct release_id id;
    char hash[SIGN_HASH_SIZE];
    char key[SIGN_PUBLIC_SIZE];
    int64_t bytes; /* of the artefact */
};

bool release_name_is_valid(struct str name);
bool release_version_is_valid(struct str version);
/* Reads them from a file name such as prediction-1.4.2.tar.gz: the version begins after the first
 * `-` that a digit follows. False if there is none. */
bool release_id_from_file(const char *path, struct release_id *ret);

/* ret may be NULL. */
int signature_make(const char *artefact, const struct release_id *id, const struct secret_key *key,
                   struct signature *ret, struct err *err);
/* ERR_RELEASE_UNSIGNED if there is no signature, ERR_RELEASE_SIGNATURE if it is wrong. */
int signature_check(const char *artefact, struct signature *ret, struct err *err);
