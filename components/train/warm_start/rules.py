"""What becomes of the weights of one layer that another layer takes over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from components.train.warm_start import arrays
from components.train.warm_start.arrays import Array
from components.train.warm_start.units import Position, Unit

COPIED, ADAPTED, NEW = "copied", "adapted", "new"
NOT_THERE = "the earlier model has no layer like it"
Shape = tuple[int, ...]
Resize = Callable[[Array, int, int], Array]


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What became of one weight."""

    weight: str  # where it is in the new network, e.g. "conv2d_3/kernel"
    how: str  # "copied", "adapted" or "new"
    detail: str  # how it was adapted, or why it is new
    before: tuple[int, ...] | None  # its shape in the earlier model
    after: tuple[int, ...]


Moved = Iterator[tuple[keras.Variable, Transfer]]


def take_over(before: Unit, after: Unit) -> Moved:
    """Set the weights of a unit from an earlier one.

    Args:
        before: Of the earlier model.
        after: Changed in place.

    Yields:
        Each weight of `after`, and what became of it.
    """
    flattened = before.flattened, after.flattened
    waiting = list(before.layers)
    for layer in after.layers:
        known = next((one for one in waiting if type(one) is type(layer)), None)
        if known is None:
            yield from leave((layer,), NOT_THERE)
            continue
        waiting.remove(known)
        earlier = dict(_numbered(known))
        for key, weight in _numbered(layer):
            if key in earlier:
                yield _move(earlier[key], weight, layer, flattened)
            else:
                yield tell(weight, NEW, "the earlier layer has none")


def _numbered(layer: keras.Layer) -> Iterator[tuple[tuple[str, int], keras.Variable]]:
    """Its weights by name; layers that hold others have several of one name."""
    seen: Counter[str] = Counter()
    for weight in layer.weights:
        yield (weight.name, seen[weight.name]), weight
        seen[weight.name] += 1


def leave(layers: Sequence[keras.Layer], why: str) -> Moved:
    """Leave the weights of layers as they are, and say so."""
    for layer in layers:
        for weight in layer.weights:
            yield tell(weight, NEW, why)


def start_at_zero(unit: Unit) -> Moved:
    """Leave the weights of a new unit, but let its block pass on what it gets.

    Reference:
        Goyal et al., 2017, "Accurate, Large Minibatch SGD", 5.1: the last gamma of a block is 0.
    """
    gamma = unit.layers[-1].gamma
    for weight, transfer in leave(unit.layers, NOT_THERE):
        if weight is not gamma:
            yield weight, transfer
            continue
        gamma.assign(np.zeros(gamma.shape, np.float32))
        detail = f"{NOT_THERE}; 0, so that its block passes on what it gets at first"
        yield tell(gamma, NEW, detail)


def tell(
    weight: keras.Variable, how: str, detail: str, earlier: keras.Variable | None = None
) -> tuple[keras.Variable, Transfer]:
    """A weight, and what became of it."""
    return weight, Transfer(
        weight=weight.path,
        how=how,
        detail=detail,
        before=None if earlier is None else tuple(earlier.shape),
        after=tuple(weight.shape),
    )


def _move(
    earlier: keras.Variable,
    weight: keras.Variable,
    layer: keras.Layer,
    flattened: tuple[Position | None, Position | None],
) -> tuple[keras.Variable, Transfer]:
    array, shape = keras.ops.convert_to_numpy(earlier), tuple(weight.shape)
    if array.shape == shape:
        weight.assign(array)
        return tell(weight, COPIED, "", earlier)
    fitted = _fit(array, shape, layer, weight.name, flattened)
    if fitted is None:
        return tell(weight, NEW, "of another shape", earlier)
    array, said = fitted
    weight.assign(array)
    return tell(weight, ADAPTED, "; ".join(said), earlier)


def _fit(
    array: Array,
    shape: Shape,
    layer: keras.Layer,
    name: str,
    flattened: tuple[Position | None, Position | None],
) -> tuple[Array, list[str]] | None:
    """Bring an array to a shape, and say how; None where there is no way."""
    if array.ndim != len(shape):
        return None
    if array.ndim == 1:
        return arrays.fit_outputs(array, shape[0]), [_say("channels", array.shape[0], shape[0])]
    if isinstance(layer, keras.layers.Dense):
        return _fit_dense(array, shape, *flattened)
    if array.ndim != 4:
        return None
    if isinstance(layer, keras.layers.DepthwiseConv2D) or name == "depthwise_kernel":
        # Each channel has a window of its own, so that channels are outputs here.
        height, width, channels, multiplier = shape
        turned, said = _fit_kernel(
            np.swapaxes(array, 2, 3), (height, width, multiplier, channels), arrays.fit_window
        )
        return np.swapaxes(turned, 2, 3), said
    return _fit_kernel(array, shape, arrays.fit_window)


def _fit_dense(
    array: Array, shape: Shape, before: Position | None, after: Position | None
) -> tuple[Array, list[str]] | None:
    if (before is None) != (after is None):
        return None  # features that were flattened, and features that were not
    before, after = before or (1, 1, array.shape[0]), after or (1, 1, shape[0])
    kernel = array.reshape(*before, array.shape[1])
    fitted, said = _fit_kernel(kernel, (*after, shape[1]), arrays.resize_positions)
    return fitted.reshape(shape), said


def _fit_kernel(kernel: Array, shape: Shape, resize: Resize) -> tuple[Array, list[str]]:
    """Bring a kernel to a shape; all but the channels of photos as in Net2WiderNet."""
    height, width, inputs, outputs = shape
    said = []
    if kernel.shape[:2] != (height, width):
        verb = "resized" if resize is arrays.resize_positions else "cut or padded with zeros"
        said.append(say_window(kernel.shape, verb, shape))
        kernel = resize(kernel, height, width)
    if (kernel.shape[2], inputs) == (1, 3):
        said.append("shared out over RGB by luma")
        kernel = arrays.gray_to_rgb(kernel)
    elif (kernel.shape[2], inputs) == (3, 1):
        said.append("summed over RGB")
        kernel = arrays.rgb_to_gray(kernel)
    elif kernel.shape[2] != inputs:
        said.append(_say("inputs", kernel.shape[2], inputs))
        kernel = arrays.fit_inputs(kernel, inputs)
    if (known := kernel.shape[3]) != outputs:
        said.append(_say("outputs", known, outputs))
        kernel = arrays.tell_apart(arrays.fit_outputs(kernel, outputs), known)
    return kernel, said


def _say(what: str, before: int, after: int) -> str:
    return f"{before} {what} {'repeated' if after > before else 'cut'} to {after}"


def say_window(before: Shape, verb: str, after: Shape) -> str:
    """How a window, or the positions of a feature map, became others."""
    return f"{before[0]} x {before[1]} {verb} to {after[0]} x {after[1]}"
