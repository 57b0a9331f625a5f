"""Drawings of a cat and a dog, told apart by ears, muzzle, eyes and whiskers, not by their fur."""

from __future__ import annotations

import numpy as np

from components.ingest.samples.fur import (
    HEAD_Y,
    SIDES,
    Coat,
    draw_body,
    draw_coat,
    draw_fur,
    draw_head,
    subdivide,
)
from components.ingest.samples.layer import Layer, move, oval, smooth, turn
from components.ingest.samples.palette import Colour, mix, shade, vary
from components.ingest.samples.scene import Subject

_SKIN: tuple[Colour, ...] = ((222, 150, 150), (190, 120, 116), (120, 84, 80))
_IRISES: tuple[Colour, ...] = ((120, 160, 70), (206, 160, 50), (110, 160, 200), (140, 90, 40))


def draw_cat(rng: np.random.Generator, layer: Layer) -> None:
    """Round face, high pointed ears, big slit eyes, a tiny nose, whiskers."""
    coat, yaw = draw_coat(rng), rng.uniform(-0.08, 0.08)
    draw_body(rng, layer, coat, half_width=rng.uniform(0.3, 0.42))
    for side in SIDES:
        _pointed_ear(rng, layer, coat, side, inner=True)
    wide, tall = rng.uniform(0.4, 0.47), rng.uniform(0.33, 0.38)
    head = smooth(
        [
            (0, -tall),
            (0.62 * wide, -0.82 * tall),
            (wide, 0.1 * tall),
            (0.72 * wide, 0.78 * tall),
            (0, tall),
            (-0.72 * wide, 0.78 * tall),
            (-wide, 0.1 * tall),
            (-0.62 * wide, -0.82 * tall),
        ]
    )
    draw_head(rng, layer, coat, head)
    for side in SIDES:  # small whisker pads
        layer.disc((yaw + side * 0.07, HEAD_Y + 0.17), (0.1, 0.08), coat.pale)
    _cat_eyes(rng, layer, yaw)
    _cat_nose(rng, layer, coat, yaw)


def draw_dog(rng: np.random.Generator, layer: Layer) -> None:
    """Longer face, a broad muzzle with a big dark nose, round dark eyes, mostly hanging ears."""
    coat, yaw = draw_coat(rng), rng.uniform(-0.08, 0.08)
    draw_body(rng, layer, coat, half_width=rng.uniform(0.32, 0.46))
    hanging = rng.random() < 0.85
    if not hanging:
        for side in SIDES:
            _pointed_ear(rng, layer, coat, side, inner=bool(rng.random() < 0.5))
    wide, tall = rng.uniform(0.33, 0.4), rng.uniform(0.4, 0.46)
    head = smooth(
        [
            (0, -0.88 * tall),
            (0.7 * wide, -0.75 * tall),
            (wide, -0.15 * tall),
            (0.68 * wide, 0.55 * tall),
            (0, tall),
            (-0.68 * wide, 0.55 * tall),
            (-wide, -0.15 * tall),
            (-0.7 * wide, -0.75 * tall),
        ]
    )
    draw_head(rng, layer, coat, head)
    if hanging:
        _hanging_ears(rng, layer, coat, wide)
    _dog_eyes(rng, layer, coat, yaw)
    _muzzle(rng, layer, coat, yaw)


def _nose_colour(rng: np.random.Generator, *, dark: float) -> Colour:
    """Draw a black nose with the chance `dark`, else a pink or brown one."""
    return (34, 28, 28) if rng.random() < dark else vary(rng, _SKIN[rng.integers(len(_SKIN))])


def _pointed_ear(
    rng: np.random.Generator, layer: Layer, coat: Coat, side: int, *, inner: bool
) -> None:
    """Draw a standing ear with a sharp tip, `side` being -1 (left) or 1."""
    lean, height = rng.uniform(-0.04, 0.1), rng.uniform(0.3, 0.38)
    root_y = HEAD_Y - 0.12
    tip = (side * (0.32 + lean), root_y - height)
    ear = subdivide([(side * 0.06, root_y - 0.1), tip, (side * 0.42, root_y + 0.1)])
    colour = coat.patch if rng.random() < 0.5 else coat.base
    draw_fur(rng, layer, ear, shade(colour, rng.uniform(0.75, 1.1)), 0.03)
    if inner:
        middle = ear.mean(axis=0)
        skin = mix(_SKIN[rng.integers(len(_SKIN))], coat.base, 0.2)
        layer.polygon((ear - middle) * 0.6 + middle + (0, 0.02), skin)


def _cat_eyes(rng: np.random.Generator, layer: Layer, yaw: float) -> None:
    iris, pupil = (
        vary(rng, _IRISES[rng.choice(4, p=(0.35, 0.3, 0.2, 0.15))]),
        rng.uniform(0.015, 0.06),
    )
    tall = rng.uniform(0.06, 0.085)
    for side in SIDES:
        centre = (yaw * 0.7 + side * 0.18, HEAD_Y - 0.03)
        layer.disc(centre, (0.105, tall + 0.018), (30, 26, 26), side * -0.35)
        layer.disc(centre, (0.088, tall), iris, side * -0.35)
        layer.disc(centre, (pupil, tall * 0.95), (14, 12, 14))
        layer.disc((centre[0] + 0.025, centre[1] - 0.03), (0.018, 0.018), (250, 250, 250))


def _cat_nose(rng: np.random.Generator, layer: Layer, coat: Coat, yaw: float) -> None:
    y, ink = HEAD_Y + 0.11, shade(coat.pale, 0.4)
    nose = move(np.array([(-0.05, 0.0), (0.05, 0.0), (0.0, 0.05)]), yaw, y)
    layer.polygon(nose, _nose_colour(rng, dark=0.2))
    mouth = np.array(
        [(-0.1, 0.1), (-0.05, 0.12), (0, 0.09), (0, 0.05), (0, 0.09), (0.05, 0.12), (0.1, 0.1)]
    )
    layer.strokes([move(mouth, yaw, y)], ink, 0.018)
    tone: Colour = (246, 244, 240) if sum(coat.base) < 560 else (70, 64, 60)
    roots = [
        (side * 0.1, y + 0.05 + 0.025 * row, side, row) for side in SIDES for row in (-1, 0, 1)
    ]
    droop = rng.uniform(-0.05, 0.08)
    layer.strokes(
        [
            np.array(
                [
                    (x + yaw, row_y),
                    (x + yaw + side * 0.2, row_y + row * 0.03),
                    (x + yaw + side * 0.42, row_y + row * 0.09 + droop),
                ]
            )
            for x, row_y, side, row in roots
        ],
        tone,
        0.009,
    )


def _hanging_ears(rng: np.random.Generator, layer: Layer, coat: Coat, wide: float) -> None:
    """Draw ears that fall from the sides of the skull."""
    length, tone = rng.uniform(0.38, 0.62), rng.uniform(0.75, 1.1)
    colour = coat.patch if rng.random() < 0.5 else coat.base
    for side in SIDES:
        lift = rng.uniform(-0.1, 0.25)
        ear = smooth(
            [
                (0, -0.06),
                (0.14, 0.0),
                (0.2, length * 0.55),
                (0.1, length),
                (-0.02, length * 0.9),
                (-0.04, length * 0.35),
                (-0.1, 0.06),
            ],
            36,
        )
        placed = turn(ear, -lift) * (side, 1) + (side * wide * 0.72, HEAD_Y - 0.27)
        draw_fur(rng, layer, placed, shade(colour, tone), 0.04)


def _dog_eyes(rng: np.random.Generator, layer: Layer, coat: Coat, yaw: float) -> None:
    iris, size = (
        vary(rng, _IRISES[rng.choice(4, p=(0.05, 0.25, 0.15, 0.55))]),
        rng.uniform(0.05, 0.065),
    )
    for side in SIDES:
        centre = (yaw * 0.7 + side * 0.15, HEAD_Y - 0.1)
        layer.disc(centre, (size + 0.015, size + 0.012), (26, 22, 22))
        layer.disc(centre, (size, size), iris)
        layer.disc(centre, (size * 0.68, size * 0.68), (14, 12, 14))
        layer.disc((centre[0] + 0.02, centre[1] - 0.02), (0.016, 0.016), (250, 250, 250))
        layer.disc(
            (centre[0] + side * 0.01, centre[1] - 0.12), (0.05, 0.022), coat.pale, side * 0.3
        )


def _muzzle(rng: np.random.Generator, layer: Layer, coat: Coat, yaw: float) -> None:
    """Draw the snout that comes forward, its nose and mouth, and at times the tongue."""
    x, y = yaw * 1.6, HEAD_Y + 0.2
    snout = coat.patch if coat.marking == "mask" else coat.pale
    if rng.random() < 0.5:
        layer.disc((x, y + 0.22), (0.075, 0.14), (206, 90, 100))
        layer.disc((x, y + 0.2), (0.012, 0.1), (170, 66, 78))
    front = oval(rng.uniform(0.18, 0.23), rng.uniform(0.18, 0.22))
    draw_fur(rng, layer, move(front, x, y), snout, 0.03)
    ink = mix(shade(snout, 0.35), (30, 24, 24), 0.5)
    mouth = np.array(
        [(-0.15, 0.1), (-0.08, 0.14), (0, 0.1), (0, 0.0), (0, 0.1), (0.08, 0.14), (0.15, 0.1)]
    )
    layer.strokes([move(mouth, x, y)], ink, 0.022)
    nose = smooth(
        [(0, -0.16), (0.1, -0.15), (0.11, -0.07), (0, 0.01), (-0.11, -0.07), (-0.1, -0.15)]
    )
    layer.polygon(move(nose, x, y), _nose_colour(rng, dark=0.75))
    layer.disc((x + 0.03, y - 0.115), (0.03, 0.016), (150, 146, 146))


SUBJECTS: dict[str, Subject] = {
    "cat": Subject(
        draw=draw_cat,
        layer_px=320,
        reach=(0.52, 0.85),
        focus=(0.0, HEAD_Y + 0.08),
        max_turn_deg=38,
        min_squash=0.85,
        margin=1.0,
        has_stem=False,
    ),
    "dog": Subject(
        draw=draw_dog,
        layer_px=320,
        reach=(0.52, 0.85),
        focus=(0.0, HEAD_Y + 0.08),
        max_turn_deg=38,
        min_squash=0.85,
        margin=1.0,
        has_stem=False,
    ),
}
