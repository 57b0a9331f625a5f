"""Which datasets TensorFlow Datasets has: known without TensorFlow, which would take seconds."""

from __future__ import annotations

from components.common.errors import unknown_name


def check_name(rest: str) -> None:
    """Refuse a name that TensorFlow Datasets does not have.

    Args:
        rest: What follows `tfds:` in a dataset's URI, NAME[/CONFIG][:VERSION].

    Raises:
        InputError: If there is none of that name, with the nearest one that there is.
        ModuleNotFoundError: If the package is not installed.
    """
    import tensorflow_datasets as tfds

    name = rest.partition("/")[0].partition(":")[0]
    known = tfds.list_builders(with_community_datasets=False)
    if name not in known:
        raise unknown_name("dataset", f"tfds:{name}", (f"tfds:{each}" for each in known))
