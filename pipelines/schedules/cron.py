"""When a schedule fires: five fields of cron, and how each scheduler writes them.

The dialects differ where nobody looks: Kubeflow has a field for seconds, knows no Sunday as 7 and
no time zone a schedule; for all of them `5/15` and a step in the days mean different things. What
is read the same everywhere is taken, all else refused.

Times are worked out by cronsim, which follows Debian's cron when clocks change. Where neither
minute nor hour begins with a star, a time of day that is left out fires as soon as clocks have
changed, and one that comes twice fires the first time only. Where one does (`*/30 2 * * *`), what
the clock shows counts: such times are left out in spring, and fire twice in autumn. (APScheduler
3.11 gives such times again and again, without end.)
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from components.common.errors import InputError

FIELDS = ("minute", "hour", "day of month", "month", "day of week")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_VALUE = "([0-9]{1,2}|[a-z]{3})"  # not cronsim's L for the last day, which others do not know
NO_PLACES = {
    "Factory",
    "localtime",
    "posixrules",
}  # of some systems; no scheduler elsewhere has them
SHORT = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * sun",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_PART = re.compile(rf"(\*|(?P<first>{_VALUE})(-(?P<last>{_VALUE}))?)(?P<step>/[0-9]{{1,4}})?")


@dataclass(frozen=True)
class Cron:
    """Times that come back, in a time zone; equal if they are written the same."""

    text: str  # five fields, single spaces
    time_zone: str = "UTC"  # of the IANA database, e.g. "Europe/Berlin"

    def __post_init__(self) -> None:
        """Refuse what is no cron, or would not mean the same to all schedulers.

        Raises:
            InputError: If so.
        """
        object.__setattr__(self, "text", " ".join(self.text.lower().split()))
        _check_fields(self.text)
        _check_time_zone(self.time_zone)
        try:
            CronSim(self.text, datetime.now(UTC))
        except CronSimError as error:
            raise InputError(
                f"`cron` must be five fields: {', '.join(FIELDS)}; e.g. '0 3 * * mon-fri', and"
                " ranges must go up (sat,sun instead of sat-sun)."
                f" Received: '{self.text}' ({str(error).lower()})"
            ) from None

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Its times after a moment, without end, in its time zone.

        Args:
            moment: Aware; itself never among them.
        """
        times = CronSim(self.text, moment.astimezone(ZoneInfo(self.time_zone)))
        # Within the hour that comes twice, what cronsim gives may lie before. Compared in UTC: two
        # times of one zone are compared by their clock faces, which are the same then.
        start = moment.astimezone(UTC)
        yield from (time for time in times if time.astimezone(UTC) > start)

    def next_times(self, number: int, moment: datetime) -> list[datetime]:
        """The next few times after a moment."""
        return list(itertools.islice(self.after(moment), number))

    def for_kubeflow(self) -> str:
        """As Kubeflow's recurring runs write it: seconds first, weekdays from 0 to 6.

        Raises:
            InputError: In another time zone than UTC: its controller has one for all schedules.
        """
        if self.time_zone not in ("UTC", "Etc/UTC"):
            raise InputError(
                "`time_zone` must be UTC for schedules that Kubeflow fires: it has one time zone"
                f" for all of them. Received: '{self.time_zone}'. Write the time in UTC, or say"
                " `fired_by: scheduler` to have `pawpetal scheduler` fire it"
            )
        return f"0 {self._with_numbers()}"

    def for_vertex(self) -> str:
        """As Vertex AI's schedules write it: the time zone first."""
        return f"TZ={self.time_zone} {self._with_numbers()}"

    def _with_numbers(self) -> str:
        """The same with the days of the week as numbers from 0 to 6, and no ranges of them."""
        *others, weekday = self.text.split()
        if weekday != "*":
            weekday = ",".join(str(day) for day in _weekdays(weekday))
        return " ".join((*others, weekday))


def _check_time_zone(name: str) -> None:
    try:
        ZoneInfo(name)
        if name in NO_PLACES:
            raise KeyError(name)
    except (KeyError, OSError, ValueError):  # unknown, or no such form
        known = available_timezones() - NO_PLACES
        near = difflib.get_close_matches(name.title(), known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise InputError(
            "`time_zone` must be a name of the IANA database, e.g. Europe/Berlin."
            f" Received: '{name}'.{hint}"
        ) from None


def _check_fields(text: str) -> None:
    fields = text.split()
    if text in SHORT:
        raise InputError(f"`cron` must be five fields: '{SHORT[text]}'. Received: '{text}'")
    if len(fields) != len(FIELDS):
        raise InputError(
            f"`cron` must be five fields: {', '.join(FIELDS)}; e.g. '0 3 * * mon'. Received:"
            f" '{text}', which has {len(fields)}"
        )
    for name, value in zip(FIELDS, fields, strict=True):
        for part in value.split(","):
            match = _PART.fullmatch(part)
            if match is None or (match["step"] and _is_one(match["first"], match["last"])):
                raise InputError(
                    f"`cron` must have numbers, names, ranges (1-5), steps (*/15, 0-30/10) or"
                    f" lists of them as its {name}. Received: '{part}' in '{text}'"
                )
    _, _, day, _, weekday = fields
    if "*" not in (day, weekday) and "*" in f"{day}{weekday}":
        raise InputError(
            "`cron` must not have a star with a step, or in a list, where a day of month and a day"
            " of week are both given: schedulers disagree whether both must hold. Received:"
            f" '{text}'"
        )


def _is_one(first: str | None, last: str | None) -> bool:
    """Whether a part is one value, whose step some take for one up to the end."""
    return first is not None and (last is None or _number(first) == _number(last))


def _number(value: str) -> int:
    """A value as a number; one that is a name of nothing is refused elsewhere."""
    names = {name: number for number, name in enumerate(WEEKDAYS)}
    names |= {name: number for number, name in enumerate(MONTHS, 1)}
    return names.get(value, -1) if value.isalpha() else int(value)


def _weekdays(field: str) -> list[int]:
    """The days that a field names, 0 for Sunday, sorted."""
    for number, name in enumerate(WEEKDAYS):
        field = field.replace(name, str(number))
    days: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = ("0-6" if span == "*" else span).partition("-")
        days |= {day % 7 for day in range(int(first), int(last or first) + 1, int(step or 1))}
    return sorted(days)
