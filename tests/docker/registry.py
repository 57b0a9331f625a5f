"""A double of a registry, as far as `docker push` and `docker pull` of small images ask.

For machines without Debian's docker-registry, the real one. It keeps all in memory, lets everybody
in and knows neither lists nor deletion: https://distribution.github.io/distribution/spec/api/
"""

from __future__ import annotations

import hashlib
import http.server
import re
import threading
import uuid
from urllib.parse import parse_qs, urlsplit

_PLACE = re.compile(r"/v2/(?P<name>.+)/(?P<kind>blobs/uploads|blobs|manifests)/(?P<what>[^/]*)")


class Registry(http.server.ThreadingHTTPServer):
    """The server; `with Registry() as registry:` starts it at `registry.address`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"127.0.0.1:{self.server_port}"
        self.blobs: dict[str, bytes] = {}  # by digest
        self.uploads: dict[str, bytes] = {}  # by id, as far as they came
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}  # type and text, by tag too

    def __enter__(self) -> Registry:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # what is pushed comes in chunks
    server: Registry

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        place = _PLACE.fullmatch(urlsplit(self.path).path)
        if place is None:
            self._answer(200, b"{}")
        elif place["kind"] == "blobs":
            blob = self.server.blobs.get(place["what"])
            self._give(blob, "application/octet-stream", "BLOB_UNKNOWN")
        else:
            kind, text = self.server.manifests.get((place["name"], place["what"]), ("", None))
            self._give(text, kind, "MANIFEST_UNKNOWN")

    do_HEAD = do_GET  # noqa: N815  # http.server's name

    def do_POST(self) -> None:
        self._body()
        upload = uuid.uuid4().hex
        self.server.uploads[upload] = b""
        self._answer(202, Location=f"{urlsplit(self.path).path}{upload}", Range="0-0")

    def do_PATCH(self) -> None:
        path = urlsplit(self.path).path
        upload = path.rpartition("/")[2]
        self.server.uploads[upload] += self._body()
        end = len(self.server.uploads[upload]) - 1
        self._answer(202, Location=path, Range=f"0-{end}")

    def do_PUT(self) -> None:
        asked = urlsplit(self.path)
        place = _PLACE.fullmatch(asked.path)
        body = self._body()
        if place["kind"] == "blobs/uploads":
            body = self.server.uploads.pop(place["what"]) + body
            digest = _digest(body)
            if parse_qs(asked.query)["digest"] != [digest]:
                self._answer(400, b'{"errors": [{"code": "DIGEST_INVALID"}]}')
                return
            self.server.blobs[digest] = body
        else:
            digest = _digest(body)
            for reference in (place["what"], digest):
                kept = (self.headers["Content-Type"], body)
                self.server.manifests[place["name"], reference] = kept
        self._answer(201, **{"Location": asked.path, "Docker-Content-Digest": digest})

    def _give(self, content: bytes | None, kind: str, error: str) -> None:
        if content is None:
            self._answer(404, f'{{"errors": [{{"code": "{error}"}}]}}'.encode())
        else:
            headers = {"Content-Type": kind, "Docker-Content-Digest": _digest(content)}
            self._answer(200, content, **headers)

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Distribution-API-Version", "registry/2.0")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
