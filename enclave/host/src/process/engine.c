/* An engine for tests: says that it is ready, then does what each frame's text says and answers with the outcome.
   Frames are a little-endian length and a message; the text is found by its field's tag, and lengths are kept short. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

static void whole(const void *bytes, size_t length) {
  if (write(3, bytes, length) != (ssize_t)length) exit(1);
}

/* ToHost { withheld { cause = text } } */
static void answer(const char *text) {
  unsigned char n = (unsigned char)strlen(text);
  unsigned char head[8] = {(unsigned char)(n + 4), 0, 0, 0, 0x3a, (unsigned char)(n + 2), 0x0a, n};
  whole(head, sizeof head);
  whole(text, n);
}

static void outcome(int failed) {
  char text[16];
  snprintf(text, sizeof text, "%d", failed ? errno : 0);
  answer(text);
}

static void obey(const char *order) {
  char text[120] = "";
  long number = 0;
  if (!strcmp(order, "root")) {
    DIR *root = opendir("/");
    for (struct dirent *found; root && (found = readdir(root));)
      if (found->d_name[0] != '.') strcat(text, found->d_name);
    answer(text);
  } else if (!strncmp(order, "write ", 6)) {
    outcome(open(order + 6, O_CREAT | O_RDWR, 0600) < 0);
  } else if (!strncmp(order, "open ", 5)) {
    outcome(open(order + 5, O_RDONLY) < 0);
  } else if (!strcmp(order, "identity")) {
    int capabilities = 0;
    for (int capability = 0; capability < 41; capability++)
      capabilities += prctl(PR_CAPBSET_READ, capability, 0, 0, 0) > 0;
    snprintf(text, sizeof text, "pid %d uid %d gid %d new-privileges %d capabilities %d", getpid(), getuid(),
             getgid(), !prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), capabilities);
    answer(text);
  } else if (!strcmp(order, "connect")) {
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(80)};
    inet_pton(AF_INET, "192.0.2.1", &there.sin_addr);
    outcome(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&there, sizeof there));
  } else if (!strcmp(order, "unshare")) {
    outcome(unshare(CLONE_NEWUSER));
  } else if (!strcmp(order, "surroundings")) {
    struct utsname name;
    uname(&name);
    strcat(text, name.nodename);
    for (char **variable = environ; *variable; variable++) strcat(strcat(text, " "), *variable);
    answer(text);
  } else if (!strcmp(order, "descriptors")) {
    for (int descriptor = 0; descriptor < 1024; descriptor++)
      if (fcntl(descriptor, F_GETFD) >= 0) {
        char one[8];
        snprintf(one, sizeof one, descriptor ? " %d" : "%d", descriptor);
        strcat(text, one);
      }
    answer(text);
  } else if (sscanf(order, "read %ld", &number) == 1) {
    if (pread((int)number, text, sizeof text - 1, 0) < 0) outcome(1);
    else answer(text);
  } else if (sscanf(order, "put %ld", &number) == 1) {
    outcome(pwrite((int)number, "written", 7, 0) != 7);
  } else if (sscanf(order, "fill %ld", &number) == 1) {
    static char block[1 << 20];
    for (;;)
      if (write((int)number, block, sizeof block) < 0) break;
    outcome(1);
  } else if (sscanf(order, "memory %ld", &number) == 1) {
    void *got = mmap(0, (size_t)number << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    outcome(got == MAP_FAILED);
  } else {
    answer("?");
  }
}

int main(void) {
  /* ToHost { ready { public_key = 32 bytes } } */
  unsigned char ready[40] = {36, 0, 0, 0, 0x12, 34, 0x0a, 32};
  memset(ready + 8, 7, 32);
  whole(ready, sizeof ready);
  for (;;) {
    unsigned char head[4], body[512];
    if (read(3, head, 4) != 4) return 0;
    unsigned length = head[0] | head[1] << 8;
    if (head[2] || head[3] || length >= sizeof body || read(3, body, length) != (ssize_t)length) return 1;
    /* ToZone { question { sql = order } }: 0x12 length 0x1a length order */
    if (length < 4 || body[0] != 0x12 || body[2] != 0x1a) return 2;
    char order[256];
    memcpy(order, body + 4, body[3]);
    order[body[3]] = 0;
    obey(order);
  }
}
