/* The second yardstick: what the design of sockkit could give at best.
 *
 * The room is a log, a member is a cursor in it. In each turn all that can be read is read first, then each
 * member gets all it misses in one writev. A member's own lines are holes in what it is sent. Nothing else:
 * no names, no rooms, no limits, and a member more than the log's length behind is put out.
 *
 *   cc -O2 -o log_chat log_chat.c && ./log_chat 7002
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_FD = 20064, LONGEST = 4096, READ = 65536, EVENTS = 1024, SLICES = 16 };
enum { LOG = 16 << 20, HOLES = 1024 };

static const char WELCOME[] = "* welcome\n";

struct hole {
    uint64_t from, to;
};

struct member {
    int fd, blocked;
    uint64_t cursor;
    struct hole *holes; /* own lines at or after the cursor, a ring; none until the first line */
    unsigned first, holes_len;
    char *torn;
    size_t torn_len;
};

static char ring[LOG];
static uint64_t log_end;
static struct member *by_fd[MAX_FD];
static struct member *members[MAX_FD];
static size_t place[MAX_FD], count;
static int epoll_fd;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void leave(struct member *m)
{
    size_t at = place[m->fd];
    members[at] = members[--count];
    place[members[at]->fd] = at;
    by_fd[m->fd] = NULL;
    close(m->fd);
    free(m->torn);
    free(m->holes);
    free(m);
}

static void append(const char *bytes, size_t len)
{
    size_t at = log_end % LOG, room = LOG - at, head = len < room ? len : room;
    memcpy(ring + at, bytes, head);
    memcpy(ring, bytes + head, len - head);
    log_end += len;
}

/* One gathering write from the cursor to the end of the log, around the holes and the ring's seam. */
static int catch_up(struct member *m)
{
    struct iovec iov[SLICES];
    int n = 0;
    uint64_t at = m->cursor;
    unsigned h = 0;
    if (log_end - at > LOG)
        return -1;
    while (at < log_end && n < SLICES) {
        uint64_t to = log_end, seam = (at / LOG + 1) * LOG;
        if (h < m->holes_len) {
            struct hole *hole = &m->holes[(m->first + h) % HOLES];
            if (hole->from == at) {
                at = hole->to;
                h++;
                continue;
            }
            to = hole->from;
        }
        to = to < seam ? to : seam;
        iov[n++] = (struct iovec){ring + at % LOG, (size_t)(to - at)};
        at = to;
    }
    ssize_t sent = n ? writev(m->fd, iov, n) : 0;
    if (sent < 0 && errno != EAGAIN)
        return 0; /* shows at the next read */
    m->blocked = sent < 0;
    at = m->cursor;
    for (ssize_t left = sent > 0 ? sent : 0;;) {
        struct hole *hole = m->holes_len ? &m->holes[m->first] : NULL;
        uint64_t stretch = hole ? hole->from - at : (uint64_t)left;
        if ((uint64_t)left < stretch || !hole) {
            at += (uint64_t)left;
            break;
        }
        left -= (ssize_t)stretch;
        at = hole->to;
        m->first = (m->first + 1) % HOLES;
        m->holes_len--;
    }
    m->cursor = at;
    if (at < log_end && sent >= 0)
        m->blocked = n < SLICES;
    return 0;
}

static void say(struct member *from, const char *line, size_t len)
{
    char prefix[16];
    uint64_t start = log_end;
    append(prefix, (size_t)snprintf(prefix, sizeof prefix, "<%d> ", from->fd));
    append(line, len);
    if (!from->holes && !(from->holes = malloc(HOLES * sizeof *from->holes)))
        die("malloc");
    struct hole *last = from->holes_len ? &from->holes[(from->first + from->holes_len - 1) % HOLES] : NULL;
    if (last && last->to == start)
        last->to = log_end;
    else if (from->holes_len < HOLES)
        from->holes[(from->first + from->holes_len++) % HOLES] = (struct hole){start, log_end};
}

/* Whether there may be more: the watch is edge-triggered. */
static int hear(struct member *m)
{
    static char buf[LONGEST + READ];
    memcpy(buf, m->torn, m->torn_len);
    ssize_t n = read(m->fd, buf + m->torn_len, READ);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0) {
        leave(m);
        return 0;
    }
    char *at = buf, *end = buf + m->torn_len + n, *lf;
    while ((lf = memchr(at, '\n', (size_t)(end - at)))) {
        size_t len = (size_t)(lf + 1 - at);
        if (len <= LONGEST)
            say(m, at, len);
        at = lf + 1;
    }
    m->torn_len = (size_t)(end - at);
    if (m->torn_len > LONGEST) {
        leave(m);
        return 0;
    }
    if (m->torn_len && !m->torn && !(m->torn = malloc(LONGEST)))
        die("malloc");
    memcpy(m->torn, at, m->torn_len);
    return n == READ;
}

static void enter(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= MAX_FD) {
            close(fd);
            continue;
        }
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct member *m = calloc(1, sizeof *m);
        if (!m)
            die("calloc");
        m->fd = fd;
        m->cursor = log_end;
        by_fd[fd] = m;
        place[fd] = count;
        members[count++] = m;
        struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
            die("epoll_ctl");
        if (write(fd, WELCOME, sizeof WELCOME - 1) < 0)
            continue; /* shows at the next read */
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    addr.sin_port = htons((unsigned short)(argc > 1 ? atoi(argv[1]) : 7002));
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
            if (evs[i].events & EPOLLOUT)
                by_fd[fd]->blocked = 0;
            if (evs[i].events & ~(unsigned)EPOLLOUT)
                while (hear(by_fd[fd]))
                    ;
        }
        for (size_t i = count; i-- > 0;) {
            struct member *m = members[i];
            while (!m->blocked && m->cursor < log_end)
                if (catch_up(m) < 0) {
                    leave(m);
                    break;
                }
        }
    }
}
