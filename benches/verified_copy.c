/* The yardstick of transfers: the least that a program can do which sends a file over TCP and knows at the end that it
 * arrived. No resuming, no names, no small files, no fsync unless asked, no checksums on the way: one file, SHA-256 at
 * both ends, compared at the end.
 *
 *   verified_copy recv PORT FILE [sync]      FILE may be /dev/null
 *   verified_copy send PORT FILE [once]      to 127.0.0.1
 *   verified_copy hash FILE                  reads and hashes on one thread: what one core needs
 *   verified_copy run FIGURES COMMAND...     runs a command; writes its seconds, processor time and peak memory
 *   verified_copy touch BYTES                until so much memory can be had without waiting for a host
 *
 * The sender gives the file to the kernel (sendfile) on one thread and reads and hashes it on another: the fastest, but
 * where the file changes meanwhile it sends something else than it hashes. With `once` it reads the file once, into a
 * ring of buffers, and sends them on one thread and hashes them on another. The receiver reads from the socket into such
 * a ring and writes it on one thread, and hashes it on another. SHA-256 is OpenSSL's, which uses the SHA instructions.
 *
 *   cc -O2 -pthread -o verified_copy verified_copy.c -lcrypto
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    /* Fits into a second-level cache beside what the kernel needs. */
    PIECE = 256 * 1024,
    RING = 16,
    DIGEST = 32
};

static void die(const char *what) {
    fprintf(stderr, "verified_copy: %s: %s\n", what, errno ? strerror(errno) : "failed");
    exit(1);
}

static void read_all(int fd, void *into, size_t len) {
    for (char *at = into; len;) {
        ssize_t count = read(fd, at, len);
        if (count <= 0)
            die("the other end is gone");
        at += count, len -= count;
    }
}

static void write_all(int fd, const void *from, size_t len) {
    for (const char *at = from; len;) {
        ssize_t count = write(fd, at, len);
        if (count < 0)
            die("write");
        at += count, len -= count;
    }
}

static EVP_MD_CTX *digest_begin(void) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL))
        die("SHA-256");
    return context;
}

static void digest_end(EVP_MD_CTX *context, unsigned char *digest) {
    if (!EVP_DigestFinal_ex(context, digest, NULL))
        die("SHA-256");
    EVP_MD_CTX_free(context);
}

struct source {
    const char *path;
    unsigned char digest[DIGEST];
};

static void *hash_file(void *argument) {
    struct source *source = argument;
    int fd = open(source->path, O_RDONLY | O_CLOEXEC);
    char *piece = malloc(PIECE);
    EVP_MD_CTX *context = digest_begin();
    ssize_t count;
    if (fd < 0 || !piece)
        die(source->path);
    while ((count = read(fd, piece, PIECE)) > 0)
        if (!EVP_DigestUpdate(context, piece, count))
            die("SHA-256");
    if (count < 0)
        die(source->path);
    digest_end(context, source->digest);
    close(fd);
    free(piece);
    return NULL;
}

/* Buffers that are full, from `hashed` on; the next to be filled is `filled`. */
static struct {
    char *buffer[RING];
    size_t len[RING];
    uint64_t filled, hashed;
    int ended;
    pthread_t hasher;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned char digest[DIGEST];
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *hash_ring(void *unused) {
    EVP_MD_CTX *context = digest_begin();
    for (uint64_t next = 0;; next++) {
        pthread_mutex_lock(&ring.lock);
        ring.hashed = next;
        pthread_cond_signal(&ring.changed);
        while (ring.filled == next && !ring.ended)
            pthread_cond_wait(&ring.changed, &ring.lock);
        int more = ring.filled > next;
        pthread_mutex_unlock(&ring.lock);
        if (!more)
            break;
        if (!EVP_DigestUpdate(context, ring.buffer[next % RING], ring.len[next % RING]))
            die("SHA-256");
    }
    digest_end(context, ring.digest);
    return unused;
}

static void ring_begin(void) {
    for (int i = 0; i < RING; i++)
        if (!(ring.buffer[i] = malloc(PIECE)))
            die("memory");
    if (pthread_create(&ring.hasher, NULL, hash_ring, NULL))
        die("thread");
}

/* The next buffer to fill, as soon as it is hashed. */
static char *ring_next(void) {
    pthread_mutex_lock(&ring.lock);
    while (ring.filled - ring.hashed >= RING)
        pthread_cond_wait(&ring.changed, &ring.lock);
    pthread_mutex_unlock(&ring.lock);
    return ring.buffer[ring.filled % RING];
}

static void ring_filled(size_t len) {
    pthread_mutex_lock(&ring.lock);
    ring.len[ring.filled % RING] = len;
    ring.filled++;
    pthread_cond_signal(&ring.changed);
    pthread_mutex_unlock(&ring.lock);
}

static void ring_end(void) {
    pthread_mutex_lock(&ring.lock);
    ring.ended = 1;
    pthread_cond_signal(&ring.changed);
    pthread_mutex_unlock(&ring.lock);
    pthread_join(ring.hasher, NULL);
}

static int send_file(int port, const char *path, int once) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct source source = {.path = path};
    struct stat facts;
    pthread_t hasher;
    char answer = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC), peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (file < 0 || fstat(file, &facts))
        die(path);
    if (peer < 0 || connect(peer, (struct sockaddr *)&to, sizeof to))
        die("connect");
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    uint64_t size = facts.st_size;
    write_all(peer, &size, sizeof size);
    if (once) {
        ring_begin();
        for (uint64_t left = size; left;) {
            char *buffer = ring_next();
            ssize_t len = read(file, buffer, left < PIECE ? left : PIECE);
            if (len <= 0)
                die(path);
            ring_filled(len);
            write_all(peer, buffer, len);
            left -= len;
        }
        ring_end();
        memcpy(source.digest, ring.digest, DIGEST);
    } else {
        if (pthread_create(&hasher, NULL, hash_file, &source))
            die("thread");
        for (off_t at = 0; at < facts.st_size;)
            if (sendfile(peer, file, &at, 4 * 1024 * 1024) <= 0)
                die("sendfile");
        pthread_join(hasher, NULL);
    }
    write_all(peer, source.digest, DIGEST);
    read_all(peer, &answer, 1);
    if (answer != 1)
        die("the digests differ");
    return 0;
}

static int receive_file(int port, const char *path, int sync) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned char theirs[DIGEST];
    uint64_t left;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, peer;
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        die(path);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (listener < 0 || bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 1))
        die("listen");
    if ((peer = accept(listener, NULL, NULL)) < 0)
        die("accept");
    ring_begin();
    read_all(peer, &left, sizeof left);
    while (left) {
        char *buffer = ring_next();
        size_t len = left < PIECE ? left : PIECE;
        read_all(peer, buffer, len);
        ring_filled(len);
        write_all(file, buffer, len);
        left -= len;
    }
    ring_end();
    if (sync && fsync(file))
        die("fsync");
    read_all(peer, theirs, DIGEST);
    char answer = !memcmp(theirs, ring.digest, DIGEST);
    write_all(peer, &answer, 1);
    return !answer;
}

static int run(const char *figures, char **command) {
    struct timeval from, to, took;
    struct rusage use;
    int status;
    gettimeofday(&from, NULL);
    pid_t child = fork();
    if (child == 0) {
        /* Whoever ends this program means the other one. */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execvp(command[0], command);
        die(command[0]);
    }
    if (child < 0 || wait4(child, &status, 0, &use) < 0)
        die("run");
    gettimeofday(&to, NULL);
    timersub(&to, &from, &took);
    FILE *out = fopen(figures, "w");
    if (!out)
        die(figures);
    fprintf(out, "seconds=%ld.%06ld user=%ld.%06ld system=%ld.%06ld peak_kib=%ld\n", (long)took.tv_sec,
            (long)took.tv_usec, (long)use.ru_utime.tv_sec, (long)use.ru_utime.tv_usec, (long)use.ru_stime.tv_sec,
            (long)use.ru_stime.tv_usec, use.ru_maxrss);
    fclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static double touch_once(size_t bytes) {
    struct timeval from, to, took;
    gettimeofday(&from, NULL);
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        die("touch");
    for (size_t at = 0; at < bytes; at += 4096)
        memory[at] = 1;
    munmap(memory, bytes);
    gettimeofday(&to, NULL);
    timersub(&to, &from, &took);
    return took.tv_sec + took.tv_usec / 1e6;
}

/* The host of a virtual machine takes back what is free in it, and gives it again page by page, many times slower than
 * memory that is there. Whether it has is seen by how long it takes: it has when once more is not faster. */
static int touch(size_t bytes) {
    double before = touch_once(bytes), now;
    for (int times = 0; times < 8 && (now = touch_once(bytes)) < 0.8 * before; times++)
        before = now;
    return 0;
}

int main(int count, char **words) {
    if ((count == 4 || count == 5) && !strcmp(words[1], "send"))
        return send_file(atoi(words[2]), words[3], count == 5);
    if ((count == 4 || count == 5) && !strcmp(words[1], "recv"))
        return receive_file(atoi(words[2]), words[3], count == 5);
    if (count == 3 && !strcmp(words[1], "hash")) {
        struct source source = {.path = words[2]};
        hash_file(&source);
        for (int i = 0; i < DIGEST; i++)
            printf("%02x", source.digest[i]);
        printf("  %s\n", words[2]);
        return 0;
    }
    if (count == 3 && !strcmp(words[1], "touch"))
        return touch(strtoull(words[2], NULL, 10));
    if (count >= 4 && !strcmp(words[1], "run"))
        return run(words[2], words + 3);
    fputs("verified_copy: see the top of its source\n", stderr);
    return 2;
}
