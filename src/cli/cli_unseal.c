#include "cli_unseal.h"

#include "base/check.h"
#include "io/prompt.h"
#include "store/sealed_file.h"

#include <limits.h>

static const char *find_folder(const char *configured, void *userdata)
{
    const struct cli_unseal *unseal = userdata;
    return unseal->args->command == &cmd_run ? cli_folder(unseal->args, configured)
                                             : cli_find_folder(unseal->args, configured);
}

int cli_unseal_ask(char *ret, size_t *ret_len, void *userdata, struct err *err)
{
    const struct cli_unseal *unseal = userdata;
    int64_t fd = -1;
    int rc = cli_number(unseal->args, "--passphrase-fd", 0, INT_MAX, &fd, err);
    if (rc < 0) {
        return rc;
    }
    if (fd >= 0) {
        return prompt_read_line((int)fd, ret, SEALED_PHRASE_MAX + 1, ret_len, err);
    }
    rc = prompt_hidden(unseal->label, ret, SEALED_PHRASE_MAX + 1, ret_len, err);
    return rc == -ERR_PROMPT_NO_TERMINAL
               ? err_set(err, ERR_SEALED_KEY,
                         "a passphrase is needed, and there is no terminal to ask on")
               : rc;
}

void cli_unseal_init(struct cli_unseal *unseal, const struct cli_args *args)
{
    *unseal = (struct cli_unseal){.args = args, .label = "Passphrase of the sealed secrets: "};
    unseal->unseal.folder = find_folder;
    unseal->unseal.ask = cli_unseal_ask;
    unseal->unseal.userdata = unseal;
}
