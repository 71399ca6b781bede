/*
 * accept.h: decides whether an artefact may become a release of a service.
 *
 *     rc = accept_artefact("incoming/p-1.4.2.tar.gz", &policy, &release, err);
 *
 * Always true: what is accepted has the name of the service, and is signed with one of the policy's
 * keys unless the policy allows unsigned releases. Signed by an unknown key is refused even then,
 * unless the policy has no keys.
 * Thread: any; it waits for the disk.
 */
#pragma once

#include "layout.h"

#define ACCEPT_KEYS_MAX 8

struct accept_policy {
    char name[RELEASE_NAME_SIZE];
    char version[RELEASE_VERSION_SIZE]; /* "": any */
    bool unsigned_allowed;
    size_t key_count;
    char keys[ACCEPT_KEYS_MAX][SIGN_PUBLIC_SIZE];
};

int accept_artefact(const char *path, const struct accept_policy *policy,
                    struct layout_release *ret, struct err *err);
