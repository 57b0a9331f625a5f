"""Where the code that is deployed comes from: its commit in git, and whether that is all of it."""

from __future__ import annotations

import contextlib
import getpass
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from components.common.errors import InputError
from pipelines.images import ROOT

MOST_SHOWN = 10  # files of a message
CI_USER = "GITHUB_ACTOR"  # who started a workflow
# Git sets them for its hooks, and then looks at that repository instead of the one named.
OF_HOOKS = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
)


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """What git knows of the code."""

    commit: str = ""  # empty where it was installed without git
    tag: str = ""  # of that very commit; empty without one


def read_checkout(root: Path = ROOT) -> Checkout:
    """Look which commit the code is; refuse one that was changed since.

    Args:
        root: Folder of the sources.

    Raises:
        InputError: If files differ from the commit, or git cannot tell.
    """
    if not (root / ".git").exists():  # installed; a folder above may be of another project
        return Checkout()
    changed = _git(root, "status", "--porcelain").splitlines()
    if changed:
        names = ", ".join(line[3:] for line in changed[:MOST_SHOWN])
        more = f" and {len(changed) - MOST_SHOWN} more" if len(changed) > MOST_SHOWN else ""
        raise InputError(
            "Only what is committed is deployed, or nobody could say later what runs. Commit or"
            f" stash: {names}{more}"
        )
    tags = _git(root, "tag", "--points-at", "HEAD", "--sort=-version:refname").splitlines()
    return Checkout(commit=_git(root, "rev-parse", "HEAD"), tag=tags[0] if tags else "")


def user() -> str:
    """Who deploys: whoever started the CI, or the user of this machine; empty if nobody knows."""
    with contextlib.suppress(OSError, KeyError, ImportError):  # a user without a name
        return os.environ.get(CI_USER) or getpass.getuser()
    return ""


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # no shell
            ["git", "-C", str(root), *arguments],  # noqa: S607  # as found on the path
            capture_output=True,
            text=True,
            env={name: value for name, value in os.environ.items() if name not in OF_HOOKS},
        )
    except OSError as error:
        raise InputError(f"'{root}' is a git checkout, and git cannot be run: {error}") from error
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise InputError(f"'{root}' is a git checkout, and git cannot read it: {said}")
    return done.stdout.strip("\n")
