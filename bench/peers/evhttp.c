// The server of 2008 again, on libevent's own HTTP server: `GET /test/{id}` opens a stream, and
// `POST /pub/{id}` sends its body to that user as one chunk and replies how many received it. What
// a user of libevent would write; nothing here is made faster than evhttp makes it.

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdbool.h>
#include <string.h>

#include "../harness/server.h"

// Users of one run at most, the default of comet.
enum { USERS_MAX = 17 * 65536 };

// Ten days, as its clients had then. evhttp cuts a silent connection after 50 seconds otherwise.
enum { TIMEOUT_SECONDS = 10 * 24 * 60 * 60 };

static struct evhttp_request *stream_of[USERS_MAX + 1];  // of each user, NULL for none

// The user in `/test/123`, or 0.
static unsigned long user_in(const char *path, const char *prefix) {
  size_t length = strlen(prefix);
  if (strncmp(path, prefix, length) != 0) return 0;
  char *end;
  unsigned long user = strtoul(path + length, &end, 10);
  return *end == '\0' && user <= USERS_MAX ? user : 0;
}

static void on_close(struct evhttp_connection *connection, void *request) {
  (void)connection;
  unsigned long user = user_in(evhttp_request_get_uri(request), "/test/");
  if (stream_of[user] == request) stream_of[user] = NULL;
  // One that is taken off its connection before that goes is ours to free, which is what this does.
  if (evhttp_request_get_connection(request) == NULL) evhttp_send_reply_end(request);
}

static void open_stream(struct evhttp_request *request, unsigned long user) {
  // As then, a user has one stream: the newest.
  if (stream_of[user] != NULL) {
    struct evhttp_request *before = stream_of[user];
    evhttp_connection_set_closecb(evhttp_request_get_connection(before), NULL, NULL);
    evhttp_send_reply_end(before);
  }
  struct evhttp_connection *connection = evhttp_request_get_connection(request);
  send_at_once(bufferevent_getfd(evhttp_connection_get_bufferevent(connection)));
  evhttp_connection_set_closecb(connection, on_close, request);
  struct evkeyvalq *head = evhttp_request_get_output_headers(request);
  evhttp_add_header(head, "Content-Type", "text/html; charset=utf-8");
  evhttp_send_reply_start(request, 200, "OK");
  struct evbuffer *welcome = evbuffer_new();
  if (welcome == NULL) fail("evbuffer_new");
  evbuffer_add_printf(welcome, "Welcome, Url: '/test/%lu' Id: %lu\n", user, user);
  evhttp_send_reply_chunk(request, welcome);
  evbuffer_free(welcome);
  stream_of[user] = request;
}

static void publish(struct evhttp_request *request, unsigned long user) {
  struct evbuffer *body = evhttp_request_get_input_buffer(request);
  // evhttp sends nothing for an empty chunk.
  bool is_received = stream_of[user] != NULL && evbuffer_get_length(body) > 0;
  if (is_received) evhttp_send_reply_chunk(stream_of[user], body);
  struct evbuffer *count = evbuffer_new();
  if (count == NULL) fail("evbuffer_new");
  evbuffer_add_printf(count, "%d", is_received);
  evhttp_send_reply(request, 200, "OK", count);
  evbuffer_free(count);
}

static void on_request(struct evhttp_request *request, void *nothing) {
  (void)nothing;
  const char *path = evhttp_request_get_uri(request);
  enum evhttp_cmd_type method = evhttp_request_get_command(request);
  unsigned long reader = method == EVHTTP_REQ_GET ? user_in(path, "/test/") : 0;
  unsigned long receiver = method == EVHTTP_REQ_POST ? user_in(path, "/pub/") : 0;
  if (reader != 0) open_stream(request, reader);
  else if (receiver != 0) publish(request, receiver);
  else evhttp_send_error(request, HTTP_NOTFOUND, NULL);
}

int main(void) {
  begin();
  struct event_base *base = event_base_new();
  struct evhttp *server = base == NULL ? NULL : evhttp_new(base);
  if (server == NULL) fail("evhttp_new");
  evhttp_set_timeout(server, TIMEOUT_SECONDS);
  evhttp_set_gencb(server, on_request, NULL);
  if (evhttp_accept_socket(server, open_listener()) != 0) fail("evhttp_accept_socket");
  event_base_dispatch(base);
  return 1;
}
