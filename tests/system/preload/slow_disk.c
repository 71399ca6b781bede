/*
 * A disk whose flushes of ops.db are slow; for LD_PRELOAD:
 *
 *     SLOW_DISK=FILE LD_PRELOAD=slow_disk.so nightdesk run ...
 *
 * FILE holds how many milliseconds each fsync and fdatasync takes, and is read each time.
 */
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void be_slow(int fd)
{
    char link[64], path[4096], text[16] = "";
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    const char *name = getenv("SLOW_DISK");
    if (n <= 0 || name == NULL) {
        return;
    }
    path[n] = '\0';
    FILE *file = strstr(path, "/ops.db") != NULL ? fopen(name, "re") : NULL;
    if (file != NULL) {
        if (fgets(text, sizeof(text), file) != NULL) {
            (void)poll(NULL, 0, (int)strtol(text, NULL, 10));
        }
        (void)fclose(file);
    }
}

static int flush(const char *name, int fd)
{
    int (*real)(int) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, name);
    be_slow(fd);
    return real(fd);
}

int fsync(int fd)
{
    return flush("fsync", fd);
}

int fdatasync(int fd)
{
    return flush("fdatasync", fd);
}
