"""Lists in one text, as a command line, a config file and a UI can all hold them."""

from __future__ import annotations

from components.common.errors import InputError


def split_list(name: str, text: str) -> tuple[str, ...]:
    """The items of a list by commas.

    Args:
        name: Of the input, for errors.
        text: E.g. "residual, dense".

    Raises:
        InputError: If an item is empty, or there is none.
    """
    items = tuple(item.strip() for item in text.split(","))
    if not all(items):
        raise InputError(
            f"`{name}` must be items by commas, none of them empty. Received: '{text}'"
        )
    return items
