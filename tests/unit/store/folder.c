#include "folder.h"

#include "base/check.h"
#include "io/secret.h"

#include <dirent.h>
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

int folder_remove(void **state)
{
    char *path = *state;
    DIR *dir = opendir(path);
    if (dir != NULL) {
        for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
        (void)closedir(dir);
    }
    (void)rmdir(path);
    free(path);
    return 0;
}
