"""Cut a backbone in two where one tensor carries everything: a frozen bottom and a top to tune."""

from __future__ import annotations

from collections import Counter

import keras

from components.common.errors import InputError


def cut(backbone: keras.Model, blocks: int) -> tuple[keras.Model, keras.Model]:
    """Split a backbone below its top blocks.

    The layers are shared: training the top changes the backbone.

    Args:
        backbone: From photos to features; the network inside it, where there is one, is cut.
        blocks: How many belong to the top.

    Returns:
        The bottom, from photos to activations, and the top, from these to features.

    Raises:
        InputError: If the network has fewer blocks.
    """
    network = inner_network(backbone)
    tensors = boundaries(network)
    if not 1 <= blocks <= len(tensors):
        raise InputError(
            f"`fine_tune_blocks` must be from 1 to {len(tensors)} for '{network.name}'."
            f" Received: {blocks}"
            if tensors
            else f"'{network.name}' has no blocks to tune apart. Pass `fine_tune_epochs` 0."
        )
    activations = tensors[-blocks]
    bottom = keras.Model(network.input, activations)
    top = keras.Model(activations, network.output)
    if network is backbone:
        return bottom, top
    place = backbone.operations.index(network)  # a chain: photos, preprocessing, network, pooling
    bottom = keras.Model(backbone.input, bottom(backbone.operations[place - 1].output))
    inputs = keras.Input(activations.shape[1:])
    features = top(inputs)
    for operation in backbone.operations[place + 1 :]:
        features = operation(features)
    return bottom, keras.Model(inputs, features)


def inner_network(backbone: keras.Model) -> keras.Model:
    """The network of keras.applications inside a backbone or, where there is none, itself."""
    return next((layer for layer in backbone.layers if isinstance(layer, keras.Model)), backbone)


def boundaries(network: keras.Model) -> list[keras.KerasTensor]:
    """Where blocks begin: tensors through which all passes, and at which branches part or meet.

    Between two such tensors lies a residual block, a dense or an inception module, or a stretch
    without branches; one that has no kernels (a normalisation, say) belongs to the block above.

    Args:
        network: A functional model with one input and one output.

    Returns:
        The tensors below each block but the lowest, from bottom to top.
    """
    operations = network.operations  # each after all that it needs
    inputs = [_tensors(operation, "input") for operation in operations]
    waiting = Counter(id(tensor) for given in inputs for tensor in given)  # uses still to come
    uses = dict(waiting)
    live = 0  # tensors that later operations need
    found: list[keras.KerasTensor] = []
    has_kernel = False  # since the last boundary
    for operation, given in zip(operations, inputs, strict=True):
        outputs = _tensors(operation, "output")
        waiting.subtract(map(id, given))
        live += len(outputs) - sum(waiting[id(tensor)] == 0 for tensor in given)
        has_kernel |= _has_kernel(operation)
        branches = len(given) > 1 or uses.get(id(outputs[0]), 0) > 1
        if live == 1 and branches and has_kernel:
            found.append(outputs[0])
            has_kernel = False
    return found if has_kernel else found[:-1]


def _tensors(operation: keras.Operation, side: str) -> list[keras.KerasTensor]:
    """What an operation takes ("input") or gives ("output"), each tensor once."""
    # The property of the base class: models override it, and name tensors of their own graph.
    given = keras.tree.flatten(getattr(keras.Operation, side).fget(operation))
    return list({id(tensor): tensor for tensor in given}.values())


def _has_kernel(operation: keras.Operation) -> bool:
    weights = operation.weights if isinstance(operation, keras.layers.Layer) else []
    return any(len(weight.shape) > 1 for weight in weights)
