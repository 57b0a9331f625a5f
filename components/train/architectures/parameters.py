"""Parameters of the networks that flatten: they depend on the image size. Light: no Keras here."""

from __future__ import annotations

DENSE_UNITS = (256, 128)  # of the two layers of `dense`
REFERENCE_FILTERS = 128  # of every convolution of the reference networks
REFERENCE_UNITS = 256  # of the dense layer that they end in


def count_dense(image_size: int, channels: int) -> int:
    """Count the parameters of `dense`.

    Args:
        image_size: Height and width, pixels.
        channels: Of the photos.
    """
    first, second = DENSE_UNITS
    return _layer(image_size**2 * channels, first) + _layer(first, second)


def count_inception_reference(image_size: int, channels: int) -> int:
    """Count the parameters of `inception_reference`: 4 convolutions 1x1 or 3x3 from the photo."""
    filters = REFERENCE_FILTERS
    from_photo = 3 * _layer(channels, filters) + _layer(9 * channels, filters)
    inner = 3 * _layer(9 * filters, filters)
    return from_photo + inner + _flattened(image_size, 4 * filters)


def count_residual_reference(image_size: int, channels: int) -> int:
    """Count the parameters of `residual_reference`: 3 convolutions 3x3, and the shortcut."""
    filters = REFERENCE_FILTERS
    block = _layer(9 * channels, filters) + 2 * _layer(9 * filters, filters)
    return block + _layer(channels, filters) + _flattened(image_size, filters)


def _flattened(image_size: int, filters: int) -> int:
    """The dense layer on maps of half the size, rounded up."""
    return _layer(((image_size + 1) // 2) ** 2 * filters, REFERENCE_UNITS)


def _layer(num_inputs: int, num_outputs: int) -> int:
    return (num_inputs + 1) * num_outputs  # 1: the bias
