"""How strict ingest is with what it finds. Light: the command line asks it, too."""

from __future__ import annotations

from components.common.errors import unknown_name

WARN, STRICT, OFF = "warn", "strict", "off"
POLICIES = {
    WARN: ("error",),  # of the severities of a finding, those that stop the run
    STRICT: ("error", "warning"),
    OFF: ("error",),  # and no photo is decoded, so that little is found
}


def check_policy(name: str) -> None:
    """Refuse a policy that there is not.

    Raises:
        InputError: If it has no such name.
    """
    if name not in POLICIES:
        raise unknown_name("data_policy", name, POLICIES)
