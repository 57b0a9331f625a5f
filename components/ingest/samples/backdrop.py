"""Cluttered backgrounds: meadow, foliage, stones, boards and blurred light, with odd fragments."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from components.ingest.samples.layer import Image, Points, oval, petal, petals, turn
from components.ingest.samples.palette import (
    COATS,
    EARTHS,
    GREENS,
    PETALS,
    Colour,
    mix,
    pick,
    pick_of,
    shade,
    vary,
)

_SHIFT = 4  # fractional bits that OpenCV reads in a coordinate


def render_backdrop(rng: np.random.Generator, width: int, height: int) -> Image:
    """Paint a background, more or less out of focus.

    It knows nothing of the class, so nothing in it can give the class away.

    Args:
        rng: Source of chance.
        width: Pixels.
        height: Pixels.

    Returns:
        RGB image, shape `(height, width, 3)`.
    """
    image = _ground(rng, width, height)
    for _ in range(rng.integers(1, 3)):
        _CLUTTER[rng.integers(len(_CLUTTER))](rng, image)
    _fragments(rng, image)
    focus_px = rng.uniform(0.5, 2.6)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), focus_px), np.uint8)


def fill(image: Image, points: Points, colour: Colour) -> None:
    """Fill an outline given in pixels, with soft edges."""
    fixed = np.rint(points * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(image, [fixed], colour, cv2.LINE_AA, _SHIFT)


def _ground(rng: np.random.Generator, width: int, height: int) -> Image:
    """Paint soft blotches about one colour."""
    shelf = (GREENS, GREENS, EARTHS, tuple(PETALS.values()), tuple(COATS.values()))
    colour = mix(pick_of(rng, shelf[rng.integers(len(shelf))]), (128, 124, 116), 0.35)
    blotches = np.asarray(colour) + rng.normal(0, 18, (5, 5, 1)) + rng.normal(0, 8, (5, 5, 3))
    small = np.clip(blotches, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _somewhere(rng: np.random.Generator, image: Image) -> tuple[float, float]:
    height, width = image.shape[:2]
    return (rng.uniform(-0.05, 1.05) * width, rng.uniform(-0.05, 1.05) * height)


def _grass(rng: np.random.Generator, image: Image) -> None:
    lean, num_blades = rng.normal(0, 0.4), int(rng.integers(20, 45))
    lengths, half_widths = rng.uniform(25, 90, num_blades), rng.uniform(1, 3.5, num_blades)
    bends = rng.normal(0, 14, num_blades)
    for blade in petals(lengths, half_widths, base=0.2, tip=1.0, bends=bends):
        tone = shade(pick_of(rng, GREENS), rng.uniform(0.7, 1.4))
        fill(image, turn(blade, lean + rng.normal(0, 0.35), _somewhere(rng, image)), tone)


def _leaves(rng: np.random.Generator, image: Image) -> None:
    for _ in range(rng.integers(7, 16)):
        length, colour = rng.uniform(18, 60), pick_of(rng, GREENS)
        leaf = petal(length, length * rng.uniform(0.15, 0.35), tip=0.8, bend=rng.normal(0, 6))
        angle, place = rng.uniform(0, 2 * np.pi), _somewhere(rng, image)
        for across, tone in ((1.0, 0.75), (0.85, 1.1), (0.08, 0.8)):
            fill(image, turn(leaf * (across, 0.95), angle, place), shade(colour, tone))


def _stones(rng: np.random.Generator, image: Image) -> None:
    for _ in range(rng.integers(10, 26)):
        radius, colour = rng.uniform(4, 18), pick_of(rng, EARTHS)
        stone = turn(oval(radius, radius * rng.uniform(0.5, 1.0), 10), rng.uniform(0, np.pi))
        place = np.asarray(_somewhere(rng, image))
        for size, tone in ((1.0, 0.6), (0.85, 1.0), (0.4, 1.15)):
            fill(image, stone * size + place - (1 - size) * 3, shade(colour, tone))


def _boards(rng: np.random.Generator, image: Image) -> None:
    """Planks, a fence or a striped cloth: straight bands across the picture."""
    height, width = image.shape[:2]
    colour, angle = pick_of(rng, EARTHS), rng.uniform(0, np.pi)
    reach, step = width + height, rng.uniform(9, 32)
    for offset in np.arange(-reach / 2, reach / 2, step):
        band = np.array(
            [(-reach, offset), (reach, offset), (reach, offset + step), (-reach, offset + step)]
        )
        fill(image, turn(band * (1, 0.94), angle, (width / 2, height / 2)), vary(rng, colour, 16))


def _lights(rng: np.random.Generator, image: Image) -> None:
    """Round lights far out of focus."""
    glow = image.copy()
    for _ in range(rng.integers(6, 18)):
        radius, colours = rng.uniform(4, 16), (PETALS, COATS)[rng.integers(2)]
        fill(glow, oval(radius, radius, 16) + _somewhere(rng, image), pick(rng, colours))
    cv2.addWeighted(image, 0.5, glow, 0.5, 0, dst=image)


def _fragments(rng: np.random.Generator, image: Image) -> None:
    """Loose petals, ear-like corners and round blobs in the colours of the subjects."""
    for _ in range(rng.integers(2, 8)):
        size, colour = rng.uniform(5, 22), pick(rng, (PETALS, COATS)[rng.integers(2)])
        shapes = (
            petal(2 * size, size * rng.uniform(0.2, 0.6), tip=rng.uniform(0.2, 1.0)),
            np.array([(-0.7, 0.5), (0.0, -0.8), (0.7, 0.5)]) * size,
            oval(0.6 * size, rng.uniform(0.3, 0.6) * size, 12),
        )
        outline, angle = shapes[rng.integers(len(shapes))], rng.uniform(0, 2 * np.pi)
        place = _somewhere(rng, image)
        for scale, tone in ((1.0, 0.65), (0.85, 1.0)):
            fill(image, turn(outline * scale, angle, place), shade(colour, tone))


_CLUTTER: tuple[Callable[[np.random.Generator, Image], None], ...] = (
    _grass, _leaves, _stones, _boards, _lights,
)  # fmt: skip
