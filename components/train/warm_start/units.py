"""What a network is made of, for matching it with another one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import keras

Position = tuple[int, int, int]  # height, width, channels of a feature map


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Layers that move as one: a kernel, with the normalisation of what comes out of it."""

    layers: tuple[keras.Layer, ...]
    flattened: Position | None = None  # the feature map that its kernel sees flattened
    bypassed: bool = False  # its output is added to what its block got

    @property
    def kind(self) -> str:
        """Type of its first layer."""
        return type(self.layers[0]).__name__


@dataclass(frozen=True, kw_only=True)
class Features:
    """Some of the features that a head sees, and the layers that they come from."""

    makers: frozenset[int]  # identities; several where their outputs are added up
    width: int


class Graph:
    """Who made each tensor of a model. Nested models are graphs of their own."""

    def __init__(self, model: keras.Model) -> None:
        self.operations = list(getattr(model, "operations", model.layers))
        self._makers = {
            id(tensor): operation
            for operation in self.operations
            if not isinstance(operation, keras.Model)
            for tensor in keras.tree.flatten(operation.output)
        }

    def maker(self, tensor: keras.KerasTensor) -> keras.Operation | None:
        """The operation that a tensor comes out of; None for an input of the model."""
        return self._makers.get(id(tensor))

    def came_from(
        self, tensor: keras.KerasTensor, *, in_place: bool = False
    ) -> keras.Operation | None:
        """Walk back over operations that have one input and no weights.

        Args:
            tensor: Where to start.
            in_place: Walk only over those that leave every value in its place, as dropout does.

        Returns:
            The first other operation; None for an input of the model.
        """
        while (maker := self.maker(tensor)) is not None and _is_simple(maker):
            if in_place and maker.input.shape != maker.output.shape:
                return maker
            tensor = maker.input
        return maker

    def is_ancestor(self, tensor: keras.KerasTensor, of: keras.KerasTensor) -> bool:
        """Whether `of` is computed from `tensor`."""
        waiting, seen = [of], set()
        while waiting:
            one = waiting.pop()
            if one is tensor:
                return True
            maker = self.maker(one)
            if maker is not None and id(maker) not in seen and not _is_input(maker):
                seen.add(id(maker))
                waiting += keras.tree.flatten(maker.input)
        return False


def units_of(model: keras.Model, flattened: Position | None = None) -> list[Unit]:
    """All units of a model, from its input to its output, nested models included.

    Args:
        model: Backbone or head.
        flattened: The feature map that the model's own input is, flattened.
    """
    graph = Graph(model)
    units: list[Unit] = []
    of_kernel: dict[int, int] = {}  # layer -> its place in `units`
    for operation in graph.operations:
        if isinstance(operation, keras.Model):
            units += units_of(operation)
        elif getattr(operation, "weights", None):
            kernel = graph.maker(operation.input) if _is_normalisation(operation) else None
            if (place := of_kernel.get(id(kernel))) is not None:
                units[place] = replace(units[place], layers=(*units[place].layers, operation))
                continue
            of_kernel[id(operation)] = len(units)
            source = _flattened_into(operation.input, graph, flattened)
            units.append(Unit(layers=(operation,), flattened=source))
    return [replace(unit, bypassed=True) if _is_bypassed(unit, graph) else unit for unit in units]


def flattened_output(backbone: keras.Model) -> Position | None:
    """The feature map that a backbone's features are, flattened; None where they are none."""
    return _flattened_into(backbone.outputs[0], Graph(backbone), None)


def features_of(backbone: keras.Model) -> tuple[Features, ...]:
    """The features that come out of a backbone, side by side."""
    graph = Graph(backbone)
    last = graph.operations[-1] if not units_of(backbone) else units_of(backbone)[-1].layers[-1]

    def walk(tensor: keras.KerasTensor) -> list[Features]:
        maker, width = graph.maker(tensor), int(tensor.shape[-1])
        if maker is None:  # comes out of a nested model
            return [Features(makers=frozenset({id(last)}), width=width)]
        if _is_input(maker) or getattr(maker, "weights", None):
            return [Features(makers=frozenset({id(maker)}), width=width)]
        if _is_simple(maker):
            return walk(maker.input)
        parts = [walk(one) for one in keras.tree.flatten(maker.input)]
        if isinstance(maker, keras.layers.Concatenate):
            return [features for part in parts for features in part]
        makers = [features.makers for part in parts for features in part]
        return [Features(makers=frozenset().union(*makers), width=width)]

    return tuple(walk(backbone.outputs[0]))


def _flattened_into(
    tensor: keras.KerasTensor, graph: Graph, of_input: Position | None
) -> Position | None:
    source = graph.came_from(tensor, in_place=True)
    if source is None or _is_input(source):
        return of_input
    if isinstance(source, keras.layers.Flatten) and len(source.input.shape) == 4:
        return tuple(source.input.shape[1:])
    return None


def _is_bypassed(unit: Unit, graph: Graph) -> bool:
    last = unit.layers[-1]
    if not _is_normalisation(last):
        return False
    for operation in graph.operations:
        if isinstance(operation, keras.layers.Add):
            inputs = operation.input
            if any(one is last.output for one in inputs):
                return any(
                    graph.is_ancestor(one, of=last.output)
                    for one in inputs
                    if one is not last.output
                )
    return False


def _is_simple(operation: keras.Operation) -> bool:
    """Whether it has one input and no weights."""
    return not (
        _is_input(operation)
        or getattr(operation, "weights", None)
        or isinstance(operation.input, (list, tuple, dict))
    )


def _is_input(operation: keras.Operation) -> bool:
    return isinstance(operation, keras.layers.InputLayer)


def _is_normalisation(operation: keras.Operation) -> bool:
    return isinstance(operation, keras.layers.BatchNormalization)
