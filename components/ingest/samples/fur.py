"""Fur and bodies, drawn alike for cats and dogs, so that only the head tells them apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.ingest.samples.layer import Layer, Points, move, oval, smooth
from components.ingest.samples.palette import COATS, Colour, mix, pick, shade

HEAD_Y = -0.3  # the head's centre on the canvas: the body needs the room below
SIDES = (-1, 1)


@dataclass(frozen=True, kw_only=True)
class Coat:
    """Fur drawn alike for cats and dogs, so that only the shape tells them apart."""

    base: Colour
    patch: Colour  # markings
    pale: Colour  # muzzle, chest and paws
    marking: str  # one of _MARKINGS


_MARKINGS = ("plain", "stripes", "patches", "mask", "blaze")


def draw_coat(rng: np.random.Generator) -> Coat:
    base = pick(rng, COATS)
    light = sum(base) / 3
    patch = shade(base, rng.uniform(0.45, 0.7)) if light > 110 else mix(base, pick(rng, COATS), 0.6)
    pale = mix(base, (244, 238, 228), rng.uniform(0.3, 0.85))
    return Coat(base=base, patch=patch, pale=pale, marking=_MARKINGS[rng.integers(len(_MARKINGS))])


def draw_fur(
    rng: np.random.Generator, layer: Layer, outline: Points, colour: Colour, length: float = 0.05
) -> None:
    """Fill an outline and let tufts stand out along its edge, up to `length` far."""
    middle = outline.mean(axis=0)
    away = outline - middle
    away /= np.linalg.norm(away, axis=1, keepdims=True) + 1e-6
    reach = length * rng.uniform(0.3, 1, (len(outline), 1))
    tips = outline + (away + rng.normal(0, 0.5, outline.shape)) * reach
    # a tuft is a spike between two points of the outline
    layer.polygon(np.stack([outline, tips], axis=1).reshape(-1, 2), shade(colour, 0.84))
    layer.polygon((outline - middle) * 0.9 + middle - (0, 0.01), colour)
    layer.polygon((outline - middle) * 0.6 + middle - (0, 0.04), shade(colour, 1.07))


def subdivide(corners: list[tuple[float, float]]) -> Points:
    """Add points along the straight sides of an outline, for tufts to stand on."""
    knots = np.asarray(corners)
    steps = np.linspace(0, 1, 6, endpoint=False)[:, None]
    sides = knots[:, None] * (1 - steps) + np.roll(knots, -1, axis=0)[:, None] * steps
    return sides.reshape(-1, 2)


def draw_body(rng: np.random.Generator, layer: Layer, coat: Coat, half_width: float) -> None:
    """Draw the sitting body with tail, chest and two front paws."""
    side = rng.choice(SIDES)
    tail = [
        (side * half_width * 0.7, 0.8),
        (side * 0.75, 0.7),
        (side * 0.8, 0.3),
        (side * 0.68, 0.25),
        (side * 0.62, 0.6),
        (side * half_width * 0.6, 0.68),
    ]
    draw_fur(rng, layer, smooth(tail, 40), shade(coat.base, 0.92))
    torso = smooth(
        [
            (0, -0.2),
            (half_width * 0.8, 0.05),
            (half_width, 0.6),
            (half_width * 0.8, 0.86),
            (-half_width * 0.8, 0.86),
            (-half_width, 0.6),
            (-half_width * 0.8, 0.05),
        ],
        40,
    )
    draw_fur(rng, layer, torso, shade(coat.base, 0.9))
    draw_fur(rng, layer, move(oval(half_width * 0.5, 0.26), 0, 0.25), coat.pale)
    for paw in SIDES:
        leg = move(oval(0.1, 0.28, 20), paw * 0.14, 0.62)
        draw_fur(rng, layer, leg, coat.base, 0.03)
        layer.disc((paw * 0.15, 0.86), (0.12, 0.07), coat.pale)


def draw_head(rng: np.random.Generator, layer: Layer, coat: Coat, outline: Points) -> None:
    """Draw the skull and its markings."""
    draw_fur(rng, layer, move(outline, 0, HEAD_Y), coat.base, 0.07)
    if coat.marking == "stripes":
        _stripes(layer, coat)
    elif coat.marking == "patches":
        side = float(rng.choice(SIDES))
        layer.disc((side * 0.19, HEAD_Y - 0.08), (0.15, 0.18), coat.patch, side * 0.4)
    elif coat.marking == "mask":
        draw_fur(rng, layer, outline * (0.68, 0.6) + (0, HEAD_Y + 0.05), coat.patch, 0.04)
    elif coat.marking == "blaze":
        layer.disc((0, HEAD_Y - 0.12), (0.07, 0.22), coat.pale)


def _stripes(layer: Layer, coat: Coat) -> None:
    brow = [np.array([(x, -0.29), (x * 0.7, -0.17)]) for x in (-0.13, -0.065, 0.0, 0.065, 0.13)]
    cheeks = [
        np.array([(side * 0.33, y), (side * 0.23, y + 0.03)])
        for side in SIDES
        for y in (-0.05, 0.04, 0.13)
    ]
    layer.strokes([move(line, 0, HEAD_Y) for line in brow + cheeks], coat.patch, 0.035)
