// What the C programs of the benches share: they begin, listen on a port that the system chooses,
// answer a stream as comet does, and end with the bench that started them.

#ifndef HARNESS_SERVER_H
#define HARNESS_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// As many connections wait to be accepted as with Bun. `libevent` would take 128, which `comet
// flood` overflows with its 256 pending ones.
enum { BACKLOG = 512 };

static inline void fail(const char *what) {
  fprintf(stderr, "fault: ");
  perror(what);
  exit(1);
}

static inline void begin(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  // However the bench ends, its programs do not outlive it.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail("prctl");
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
}

// Listens on the loopback address, and says on which port.
static inline int open_listener(void) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0) fail("bind");
  if (listen(listener, BACKLOG) != 0) fail("listen");
  if (getsockname(listener, (struct sockaddr *)&address, &length) != 0) fail("getsockname");
  printf("listening %u\n", ntohs(address.sin_port));
  return listener;
}

// No message waits until its receiver has acknowledged the one before; Bun and nginx set it too.
static inline void send_at_once(int file) {
  int on = 1;
  if (setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail("TCP_NODELAY");
}

// Writes the head and the greeting of comet, byte for byte but for the date; returns its length.
static inline int stream_response(char *text, size_t size, unsigned user) {
  char date[64], welcome[128];
  time_t now = time(NULL);
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
  int bytes = snprintf(welcome, sizeof welcome, "Welcome, Url: '/test/%u' Id: %u\n", user, user);
  return snprintf(text, size,
    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
    "Cache-Control: no-store, no-transform\r\nX-Content-Type-Options: nosniff\r\n"
    "x-accel-buffering: no\r\nDate: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n",
    date, (unsigned)bytes, welcome);
}

#endif
