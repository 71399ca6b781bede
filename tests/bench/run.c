/*
 * Runs benchmarks one after the other, and stops at the first that fails:
 *
 *     bench/run BENCH...
 *
 * It dies with its parent (make), each benchmark with it, and the daemon of a benchmark with the
 * benchmark, so an abort by ^C, kill or kill -9 leaves no process.
 */
#include "base/check.h"
#include "bench/bench.h"

#include <sys/wait.h>

static bool run(const char *path)
{
    const char *slash = strrchr(path, '/');
    (void)printf("== %s\n", slash == NULL ? path : slash + 1);
    (void)fflush(stdout);
    pid_t self = getpid();
    pid_t pid = fork();
    ASSERT(pid >= 0);
    if (pid == 0) {
        bench_die_with_parent(self);
        (void)execl(path, path, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    return waitpid(pid, &status, 0) == pid && status == 0;
}

int main(int argc, char **argv)
{
    bench_die_with_parent(getppid());
    for (int i = 1; i < argc; i++) {
        if (!run(argv[i])) {
            (void)fprintf(stderr, "%s failed\n", argv[i]);
            return 1;
        }
    }
    return 0;
}
