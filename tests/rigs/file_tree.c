#include "rigs/file_tree.h"

#include "base/check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int file_tree_make(void **state)
{
    char *path = strdup("/tmp/nightdesk-tree-XXXXXX");
    ASSERT(path != NULL && mkdtemp(path) != NULL);
    *state = path;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

int file_tree_remove(void **state)
{
    char *path = *state;
    (void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(path);
    return 0;
}

void file_tree_put(const char *root, const char *name, const char *text)
{
    char path[512];
    int n = snprintf(path, sizeof(path), "%s/%s", root, name);
    ASSERT(n > 0 && (size_t)n < sizeof(path));
    for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(path, 0755);
        *slash = '/';
    }
    FILE *file = fopen(path, "we");
    ASSERT(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}
