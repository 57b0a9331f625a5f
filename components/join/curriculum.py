"""A curriculum as people write it: datasets from easy to hard, by commas. Light: no photos here."""

from __future__ import annotations

from components.common.errors import InputError
from components.common.lists import split_list


def read_curriculum(text: str) -> tuple[str, ...]:
    """The datasets that a curriculum names, in its order.

    Args:
        text: URIs by commas, from easy to hard; a path with a comma in it cannot be one of them.

    Raises:
        InputError: If it names none, leaves a place empty, or names one twice.
    """
    datasets = split_list("curriculum", text)
    for place, dataset in enumerate(datasets):
        if dataset in datasets[:place]:
            raise InputError(f"`curriculum` must name each dataset once. Received: '{text}'")
    return datasets
