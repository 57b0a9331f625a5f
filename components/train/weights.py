"""Weights that a backbone starts from: ImageNet, a file, a bucket, an earlier model, or none."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from components.common import storage
from components.common.errors import InputError
from components.common.network import why_unreachable
from components.train.architectures import IMAGENET, NONE, Architecture
from components.train.architectures.applications import Application

if TYPE_CHECKING:
    import keras

SUFFIXES = (".weights.h5", ".keras")
IMAGENET_HOST = "storage.googleapis.com"


def check_weights(
    architecture: Architecture, weights: str, image_size: int, channels: int = 3
) -> None:
    """Load the weights once, before a run starts, and refuse what does not fit.

    Args:
        architecture: The network they are for.
        weights: "none", "imagenet", a path or a gs:// URI.
        image_size: Height and width of the photos, pixels.
        channels: Of the photos: 3 (RGB) or 1 (gray).

    Raises:
        InputError: If they are missing, of another kind, or do not fit the architecture.
    """
    check_weights_name(architecture, weights)
    if weights == NONE:
        return
    if weights == IMAGENET:
        _check_imagenet(_application(architecture), image_size)
        return
    if not storage.exists(weights):
        raise InputError(f"`weights` must name a file that exists. Received: '{weights}'")
    load_weights(architecture, architecture.build_backbone(image_size, channels), weights)


def check_weights_name(architecture: Architecture, weights: str) -> None:
    """Refuse weights that no machine could use, without looking for them.

    Args:
        architecture: The network they are for.
        weights: "none", "imagenet", a path or a gs:// URI.

    Raises:
        InputError: If the architecture has none of that kind, or the file is no such file.
    """
    if weights == IMAGENET:
        _application(architecture)
    if weights not in (NONE, IMAGENET) and not weights.endswith(SUFFIXES):
        raise InputError(
            "`weights` must be imagenet, none, or a file that ends with .weights.h5 or .keras."
            f" Received: '{weights}'"
        )


def load_weights(architecture: Architecture, backbone: keras.Model, weights: str) -> None:
    """Set a backbone's weights.

    Args:
        architecture: What the backbone is.
        backbone: Changed in place.
        weights: "imagenet", a path or a gs:// URI: weights of the network without its top
            (.weights.h5), or a model that pawpetal trained (.keras).

    Raises:
        InputError: If they do not fit.
    """
    if weights == IMAGENET:
        _load_imagenet(architecture, backbone)
        return
    with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
        file = Path(weights)
        if storage.is_remote(weights):
            file = Path(scratch, Path(weights).name)
            file.write_bytes(storage.read_bytes(weights))
        try:
            _load_file(backbone, file)
        # What Keras and h5py raise for other layers, other shapes, no HDF5, no zip.
        except (ValueError, TypeError, OSError, KeyError, AttributeError, IndexError) as error:
            raise InputError(
                f"`weights` must fit architecture '{architecture.name}' without its top."
                f" Received: '{weights}' ({' '.join(str(error).split())[:160]})"
            ) from error


def _load_file(backbone: keras.Model, file: Path) -> None:
    import keras

    if file.suffix == ".keras":
        trained = keras.saving.load_model(file, compile=False)
        backbone.set_weights(trained.get_layer(backbone.name).get_weights())
        return
    _network(backbone).load_weights(file)


def _network(backbone: keras.Model) -> keras.Model:
    """The network of keras.applications inside the backbone or, where there is none, itself."""
    import keras

    inner = [layer for layer in backbone.layers if isinstance(layer, keras.Model)]
    return inner[0] if inner else backbone


def _application(architecture: Architecture) -> Application:
    """The network of keras.applications, for which there are ImageNet weights."""
    if architecture.application is None:
        raise InputError(
            f"There are no ImageNet weights for architecture '{architecture.name}'."
            " Pass `weights` none, or a file."
        )
    return architecture.application


def _check_imagenet(application: Application, image_size: int) -> None:
    if not cached_imagenet(application, image_size) and (why := why_unreachable(IMAGENET_HOST)):
        raise InputError(
            f"The ImageNet weights of {application.name} are not on this machine, and"
            f" {IMAGENET_HOST} cannot be reached to download them ({why}). Pass a file as"
            " `weights`."
        )


def cached_imagenet(application: Application, image_size: int) -> bool:
    """Whether Keras has downloaded the ImageNet weights before.

    Args:
        application: The network they are of.
        image_size: Height and width of the photos, pixels.
    """
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras", "models")
    name = application.weights_file.format(size=_published_size(application, image_size))
    return (folder / name).is_file()


def _published_size(application: Application, image_size: int) -> int:
    """The size to take weights of: the convolutions are the same at any size."""
    sizes = application.weights_sizes or (image_size,)
    return min(sizes, key=lambda candidate: abs(candidate - image_size))


def _load_imagenet(architecture: Architecture, backbone: keras.Model) -> None:
    from components.train.architectures.transfer import build_network

    application, image_size = _application(architecture), backbone.input_shape[1]
    _check_imagenet(application, image_size)
    try:
        published = build_network(application, _published_size(application, image_size), IMAGENET)
    except Exception as error:  # Keras raises just that where a download fails
        raise InputError(
            f"The ImageNet weights of {application.name} could not be downloaded or read"
            f" ({' '.join(str(error).split())[:160]}). Pass a file as `weights`."
        ) from error
    _network(backbone).set_weights(published.get_weights())
