/* Lets file operations below REFUSE_ROOT fail while the file REFUSE_CONTROL is there.
 *
 * Preloaded (LD_PRELOAD) into a server: a disk that fills up, turns read-only or loses its syncs
 * while it runs. The control file holds "ERRNO OPERATIONS PART": the operations whose letters are
 * named fail with that errno on paths that contain PART (nothing: every path). Letters: w write,
 * c open a file that is not there yet, o open a file for writing, t truncate, s sync, r rename or
 * link, u remove, m make a folder.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *root;
static const char *control;

__attribute__((constructor)) static void begin(void) {
    root = getenv("REFUSE_ROOT");
    control = getenv("REFUSE_CONTROL");
}

/* The errno that this operation on this path is to fail with; 0 for none. */
static int refused(char op, const char *path) {
    char told[256], letters[32] = "", part[200] = "";
    int error = 0;
    if (!root || !control || strncmp(path, root, strlen(root)) != 0) return 0;
    long fd = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    long size = syscall(SYS_read, fd, told, sizeof told - 1);
    syscall(SYS_close, fd);
    if (size <= 0) return 0;
    told[size] = 0;
    if (sscanf(told, "%d %31s %199s", &error, letters, part) < 2) return 0;
    if (!strchr(letters, op) || (part[0] && !strstr(path, part))) return 0;
    return error;
}

static int name_at(int folder, const char *name, char path[PATH_MAX]) {
    char base[PATH_MAX / 2];
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return 1;
    }
    if (folder == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return 0;
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0) return 0;
        base[length] = 0;
    }
    return snprintf(path, PATH_MAX, "%s/%s", base, name) < PATH_MAX;
}

static int on_file(char op, int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return refused(op, path);
}

static int on_name(char op, int folder, const char *name) {
    char path[PATH_MAX];
    return name && name_at(folder, name, path) ? refused(op, path) : 0;
}

static int on_open(int folder, const char *name, int flags) {
    char path[PATH_MAX];
    if (!name || (flags & (O_ACCMODE | O_CREAT)) == O_RDONLY) return 0;
    if (!name_at(folder, name, path)) return 0;
    int error = refused('o', path);
    if (!error && flags & O_CREAT && access(path, F_OK) != 0) error = refused('c', path);
    return error;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define UNLESS(question)                                                                           \
    int error = question;                                                                          \
    if (error) {                                                                                   \
        errno = error;                                                                             \
        return -1;                                                                                 \
    }

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...) {                                                   \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;                    \
        va_end(more);                                                                              \
        UNLESS(on_open(AT_FDCWD, path, flags))                                                     \
        return REAL(name)(path, flags, mode);                                                      \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
    int name(int folder, const char *path, int flags, ...) {                                       \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;                    \
        va_end(more);                                                                              \
        UNLESS(on_open(folder, path, flags))                                                       \
        return REAL(name)(folder, path, flags, mode);                                              \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *data, size_t size) {
    UNLESS(on_file('w', fd))
    return REAL(write)(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    UNLESS(on_file('w', fd))
    return REAL(writev)(fd, parts, count);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    UNLESS(on_file('w', fd))
    return REAL(pwrite)(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    UNLESS(on_file('w', fd))
    return REAL(pwrite64)(fd, data, size, offset);
}

int ftruncate(int fd, off_t size) {
    UNLESS(on_file('t', fd))
    return REAL(ftruncate)(fd, size);
}

int ftruncate64(int fd, off64_t size) {
    UNLESS(on_file('t', fd))
    return REAL(ftruncate64)(fd, size);
}

int fsync(int fd) {
    UNLESS(on_file('s', fd))
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    UNLESS(on_file('s', fd))
    return REAL(fdatasync)(fd);
}

int rename(const char *old, const char *new) {
    UNLESS(on_name('r', AT_FDCWD, new))
    return REAL(rename)(old, new);
}

int renameat(int from, const char *old, int to, const char *new) {
    UNLESS(on_name('r', to, new))
    return REAL(renameat)(from, old, to, new);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    UNLESS(on_name('r', to, new))
    return REAL(renameat2)(from, old, to, new, flags);
}

int link(const char *old, const char *new) {
    UNLESS(on_name('r', AT_FDCWD, new))
    return REAL(link)(old, new);
}

int linkat(int from, const char *old, int to, const char *new, int flags) {
    UNLESS(on_name('r', to, new))
    return REAL(linkat)(from, old, to, new, flags);
}

int unlink(const char *path) {
    UNLESS(on_name('u', AT_FDCWD, path))
    return REAL(unlink)(path);
}

int unlinkat(int folder, const char *path, int flags) {
    UNLESS(on_name('u', folder, path))
    return REAL(unlinkat)(folder, path, flags);
}

int mkdir(const char *path, mode_t mode) {
    UNLESS(on_name('m', AT_FDCWD, path))
    return REAL(mkdir)(path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode) {
    UNLESS(on_name('m', folder, path))
    return REAL(mkdirat)(folder, path, mode);
}
