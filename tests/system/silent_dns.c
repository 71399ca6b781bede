/*
 * Runs COMMAND with name servers that do not answer, as on a network that drops packets:
 *
 *     silent_dns COMMAND...           exits with 77 if this machine does not allow it
 *
 * It uses its own mount and network namespace, in which /etc/resolv.conf names 127.0.0.1, whose
 * port 53 receives every datagram and answers none, and /etc/nsswitch.conf uses only files and DNS.
 * The pid is the command's. Without root it needs a user namespace.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOT_HERE = 77 };

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return good;
}

/* Becomes root in a user namespace if it is not root. */
static bool enter_namespaces(void)
{
    char map[64];
    uid_t uid = getuid();
    gid_t gid = getgid();
    if (uid == 0) {
        return unshare(CLONE_NEWNS | CLONE_NEWNET) == 0;
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0) {
        return false;
    }
    (void)snprintf(map, sizeof(map), "%u %u 1", (unsigned)uid, (unsigned)uid);
    bool good = write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/uid_map", map);
    (void)snprintf(map, sizeof(map), "%u %u 1", (unsigned)gid, (unsigned)gid);
    return good && write_file("/proc/self/gid_map", map);
}

static bool loopback_up(void)
{
    struct ifreq request = {.ifr_flags = IFF_UP};
    memcpy(request.ifr_name, "lo", 3);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return good;
}

static bool replace(const char *path, const char *text)
{
    char own[] = "/tmp/silent-dns.XXXXXX";
    int fd = mkstemp(own);
    bool good = fd >= 0 && write_file(own, text) && fchmod(fd, 0644) == 0 &&
                mount(own, path, NULL, MS_BIND, NULL) == 0;
    if (fd >= 0) {
        (void)close(fd);
        (void)unlink(own);
    }
    return good;
}

/* The socket stays open in the command and is never read. */
static bool listen_silently(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    return fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: silent_dns COMMAND...\n");
        return 2;
    }
    if (!enter_namespaces() || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        !loopback_up() || !listen_silently() ||
        !replace("/etc/resolv.conf", "nameserver 127.0.0.1\n") ||
        !replace("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")) {
        perror("silent_dns");
        return NOT_HERE;
    }
    (void)execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
