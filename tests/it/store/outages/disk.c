// Preloaded into a server: its disk is in the mood that a file says. Files are those below a directory named data.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char mood_of(int fd) {
  const char *file = getenv("DISK_MOOD");
  char link[64], path[4096], mood = 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (!file || length < 0) return 0;
  path[length] = 0;
  if (!strstr(path, "/data/")) return 0;
  int said = open(file, O_RDONLY | O_CLOEXEC);
  if (said < 0) return 0;
  if (read(said, &mood, 1) != 1) mood = 0;
  close(said);
  return mood;
}

int fsync(int fd) {
  switch (mood_of(fd)) {
    case 'e': errno = EIO; return -1;
    case 's': sleep(6); break;
  }
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

ssize_t write(int fd, const void *bytes, size_t count) {
  static ssize_t (*next)(int, const void *, size_t);
  if (!next) next = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  if (mood_of(fd) == 'w') {
    errno = EIO;
    return -1;
  }
  return next(fd, bytes, count);
}
