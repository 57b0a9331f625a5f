"""Every error pawpetal raises on purpose. Messages are one line: expected, received, remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_LISTED = 20  # names in one message; TensorFlow Datasets has hundreds


class PawpetalError(Exception):
    """Base of all of them: catch this one to catch any."""


class InputError(PawpetalError, ValueError):
    """A setting cannot be used as given. Nothing was started."""


class DataError(PawpetalError):
    """The photos cannot be used as they are."""


class TrainingError(PawpetalError):
    """Training cannot go on as it is."""


class RegistryError(PawpetalError):
    """The model registry refused, or lacks what was asked of it."""


class ClusterError(PawpetalError):
    """A cluster could not be reached, or refused what was asked of it."""


class ConflictError(PawpetalError):
    """What was to be changed has been changed by somebody else meanwhile."""


class CloudError(PawpetalError):
    """Google Cloud could not be reached, or refused what was asked of it."""

    def __init__(
        self, message: str, *, status: int = 0, reason: str = "", is_passing: bool = False
    ) -> None:
        """Keep what it answered.

        Args:
            message: For people.
            status: Of HTTP; 0 where there was no answer.
            reason: As its error says, e.g. "SERVICE_DISABLED".
            is_passing: Whether it may be gone in a moment.
        """
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.is_passing = is_passing


def unknown_name(setting: str, received: str, known: Iterable[str]) -> InputError:
    """An error for a name that is in no table, with the nearest one that is."""
    names = sorted(known)
    listed = ", ".join(names) if len(names) <= MOST_LISTED else f"{len(names)} known names"
    near = difflib.get_close_matches(received, names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return InputError(f"`{setting}` must be one of {listed}. Received: '{received}'.{hint}")
