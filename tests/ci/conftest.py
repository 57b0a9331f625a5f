"""What continuous integration is made of, and a project of its own to run its scripts in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from pipelines.cli import cli

ROOT = Path(__file__).parents[2]


def tool(name: str) -> str:
    """Where a program is, beside this Python or on the PATH; skips the test where it is nowhere."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def checked(*command: str | Path, **options: Any) -> str:
    """What a command prints; it must succeed."""
    settings = {"cwd": ROOT, "capture_output": True, "text": True} | options
    done = subprocess.run(command, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def parse(arguments: list[str]) -> dict[str, Any]:
    """Read a command line as `pawpetal` does, without running it; gives the options by name."""
    command: click.Command = cli
    context, rest = click.Context(cli, info_name="pawpetal"), list(arguments)
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, click.Context(found, info_name=name, parent=context)
    command.parse_args(context, rest)
    return context.params


@pytest.fixture
def project(tmp_path: Path) -> SimpleNamespace:
    """A git repository with our scripts: `folder`, and how to `run`, `git` and `write` there."""
    folder = tmp_path / "a project"
    shutil.copytree(ROOT / ".ci", folder / ".ci", ignore=shutil.ignore_patterns("__pycache__"))
    usual = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    identity = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_NAME": "A" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "a@example.com" for who in ("AUTHOR", "COMMITTER")},
    }

    def run(script: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(folder / ".ci" / script), *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**usual, **identity, **env},
        )

    def git(*arguments: str) -> str:
        return checked("git", *arguments, cwd=folder, env={**usual, **identity})

    git("init", "--quiet", "--initial-branch=main")
    return SimpleNamespace(folder=folder, run=run, git=git, write=_writer(folder))


def _writer(folder: Path) -> Callable[..., None]:
    def write(path: str, text: str, *, is_program: bool = False) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
        if is_program:
            (folder / path).chmod(0o755)

    return write
