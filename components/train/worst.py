"""Photos that a trained network is most wrong about: where labels, or the photos, want a look."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.photos import PhotoSet, as_input
from components.train.network import Network

BATCH = 32  # photos that are judged at once
MOST = 12  # photos in the plot
COLUMNS = 4


def predict_classes(
    network: Network, photos: PhotoSet, *, mirror_averaging: bool
) -> NDArray[np.float32]:
    """Probabilities of each class, shape `(n, classes)`.

    Args:
        network: To ask.
        photos: To be asked about.
        mirror_averaging: Ask about the mirror images, too.
    """
    model = network.assemble(mirror_averaging=mirror_averaging)
    parts = []
    for start in range(0, len(photos), BATCH):
        batch = as_input(photos.images[start : start + BATCH], network.channels)
        said = model.predict_on_batch(batch)
        parts.append(said["class"] if isinstance(said, dict) else said)
    return np.concatenate(parts)


def plot_worst(photos: PhotoSet, probabilities: NDArray[np.float32]) -> bytes:
    """Draw the photos with the largest losses, worst first.

    Args:
        photos: That were judged.
        probabilities: Of each class, shape `(n, classes)`.

    Returns:
        A PNG.
    """
    from matplotlib.figure import Figure

    of_truth = probabilities[np.arange(len(photos)), photos.labels]
    rows = np.argsort(of_truth, kind="stable")[:MOST]
    lines = math.ceil(len(rows) / COLUMNS)
    figure = Figure(figsize=(2.2 * COLUMNS, 2.6 * lines), dpi=100, layout="constrained")
    axes: Any = figure.subplots(lines, COLUMNS, squeeze=False)
    for place in axes.flat:
        place.set_axis_off()
    for row, place in zip(rows.tolist(), axes.flat, strict=False):
        said = int(probabilities[row].argmax())
        place.imshow(photos.images[row])
        place.set_title(
            f"{photos.classes[photos.labels[row]]} ({of_truth[row]:.2f})\n"
            f"said: {photos.classes[said]} ({probabilities[row, said]:.2f})",
            fontsize=8,
        )
    figure.suptitle("Validation photos with the largest losses", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, metadata={"Software": None})
    return buffer.getvalue()
