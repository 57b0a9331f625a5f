"""The pictures of a data report, as many as there is room for on its page."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from components.common.pages import thumbnail
from components.ingest.summary import class_of

ReadPhoto = Callable[[str], np.ndarray | None]

THUMBNAIL_SIZE = 160  # pixels; a picture is some 8 kB, so that a full page stays below 2 MB
MOST_IN_GROUP = 4  # pictures; of more copies of a photo nobody learns more


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A photo on the page."""

    filename: str
    class_name: str  # "" where it is not known
    uri: str | None  # None where the photo could not be had


@dataclass(frozen=True, kw_only=True)
class Group:
    """Photos that belong together, side by side; `pictures` is empty where only names are given."""

    classes: tuple[str, ...]
    filenames: tuple[str, ...]
    pictures: tuple[Picture, ...]


class Album:
    """Makes pictures while there is room on the page."""

    def __init__(self, read_photo: ReadPhoto, classes: Collection[str], room: int) -> None:
        self._read_photo = read_photo
        self._classes = classes
        self.room = room  # pictures

    def picture(self, filename: str) -> Picture:
        self.room -= 1
        photo = self._read_photo(filename)
        return Picture(
            filename=filename,
            class_name=class_of(filename, self._classes),
            uri=None if photo is None else thumbnail(photo, size=THUMBNAIL_SIZE),
        )

    def group(self, filenames: tuple[str, ...]) -> Group:
        """A group with pictures if there is room for them, side by side, else with names."""
        names = [class_of(filename, self._classes) for filename in filenames]
        shown = min(len(filenames), MOST_IN_GROUP, max(self.room, 0))
        if shown < min(len(filenames), 2):  # one of two copies alone would say nothing
            shown = 0
        return Group(
            classes=tuple(dict.fromkeys(name for name in names if name)),
            filenames=filenames,
            pictures=tuple(self.picture(filename) for filename in filenames[:shown]),
        )
