/* Records what a process does to the files below POWERCUT_ROOT, in order, into POWERCUT_LOG.
 *
 * Preloaded (LD_PRELOAD) into a server, so that a test can work out which bytes a power cut at any
 * moment would have left: those that were synced, and any part of the rest. A record is
 *   op (1 byte), length of path (2), of second path (2), of data (4), offset (8), path, second, data
 * little endian. Ops: w write, t truncate (offset = size), s sync, r rename, l link, u unlink.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static const char *root;
static size_t root_length;
static int journal = -1;

__attribute__((constructor)) static void begin(void) {
    root = getenv("POWERCUT_ROOT");
    const char *path = getenv("POWERCUT_LOG");
    if (!root || !path) return;
    root_length = strlen(root);
    journal = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int inside(const char *path) {
    return journal >= 0 && strncmp(path, root, root_length) == 0;
}

static void put(const void *data, size_t size) {
    const char *next = data;
    while (size > 0) {
        long done = syscall(SYS_write, journal, next, size);
        if (done <= 0) abort();
        next += done;
        size -= (size_t)done;
    }
}

static void record(char op, const char *path, const char *second, int64_t offset,
                   const struct iovec *parts, int count, size_t size) {
    uint16_t lengths[2] = {(uint16_t)strlen(path), second ? (uint16_t)strlen(second) : 0};
    uint32_t data = (uint32_t)size;
    put(&op, 1);
    put(lengths, sizeof lengths);
    put(&data, sizeof data);
    put(&offset, sizeof offset);
    put(path, lengths[0]);
    if (second) put(second, lengths[1]);
    for (int i = 0; i < count && size > 0; i++) {
        size_t part = parts[i].iov_len < size ? parts[i].iov_len : size;
        put(parts[i].iov_base, part);
        size -= part;
    }
}

static int name_of(int fd, char path[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return inside(path);
}

static int name_at(int folder, const char *name, char path[PATH_MAX]) {
    char base[PATH_MAX];
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
    } else if (folder == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return 0;
        if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0) return 0;
        base[length] = 0;
        if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
    }
    return inside(path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static ssize_t wrote(int fd, ssize_t done, int64_t offset, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    if (done > 0 && name_of(fd, path)) {
        if (offset < 0) offset = (int64_t)lseek(fd, 0, SEEK_CUR) - done;
        record('w', path, NULL, offset, parts, count, (size_t)done);
    }
    return done;
}

#define ORDERED(expression, type)                                                                  \
    pthread_mutex_lock(&order);                                                                    \
    type result = (expression);                                                                    \
    pthread_mutex_unlock(&order);                                                                  \
    return result

ssize_t write(int fd, const void *data, size_t size) {
    ssize_t (*real)(int, const void *, size_t) = REAL(write);
    struct iovec part = {(void *)data, size};
    ORDERED(wrote(fd, real(fd, data, size), -1, &part, 1), ssize_t);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    ssize_t (*real)(int, const struct iovec *, int) = REAL(writev);
    ORDERED(wrote(fd, real(fd, parts, count), -1, parts, count), ssize_t);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    ssize_t (*real)(int, const void *, size_t, off_t) = REAL(pwrite);
    struct iovec part = {(void *)data, size};
    ORDERED(wrote(fd, real(fd, data, size, offset), offset, &part, 1), ssize_t);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    ssize_t (*real)(int, const void *, size_t, off64_t) = REAL(pwrite64);
    struct iovec part = {(void *)data, size};
    ORDERED(wrote(fd, real(fd, data, size, offset), offset, &part, 1), ssize_t);
}

static int noted(char op, int fd, int result, int64_t offset) {
    char path[PATH_MAX];
    if (result == 0 && name_of(fd, path)) record(op, path, NULL, offset, NULL, 0, 0);
    return result;
}

int ftruncate(int fd, off_t size) {
    int (*real)(int, off_t) = REAL(ftruncate);
    ORDERED(noted('t', fd, real(fd, size), size), int);
}

int ftruncate64(int fd, off64_t size) {
    int (*real)(int, off64_t) = REAL(ftruncate64);
    ORDERED(noted('t', fd, real(fd, size), size), int);
}

int fsync(int fd) {
    int (*real)(int) = REAL(fsync);
    ORDERED(noted('s', fd, real(fd), 0), int);
}

int fdatasync(int fd) {
    int (*real)(int) = REAL(fdatasync);
    ORDERED(noted('s', fd, real(fd), 0), int);
}

static int moved(char op, int result, int from, const char *old, int to, const char *new) {
    char path[PATH_MAX], second[PATH_MAX];
    if (result == 0 && name_at(from, old, path)) {
        if (!new) record(op, path, NULL, 0, NULL, 0, 0);
        else if (name_at(to, new, second)) record(op, path, second, 0, NULL, 0, 0);
    }
    return result;
}

int rename(const char *old, const char *new) {
    int (*real)(const char *, const char *) = REAL(rename);
    ORDERED(moved('r', real(old, new), AT_FDCWD, old, AT_FDCWD, new), int);
}

int renameat(int from, const char *old, int to, const char *new) {
    int (*real)(int, const char *, int, const char *) = REAL(renameat);
    ORDERED(moved('r', real(from, old, to, new), from, old, to, new), int);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    int (*real)(int, const char *, int, const char *, unsigned) = REAL(renameat2);
    ORDERED(moved('r', real(from, old, to, new, flags), from, old, to, new), int);
}

int link(const char *old, const char *new) {
    int (*real)(const char *, const char *) = REAL(link);
    ORDERED(moved('l', real(old, new), AT_FDCWD, old, AT_FDCWD, new), int);
}

int linkat(int from, const char *old, int to, const char *new, int flags) {
    int (*real)(int, const char *, int, const char *, int) = REAL(linkat);
    ORDERED(moved('l', real(from, old, to, new, flags), from, old, to, new), int);
}

int unlink(const char *path) {
    int (*real)(const char *) = REAL(unlink);
    ORDERED(moved('u', real(path), AT_FDCWD, path, AT_FDCWD, NULL), int);
}

int unlinkat(int folder, const char *path, int flags) {
    int (*real)(int, const char *, int) = REAL(unlinkat);
    ORDERED(moved('u', real(folder, path, flags), folder, path, AT_FDCWD, NULL), int);
}
