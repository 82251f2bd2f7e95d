// The floor: the least that a server of the same job can do, one thread that waits with epoll and
// makes one system call of each thing. `GET /test/{id}` opens a stream, `POST /pub/{id}` sends its
// body to all streams of that user and replies how many there were. It trusts its clients.

#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include "../harness/server.h"

// Users of one run at most, the default of comet.
enum { USERS_MAX = 17 * 65536 };

enum {
  EVENTS_MAX = 256,
  READ_BYTES = 65536,
  // Bytes that may wait for one stream, as with comet; then its connection is cut.
  QUEUE_BYTES_MAX = 65536,
};

struct bytes {
  uint32_t length;
  char data[];
};

// Small, since there is one for each silent stream, too.
struct connection {
  uint32_t user;        // of a stream, else 0
  int next;             // stream of the same user, 0 for none: standard input is never one
  struct bytes *held;   // of a request that has not come whole
  struct bytes *queued; // for a socket that is full
};

static struct connection *connections;  // by file descriptor
static int first_of[USERS_MAX + 1];     // stream of each user, 0 for none
static int poller, files_max;

static void watch(int operation, int file, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = file};
  if (epoll_ctl(poller, operation, file, &event) != 0) fail("epoll_ctl");
}

static struct bytes *append(struct bytes *to, const char *data, size_t length) {
  uint32_t before = to == NULL ? 0 : to->length;
  struct bytes *grown = realloc(to, sizeof *grown + before + length);
  if (grown == NULL) fail("realloc");
  memcpy(grown->data + before, data, length);
  grown->length = before + (uint32_t)length;
  return grown;
}

static void cut(int file) {
  struct connection *connection = &connections[file];
  if (connection->user != 0) {
    int *link = &first_of[connection->user];
    while (*link != file) link = &connections[*link].next;
    *link = connection->next;
  }
  free(connection->held);
  free(connection->queued);
  memset(connection, 0, sizeof *connection);
  close(file);
}

// Writes the parts, or queues what the socket does not take. False if the connection had to be cut.
static bool send_parts(int file, struct iovec *parts, int count) {
  struct connection *connection = &connections[file];
  bool was_waiting = connection->queued != NULL;
  ssize_t written = was_waiting ? 0 : writev(file, parts, count);
  if (written < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      cut(file);
      return false;
    }
    written = 0;
  }
  for (int at = 0; at < count; at++) {
    size_t taken = (size_t)written < parts[at].iov_len ? (size_t)written : parts[at].iov_len;
    written -= (ssize_t)taken;
    if (taken == parts[at].iov_len) continue;
    const char *rest = (const char *)parts[at].iov_base + taken;
    connection->queued = append(connection->queued, rest, parts[at].iov_len - taken);
  }
  if (connection->queued == NULL) return true;
  if (connection->queued->length > QUEUE_BYTES_MAX) {
    cut(file);
    return false;
  }
  if (!was_waiting) watch(EPOLL_CTL_MOD, file, EPOLLIN | EPOLLOUT);
  return true;
}

static void flush_queue(int file) {
  struct connection *connection = &connections[file];
  struct bytes *queued = connection->queued;
  if (queued == NULL) return;
  ssize_t written = write(file, queued->data, queued->length);
  if (written < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
    cut(file);
    return;
  }
  if (written > 0) {
    queued->length -= (uint32_t)written;
    memmove(queued->data, queued->data + written, queued->length);
  }
  if (queued->length > 0) return;
  free(queued);
  connection->queued = NULL;
  watch(EPOLL_CTL_MOD, file, EPOLLIN);
}

static bool answer(int file, const char *status, const char *body) {
  char text[160];
  int length = snprintf(text, sizeof text,
    "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s", status,
    strlen(body), body);
  struct iovec part = {text, (size_t)length};
  return send_parts(file, &part, 1);
}

static bool open_stream(int file, uint32_t user) {
  char text[768];
  int length = stream_response(text, sizeof text, user);
  connections[file].user = user;
  connections[file].next = first_of[user];
  first_of[user] = file;
  struct iovec part = {text, (size_t)length};
  return send_parts(file, &part, 1);
}

// Hot path: one chunk to each stream of the user.
static bool publish(int file, uint32_t user, char *body, size_t length) {
  char size[16], count[16];
  int size_length = snprintf(size, sizeof size, "%zx\r\n", length);
  unsigned receivers = 0;
  // An empty chunk would end the response.
  for (int to = length == 0 ? 0 : first_of[user], next; to != 0; to = next) {
    next = connections[to].next;
    struct iovec parts[] = {{size, (size_t)size_length}, {body, length}, {"\r\n", 2}};
    if (send_parts(to, parts, 3)) receivers++;
  }
  snprintf(count, sizeof count, "%u", receivers);
  return answer(file, "200 OK", count);
}

// Takes the requests that have come whole; returns how many bytes they were, or -1 when the
// connection is gone.
static ssize_t take_requests(int file, char *text, size_t length) {
  size_t at = 0;
  while (at < length) {
    char *head = text + at;
    char *end = memmem(head, length - at, "\r\n\r\n", 4);
    if (end == NULL) break;
    size_t head_length = (size_t)(end + 4 - head), body_length = 0;
    end[2] = '\0';
    char *field = strcasestr(head, "\r\ncontent-length:");
    if (field != NULL) body_length = strtoul(field + 17, NULL, 10);
    // For the next time, should the body not have come.
    end[2] = '\r';
    if (body_length > length - at - head_length) break;
    bool is_post = strncmp(head, "POST /pub/", 10) == 0;
    bool is_get = strncmp(head, "GET /test/", 10) == 0;
    unsigned long user = is_post || is_get ? strtoul(head + 10, NULL, 10) : 0;
    bool is_there = true;
    if (user < 1 || user > USERS_MAX) is_there = answer(file, "404 Not Found", "");
    else if (is_post) is_there = publish(file, (uint32_t)user, end + 4, body_length);
    else if (connections[file].user == 0) is_there = open_stream(file, (uint32_t)user);
    if (!is_there) return -1;
    at += head_length + body_length;
  }
  return (ssize_t)at;
}

static void read_requests(int file) {
  static char buffer[READ_BYTES + 1];
  struct connection *connection = &connections[file];
  size_t held = 0;
  if (connection->held != NULL) {
    held = connection->held->length;
    memcpy(buffer, connection->held->data, held);
  }
  ssize_t length = read(file, buffer + held, READ_BYTES - held);
  if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
  if (length <= 0) {
    cut(file);
    return;
  }
  size_t all = held + (size_t)length;
  buffer[all] = '\0';
  ssize_t taken = take_requests(file, buffer, all);
  if (taken < 0) return;
  free(connection->held);
  connection->held = NULL;
  size_t rest = all - (size_t)taken;
  if (rest == READ_BYTES) cut(file);
  else if (rest > 0) connection->held = append(NULL, buffer + taken, rest);
}

static void accept_all(int listener) {
  for (;;) {
    int file = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (file < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (file < 0 && errno == ECONNABORTED) continue;
    if (file < 0 || file >= files_max) fail("accept");
    send_at_once(file);
    watch(EPOLL_CTL_ADD, file, EPOLLIN);
  }
}

int main(void) {
  begin();
  files_max = (int)sysconf(_SC_OPEN_MAX);
  connections = calloc((size_t)files_max, sizeof *connections);
  if (connections == NULL) fail("calloc");
  poller = epoll_create1(EPOLL_CLOEXEC);
  int listener = open_listener();
  watch(EPOLL_CTL_ADD, listener, EPOLLIN);
  for (;;) {
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(poller, events, EVENTS_MAX, -1);
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    for (int at = 0; at < ready; at++) {
      int file = events[at].data.fd;
      if (file == listener) accept_all(listener);
      else {
        if (events[at].events & EPOLLOUT) flush_queue(file);
        if (events[at].events & ~(uint32_t)EPOLLOUT) read_requests(file);
      }
    }
  }
}
