"""Files of this machine: every write appears whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from components.common.errors import DataError, InputError
from components.common.storage.stored import StoredFile, checksum

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS)  # of disks as of cameras


def list_files(folder: str) -> Iterator[StoredFile]:
    """Every file below a folder, in no order; links are followed."""
    if not Path(folder).is_dir():
        raise InputError(f"No such folder: '{folder}'. Expected a folder with one folder a class.")
    # Without a `Path` of each file, which would take most of the time.
    for parent, _, names in os.walk(folder, followlinks=True, onerror=_refuse):
        below = Path(parent).relative_to(folder).as_posix()
        prefix = "" if below == "." else f"{below}/"
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # gone since: somebody works there
                yield describe(f"{parent}/{name}", f"{prefix}{name}")


def describe(file: str, path: str) -> StoredFile:
    """What is known of one file without reading it.

    Args:
        file: Where it is.
        path: What it is called: relative to its folder, with `/`.
    """
    try:
        status = os.stat(file)  # noqa: PTH116  # see above
    except OSError:  # a link to nowhere is a file too, which whoever reads it lists as unreadable
        status = os.lstat(file)
    version = f"{status.st_mtime_ns}:{status.st_ctime_ns}"
    return StoredFile(path=path, size_bytes=status.st_size, version=version)


def read_range(path: Path, start: int, length: int) -> bytes:
    """`length` bytes from byte `start` on."""
    with path.open("rb") as file:
        file.seek(start)
        content = file.read(length)
    if len(content) < length:
        raise DataError(f"'{path}' ends before byte {start + length}: it was cut short.")
    return content


def write_bytes(path: Path, content: bytes, *, if_absent: bool) -> bool:
    """Write a file; gives False where there is one already and `if_absent`."""
    with scratch(path) as temporary:
        temporary.write_bytes(content)
        return publish(temporary, path, if_absent=if_absent)


def copy_file(source: Path, path: Path, *, if_absent: bool) -> bool:
    """Copy bytes; gives False where there is a file already and `if_absent`."""
    if if_absent and path.exists():
        return False
    with scratch(path) as temporary:
        shutil.copyfile(source, temporary)
        return publish(temporary, path, if_absent=if_absent)


def link_file(source: Path, path: Path, *, if_absent: bool) -> bool:
    """Give a file a second name, without copying; copies where the disk cannot do that."""
    with scratch(path) as temporary:
        temporary.unlink()
        try:
            os.link(source.resolve(), temporary)
        except OSError:  # another disk, or one without links
            return copy_file(source, path, if_absent=if_absent)
        return _appear(temporary, path, if_absent=if_absent)


def is_same(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes; the second may be missing."""
    if not other.is_file() or one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as file, other.open("rb") as other_file:
        return checksum(file) == checksum(other_file)


def delete_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, if it is there."""
    if folder.is_symlink():
        folder.unlink()
        return
    while folder.exists():
        with contextlib.suppress(FileNotFoundError):  # somebody else removes it, too
            shutil.rmtree(folder)


@contextlib.contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """An empty file beside `path`, hence on the same disk, which is gone after the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def publish(temporary: Path, path: Path, *, if_absent: bool) -> bool:
    """Let a finished scratch file appear at its place, at once and whole."""
    temporary.chmod(0o644)  # mkstemp makes it private
    with temporary.open("rb") as file:
        os.fsync(file.fileno())  # a power cut must not leave the name of a file without its bytes
    return _appear(temporary, path, if_absent=if_absent)


def _appear(temporary: Path, path: Path, *, if_absent: bool) -> bool:
    if not if_absent:
        temporary.replace(path)
        return True
    try:
        os.link(temporary, path)  # replaces nothing, unlike a rename
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        # Two at once could both pass here; the files that matter are named by their content.
        if path.exists():
            return False
        temporary.replace(path)
    return True


def _refuse(error: OSError) -> None:
    """Left to itself, `os.walk` leaves out what it may not read, and says nothing."""
    raise InputError(f"'{error.filename}' cannot be read: {error.strerror}") from error
