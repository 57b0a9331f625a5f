"""What both kinds of places say of a file."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from typing import BinaryIO

import google_crc32c

_BLOCK_BYTES = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)  # there are as many as photos
class StoredFile:
    """A file in a folder, before its bytes are read."""

    path: str  # relative to the folder, with `/`
    size_bytes: int
    version: str  # changes whenever the bytes do: modification time, or object generation


def checksum(file: BinaryIO) -> tuple[int, str]:
    """Size in bytes and CRC32C of a whole file, which is at its start again afterwards."""
    file.seek(0)
    crc = 0
    while block := file.read(_BLOCK_BYTES):
        crc = google_crc32c.extend(crc, block)
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size_bytes, spell(crc)


def spell(crc: int) -> str:
    """A CRC32C as Cloud Storage spells it: base64 of its four bytes, the highest first."""
    return base64.b64encode(crc.to_bytes(4, "big")).decode()
