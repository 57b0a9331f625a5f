"""Drawings of five flowers, told apart by how their petals stand and not by their colours."""

from __future__ import annotations

import numpy as np

from components.ingest.samples.layer import (
    Layer,
    Points,
    Values,
    oval,
    petal,
    petals,
    shaded_petals,
    smooth,
    turn,
)
from components.ingest.samples.palette import PETALS, Colour, mix, pick, shade, vary
from components.ingest.samples.scene import Subject

_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))  # radians between seeds that follow each other
_DISCS: tuple[Colour, ...] = (
    (236, 180, 30),
    (220, 140, 30),
    (150, 96, 36),
    (92, 58, 34),
    (150, 150, 60),
)


def draw_daisy(rng: np.random.Generator, layer: Layer) -> None:
    """Few long round-ended petals about a small dotted disc."""
    colour = pick(rng, PETALS, "white", "cream", "pink", "yellow")
    num_petals, disc = int(rng.integers(11, 19)), rng.uniform(0.15, 0.23)
    width = rng.uniform(1.9, 2.5) / num_petals
    for reach, tone in ((1.0, 0.88), (0.9, 1.0))[rng.integers(2) :]:
        _ring(rng, layer, num_petals, reach, shade(colour, tone), width, base=0.9, tip=0.3)
    _seeds(rng, layer, disc, _disc_colour(rng, (0.4, 0.3, 0.1, 0.05, 0.15)), num_seeds=45)


def draw_sunflower(rng: np.random.Generator, layer: Layer) -> None:
    """Two rings of many pointed petals about a wide disc of spiralling seeds."""
    colour = pick(rng, PETALS, "yellow", "orange", "cream", "rust")
    num_petals, disc = int(rng.integers(16, 27)), rng.uniform(0.46, 0.56)
    width = rng.uniform(2.3, 3.0) / num_petals
    for reach, tone in ((1.0, 0.8), (0.93, 1.0)):
        _ring(rng, layer, num_petals, reach, shade(colour, tone), width, base=0.9, tip=0.85)
    seeds = _disc_colour(rng, (0.05, 0.1, 0.3, 0.45, 0.1))
    _seeds(rng, layer, disc, seeds, num_seeds=150)
    heart = mix(shade(seeds, 0.6), (120, 130, 60), rng.uniform(0, 0.6))
    _seeds(rng, layer, disc * rng.uniform(0.35, 0.5), heart, num_seeds=30)


def draw_dandelion(rng: np.random.Generator, layer: Layer) -> None:
    """Either the pompon of many narrow florets or the clock of parachutes."""
    if rng.random() < 0.4:
        _draw_clock(rng, layer)
        return
    colour = pick(rng, PETALS, "yellow", "orange", "cream", "white")
    rings = int(rng.integers(5, 7))
    for ring in range(rings):
        out = 1 - ring / rings
        tone = shade(colour, rng.uniform(0.9, 1.0) * (1.05 - 0.25 * out))
        num_petals = round(12 + 26 * out)
        _ring(
            rng,
            layer,
            num_petals,
            0.12 + 0.88 * out,
            tone,
            0.055,
            base=0.3,
            tip=0.12,
            loose=2.2,
            num_tones=2,
        )


def draw_rose(rng: np.random.Generator, layer: Layer) -> None:
    """Broad petals that wrap one another and close into a spiral."""
    colour = pick(rng, PETALS, "red", "pink", "white", "yellow", "coral")
    angle, radius = rng.uniform(0, 2 * np.pi), 1.0
    for wrap, num_petals in enumerate((5, 5, 4, 4, 3, 3)):
        for _ in range(num_petals):
            angle += 2 * np.pi / num_petals * rng.uniform(0.88, 1.1)
            _wrapped_petal(rng, layer, angle, radius, shade(colour, 1.0 - 0.045 * wrap))
        radius *= rng.uniform(0.74, 0.8)
        angle += 0.6
    _spiral(layer, angle, radius * 1.15, shade(colour, 0.5))


def draw_tulip(rng: np.random.Generator, layer: Layer) -> None:
    """A cup of upright petals seen from the side."""
    colour = pick(rng, PETALS, "red", "yellow", "pink", "magenta", "orange")
    flame = pick(rng, PETALS) if rng.random() < 0.3 else shade(colour, 1.12)
    half, flare = rng.uniform(0.4, 0.52), rng.uniform(-0.28, 0.2)
    foot, height = (0.0, 0.85), rng.uniform(1.4, 1.6)
    for lean in (-0.16, 0.16, 0.0):  # those at the back first
        back = petal(height * rng.uniform(0.94, 1.02), half * 0.8, base=0.5, tip=0.6)
        _petal(layer, back, lean * rng.uniform(0.7, 1.3), foot, shade(colour, 0.72))
    for side in rng.permutation((-1, 1)):
        outer = petal(
            height * rng.uniform(0.9, 1.0), half * 0.85, base=0.4, tip=0.65, bend=side * flare
        )
        _streaked_petal(layer, outer, side * rng.uniform(0.2, 0.28), foot, colour, flame)
    front = petal(
        height * rng.uniform(0.72, 0.9), half * rng.uniform(0.75, 0.95), base=0.4, tip=0.6
    )
    _streaked_petal(layer, front, rng.uniform(-0.12, 0.12), foot, shade(colour, 1.04), flame)


def _ring(
    rng: np.random.Generator,
    layer: Layer,
    num_petals: int,
    reach: float,
    colour: Colour,
    half_width: float,
    *,
    base: float,
    tip: float,
    loose: float = 1.0,
    num_tones: int = 3,
) -> None:
    """Draw petals about the origin; `loose` scales how unequal they are."""
    order = rng.permutation(num_petals) + rng.normal(0, 0.1 * loose, num_petals)
    angles = rng.uniform(0, 2 * np.pi) + 2 * np.pi * order / num_petals
    lengths = reach * (1 - np.abs(rng.normal(0, 0.06 * loose, num_petals)))
    widths = half_width * rng.uniform(0.85, 1.1, num_petals)
    bends = rng.normal(0, 0.05, num_petals)
    outlines = petals(lengths, widths, base=base, tip=tip, bends=bends)
    colours = [shade(colour, tone) for tone in rng.normal(1, 0.03, num_petals).tolist()]
    shaded_petals(layer, outlines, angles, (0.0, 0.0), colours, num_tones=num_tones)


def _petal(
    layer: Layer, outline: Points, angle: float, foot: tuple[float, float], colour: Colour
) -> None:
    shaded_petals(layer, outline[None], np.array([angle]), foot, [colour])


def _disc_colour(rng: np.random.Generator, chances: tuple[float, ...]) -> Colour:
    return vary(rng, _DISCS[rng.choice(len(_DISCS), p=chances)])


def _seeds(
    rng: np.random.Generator, layer: Layer, radius: float, colour: Colour, *, num_seeds: int
) -> None:
    """Fill a disc with seeds on the spiral on which plants set them."""
    layer.disc((0, 0), (radius, radius), shade(colour, 0.6))
    seeds = _spiral_places(num_seeds, radius)
    spot, tones = (
        radius * rng.uniform(1.5, 2.0) / np.sqrt(num_seeds),
        rng.integers(3, size=num_seeds),
    )
    for tone, lightness in enumerate((0.85, 1.0, 1.2)):
        layer.dots(seeds[tones == tone], shade(colour, lightness), spot)


def _spiral_places(num_seeds: int, radius: float, turned: Values | float = 0.0) -> Points:
    """Spread seeds evenly over a disc, each turned on from the last by the golden angle."""
    steps = np.arange(num_seeds)
    away, angles = radius * np.sqrt((steps + 0.5) / num_seeds), steps * _GOLDEN_ANGLE + turned
    return np.stack([away * np.cos(angles), away * np.sin(angles)], axis=1)


def _draw_clock(rng: np.random.Generator, layer: Layer) -> None:
    """Draw the ripe head: a small core, stalks, and a parachute at the end of each."""
    down = pick(rng, PETALS, "white", "cream")
    layer.polygon(oval(0.84, 0.84, 32), shade(down, 0.95), alpha=rng.uniform(0.25, 0.45))
    num_seeds = int(rng.integers(70, 110))
    ends = _spiral_places(num_seeds, 0.86, rng.normal(0, 0.15, num_seeds))
    layer.strokes(list(np.stack([ends * 0.1, ends], axis=1)), shade(down, 0.6), 0.008)
    spread = rng.uniform(0, np.pi, (num_seeds, 1)) + np.linspace(0, np.pi, 4, endpoint=False)
    arms = np.stack([np.cos(spread), np.sin(spread)], axis=2) * rng.uniform(
        0.08, 0.13, (num_seeds, 1, 1)
    )
    rays = np.stack([ends[:, None] - arms, ends[:, None] + arms], axis=2).reshape(-1, 2, 2)
    layer.strokes(list(rays), down, 0.01)
    _seeds(rng, layer, rng.uniform(0.1, 0.16), (118, 92, 56), num_seeds=12)


def _wrapped_petal(
    rng: np.random.Generator, layer: Layer, angle: float, radius: float, colour: Colour
) -> None:
    """Draw one petal of a rose: a dark gap, a light rolled rim, a body darker inwards."""
    wide, deep = radius * rng.uniform(0.6, 0.72), radius * rng.uniform(0.44, 0.52)
    peak = deep * rng.uniform(0.95, 1.25)  # some petals end in a blunt point
    corners = [
        (-wide, -0.1 * deep),
        (-0.7 * wide, -0.75 * deep),
        (0.0, -peak),
        (0.7 * wide, -0.75 * deep),
        (wide, -0.1 * deep),
        (0.6 * wide, deep),
        (-0.6 * wide, deep),
    ]
    outline = smooth(corners) * rng.uniform(0.94, 1.06, 2)
    centre = (radius * 0.5 * np.sin(angle), -radius * 0.5 * np.cos(angle))
    for across, inwards, tone in (
        (1.0, 0.0, 0.5),
        (0.95, 0.02, 1.12),
        (0.86, 0.1, 0.92),
        (0.66, 0.2, 0.76),
    ):
        body = outline * across + (0.0, radius * inwards)
        layer.polygon(turn(body, angle, centre), shade(colour, tone))


def _spiral(layer: Layer, angle: float, radius: float, colour: Colour) -> None:
    turns = np.linspace(0, 5 * np.pi, 40)
    away = radius * (0.1 + 0.9 * turns / turns[-1])
    line = np.stack([away * np.cos(turns + angle), away * np.sin(turns + angle)], axis=1)
    layer.strokes([line], colour, 0.03)


def _streaked_petal(
    layer: Layer,
    outline: Points,
    angle: float,
    foot: tuple[float, float],
    colour: Colour,
    flame: Colour,
) -> None:
    """Draw a petal of a tulip with its lengthwise flame and veins."""
    _petal(layer, outline, angle, foot, colour)
    layer.polygon(turn(outline * (0.3, 0.8), angle, foot), mix(colour, flame, 0.8))
    veins = [
        turn(outline[1:8] * (across, 0.93), angle, foot) for across in (-0.6, -0.25, 0.25, 0.6)
    ]
    layer.strokes(veins, shade(colour, 0.82), 0.012)


SUBJECTS: dict[str, Subject] = {
    "daisy": Subject(draw=draw_daisy),
    "dandelion": Subject(draw=draw_dandelion),
    "rose": Subject(draw=draw_rose),
    "sunflower": Subject(draw=draw_sunflower),
    # a tulip is drawn from the side: it stands more or less upright and is not tilted again
    "tulip": Subject(draw=draw_tulip, reach=(0.42, 0.6), max_turn_deg=50, min_squash=0.85),
}
