"""Set the weights of a new network from an earlier model, whatever both look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import keras

from components.common.errors import InputError
from components.common.model import MODEL_FILE, ModelFolder
from components.train.network import Network
from components.train.warm_start.alignment import align, likeness
from components.train.warm_start.classes import Parts, move_classes, take_apart
from components.train.warm_start.rules import (
    ADAPTED,
    COPIED,
    NEW,
    NOT_THERE,
    Transfer,
    leave,
    start_at_zero,
    take_over,
)
from components.train.warm_start.units import Unit


def adapt(network: Network, classes: tuple[str, ...], start: Path) -> tuple[Transfer, ...]:
    """Set a network's weights from an earlier model, and print what became of them.

    Args:
        network: Freshly built; changed in place. What fits nowhere stays as it is.
        classes: Of the network, in label order.
        start: Model folder of the earlier model.

    Returns:
        What became of each weight of the network, in its order.

    Raises:
        InputError: If the model cannot be read, or none of its weights fits.
        DataError: If it is no complete model.
    """
    earlier, new = _read(start), take_apart(network.backbone, [network.head], classes)
    pairs = align(earlier.backbone, new.backbone, likeness)
    moved = _move_units(earlier.backbone, new.backbone, pairs)
    moved += _move_units(earlier.head, new.head, align(earlier.head, new.head, likeness))
    moved += move_classes(earlier, new, pairs)
    of_weight = {id(weight): transfer for weight, transfer in moved}
    weights = [*network.backbone.weights, *network.head.weights]
    transfers = tuple(of_weight[id(weight)] for weight in weights)
    if all(transfer.how == NEW for transfer in transfers):
        raise InputError(
            f"`warm_start` must name a model that has something in common with the network."
            f" Received: '{start}', of which no layer fits. Pass another, or none."
        )
    print(summarize(transfers), flush=True)
    return transfers


def summarize(transfers: Sequence[Transfer]) -> str:
    """What became of all weights, in words: one line, and one for each way other than copying."""
    counts = Counter(transfer.how for transfer in transfers)
    parts = ", ".join(f"{counts[how]} {how}" for how in (COPIED, ADAPTED, NEW))
    lines = [f"of {len(transfers)} weights: {parts}"]
    ways = Counter((t.how, t.detail) for t in transfers if t.how != COPIED)
    lines += [f"  {number} {how}: {detail}" for (how, detail), number in ways.items()]
    return "\n".join(lines)


def _read(start: Path) -> Parts:
    settings = ModelFolder(start).settings()
    if "classes" not in settings:
        raise InputError(f"`warm_start` must name a model of pawpetal. Received: '{start}'")
    classes = tuple(settings["classes"])
    try:
        model = keras.saving.load_model(start / MODEL_FILE, compile=False)
    # What Keras raises for layers that it does not know, and for what is no such file.
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise InputError(
            f"`warm_start` must name a model that Keras {keras.version()} can read."
            f" Received: '{start}' ({' '.join(str(error).split())[:160]})"
        ) from error
    nested = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if not nested:
        return take_apart(model, [], classes)
    return take_apart(nested[0], nested[1:], classes)


def _move_units(
    before: Sequence[Unit], after: Sequence[Unit], pairs: Sequence[int | None]
) -> list[tuple[keras.Variable, Transfer]]:
    moved: list[tuple[keras.Variable, Transfer]] = []
    for unit, place in zip(after, pairs, strict=True):
        if place is not None:
            moved += take_over(before[place], unit)
        elif unit.bypassed:
            moved += start_at_zero(unit)
        else:
            moved += leave(unit.layers, NOT_THERE)
    return moved
