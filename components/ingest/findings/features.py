"""What can be known of photos without looking at what they show, sorted into bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.index import FORMATS, TRAITS, PhotoIndex
from components.ingest.findings.words import quote

MOST_BINS = 64  # sizes, or cameras, that are bins of their own: the commonest
FEWEST = 10  # photos that such a bin has
Values = NDArray[Any]  # (n,), numbers


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One thing known of every photo; photos in one bin are alike in it."""

    name: str
    bins: NDArray[np.intp]  # (n,), indices into `words`
    words: tuple[str, ...]  # what follows "photos": "of 128x128"


def metadata(index: PhotoIndex) -> list[Feature]:
    """What is known without decoding; only what differs between the photos."""
    size = _size(index)
    aspect = _tenths("aspect", index.widths / index.heights, "with a width of {} times the height")
    features = [size, aspect, _compression(index, size), _format(index), _camera(index)]
    features += [_trait(index, trait) for trait in TRAITS]
    return [feature for feature in features if len(feature.words) > 1]


def appearance(index: PhotoIndex) -> list[Feature]:
    """What the decoded photos look like on the whole; nothing where one was not decoded."""
    if not index.decoded.all():
        return []
    red, _, blue = index.means.T
    features = [
        _tenths("brightness", index.means.mean(axis=1), "with a brightness of {}"),
        _tenths("contrast", index.stds.mean(axis=1), "with a contrast of {}"),
        _tenths("warmth", red - blue, "with {} more red than blue"),
    ]
    return [feature for feature in features if len(feature.words) > 1]


def _size(index: PhotoIndex) -> Feature:
    """Sizes that many photos have; the others by their number of pixels."""
    widths, heights = index.widths.astype(np.int64), index.heights.astype(np.int64)
    sizes, places = np.unique(widths << 32 | heights, return_inverse=True)
    area = _tenths("area", widths * heights, "in rare sizes of {} pixels")
    words = [f"of {size >> 32}x{size & 0xFFFFFFFF}" for size in sizes.tolist()]
    return _frequent("size", places, words, rest=area)


def _compression(index: PhotoIndex, size: Feature) -> Feature:
    """How far the photos are compressed, among photos of their size: so it repeats no leak."""
    density = index.size_bytes / (index.widths.astype(np.int64) * index.heights)
    rank = np.zeros(len(index))
    for number in range(len(size.words)):
        alike = size.bins == number
        ordered = np.sort(density[alike])
        # The middle of those that are equal, so that the order of photos makes no difference.
        sides = (np.searchsorted(ordered, density[alike], side=side) for side in ("left", "right"))
        rank[alike] = sum(sides) / (2 * len(ordered))
    tenths = np.minimum((rank * 10).astype(np.intp), 9)
    words = [f"in tenth {number} of 10 by bytes for their size" for number in range(1, 11)]
    words[0], words[9] = (
        "with the fewest bytes for their size",
        "with the most bytes for their size",
    )
    return _used("compression", tenths, words)


def _format(index: PhotoIndex) -> Feature:
    return _used("format", index.formats, [f"in {name.upper()}" for name in FORMATS])


def _camera(index: PhotoIndex) -> Feature:
    cameras = sorted(set(index.cameras))
    numbers = {name: number for number, name in enumerate(cameras)}
    places = np.array([numbers[name] for name in index.cameras])
    words = [f"taken with {quote(name)}" if name else "that name no camera" for name in cameras]
    rest = Feature(name="", bins=np.zeros(len(index), np.intp), words=("of rarer cameras",))
    return _frequent("camera", places, words, rest=rest)


def _trait(index: PhotoIndex, trait: str) -> Feature:
    return _used(trait, index.has_trait(trait), [f"not marked {trait}", f"marked {trait}"])


def _frequent(name: str, places: Values, words: Sequence[str], *, rest: Feature) -> Feature:
    """Bins of their own for values that many photos have; the others keep those of `rest`."""
    counts = np.bincount(places, minlength=len(words))
    often = np.zeros(len(words), np.bool_)
    often[np.argsort(-counts, kind="stable")[:MOST_BINS]] = True
    often &= counts >= FEWEST
    bins = np.where(often[places], places, len(words) + rest.bins)
    return _used(name, bins, [*words, *rest.words])


def _tenths(name: str, values: Values, words: str) -> Feature:
    """Ten bins of as many photos each; a value that many photos have is a bin of its own."""
    quantiles = np.quantile(values, np.linspace(0.1, 0.9, 9), method="nearest")
    edges, counts = np.unique(quantiles, return_counts=True)
    bins = np.searchsorted(edges, values, side="right")
    bins += np.searchsorted(edges[counts > 1], values)  # those above such a value stand apart
    used, places = np.unique(bins, return_inverse=True)
    spans = (_span(values[places == number]) for number in range(len(used)))
    return Feature(name=name, bins=places, words=tuple(words.format(span) for span in spans))


def _span(values: Values) -> str:
    low, high = _number(values.min()), _number(values.max())
    return low if low == high else f"{low} to {high}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"


def _used(name: str, bins: Values, words: Sequence[str]) -> Feature:
    """Leave out the bins that hold no photo."""
    used, places = np.unique(bins, return_inverse=True)
    return Feature(name=name, bins=places, words=tuple(words[int(number)] for number in used))
