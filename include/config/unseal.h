/*
 * unseal.h: where a configuration finds secrets.sealed and its key.
 *
 *     struct unseal unseal = {.folder = my_folder, .ask = my_ask};
 *     rc = config_load(&(struct config_options){.unseal = &unseal}, &config, NULL, err);
 *     unseal.ask = NULL;                 // a reload never waits for a person
 *     unseal_release(&unseal);           // after the last load
 *
 * Always true: without the file, or if no secret needs it, nobody is asked. After one load with a
 * passphrase later ones use its key, which is kept in locked memory.
 * Thread: one at a time.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>

struct secret_key;

struct unseal {
    /* The state folder; configured is state.dir. */
    const char *(*folder)(const char *configured, void *userdata);
    /* As in struct sealed_source. */
    int (*ask)(char *ret, size_t *ret_len, void *userdata, struct err *err);
    void *userdata;
    /* Set by the first load, then fixed. */
    char path[4096];
    char key_file[4096];
    struct secret_key *key; /* NULL: none was needed */
};

void unseal_release(struct unseal *unseal);
/* The paths of secrets.sealed and of its key file. configured is secrets.key_file. */
void unseal_paths(struct unseal *unseal, const char *folder, const char *configured);
