"""Colours that the samples share, so that no class can be told by its colour alone."""

from __future__ import annotations

import numpy as np

Colour = tuple[float, float, float]  # red, green, blue, each in [0, 255]

PETALS: dict[str, Colour] = {
    "white": (242, 240, 236),
    "cream": (245, 229, 180),
    "yellow": (246, 205, 40),
    "orange": (240, 138, 36),
    "coral": (238, 110, 92),
    "red": (196, 36, 44),
    "pink": (236, 140, 174),
    "magenta": (190, 50, 120),
    "lilac": (176, 136, 208),
    "rust": (158, 70, 34),
}
COATS: dict[str, Colour] = {
    "black": (48, 45, 46),
    "charcoal": (84, 82, 86),
    "grey": (138, 136, 138),
    "silver": (188, 186, 184),
    "chocolate": (98, 64, 42),
    "brown": (142, 98, 62),
    "ginger": (206, 130, 62),
    "fawn": (212, 172, 122),
    "cream": (234, 214, 178),
    "white": (240, 236, 230),
}
GREENS: tuple[Colour, ...] = (
    (58, 96, 36),
    (84, 128, 48),
    (112, 150, 66),
    (46, 80, 52),
    (132, 148, 74),
)
EARTHS: tuple[Colour, ...] = (
    (122, 104, 84),
    (152, 144, 132),
    (96, 84, 72),
    (176, 162, 138),
    (88, 92, 96),
)


def vary(rng: np.random.Generator, colour: Colour, amount: float = 12.0) -> Colour:
    """Move a colour at random: its lightness by `amount` (standard deviation), its tint by half."""
    lightness, *tints = rng.normal(0, amount, 4).tolist()
    moved = (channel + lightness + tint / 2 for channel, tint in zip(colour, tints, strict=True))
    red, green, blue = (min(max(channel, 0.0), 255.0) for channel in moved)
    return (red, green, blue)


def shade(colour: Colour, factor: float) -> Colour:
    """Darken (`factor` below 1) or lighten a colour."""
    red, green, blue = colour
    return (min(red * factor, 255.0), min(green * factor, 255.0), min(blue * factor, 255.0))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours, `share` in [0, 1] of the second."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return (red, green, blue)


def pick(rng: np.random.Generator, colours: dict[str, Colour], *favourites: str) -> Colour:
    """Draw a colour: mostly a favourite, else any, so that the classes overlap.

    Args:
        rng: Source of chance.
        colours: The shared palette.
        *favourites: Names in `colours` that the subject has in nature.

    Returns:
        The colour, slightly varied.
    """
    usual = favourites and rng.random() < 0.6
    names = favourites if usual else tuple(colours)
    return vary(rng, colours[names[rng.integers(len(names))]])


def pick_of(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    """Draw one of a few colours, slightly varied."""
    return vary(rng, colours[rng.integers(len(colours))])
