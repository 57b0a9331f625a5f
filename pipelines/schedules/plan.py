"""What applying a file would change: wanted schedules beside those that are there."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.schedules import Live, Settings

CREATE, UPDATE, SAME, MOVE, PRUNE = "create", "update", "same", "move", "prune"
ABSENT = None  # of a parameter or setting that one side does not have


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One field that would get another value."""

    field: str  # e.g. "cron", "parameters.dataset"
    before: Any  # ABSENT where it is new
    after: Any  # ABSENT where it goes


@dataclass(frozen=True, kw_only=True)
class Change:
    """What would become of one schedule."""

    name: str
    # create, update, same; move: it fires here, and another scheduler shall; prune: it is there,
    # and not in the file, or was moved
    kind: str
    wanted: Settings | None
    live: Live | None
    differences: tuple[Difference, ...] = ()

    @property
    def settings(self) -> Settings:
        """As it will be or, where it is not wanted, as it is."""
        if self.wanted:
            return self.wanted
        if self.live:
            return self.live.settings
        raise ValueError("a change has something wanted, or something that is there")


def plan(
    wanted: Iterable[Settings], live: Iterable[Live], elsewhere: Collection[str] = ()
) -> list[Change]:
    """Compare, sorted by name.

    Args:
        wanted: Of the file, for one scheduler.
        live: Of that scheduler.
        elsewhere: Names of the schedules that the file wants from other schedulers.
    """
    files = {settings.name: settings for settings in wanted}
    there = {each.settings.name: each for each in live}
    changes = [_change(name, files.get(name), there.get(name)) for name in sorted({*files, *there})]
    return [_moved(change) if change.name in elsewhere else change for change in changes]


def _moved(change: Change) -> Change:
    """What is fired by another scheduler from now on, must not fire here any more."""
    if change.kind == PRUNE and not change.settings.paused:
        return dataclasses.replace(change, kind=MOVE)
    return change


def _change(name: str, wanted: Settings | None, live: Live | None) -> Change:
    if wanted is None:
        return Change(name=name, kind=PRUNE, wanted=None, live=live)
    if live is None:
        return Change(name=name, kind=CREATE, wanted=wanted, live=None)
    differences = tuple(_differences(_flat(live.settings), _flat(wanted)))
    kind = UPDATE if differences else SAME
    return Change(name=name, kind=kind, wanted=wanted, live=live, differences=differences)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for field in dict.fromkeys((*before, *after)):
        old, new = before.get(field, ABSENT), after.get(field, ABSENT)
        if old != new:
            yield Difference(field=field, before=old, after=new)


def _flat(settings: Settings) -> dict[str, Any]:
    """Every field and every parameter by one name each."""
    flat: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Mapping):
            flat |= {f"{field.name}.{key}": each for key, each in sorted(value.items())}
        else:
            flat[field.name] = value
    return flat
