#include "rig.h"

#include "base/check.h"
#include "cli/cli.h"
#include "io/file.h"
#include "unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WORDS_MAX 24
#define TEXT_MAX  ((size_t)4 << 20)

char rig_folder[64];

int rig_make_folder(void **state)
{
    (void)state;
    (void)str_copy(str_c("/var/tmp/nd-cli.XXXXXX"), rig_folder, sizeof(rig_folder));
    return mkdtemp(rig_folder) == NULL;
}

int rig_remove_folder(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -rf %s", rig_folder);
    return system(command);
}

void rig_path(const char *name, char ret_path[RIG_PATH_LEN])
{
    (void)snprintf(ret_path, RIG_PATH_LEN, "%s/%s", rig_folder, name);
}

void rig_run_release(struct rig_run *r)
{
    buf_release(&r->out);
    buf_release(&r->err);
}

void rig_run(struct rig_run *r, const char *const *words)
{
    static const char *const names[2] = {"stdout", "stderr"};
    const char *argv[WORDS_MAX + 1] = {"nightdesk"};
    char paths[2][RIG_PATH_LEN];
    struct buf *texts[2] = {&r->out, &r->err};
    int saved[2];
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) {
        assert_true(argc < WORDS_MAX);
        argv[argc] = words[argc - 1];
    }
    (void)fflush(NULL);
    for (int i = 0; i < 2; i++) {
        rig_path(names[i], paths[i]);
        saved[i] = dup(STDOUT_FILENO + i);
        int fd = open(paths[i], O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0 && saved[i] >= 0 && dup2(fd, STDOUT_FILENO + i) >= 0);
        (void)close(fd);
    }
    r->code = cli_main(argc, (char **)(uintptr_t)argv);
    (void)fflush(NULL);
    for (int i = 0; i < 2; i++) {
        (void)dup2(saved[i], STDOUT_FILENO + i);
        (void)close(saved[i]);
        buf_init(texts[i], TEXT_MAX);
        assert_int_equal(file_read(paths[i], texts[i], NULL), 0);
    }
}
