"""A server between client and emulator that fails as networks and busy services do, on demand.

    with FaultyServer("http://127.0.0.1:4443") as server:
        server.plan(Fault.DROP, "part", times=2)  # the next two parts of resumable uploads
        ...
        assert server.met[Fault.DROP] == 2

Calls are told apart as "upload" (in one call), "session" and "part" (of a resumable upload),
"download", "list", "look" (at one object), "copy", "delete", and "bucket" (anything about one).
"""

from __future__ import annotations

import enum
import http.client
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

SLOW_S = 0.6
_OURS = {"connection", "content-length", "date", "transfer-encoding"}  # headers we write ourselves


class Fault(enum.Enum):
    UNAVAILABLE = "503"
    TOO_MANY = "429"
    FORBIDDEN = "403"
    GONE = "410, as for a session that was forgotten"
    DAMAGED = "400, as Cloud Storage answers bytes of another checksum"
    DROP = "connection lost when half of the request was sent"
    LOSE = "done, and the connection lost before the answer"
    TRUNCATE = "connection lost when half of the answer was sent"
    FLIP = "one bit changed: of the request where it has content, else of the answer"
    PARTLY = "of a part, the first half taken, and said so"
    SLOW = "answered late"


REFUSALS = {
    Fault.UNAVAILABLE: (503, "Backend Error"),
    Fault.TOO_MANY: (429, "The rate of requests is too high"),
    Fault.FORBIDDEN: (403, "someone@x.org does not have storage.objects.get access"),
    Fault.GONE: (410, "Gone"),
    Fault.DAMAGED: (400, 'Provided CRC32C "A" doesn\'t match calculated CRC32C "B".'),
}


class FaultyServer:
    """Hands on every call, but for those that a fault was planned for."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.met: Counter[Fault] = Counter()
        self.calls: Counter[str] = Counter()
        self.queries: list[tuple[str, str]] = []  # kind and query of every call
        self.before: dict[str, Callable[[], object]] = {}  # done once, before a call of that kind
        self._plans: list[tuple[Fault, str]] = []
        self._skips: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.faulty = self
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def plan(self, fault: Fault, kind: str, *, times: int = 1, after: int = 0) -> None:
        """Let the next calls of a kind meet a fault, once `after` more of them went well."""
        with self._lock:
            self._plans += [(fault, kind)] * times
            self._skips[kind] += after

    def next_fault(self, kind: str, query: str) -> Fault | None:
        """What the call that came in meets."""
        with self._lock:
            self.calls[kind] += 1
            self.queries.append((kind, query))
            self.before.pop(kind, int)()
            if self._skips[kind]:
                self._skips[kind] -= 1
                return None
            found = next((plan for plan in self._plans if plan[1] == kind), None)
            if found is None:
                return None
            self._plans.remove(found)
            self.met[found[0]] += 1
            return found[0]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    faulty: FaultyServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits 40 ms
    server: _Server

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:  # the client closes its idle connections
            self.close_connection = True

    def _serve(self) -> None:
        faulty = self.server.faulty
        fault = faulty.next_fault(self._kind(), urlsplit(self.path).query)
        size = int(self.headers.get("Content-Length") or 0)
        if fault is Fault.DROP:
            self._hand_on_half(self.rfile.read(size // 2))
            return self._reset()
        body = self.rfile.read(size)
        if fault in REFUSALS:
            return self._refuse(*REFUSALS[fault])
        if fault is Fault.SLOW:
            time.sleep(SLOW_S)
        if fault is Fault.PARTLY:
            body = self._cut(body)
        flips_request = fault is Fault.FLIP and size > 0
        status, headers, content = self._hand_on(_flip(body) if flips_request else body)
        if fault is Fault.LOSE:
            return self._reset()
        if fault is Fault.TRUNCATE:
            self.close_connection = True
            return self._answer(status, headers, content, sent=len(content) // 2)
        flips_answer = fault is Fault.FLIP and not flips_request
        return self._answer(status, headers, _flip(content) if flips_answer else content)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815  # names of http.server

    def _kind(self) -> str:
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        if self.command == "DELETE":
            return "delete"
        if path.startswith("/upload/"):
            kinds = {"PUT": "part", "POST": "session" if "resumable" in query else "upload"}
            return kinds[self.command]
        if "/rewriteTo/" in path:
            return "copy"
        if "alt=media" in query:
            return "download"
        if "/o/" in path:
            return "look"
        return "list" if path.endswith("/o") else "bucket"

    def _cut(self, part: bytes) -> bytes:
        start, total = re.findall(r"\d+", self.headers["Content-Range"])[::2]
        half = part[: len(part) // 2]
        self.headers.replace_header("Content-Length", str(len(half)))
        stop = int(start) + len(half) - 1
        self.headers.replace_header("Content-Range", f"bytes {start}-{stop}/{total}")
        return half

    def _hand_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        with self._connected() as upstream:
            upstream.request(self.command, self.path, body or None, dict(self.headers))
            answer = upstream.getresponse()
            headers = dict(answer.getheaders())
            return answer.status, headers, answer.read()

    def _hand_on_half(self, body: bytes) -> None:
        with self._connected() as upstream:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(body)

    @contextmanager
    def _connected(self) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection(self.server.faulty.upstream, timeout=30)
        try:
            yield connection
        finally:
            connection.close()

    def _answer(
        self, status: int, headers: dict[str, str], content: bytes, sent: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _OURS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:sent])

    def _refuse(self, status: int, message: str) -> None:
        error = {"error": {"code": status, "message": message}}
        self._answer(status, {"Content-Type": "application/json"}, json.dumps(error).encode())

    def _reset(self) -> None:
        # Closed at once, without the goodbye of a polite close.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        pass


def _flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
