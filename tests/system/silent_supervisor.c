/*
 * A service manager that does not read the messages of its service (NOTIFY_SOCKET):
 *
 *     silent_supervisor SOCKET SECONDS FILE COMMAND...
 *
 * Fills the queue of the socket and execs COMMAND (so the pid is the command's). A child process
 * reads the socket only after SECONDS and then writes each message to FILE. The child ends when
 * SOCKET is removed, or with its parent.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

_Noreturn static void read_late(int fd, int silent_ms, const char *path)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)poll(NULL, 0, silent_ms);
    int out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    char message[4096];
    ssize_t n;
    while (out >= 0 && (n = recv(fd, message, sizeof(message) - 1, 0)) >= 0) {
        message[n] = '\n';
        if (write(out, message, (size_t)n + 1) < 0) {
            break;
        }
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc < 5 || strlen(argv[1]) >= sizeof(address.sun_path)) {
        (void)fprintf(stderr, "usage: silent_supervisor SOCKET SECONDS FILE COMMAND...\n");
        return 2;
    }
    memcpy(address.sun_path, argv[1], strlen(argv[1]));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int filler = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || filler < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        perror(argv[1]);
        return 1;
    }
    while (sendto(filler, "FILL=1", 6, MSG_DONTWAIT, (struct sockaddr *)&address,
                  sizeof(address)) >= 0) {}
    pid_t pid = fork();
    if (pid == 0) {
        read_late(fd, (int)(strtod(argv[2], NULL) * 1000), argv[3]);
    }
    (void)setenv("NOTIFY_SOCKET", argv[1], 1);
    (void)execvp(argv[4], argv + 4);
    perror(argv[4]);
    return 127;
}
