/*
 * Loaded before the C library. Writes of the journal fail while a flag file exists. The name of a flag file begins with the
 * value of FAILING_DISK:
 *
 * .data: data pages cannot be written. .sync: fdatasync fails. .root: the root pages of the database cannot be written.
 * .readonly: nothing can be written, as on a file system that the kernel has made read-only after an error.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* The root pages are the first two pages of the file. */
#define ROOT_BYTES 8192

static int fails(const char *what, int code) {
  const char *flag = getenv("FAILING_DISK");
  char path[4096];
  if (!flag || snprintf(path, sizeof path, "%s.%s", flag, what) >= (int)sizeof path || access(path, F_OK)) return 0;
  errno = code;
  return 1;
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
  ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
  if (fails("readonly", EROFS) || (at < ROOT_BYTES ? fails("root", EIO) : fails("data", ENOSPC))) return -1;
  return real(file, bytes, count, at);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) { return pwrite64(file, bytes, count, at); }

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) {
  ssize_t (*real)(int, const struct iovec *, int, off_t) = dlsym(RTLD_NEXT, "pwritev");
  if (fails("readonly", EROFS) || fails("data", ENOSPC)) return -1;
  return real(file, parts, count, at);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  ssize_t (*real)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
  if (count > 1 && lseek(file, 0, SEEK_CUR) >= ROOT_BYTES && (fails("readonly", EROFS) || fails("data", ENOSPC)))
    return -1;
  return real(file, parts, count);
}

int fdatasync(int file) {
  int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
  return fails("readonly", EROFS) || fails("sync", EIO) ? -1 : real(file);
}
