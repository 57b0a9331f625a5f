"""A transparent canvas to draw a subject on, and the outlines to draw it with."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from components.ingest.samples.palette import Colour, shade

Points = npt.NDArray[np.float64]  # shape (num_points, 2): x to the right, y down
Values = npt.NDArray[np.float64]  # shape (num_values,) unless said otherwise
FixedPoints = npt.NDArray[np.int32]  # pixels times 2**_SHIFT
Image = npt.NDArray[np.uint8]

_SHIFT = 4  # fractional bits that OpenCV reads in a coordinate
# the shells of a petal: share of its width, share of its length, lightness
_NESTED = np.array([(1.0, 1.0, 0.62), (0.82, 0.96, 0.96), (0.4, 0.86, 1.1), (0.6, 0.4, 0.8)])


class Layer:
    """Canvas whose coordinates run from -1 to 1 both ways.

    Shapes drawn with soft edges on transparent black leave colours that are already multiplied by
    their alpha, which is the form that can be warped and shrunk without dark fringes.

    Args:
        side_px: Width and height, two to four times what the subject gets in the photo.
    """

    def __init__(self, side_px: int) -> None:
        self.half_px = side_px / 2
        self.rgba: Image = np.zeros((side_px, side_px, 4), np.uint8)

    def polygon(self, points: Points, colour: Colour, *, alpha: float = 1.0) -> None:
        """Fill an outline; `alpha` below 1 replaces what lies beneath, so use it first."""
        self.fill_fixed(self.fixed(points), colour, alpha)

    def disc(
        self,
        centre: tuple[float, float],
        radii: tuple[float, float],
        colour: Colour,
        angle: float = 0.0,
    ) -> None:
        """Fill an ellipse; `angle` turns it clockwise, radians."""
        self.polygon(turn(oval(*radii), angle, centre), colour)

    def strokes(self, lines: Sequence[Points], colour: Colour, width: float) -> None:
        """Draw open lines of as many points each in one go; `width` in units of the canvas."""
        fixed = list(self.fixed(np.asarray(lines)))
        width_px = max(round(width * self.half_px), 1)
        cv2.polylines(self.rgba, fixed, False, (*colour, 255.0), width_px, cv2.LINE_AA, _SHIFT)

    def dots(self, centres: Points, colour: Colour, width: float) -> None:
        """Draw round dots in one go: lines without length."""
        self.strokes(list(np.repeat(centres[:, None], 2, axis=1)), colour, width)

    def fixed(self, points: Points) -> FixedPoints:
        """Turn coordinates of the canvas into OpenCV's fixed-point pixels."""
        scaled = (points + 1) * (self.half_px * (1 << _SHIFT))
        return np.rint(scaled).astype(np.int32)

    def fill_fixed(self, points: FixedPoints, colour: Colour, alpha: float = 1.0) -> None:
        """Fill an outline that is already in fixed-point pixels."""
        red, green, blue = colour
        ink = (red * alpha, green * alpha, blue * alpha, 255.0 * alpha)
        cv2.fillPoly(self.rgba, [points], ink, cv2.LINE_AA, _SHIFT)


def turn(points: Points, angle: float, centre: tuple[float, float] = (0.0, 0.0)) -> Points:
    """Rotate an outline about the origin (clockwise, radians), then move it to `centre`."""
    sine, cosine = math.sin(angle), math.cos(angle)
    turned: Points = points @ np.array([[cosine, sine], [-sine, cosine]]) + centre
    return turned


def move(points: Points, x: float, y: float) -> Points:
    """Shift an outline."""
    moved: Points = points + np.array([x, y])
    return moved


def oval(x_radius: float, y_radius: float, num_points: int = 24) -> Points:
    """Outline of an ellipse about the origin."""
    ellipse: Points = _circle(num_points) * (x_radius, y_radius)
    return ellipse


@functools.lru_cache(maxsize=16)
def _circle(num_points: int) -> Points:
    angles = np.linspace(0, 2 * np.pi, num_points, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def petals(
    lengths: Values,
    half_widths: Values,
    *,
    base: float = 0.6,
    tip: float = 0.4,
    bends: Values | float = 0.0,
) -> Points:
    """Outlines of petals or leaves that grow up from the origin.

    Half the width follows `t**base * (1 - t)**tip` for t from 0 (root) to 1 (end), scaled to its
    greatest value: a small `tip` gives a round end, 1 and more a pointed one.

    Args:
        lengths: From root to end, shape `(num_petals,)`.
        half_widths: At the widest place, shape `(num_petals,)`.
        base: How slowly they widen from the root.
        tip: How slowly they narrow to the end.
        bends: How far the ends lean to the right.

    Returns:
        Points, shape `(num_petals, 18, 2)`.
    """
    t, profile = _profile(base, tip)
    spine = np.reshape(bends, (-1, 1)) * t**2
    outlines = np.empty((len(lengths), len(t), 2))
    outlines[..., 0] = half_widths[:, None] * profile + spine
    outlines[..., 1] = -lengths[:, None] * t
    return outlines


def petal(
    length: float, half_width: float, *, base: float = 0.6, tip: float = 0.4, bend: float = 0.0
) -> Points:
    """Outline of one petal, shape `(18, 2)`: see `petals`."""
    one = petals(np.array([length]), np.array([half_width]), base=base, tip=tip, bends=bend)
    return one.reshape(-1, 2)


@functools.lru_cache(maxsize=64)
def _profile(base: float, tip: float) -> tuple[Values, Values]:
    """Place along the petal and signed half width, up one side and down the other."""
    # cosine spacing: more points where the outline turns fastest, at both ends
    t = (1 - np.cos(np.linspace(0, np.pi, 9))) / 2
    half = t**base * (1 - t) ** tip
    half /= half.max()
    return np.concatenate([t, t[::-1]]), np.concatenate([half, -half[::-1]])


def smooth(points: Sequence[tuple[float, float]], num_points: int = 32) -> Points:
    """Closed curve through the few given corners, rounded by a Catmull-Rom spline."""
    curve: Points = _spline(len(points), num_points) @ np.asarray(points, float)
    return curve


@functools.lru_cache(maxsize=32)
def _spline(num_knots: int, num_points: int) -> Values:
    """Weight of each knot at each point of a closed curve, shape (num_points, num_knots)."""
    position = np.linspace(0, num_knots, num_points, endpoint=False)
    index = position.astype(int)
    t = position - index
    shares = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
    weights = np.zeros((num_points, num_knots))
    for step, share in zip((-1, 0, 1, 2), shares, strict=True):
        weights[np.arange(num_points), (index + step) % num_knots] += share / 2
    return weights


def shaded_petals(
    layer: Layer,
    outlines: Points,
    angles: Values,
    foot: tuple[float, float],
    colours: Sequence[Colour],
    *,
    num_tones: int = 4,
) -> None:
    """Draw petals, each with a dark rim, a body, a lighter ridge and a shaded root.

    Args:
        layer: Canvas.
        outlines: As `petals` gives them, the roots at the origin.
        angles: Directions, radians clockwise from up, shape `(num_petals,)`.
        foot: Where their roots stand.
        colours: Of the bodies.
        num_tones: How many of the four to draw: small petals need fewer.
    """
    nested = outlines[:, None] * _NESTED[:num_tones, None, :2]  # (petals, tones, points, 2)
    sines, cosines = np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
    x, y = nested[..., 0], nested[..., 1]
    turned = np.stack([x * cosines - y * sines, x * sines + y * cosines], axis=-1) + foot
    for shells, colour in zip(layer.fixed(turned), colours, strict=True):
        for shell, tone in zip(shells, _NESTED[:, 2].tolist(), strict=False):
            layer.fill_fixed(shell, shade(colour, tone))
