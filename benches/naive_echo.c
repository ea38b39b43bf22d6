/* A minimal echo of streams: one thread, epoll, level-triggered, one buffer for all. What arrives is written
 * back at once, and what the kernel does not take is lost to the measure: the generator keeps one message of a
 * connection on its way, which always fits.
 *
 *     cc -O2 -o naive_echo naive_echo.c && ./naive_echo PORT        TCP on 127.0.0.1
 *     ./naive_echo PORT udp                                         recvfrom and sendto, for datagrams
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[128 * 1024];

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void datagrams(int port) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0) die("bind");
    for (;;) {
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        ssize_t count = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
        if (count >= 0) sendto(fd, buffer, count, 0, (struct sockaddr *)&from, length);
    }
}

/* A blocking write would let one peer stop all; waiting in place is enough for a yardstick. */
static int write_all(int fd, size_t count) {
    size_t done = 0;
    while (done < count) {
        ssize_t wrote = send(fd, buffer + done, count - done, MSG_NOSIGNAL);
        if (wrote > 0) done += wrote;
        else if (errno != EAGAIN && errno != EINTR) return -1;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    int port = atoi(argv[1]);
    if (argc > 2 && strcmp(argv[2], "udp") == 0) datagrams(port);

    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 1024) < 0) die("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[1024];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(poll, events, 1024, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                int peer;
                while ((peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    event.events = EPOLLIN;
                    event.data.fd = peer;
                    epoll_ctl(poll, EPOLL_CTL_ADD, peer, &event);
                }
                continue;
            }
            ssize_t count = read(fd, buffer, sizeof buffer);
            if (count > 0 && write_all(fd, count) == 0) continue;
            if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            close(fd);
        }
    }
}
