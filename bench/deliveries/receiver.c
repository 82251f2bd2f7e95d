// The client of both servers: one process, epoll, so cheap that the server is what is measured. It
// opens every stream, compares every byte with what its standard input says must come, and says
// when exactly all of it has.
//
//   receiver <port> <streams>

#define _GNU_SOURCE
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>

#include "deliveries.h"

// Connections under way at once: more would overflow the listen queue of the server.
enum { OPENING_MAX = 128, EVENTS_MAX = 256, HEAD_BYTES = 1024, READ_BYTES = 65536 };

// A loopback address of its own, which no other program of comet uses.
#define SOURCE "127.0.2.1"
enum { PORT_FIRST = 10000, PORTS = 65536 - PORT_FIRST };

struct stream {
  uint32_t user;
  bool open;             // the welcome has come whole
  uint32_t head_bytes;
  uint64_t received;     // bytes of messages
  uint64_t expected;
  char head[HEAD_BYTES]; // head and welcome, until it has
};

static struct stream streams[FILES_MAX];  // by file descriptor
static int files[USERS_MAX + 1];
static int poller;
static uint32_t users, begun, opened;
static uint64_t received, expected;  // of all streams
static uint32_t job_messages;
static struct sockaddr_in server = {.sin_family = AF_INET};

static void fault(uint32_t user, const char *what) {
  fprintf(stderr, "fault: user %u: %s\n", user, what);
  exit(1);
}

// Binds a local port itself: the kernel passes over every port that any other program has bound on
// any address, and so finds too few beside a flood.
static void bind_source(int file) {
  static uint32_t next = 0;
  struct sockaddr_in source = {.sin_family = AF_INET};
  inet_pton(AF_INET, SOURCE, &source.sin_addr);
  if (next == 0) next = (uint32_t)getpid();
  for (int tried = 0; tried < PORTS; tried++) {
    source.sin_port = htons((uint16_t)(PORT_FIRST + next++ % PORTS));
    if (bind(file, (struct sockaddr *)&source, sizeof source) == 0) return;
    if (errno != EADDRINUSE) fail("bind");
  }
  fail("bind");
}

static void connect_more(void) {
  while (begun < users && begun - opened < OPENING_MAX) {
    int file = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (file < 0 || file >= FILES_MAX) fail("socket");
    // Reset at the end, so that a run leaves the next one no ports in TIME_WAIT.
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (setsockopt(file, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) != 0) fail("SO_LINGER");
    bind_source(file);
    if (connect(file, (struct sockaddr *)&server, sizeof server) != 0 && errno != EINPROGRESS)
      fail("connect");
    memset(&streams[file], 0, sizeof streams[file]);
    streams[file].user = ++begun;
    files[begun] = file;
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = file};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, file, &event) != 0) fail("epoll_ctl");
  }
}

static void ask(int file) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(file, SOL_SOCKET, SO_ERROR, &error, &size);
  errno = error;
  if (error != 0) fail("connect");
  char request[128];
  int length = snprintf(request, sizeof request,
    "GET /test/%u HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", streams[file].user);
  if (write(file, request, (size_t)length) != length) fail("write of a request");
  struct epoll_event event = {.events = EPOLLIN, .data.fd = file};
  if (epoll_ctl(poller, EPOLL_CTL_MOD, file, &event) != 0) fail("epoll_ctl");
}

// Head and welcome must end with exactly the welcome of this user.
static void take_head(struct stream *stream, const char *bytes, size_t length) {
  if (stream->head_bytes + length >= HEAD_BYTES) fault(stream->user, "the head is too long");
  memcpy(stream->head + stream->head_bytes, bytes, length);
  stream->head_bytes += (uint32_t)length;
  stream->head[stream->head_bytes] = '\0';
  char text[128], welcome[192];
  int text_bytes = snprintf(text, sizeof text, "Welcome, Url: '/test/%u' Id: %u\n",
    stream->user, stream->user);
  snprintf(welcome, sizeof welcome, "\r\n\r\n%x\r\n%s\r\n", (unsigned)text_bytes, text);
  char *found = strstr(stream->head, welcome);
  if (found == NULL) return;
  if (strncmp(stream->head, "HTTP/1.1 200 ", 13) != 0) fault(stream->user, "it is not a 200");
  if (found[strlen(welcome)] != '\0') fault(stream->user, "something follows the welcome");
  stream->open = true;
  if (++opened == users) printf("open %u\n", opened);
}

static void verify_streams(void) {
  for (uint32_t user = 1; user <= users; user++) {
    struct stream *stream = &streams[files[user]];
    if (stream->received != stream->expected) fault(user, "got what was for another");
  }
  printf("exact %u\n", job_messages);
}

// Hot path: every byte is compared, since a count alone would not see a wrong one.
static void take_messages(struct stream *stream, const char *bytes, size_t length) {
  size_t at = 0;
  while (at < length) {
    size_t position = stream->received % CHUNK_BYTES;
    size_t part = CHUNK_BYTES - position < length - at ? CHUNK_BYTES - position : length - at;
    if (memcmp(bytes + at, CHUNK + position, part) != 0) fault(stream->user, "a wrong byte");
    stream->received += part;
    at += part;
  }
  received += length;
  if (received > expected) fault(stream->user, "more than was sent");
  if (received < expected) return;
  // Said at once, as it stops the clock.
  printf("received %u\n", job_messages);
  verify_streams();
}

static void take(int file) {
  static char bytes[READ_BYTES];
  struct stream *stream = &streams[file];
  ssize_t length = read(file, bytes, sizeof bytes);
  if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
  if (length < 0) fail("read of a stream");
  if (length == 0) fault(stream->user, "the server ended the stream");
  if (stream->open) take_messages(stream, bytes, (size_t)length);
  else take_head(stream, bytes, (size_t)length);
}

static void expect(void) {
  struct job job = read_job();
  if (received != expected) fault(0, "the last messages have not all come");
  job_messages = job.writes * job.frames;
  for (; job.writes > 0; job.writes--) {
    streams[files[next_user(&job)]].expected += job.frames * CHUNK_BYTES;
  }
  expected += (uint64_t)job_messages * CHUNK_BYTES;
  printf("expecting %u\n", job_messages);
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "fault: receiver <port> <streams>\n");
    return 2;
  }
  begin();
  server.sin_port = htons((uint16_t)atoi(arguments[1]));
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  users = (uint32_t)atoi(arguments[2]);
  if (users < 1 || users > USERS_MAX) fault(0, "too few or too many streams");
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event input = {.events = EPOLLIN, .data.fd = 0};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, 0, &input) != 0) fail("epoll_ctl");
  for (;;) {
    connect_more();
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(poller, events, EVENTS_MAX, -1);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int at = 0; at < ready; at++) {
      int file = events[at].data.fd;
      if (file == 0) expect();
      else if (events[at].events & EPOLLOUT) ask(file);
      else take(file);
    }
  }
}
