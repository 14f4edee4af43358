/*
 * Loaded before the C library. Wraps the calls by which the journal writes to the disk.
 *
 * FAULT_STEP, FAULT_AT: the process is killed at the n-th passage of `write-before`, `write-after` (a page of the journal
 * is given to the kernel), `fsync-before` or `fsync-after`.
 *
 * FAULT_DISK_LOG: every write of the journal, and every sync, is appended to this file. From the log the state after a
 * power cut can be made. A log entry is a kind ('w': a write; 's': all writes before are synced; 'd': the last write is
 * synced by itself), 7 unused bytes, an offset and a length of 8 bytes each, and the bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_file = -2;
static int passages_left = -1;

/* Whether this is the data file of the journal. */
static int is_journal(int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return length > 9 && strcmp(path + length - 9, "/data.mdb") == 0;
}

static void pass(const char *step) {
  const char *wanted = getenv("FAULT_STEP");
  if (!wanted || strcmp(wanted, step)) return;
  pthread_mutex_lock(&lock);
  if (passages_left < 0) passages_left = atoi(getenv("FAULT_AT") ? getenv("FAULT_AT") : "1");
  passages_left--;
  int now = passages_left == 0;
  pthread_mutex_unlock(&lock);
  if (now) kill(getpid(), SIGKILL);
}

static void append_to_log(char kind, uint64_t at, const struct iovec *parts, int count) {
  const char *path = getenv("FAULT_DISK_LOG");
  if (!path) return;
  ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
  uint64_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  char head[24] = {kind};
  memcpy(head + 8, &at, 8);
  memcpy(head + 16, &length, 8);
  pthread_mutex_lock(&lock);
  if (log_file == -2) log_file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  real(log_file, head, sizeof head);
  for (int i = 0; i < count; i++) {
    for (size_t done = 0; done < parts[i].iov_len;) {
      ssize_t some = real(log_file, (char *)parts[i].iov_base + done, parts[i].iov_len - done);
      if (some <= 0) abort();
      done += some;
    }
  }
  pthread_mutex_unlock(&lock);
}

static void before(int file, uint64_t at, const struct iovec *parts, int count) {
  pass("write-before");
  append_to_log('w', at, parts, count);
}

static void after(int file) {
  int flags = fcntl(file, F_GETFL);
  if (flags & (O_DSYNC | O_SYNC)) append_to_log('d', 0, 0, 0);
  pass("write-after");
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
  ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
  if (!is_journal(file)) return real(file, bytes, count, at);
  struct iovec part = {(void *)bytes, count};
  before(file, at, &part, 1);
  ssize_t written = real(file, bytes, count, at);
  after(file);
  return written;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) { return pwrite64(file, bytes, count, at); }

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) {
  ssize_t (*real)(int, const struct iovec *, int, off_t) = dlsym(RTLD_NEXT, "pwritev");
  if (!is_journal(file)) return real(file, parts, count, at);
  before(file, at, parts, count);
  ssize_t written = real(file, parts, count, at);
  after(file);
  return written;
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at) { return pwritev(file, parts, count, at); }

ssize_t writev(int file, const struct iovec *parts, int count) {
  ssize_t (*real)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
  if (!is_journal(file)) return real(file, parts, count);
  before(file, lseek(file, 0, SEEK_CUR), parts, count);
  ssize_t written = real(file, parts, count);
  after(file);
  return written;
}

ssize_t write(int file, const void *bytes, size_t count) {
  ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
  if (!is_journal(file)) return real(file, bytes, count);
  struct iovec part = {(void *)bytes, count};
  before(file, lseek(file, 0, SEEK_CUR), &part, 1);
  ssize_t written = real(file, bytes, count);
  after(file);
  return written;
}

static int sync_with(int file, const char *name) {
  int (*real)(int) = dlsym(RTLD_NEXT, name);
  if (!is_journal(file)) return real(file);
  pass("fsync-before");
  int result = real(file);
  if (result == 0) append_to_log('s', 0, 0, 0);
  pass("fsync-after");
  return result;
}

int fdatasync(int file) { return sync_with(file, "fdatasync"); }
int fsync(int file) { return sync_with(file, "fsync"); }

int msync(void *at, size_t length, int flags) {
  int (*real)(void *, size_t, int) = dlsym(RTLD_NEXT, "msync");
  return real(at, length, flags);
}
