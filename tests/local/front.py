"""A proxy between a client and the function that drops and replaces requests and answers.

The tests control it over HTTP, so they can be in any language:

`POST /_front/reset`   resets Cognito and this server
`POST /_front/faults`  `{"cognito": [fault, …], "front": [fault, …]}`, see below
`GET /_front/seen`     `{"statuses": [204], "requests": ["POST /change-password"]}` since the reset

A `cognito` fault is a body for the fake Cognito's `/_fake/faults`; a string is short for a body with
this `fault` of `ChangePassword`. Each `front` fault applies to one request, in this order:

"pass"                                        forwards the request
"refuse"                                      closes the connection; the function gets no request
"lose"                                        closes the connection after the function has answered
{"status": 429, "headers": {…}, "body": …}    sends this answer; the function gets no request
{"method": …, "path": …, "headers": {…}, "body": …}   forwards the request with these replaced
"""

import contextlib
import http.client
import json
import socket
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stack

# Headers of a single connection, which are not forwarded.
HOP = {"connection", "content-length", "date", "host", "server", "transfer-encoding", "accept-encoding"}


class Front(ThreadingHTTPServer):
    """The server, its pending faults, and the requests and statuses that it has seen."""

    daemon_threads = True

    def __init__(self, function, cognito):
        super().__init__((stack.HOST, 0), Handler)
        self.function = urllib.parse.urlsplit(function).netloc
        self.cognito = cognito
        self.lock = threading.Lock()
        self.start_over()

    def start_over(self):
        """Clears the faults, the statuses and the requests."""
        with self.lock:
            self.faults, self.statuses, self.requests = [], [], []

    def handle_error(self, request, client_address):
        """Prints nothing when a client closes its connection."""


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"

    def handle_one(self):
        """Answers one request."""
        front = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/_front/"):
            return self.obey(front, self.path.removeprefix("/_front/"), body)
        with front.lock:
            front.requests.append(f"{self.command} {self.path}")
            fault = front.faults.pop(0) if front.faults else "pass"
        if fault == "refuse":
            return self.hang_up()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        if isinstance(fault, dict) and "status" in fault:
            answer = fault["status"], fault.get("headers", {}), json.dumps(fault.get("body"))
            return self.answer(*answer)
        changed = fault if isinstance(fault, dict) else {}
        onward = http.client.HTTPConnection(front.function, timeout=60)
        onward.request(
            changed.get("method", self.command),
            changed.get("path", self.path),
            changed.get("body", body),
            {**headers, **changed.get("headers", {})},
        )
        answer = onward.getresponse()
        content = answer.read()
        if fault == "lose":
            with front.lock:
                front.statuses.append(answer.status)
            return self.hang_up()
        names = {name: value for name, value in answer.getheaders() if name.lower() not in HOP}
        return self.answer(answer.status, names, content)

    def obey(self, front, order, body):
        """Handles a control request."""
        if order == "reset":
            front.start_over()
            stack.http("POST", f"{front.cognito}/_fake/reset")
        elif order == "faults":
            faults = json.loads(body)
            for fault in faults.get("cognito", []):
                fault = {"fault": fault} if isinstance(fault, str) else fault
                fault = json.dumps({"operation": "ChangePassword", **fault})
                if stack.http("POST", f"{front.cognito}/_fake/faults", body=fault).status != 204:
                    return self.answer(400, {}, fault, noted=False)
            with front.lock:
                front.faults = list(faults.get("front", []))
        with front.lock:
            seen = json.dumps({"statuses": front.statuses, "requests": front.requests})
        return self.answer(200, {"Content-Type": "application/json"}, seen, noted=False)

    def answer(self, status, headers, content, noted=True):
        """Sends an answer, and records its status unless it answers a control request."""
        content = content.encode() if isinstance(content, str) else content
        if noted:
            with self.server.lock:
                self.server.statuses.append(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        bare = status in (204, 304)
        if not bare:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not bare and self.command != "HEAD":
            self.wfile.write(content)

    def hang_up(self):
        """Closes the connection without an answer."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_HEAD = do_POST = do_PUT = handle_one

    def log_message(self, *_):
        """Prints nothing for each request."""


@contextlib.contextmanager
def running(function, cognito):
    """Runs the server until the `with` block ends, and yields its URL."""
    with Front(function, cognito) as front:
        threading.Thread(target=front.serve_forever, daemon=True).start()
        yield f"http://{stack.HOST}:{front.server_port}"
        front.shutdown()
