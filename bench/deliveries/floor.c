// The floor: the least that a server can do to deliver a message, one write from one thread that
// waits with epoll. It answers like comet, byte for byte but for the date, and sends what its
// standard input says. What is slower than this is what comet adds.

#define _GNU_SOURCE
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>

#include "deliveries.h"

// Writes made in one turn of the loop, as in delivery-server.ts.
enum { TURN_WRITES = 256, EVENTS_MAX = 256, HEAD_BYTES = 512 };

struct stream {
  uint32_t user;         // 0 until the request is complete
  uint32_t queued;       // bytes that the full socket has not taken
  uint32_t position;     // where in a chunk they begin
  uint32_t head_bytes;
  char head[HEAD_BYTES]; // of the request, until it is complete
};

static struct stream streams[FILES_MAX];  // by file descriptor
static int files[USERS_MAX + 1];          // of each user, 0 for none
static int poller, waiting;               // streams with bytes queued
static char chunks[FRAMES_MAX * CHUNK_BYTES];

static void watch(int operation, int file, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = file};
  if (epoll_ctl(poller, operation, file, &event) != 0) fail("epoll_ctl");
}

// Writes what the socket takes; returns how much that was.
static uint32_t write_some(int file, const char *bytes, uint32_t length) {
  ssize_t written = write(file, bytes, length);
  if (written >= 0) return (uint32_t)written;
  if (errno != EAGAIN && errno != EWOULDBLOCK) fail("write to a stream");
  return 0;
}

static void deliver(uint32_t user, uint32_t frames) {
  uint32_t length = frames * CHUNK_BYTES;
  int file = files[user];
  if (file == 0) {
    fprintf(stderr, "fault: user %u has no stream\n", user);
    exit(1);
  }
  struct stream *stream = &streams[file];
  // All messages are the same bytes, so a queue is a number: order is kept by counting.
  if (stream->queued > 0) {
    stream->queued += length;
    return;
  }
  uint32_t written = write_some(file, chunks, length);
  if (written == length) return;
  stream->position = written % CHUNK_BYTES;
  stream->queued = length - written;
  waiting++;
  watch(EPOLL_CTL_MOD, file, EPOLLIN | EPOLLOUT);
}

static void flush_queue(int file) {
  struct stream *stream = &streams[file];
  while (stream->queued > 0) {
    uint32_t room = sizeof chunks - stream->position;
    uint32_t length = stream->queued < room ? stream->queued : room;
    uint32_t written = write_some(file, chunks + stream->position, length);
    stream->queued -= written;
    stream->position = (stream->position + written) % CHUNK_BYTES;
    if (written < length) return;
  }
  waiting--;
  watch(EPOLL_CTL_MOD, file, EPOLLIN);
}

static void answer(int file, uint32_t user) {
  char response[768];
  int length = stream_response(response, sizeof response, user);
  // The first write to an empty socket always fits.
  if (write_some(file, response, (uint32_t)length) != (uint32_t)length) fail("write of the head");
  files[user] = file;
  streams[file].user = user;
}

static void accept_all(int listener) {
  for (;;) {
    int file = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (file < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (file < 0 || file >= FILES_MAX) fail("accept");
    send_at_once(file);
    memset(&streams[file], 0, sizeof streams[file]);
    watch(EPOLL_CTL_ADD, file, EPOLLIN);
  }
}

static void read_head(int file) {
  struct stream *stream = &streams[file];
  ssize_t length =
    read(file, stream->head + stream->head_bytes, HEAD_BYTES - 1 - stream->head_bytes);
  if (length <= 0) fail("read of a request");
  stream->head_bytes += (uint32_t)length;
  stream->head[stream->head_bytes] = '\0';
  if (strstr(stream->head, "\r\n\r\n") == NULL) return;
  uint32_t user = 0;
  if (sscanf(stream->head, "GET /test/%u HTTP/1.1", &user) != 1 || user < 1 || user > USERS_MAX) {
    fprintf(stderr, "fault: a request for no user\n");
    exit(1);
  }
  answer(file, user);
}

int main(void) {
  begin();
  poller = epoll_create1(EPOLL_CLOEXEC);
  int listener = open_listener();
  watch(EPOLL_CTL_ADD, listener, EPOLLIN);
  watch(EPOLL_CTL_ADD, 0, EPOLLIN);
  for (int at = 0; at < FRAMES_MAX; at++) memcpy(chunks + at * CHUNK_BYTES, CHUNK, CHUNK_BYTES);
  struct job job = {0};
  uint32_t sent = 0;
  bool running = false;
  for (;;) {
    for (int turn = 0; turn < TURN_WRITES && job.writes > 0; turn++, job.writes--) {
      deliver(next_user(&job), job.frames);
      sent += job.frames;
    }
    if (running && job.writes == 0 && waiting == 0) {
      running = false;
      printf("sent %u\n", sent);
    }
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(poller, events, EVENTS_MAX, job.writes > 0 ? 0 : -1);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int at = 0; at < ready; at++) {
      int file = events[at].data.fd;
      if (file == listener) accept_all(listener);
      else if (file == 0) {
        job = read_job();
        sent = 0;
        running = true;
      } else {
        if (events[at].events & EPOLLOUT) flush_queue(file);
        if (events[at].events & ~(uint32_t)EPOLLOUT) read_head(file);
      }
    }
  }
}
