/* The yardstick: the chat server that everybody writes first, without mistakes.
 *
 * One thread, epoll, non-blocking sockets, plain lines. What is read from one member is sent to each other
 * member at once, with one write per read and member: a line that comes alone is sent alone, lines that came
 * together go together. What a socket does not take is kept and sent later. No names (the descriptor's number
 * stands for one), no rooms, no history, no limits. With "line" as second word each line gets its own write.
 *
 *   cc -O2 -o naive_chat naive_chat.c && ./naive_chat 7001 [line]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FD = 20064, LONGEST = 4096, PREFIX = 16, READ = 65536, EVENTS = 1024, SAID = 1 << 17 };

static const char WELCOME[] = "* welcome\n";

/* What cannot be sent at once. */
struct outbox {
    char *bytes;
    size_t len, cap;
};

struct member {
    int fd;
    char *torn; /* the beginning of a line whose end has not come yet */
    size_t torn_len;
    struct outbox out;
};

static struct member *by_fd[MAX_FD];
static struct member *members[MAX_FD];
static size_t place[MAX_FD], count;
static int epoll_fd, line_by_line;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(struct member *m, int op)
{
    struct epoll_event ev = {.events = EPOLLIN | (m->out.len ? EPOLLOUT : 0), .data.fd = m->fd};
    if (epoll_ctl(epoll_fd, op, m->fd, &ev) < 0)
        die("epoll_ctl");
}

static void leave(struct member *m)
{
    size_t at = place[m->fd];
    members[at] = members[--count];
    place[members[at]->fd] = at;
    by_fd[m->fd] = NULL;
    close(m->fd);
    free(m->torn);
    free(m->out.bytes);
    free(m);
}

static void keep(struct member *m, const char *bytes, size_t len)
{
    struct outbox *out = &m->out;
    if (out->len + len > out->cap) {
        out->cap = (out->len + len) * 2;
        out->bytes = realloc(out->bytes, out->cap);
        if (!out->bytes)
            die("realloc");
    }
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
    if (out->len == len)
        watch(m, EPOLL_CTL_MOD);
}

/* A broken connection shows at the next read: nobody leaves in the middle of a line. */
static void send_to(struct member *m, const char *bytes, size_t len)
{
    ssize_t n = 0;
    if (!m->out.len) {
        n = write(m->fd, bytes, len);
        if (n < 0 && errno != EAGAIN)
            return;
        if (n < 0)
            n = 0;
    }
    if ((size_t)n < len)
        keep(m, bytes + n, len - (size_t)n);
}

static void flush(struct member *m)
{
    ssize_t n = write(m->fd, m->out.bytes, m->out.len);
    if (n <= 0)
        return;
    m->out.len -= (size_t)n;
    memmove(m->out.bytes, m->out.bytes + n, m->out.len);
    if (!m->out.len)
        watch(m, EPOLL_CTL_MOD);
}

static void say(struct member *from, const char *bytes, size_t len)
{
    for (size_t i = 0; len && i < count; i++)
        if (members[i] != from)
            send_to(members[i], bytes, len);
}

static void hear(struct member *m)
{
    static char buf[LONGEST + READ];
    memcpy(buf, m->torn, m->torn_len);
    ssize_t n = read(m->fd, buf + m->torn_len, READ);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        leave(m);
        return;
    }
    static char said[SAID];
    size_t said_len = 0;
    char *at = buf, *end = buf + m->torn_len + n, *lf;
    while ((lf = memchr(at, '\n', (size_t)(end - at)))) {
        size_t len = (size_t)(lf + 1 - at);
        if (said_len + PREFIX + len > SAID || line_by_line) {
            say(m, said, said_len);
            said_len = 0;
        }
        if (len <= LONGEST) {
            said_len += (size_t)snprintf(said + said_len, PREFIX, "<%d> ", m->fd);
            memcpy(said + said_len, at, len);
            said_len += len;
        }
        at = lf + 1;
    }
    say(m, said, said_len);
    m->torn_len = (size_t)(end - at);
    if (m->torn_len > LONGEST) {
        leave(m);
        return;
    }
    if (m->torn_len && !m->torn && !(m->torn = malloc(LONGEST)))
        die("malloc");
    memcpy(m->torn, at, m->torn_len);
}

static void enter(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (fd >= MAX_FD) {
        close(fd);
        return;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct member *m = calloc(1, sizeof *m);
    if (!m)
        die("calloc");
    m->fd = fd;
    by_fd[fd] = m;
    place[fd] = count;
    members[count++] = m;
    watch(m, EPOLL_CTL_ADD);
    send_to(m, WELCOME, sizeof WELCOME - 1);
}

int main(int argc, char **argv)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    addr.sin_port = htons((unsigned short)(argc > 1 ? atoi(argv[1]) : 7001));
    line_by_line = argc > 2 && !strcmp(argv[2], "line");
    signal(SIGPIPE, SIG_IGN);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(listener, 1024) < 0)
        die("listen");
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = listener}, evs[EVENTS];
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &ev) < 0)
        die("epoll_ctl");
    for (;;) {
        int n = epoll_wait(epoll_fd, evs, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = evs[i].data.fd;
            if (fd == listener) {
                enter(listener);
                continue;
            }
            if (evs[i].events & EPOLLOUT && by_fd[fd])
                flush(by_fd[fd]);
            if (evs[i].events & ~(unsigned)EPOLLOUT && by_fd[fd])
                hear(by_fd[fd]);
        }
    }
}
