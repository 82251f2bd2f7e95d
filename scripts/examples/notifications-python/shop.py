"""The backend of a shop: when an order is shipped, it notifies whose order it is.

Python 3.8 or later, and nothing but its standard library.
"""

import http.client
import json
import os
import random
import re
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(os.environ.get("PORT", "8080"))
CONTROL_URL = os.environ.get("CONTROL_URL", "http://127.0.0.1:8001")

# Seconds for one answer, and until the next try: one, two, four, eight.
ANSWER_S_MAX = 5
RETRY_S_MAX = 8
# Tries that fit into the five minutes for which comet knows a key.
TRIES_MAX = 20

# Whose all orders are. Your application has a database.
USER = "alice"


def notify(user, text, key):
    """Sends a notification, and tries again until comet has answered.

    Without an answer it is unknown whether it went out; with its key, which names what has happened,
    it goes out once, however often it is sent.

    Returns how many of the user's connections took it. With none it waits for the user to come
    back, and this is the moment to send a mail instead.
    """
    request = urllib.request.Request(
        f"{CONTROL_URL}/messages",
        data=json.dumps({"to": user, "body": text, "key": key}).encode(),
        headers={"Content-Type": "application/json"},
    )
    for tries in range(TRIES_MAX):
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S_MAX) as response:
                return json.load(response)["delivered"]
        except urllib.error.HTTPError as error:
            # A 4xx is a mistake of the caller: 409 is a key that another notification has had.
            if error.code < 500:
                raise
        except (OSError, http.client.HTTPException):
            # Comet is away, or its answer was lost.
            pass
        # Many that failed together do not come back together.
        time.sleep(min(RETRY_S_MAX, 2**tries) * random.uniform(0.5, 1))
    raise TimeoutError(f"comet did not answer {TRIES_MAX} times")


class Shop(BaseHTTPRequestHandler):
    """POST /orders/42/ship"""

    def do_POST(self):
        found = re.fullmatch(r"/orders/(\d{1,9})/ship", self.path)
        if found is None:
            self.answer(404, {"error": "There is no such order."})
            return
        order = found[1]
        try:
            delivered = notify(USER, f"Order {order} is on its way.", f"order-{order}-shipped")
        except OSError as error:
            self.log_error("not notified: %s", error)
            self.answer(503, {"error": "Try again."})
            return
        self.answer(200, {"delivered": delivered})

    def answer(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", PORT), Shop) as server:
        print(f"The shop is at http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
