"""Names of photos and classes as findings list and quote them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from components.ingest.data_report import MOST_FILES

MOST_LETTERS = 60  # of a name inside a sentence
Groups = tuple[tuple[str, ...], ...]


def quote(name: str) -> str:
    """A name in quotes, its middle left out where it is very long."""
    if len(name) > MOST_LETTERS:
        half = MOST_LETTERS // 2
        name = f"{name[:half]}…{name[-half:]}"
    return f"'{name}'"


def one_each(filenames: Iterable[str]) -> Groups:
    """Photos that do not belong together, the first `MOST_FILES`."""
    return tuple((name,) for name, _ in zip(filenames, range(MOST_FILES), strict=False))


def together(groups: Iterable[Sequence[str]]) -> Groups:
    """Photos that belong together, two or more a group, `MOST_FILES` in all."""
    room, listed = MOST_FILES, []
    for group in groups:
        if room < 2:
            break
        listed.append(tuple(group[:room]))
        room -= len(listed[-1])
    return tuple(listed)
