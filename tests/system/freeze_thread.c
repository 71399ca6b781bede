/*
 * Stops one thread of a process until this program or the process ends:
 *
 *     freeze_thread PID NAME        prints "frozen TID" and waits for its standard input to end
 *
 * SIGSTOP stops all threads of a process; ptrace can stop one. So a test can show that the watchdog
 * needs the heartbeat of every thread, not only of the loop that feeds it.
 */
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t find_thread(const char *pid, const char *name)
{
    char path[300];
    (void)snprintf(path, sizeof(path), "/proc/%s/task", pid);
    DIR *tasks = opendir(path);
    pid_t found = 0;
    for (struct dirent *d; found == 0 && tasks != NULL && (d = readdir(tasks)) != NULL;) {
        char comm[64] = "";
        (void)snprintf(path, sizeof(path), "/proc/%s/task/%.20s/comm", pid, d->d_name);
        FILE *file = fopen(path, "re");
        if (file != NULL && fgets(comm, sizeof(comm), file) != NULL) {
            comm[strcspn(comm, "\n")] = '\0';
            found = strcmp(comm, name) == 0 ? (pid_t)strtol(d->d_name, NULL, 10) : 0;
        }
        if (file != NULL) {
            (void)fclose(file);
        }
    }
    if (tasks != NULL) {
        (void)closedir(tasks);
    }
    return found;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: freeze_thread PID NAME\n");
        return 2;
    }
    pid_t tid = find_thread(argv[1], argv[2]);
    if (tid == 0) {
        (void)fprintf(stderr, "process %s has no thread %s\n", argv[1], argv[2]);
        return 1;
    }
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0 ||
        ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0) {
        perror("ptrace");
        return 1;
    }
    int status;
    if (waitpid(tid, &status, __WALL) < 0) {
        perror("waitpid");
        return 1;
    }
    (void)printf("frozen %d\n", (int)tid);
    (void)fflush(stdout);
    /* A traced thread that ends, and its process, stay zombies until the tracer waits for them. */
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char byte;
    while (waitpid(tid, &status, __WALL | WNOHANG) == 0) {
        if (poll(&input, 1, 100) > 0 && read(STDIN_FILENO, &byte, 1) <= 0) {
            break;
        }
    }
    return 0;
}
