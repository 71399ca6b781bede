#include "folder.h"

#include "base/check.h"
#include "io/secret.h"

#include <ftw.h>
#include <unistd.h>

int folder_make(void **state)
{
    ASSERT(secret_init(NULL) == 0);
    const char *base = getenv("TMPDIR");
    char *path = NULL;
    ASSERT(asprintf(&path, "%s/nightdesk-store-XXXXXX", base != NULL ? base : "/tmp") > 0);
    ASSERT(mkdtemp(path) != NULL);
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

int folder_remove(void **state)
{
    char *path = *state;
    (void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(path);
    return 0;
}
