import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from infra.gcs import emulator as module
from infra.gcs.emulator import EmulatorMissingError, emulator, find_program

ROOT = Path(__file__).parent.parent.parent
HOLDER = """
import sys, time
from infra.gcs.emulator import emulator

with emulator() as address:
    print(address, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _installed():
    try:
        find_program()
    except EmulatorMissingError as error:
        pytest.skip(str(error))


def ask(address: str, path: str = "b", data: bytes | None = None) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{address}/storage/v1/{path}", data, timeout=5) as answer:
        return answer.read()


def answers(address: str) -> bool:
    try:
        ask(address)
    except OSError:
        return False
    return True


def is_silent_soon(address: str) -> bool:
    deadline = time.monotonic() + 10
    while answers(address) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not answers(address)


def test_it_answers_within_the_block_and_not_afterwards():
    with emulator() as address:
        assert answers(address)

    assert not answers(address)


def test_it_ends_when_the_block_fails():
    with pytest.raises(KeyError), emulator() as address:
        raise KeyError

    assert not answers(address)


def test_two_of_them_know_nothing_of_one_another():
    with emulator() as one, emulator() as other:
        ask(one, "b?project=p", b'{"name": "only-in-one"}')

        assert b"only-in-one" in ask(one)
        assert b"only-in-one" not in ask(other)


def test_in_a_folder_buckets_outlive_it(tmp_path):
    with emulator(tmp_path / "buckets") as address:
        ask(address, "b?project=p", b'{"name": "kept"}')
    with emulator(tmp_path / "buckets") as address:
        assert b"kept" in ask(address)

    assert (tmp_path / "buckets/kept").is_dir()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_process_that_started_it_however_that_ends(how):
    command = [sys.executable, "-c", HOLDER]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with holder:
        address = holder.stdout.readline().strip()
        assert answers(address)
        os.kill(holder.pid, how)

    assert is_silent_soon(address)


def test_ctrl_c_is_left_to_the_process_that_started_it():
    command = [sys.executable, "-c", HOLDER]
    holder = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    with holder:
        address = holder.stdout.readline().strip()
        os.killpg(holder.pid, signal.SIGINT)  # as a terminal does: to all in the foreground

    assert holder.returncode == -signal.SIGINT
    assert is_silent_soon(address)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(module, "PACKAGE", "no-such-package")

    with pytest.raises(EmulatorMissingError, match=r"Run: pip install no-such-package"):
        find_program()


def test_a_package_without_a_program_for_this_machine_is_named(monkeypatch):
    monkeypatch.setattr(module.platform, "machine", lambda: "riscv64")

    with pytest.raises(EmulatorMissingError, match=r"\(fake-gcs-server-\w+-riscv64\)"):
        find_program()


def test_a_program_that_does_not_start_is_told_with_what_it_said(monkeypatch, tmp_path):
    program = tmp_path / "fake-gcs-server"
    program.write_text("#!/bin/sh\necho 'no room on this disk' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(module, "find_program", lambda: program)

    with (
        pytest.raises(RuntimeError, match=r"did not start at port \d+: no room on this disk"),
        emulator(),
    ):
        pass
