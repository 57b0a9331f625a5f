"""The layer that gives a probability for each class: moved by the names of classes and features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras

from components.train.warm_start import arrays
from components.train.warm_start.arrays import Array
from components.train.warm_start.rules import (
    ADAPTED,
    COPIED,
    NOT_THERE,
    Moved,
    leave,
    say_window,
    tell,
)
from components.train.warm_start.units import (
    Features,
    Unit,
    features_of,
    flattened_output,
    units_of,
)

OTHER_FEATURES = "the earlier model has no features like those it sees"
OTHER_CLASSES = "the earlier model knows none of these classes"
Picks = list[tuple[slice | None, int]]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A network, as far as matching needs to know it."""

    backbone: list[Unit]
    head: list[Unit]  # without `of_classes`
    of_classes: Unit | None  # gives a probability for each class, from the features
    features: tuple[Features, ...]
    classes: tuple[str, ...]


def take_apart(
    backbone: keras.Model, heads: Sequence[keras.Model], classes: tuple[str, ...]
) -> Parts:
    """Say what a network is made of.

    Args:
        backbone: From photos to features.
        heads: What comes after it.
        classes: In label order.
    """
    flattened = flattened_output(backbone)
    units = [unit for head in heads for unit in units_of(head, flattened)]
    of_classes = next((unit for unit in units if _gives_classes(unit, len(classes))), None)
    return Parts(
        backbone=units_of(backbone),
        head=[unit for unit in units if unit is not of_classes],
        of_classes=of_classes,
        features=features_of(backbone),
        classes=classes,
    )


def move_classes(earlier: Parts, new: Parts, pairs: Sequence[int | None]) -> Moved:
    """Set the weights of the layer of classes.

    Args:
        earlier: The earlier model.
        new: Its layer of classes is changed in place.
        pairs: For each unit of the new backbone its place in the earlier one, or None.

    Yields:
        Each weight of that layer, and what became of it.
    """
    if new.of_classes is None:
        return
    if earlier.of_classes is None:
        yield from leave(new.of_classes.layers, NOT_THERE)
        return
    picks = _pick_features(earlier, new, pairs)
    if not set(earlier.classes) & set(new.classes):
        yield from leave(new.of_classes.layers, OTHER_CLASSES)
    elif (
        all(place is None for place, _ in picks)
        or not (_sees_features(earlier) and _sees_features(new))
        or (earlier.of_classes.flattened is None) != (new.of_classes.flattened is None)
    ):
        yield from leave(new.of_classes.layers, OTHER_FEATURES)
    else:
        yield from _move(earlier, new, earlier.of_classes, new.of_classes, picks)


def _move(earlier: Parts, new: Parts, before: Unit, after: Unit, picks: Picks) -> Moved:
    by_class = _say_classes(earlier.classes, new.classes)
    for old, weight in zip(before.layers[0].weights, after.layers[0].weights, strict=True):
        array, said = keras.ops.convert_to_numpy(old), list(by_class)
        if array.ndim == 2:
            array, more = _fit_features(array, before, after, picks)
            said += more
        weight.assign(arrays.move_classes(array, earlier.classes, new.classes))
        yield tell(weight, ADAPTED if said else COPIED, "; ".join(said), old)


def _fit_features(array: Array, before: Unit, after: Unit, picks: Picks) -> tuple[Array, list[str]]:
    """Bring a kernel `(features, classes)` to other features."""
    number = array.shape[1]
    kernel = array.reshape(*(before.flattened or (1, 1, len(array))), number)
    said = []
    if before.flattened and after.flattened and before.flattened[:2] != after.flattened[:2]:
        said.append(say_window(before.flattened, "resized", after.flattened))
        kernel = arrays.resize_positions(kernel, *after.flattened[:2])
    if not _is_untouched(picks, kernel.shape[2]):
        lacking = sum(width for place, width in picks if place is None)
        said.append(
            "features moved by the layers that they come from"
            + (f", {lacking} new ones at 0" if lacking else "")
        )
        kernel = arrays.pick_inputs(kernel, picks)
    return kernel.reshape(-1, number), said


def _is_untouched(picks: Picks, number: int) -> bool:
    """Whether all features stand where they stood."""
    start = 0
    for place, width in picks:
        if place != slice(start, start + width):
            return False
        start += width
    return start == number


def _pick_features(earlier: Parts, new: Parts, pairs: Sequence[int | None]) -> Picks:
    """Where the earlier model has each run of the new features."""
    was = {
        id(layer): {id(known) for known in earlier.backbone[place].layers}
        for unit, place in zip(new.backbone, pairs, strict=True)
        if place is not None
        for layer in unit.layers
    }
    picks: Picks = []
    for wanted in new.features:
        makers = set().union(*(was.get(maker, set()) for maker in wanted.makers))
        picks.append((_find(earlier.features, makers), wanted.width))
    return picks


def _find(features: Sequence[Features], makers: set[int]) -> slice | None:
    start = 0
    for one in features:
        if one.makers & makers:
            return slice(start, start + one.width)
        start += one.width
    return None


def _gives_classes(unit: Unit, number: int) -> bool:
    layer = unit.layers[0]
    return (
        isinstance(layer, keras.layers.Dense)
        and layer.units == number
        and layer.activation is keras.activations.softmax
    )


def _sees_features(parts: Parts) -> bool:
    """Whether the layer of classes comes right after the backbone's features."""
    if parts.of_classes is None:
        return False
    height, width, _ = parts.of_classes.flattened or (1, 1, 0)
    number = height * width * sum(features.width for features in parts.features)
    return bool(parts.of_classes.layers[0].kernel.shape[0] == number)


def _say_classes(before: Sequence[str], after: Sequence[str]) -> list[str]:
    if before == after:
        return []
    said = "classes moved by name"
    if added := [name for name in after if name not in before]:
        said += f", new at the mean of the others: {', '.join(added)}"
    if removed := [name for name in before if name not in after]:
        said += f", dropped: {', '.join(removed)}"
    return [said]
