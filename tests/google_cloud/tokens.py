"""A server that is not taken for a double: at an address of this machine that is none by name."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path
from typing import Any, Self

import pytest

from tests.google_cloud.project import RUNNER

ADDRESS = "127.0.0.2"  # of this machine, on Linux


class TokenServer:
    """Gives tokens for a key of its own, and answers all else with an empty object.

    `with TokenServer(folder) as server:` puts the key into the folder and names it in
    GOOGLE_APPLICATION_CREDENTIALS.
    """

    def __init__(self, folder: Path) -> None:
        self.refuses = False  # to give tokens
        self.seen: list[tuple[str, str | None]] = []  # paths, and with which authorization
        self._http = http.server.ThreadingHTTPServer((ADDRESS, 0), _handler(self))
        self.url = f"http://{ADDRESS}:{self._http.server_port}"
        self._key = folder / "key.json"
        self._key.write_text(json.dumps(_service_account(f"{self.url}/token")))
        self._environment = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        self._environment.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(self._key))
        self._environment.setenv("no_proxy", ADDRESS)
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._environment.undo()
        self._http.shutdown()
        self._http.server_close()


def _handler(server: TokenServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if server.refuses:
                refusal = {"error": "invalid_grant", "error_description": "Account not found"}
                self._send(400, refusal)
                return
            self._send(200, {"access_token": "secret", "expires_in": 3600, "token_type": "Bearer"})

        def do_GET(self) -> None:
            server.seen.append((self.path, self.headers["Authorization"]))
            self._send(200, {})

        def _send(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


def _service_account(token_uri: str) -> dict[str, str]:
    """A key as Google writes it; the key itself is made here, and opens nothing."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "type": "service_account",
        "project_id": "acme",
        "private_key_id": "1",
        "private_key": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        "client_email": RUNNER,
        "token_uri": token_uri,
    }
