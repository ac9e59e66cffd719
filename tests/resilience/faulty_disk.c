/* A disk that fails on demand: preloaded, it lets writing and syncing of files below $FAULTS_UNDER fail as the words of
 * the mapped file $FAULTS_CONTROL say: [0] errno of writes, [1] errno of syncs, [2] writes fail only after half of
 * the octets, [3] counts the failures. Reading, truncating and deleting always work. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile int32_t *control;
static const char *under;

__attribute__((constructor)) static void prepare(void) {
    const char *path = getenv("FAULTS_CONTROL");
    under = getenv("FAULTS_UNDER");
    int file = path && under ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped != MAP_FAILED) control = mapped;
    close(file);
}
static int concerned(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return !strncmp(path, under, strlen(under));
}
/* The errno to fail with, 0: do it. */
static int fault(int word, int file) {
    if (!control || !control[word] || !concerned(file)) return 0;
    __atomic_add_fetch(&control[3], 1, __ATOMIC_SEQ_CST);
    return control[word];
}
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(error) do { errno = (error); return -1; } while (0)

ssize_t write(int file, const void *data, size_t n) {
    int error = fault(0, file);
    if (error && control[2] && n > 1) return REAL(write)(file, data, n / 2); /* the second half will meet the full disk */
    if (error) FAIL(error);
    return REAL(write)(file, data, n);
}
ssize_t writev(int file, const struct iovec *pieces, int n) {
    int error = fault(0, file);
    if (error && control[2] && n > 1) return REAL(writev)(file, pieces, n / 2);
    if (error) FAIL(error);
    return REAL(writev)(file, pieces, n);
}
ssize_t pwrite(int file, const void *data, size_t n, off_t at) {
    int error = fault(0, file);
    if (error) FAIL(error);
    return REAL(pwrite)(file, data, n, at);
}
ssize_t pwrite64(int file, const void *data, size_t n, off64_t at) {
    int error = fault(0, file);
    if (error) FAIL(error);
    return REAL(pwrite64)(file, data, n, at);
}
int posix_fallocate(int file, off_t at, off_t n) { int error = fault(0, file); return error ? error : REAL(posix_fallocate)(file, at, n); }
int posix_fallocate64(int file, off64_t at, off64_t n) { int error = fault(0, file); return error ? error : REAL(posix_fallocate64)(file, at, n); }
int fdatasync(int file) { int error = fault(1, file); if (error) FAIL(error); return REAL(fdatasync)(file); }
int fsync(int file) { int error = fault(1, file); if (error) FAIL(error); return REAL(fsync)(file); }
