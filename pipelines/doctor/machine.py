"""What this machine has: a home that can be written to, room on disk, cores and memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from components.common.home import VARIABLE, home
from pipelines.doctor.check import Check, fail, ok
from pipelines.runs import is_writable

GB = 1e9
# Measured for docs/laptop.md: photos once as shards, once prepared, a model, and room to breathe.
DISK_GB = 2.0
MEMORY_GB = 4.0  # of docs/laptop.md
# Machines are sold by powers of two, and keep some of it for themselves.
NEARLY = 0.9


def check_home() -> Iterator[Check]:
    """Whether runs can be recorded here, and the disk has room."""
    folder = home()
    if not is_writable(folder):
        said = f"{folder} cannot be written to"
        yield fail("home", said, f"export {VARIABLE}=FOLDER  # or pass --home FOLDER")
        return
    yield ok("home", str(folder))
    yield check_disk(
        folder, DISK_GB, f"pass --home FOLDER of a larger disk, or free some: {folder}"
    )


def check_disk(folder: Path, needed_gb: float, mend: str, name: str = "disk") -> Check:
    """Whether the disk that a folder is on has so much left.

    Args:
        folder: On the disk; need not be there yet.
        needed_gb: In GB of 10^9 bytes.
        mend: What to do where it has not.
        name: Of the check.
    """
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(there).free / GB
    said = f"{free:.1f} GB free at {there}; {needed_gb:g} GB are needed"
    return ok(name, said) if free >= needed_gb else fail(name, said, mend)


def check_hardware() -> Iterator[Check]:
    """Cores and memory of this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield ok("cores", f"{cores}")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GB
    yield check_memory(memory, "close other programs, or pass --on kubeflow or --on vertex")


def check_memory(memory_gb: float, mend: str) -> Check:
    """Whether so much memory is enough for the steps.

    Args:
        memory_gb: In GB of 10^9 bytes.
        mend: What to do where it is not.
    """
    said = f"{memory_gb:.1f} GB; {MEMORY_GB:g} GB are needed"
    is_enough = memory_gb >= MEMORY_GB * NEARLY
    return ok("memory", said) if is_enough else fail("memory", said, mend)
