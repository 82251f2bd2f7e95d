// What the two C programs of this folder share: starting as a server on a port that the system
// chooses, and ending with the benchmark that started them. It knows nothing of HTTP.

#ifndef PEERS_SERVER_H
#define PEERS_SERVER_H

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
#include <unistd.h>

// As many connections wait to be accepted as with Bun. `libevent` would take 128, which `comet
// flood` overflows with its 256 under way.
enum { BACKLOG = 512 };

// Users of one run at most, as with comet unless it is told otherwise.
enum { USERS_MAX = 17 * 65536 };

static void fail(const char *what) {
  fprintf(stderr, "fault: ");
  perror(what);
  exit(1);
}

static void begin(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  // However the benchmark ends, its servers do not outlive it.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail("prctl");
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
}

// Listens on the loopback address, and says on which port.
static int open_listener(void) {
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

// No message waits until its receiver has acknowledged the one before; Bun and nginx do the same.
static void send_at_once(int file) {
  int on = 1;
  if (setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail("TCP_NODELAY");
}

#endif
