/*
 * cli_unseal.h: where the subcommands find sealed secrets, and how they ask for the passphrase.
 *
 *     struct cli_unseal unseal;
 *     cli_unseal_init(&unseal, args);
 *     rc = config_load(&(struct config_options){.unseal = &unseal.unseal}, …);
 *     unseal_release(&unseal.unseal);
 *
 * The passphrase is the next line of --passphrase-fd, else what a person types in the terminal.
 * Thread: main.
 */
#pragma once

#include "cli_internal.h"
#include "config/unseal.h"

struct cli_unseal {
    struct unseal unseal;
    const struct cli_args *args;
    const char *label; /* of the next question */
};

#define CLI_OPTION_PASSPHRASE                                                         \
    {                                                                                 \
        "--passphrase-fd", "N", "descriptor to read the passphrase from, as one line" \
    }

void cli_unseal_init(struct cli_unseal *unseal, const struct cli_args *args);
/* As in struct unseal; userdata is a struct cli_unseal. */
int cli_unseal_ask(char *ret, size_t *ret_len, void *userdata, struct err *err);
