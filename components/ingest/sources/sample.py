"""`sample:NAME[?photos=N][&seed=N]`: photos drawn on the spot, offline, from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl

from components.common.errors import InputError, unknown_name
from components.common.manifest import Rejected
from components.ingest.samples import CLASSES, DEFAULT_PHOTOS_PER_CLASS
from components.ingest.sources.photo import SourcePhoto


class SampleSource:
    """One of the built-in samples; `photos` is the number a class."""

    skipped: tuple[Rejected, ...] = ()
    sizes = None  # known only once they are drawn

    def __init__(self, rest: str) -> None:
        self._sample, _, query = rest.partition("?")
        if self._sample not in CLASSES:
            raise unknown_name(
                "dataset", f"sample:{self._sample}", (f"sample:{n}" for n in CLASSES)
            )
        options = _parse(query)
        self._photos_per_class = options.get("photos", DEFAULT_PHOTOS_PER_CLASS[self._sample])
        self._seed = options.get("seed", 0)
        self.name = self._sample
        self.classes = CLASSES[self._sample]
        self.num_files = len(self.classes) * self._photos_per_class

    def photos(self, start: int = 0, stop: int | None = None) -> Iterator[SourcePhoto]:
        """Draw the photos of a range, class by class."""
        from components.ingest.samples.render import render  # not where runs are only submitted

        return render(
            self._sample,
            photos_per_class=self._photos_per_class,
            seed=self._seed,
            start=start,
            stop=stop,
        )

    def read(self, filename: str) -> bytes:
        """Draw one photo again."""
        class_name, _, number = filename.removesuffix(".jpg").partition("/")
        place = self.classes.index(class_name) * self._photos_per_class + int(number)
        return next(self.photos(place, place + 1)).encoded

    def fingerprint(self) -> str:
        """The URI says it all; the code that draws is in the code version."""
        return f"{self._sample}-{self._photos_per_class}-{self._seed}"


def _parse(query: str) -> dict[str, int]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for key, value in options.items():
        if key not in ("photos", "seed"):
            raise unknown_name("sample option", key, ("photos", "seed"))
        if not value.isdecimal() or (key == "photos" and int(value) < 1):
            least = 1 if key == "photos" else 0
            raise InputError(
                f"`{key}` of a sample must be a whole number from {least}. Received: '{value}'"
            )
    return {key: int(value) for key, value in options.items()}
