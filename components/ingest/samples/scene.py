"""A photo of a drawn subject: pose, compositing, light, lens and sensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from components.ingest.samples.backdrop import fill, render_backdrop
from components.ingest.samples.layer import Image, Layer, Points, petal, turn
from components.ingest.samples.palette import GREENS, Colour, pick_of, shade

Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]  # xmin, ymin, xmax, ymax in [0, 1]

_OVERSAMPLING = 2  # the warped subject is this many times finer than the photo


@dataclass(frozen=True, kw_only=True)
class Subject:
    """How one class is drawn and how freely it is posed."""

    draw: Callable[[np.random.Generator, Layer], None]
    layer_px: int = 232  # side of the canvas
    reach: tuple[float, float] = (0.38, 0.54)  # half the canvas over the photo's shorter side
    focus: tuple[float, float] = (0.0, 0.0)  # point of the canvas that the photo is about
    margin: float = 1.8  # what stays inside the photo about the focus, in halves of the canvas
    max_turn_deg: float = 180.0
    min_squash: float = 0.66  # 1 is seen straight on, less is seen at a slant
    has_stem: bool = True


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A finished photo with the truth about its subject."""

    rgb: Image  # shape (height, width, 3)
    mask: Image  # shape (height, width): 1 on the subject, 0 elsewhere
    box: Box  # smallest box about the mask


def photograph(rng: np.random.Generator, subject: Subject, width: int, height: int) -> Picture:
    """Draw a subject in a random pose before a random background.

    Args:
        rng: Source of all chance in the photo.
        subject: What to draw.
        width: Pixels.
        height: Pixels.

    Returns:
        The photo, its mask and its box.
    """
    layer = Layer(subject.layer_px)
    subject.draw(rng, layer)
    view = _view(rng, subject, width, height)
    backdrop = render_backdrop(rng, width, height)
    if subject.has_stem:
        _draw_stem(rng, backdrop, view)
    colours, alpha = _project(layer, view, width, height)
    scene = _cast_shadow(rng, backdrop.astype(np.float32), alpha)
    scene *= _spread(1 - alpha)
    scene += _grain(rng, colours)
    mask = (alpha > 0.2).astype(np.uint8)  # low: the down of a dandelion is half transparent
    return Picture(rgb=_expose(rng, scene), mask=mask, box=box_of(mask))


def box_of(mask: Image) -> Box:
    """Find the smallest box about a mask, as fractions of its width and height.

    Raises:
        ValueError: If nothing is marked.
    """
    x, y, width, height = cv2.boundingRect(mask)
    if width == 0:
        raise ValueError(f"`mask` must mark some pixels. Received: all 0, shape={mask.shape}")
    rows, columns = mask.shape
    return (x / columns, y / rows, (x + width) / columns, (y + height) / rows)


def _view(rng: np.random.Generator, subject: Subject, width: int, height: int) -> Matrix:
    """Draw the homography, shape (3, 3), from the canvas's units to the photo's pixels."""
    scale = rng.uniform(*subject.reach) * min(width, height)
    turn_rad = np.deg2rad(rng.uniform(-subject.max_turn_deg, subject.max_turn_deg))
    slant, squash = rng.uniform(0, np.pi), rng.uniform(subject.min_squash, 1)
    tilt = _rotation(slant) @ np.diag([1.0, squash, 1.0]) @ _rotation(-slant)
    mirror = np.diag([rng.choice([-1.0, 1.0]), 1.0, 1.0])
    depth = np.eye(3)
    depth[2, :2] = rng.uniform(-0.15, 0.15, 2)  # one side of the subject is nearer than the other
    pixels = np.diag([scale, scale, 1.0])
    room = np.maximum([width - subject.margin * scale, height - subject.margin * scale], 0.0)
    x, y = np.array([width, height]) / 2 + rng.uniform(-0.5, 0.5, 2) * room
    to_focus = _shift(-subject.focus[0], -subject.focus[1])
    return _shift(x, y) @ pixels @ _rotation(turn_rad) @ tilt @ mirror @ depth @ to_focus


def _rotation(angle: float) -> Matrix:
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _shift(x: float, y: float) -> Matrix:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def _draw_stem(rng: np.random.Generator, backdrop: Image, view: Matrix) -> None:
    """Draw a stalk, and perhaps leaves, behind the subject and away from its foot."""
    colour, bend = pick_of(rng, GREENS), rng.uniform(-0.5, 0.5)
    along = np.linspace(0.2, 2.6, 12)
    points = _through(view, np.stack([bend * (along - 0.2) ** 2 * 0.3, along], axis=1))
    unit_px = float(np.hypot(*(points[1] - points[0]))) / (along[1] - along[0])
    width_px = unit_px * rng.uniform(0.05, 0.1)
    across = np.gradient(points, axis=0) @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    across *= width_px / np.linalg.norm(across, axis=1, keepdims=True)
    for side, tone in ((1.0, 0.7), (0.6, 1.15)):
        band = np.concatenate([points + across * side, (points - across * side)[::-1]])
        fill(backdrop, band, shade(colour, tone))
    for _ in range(rng.integers(3)):
        _draw_leaf(rng, backdrop, points[rng.integers(4, 9)], unit_px, shade(colour, 1.1))


def _draw_leaf(
    rng: np.random.Generator, backdrop: Image, root: Points, unit_px: float, colour: Colour
) -> None:
    length = unit_px * rng.uniform(0.8, 1.4)
    leaf = petal(
        length, length * rng.uniform(0.12, 0.22), tip=0.9, bend=rng.normal(0, 0.2) * length
    )
    angle, place = rng.uniform(0, 2 * np.pi), (float(root[0]), float(root[1]))
    for across, tone in ((1.0, 0.7), (0.8, 1.0), (0.07, 0.75)):
        fill(backdrop, turn(leaf * (across, 0.97), angle, place), shade(colour, tone))


def _through(view: Matrix, points: Points) -> Points:
    """Map points of the canvas, shape (num_points, 2), to pixels of the photo."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ view.T
    # points behind the viewer would come out mirrored: keep them far ahead instead
    result: Points = mapped[:, :2] / np.maximum(mapped[:, 2:], 0.2)
    return result


def _project(layer: Layer, view: Matrix, width: int, height: int) -> tuple[Floats, Floats]:
    """Warp the canvas into the photo.

    Returns:
        Colours already multiplied by alpha, shape `(height, width, 3)`, 0 to 255, and the alpha,
        shape `(height, width)`, 0 to 1.
    """
    fine = np.diag([_OVERSAMPLING, _OVERSAMPLING, 1.0])
    to_units = _shift(-1, -1) @ np.diag([1 / layer.half_px, 1 / layer.half_px, 1.0])
    size = (width * _OVERSAMPLING, height * _OVERSAMPLING)
    warped = cv2.warpPerspective(layer.rgba, fine @ view @ to_units, size)
    small = cv2.resize(warped, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small[..., :3], small[..., 3] / 255


def _cast_shadow(rng: np.random.Generator, backdrop: Floats, alpha: Floats) -> Floats:
    """Darken the background beside the subject, which lifts the subject off it."""
    height, width = alpha.shape
    move = np.array([[1.0, 0.0, rng.uniform(-1.2, 1.2)], [0.0, 1.0, rng.uniform(-1.2, 1.2)]])
    # a quarter of the size: a blurred shadow has no detail to lose
    small = cv2.resize(alpha, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    moved = cv2.warpAffine(small, move, (width // 4, height // 4))
    soft = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.5, 1.3))
    dark = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(backdrop * _spread(1 - rng.uniform(0.2, 0.6) * dark), np.float32)


def _spread(plane: npt.ArrayLike) -> Floats:
    """Repeat a plane for the three colours: quicker than to broadcast over the last axis."""
    one = np.asarray(plane, np.float32)
    return np.asarray(cv2.merge([one, one, one]), np.float32)


def _grain(rng: np.random.Generator, colours: Floats) -> Floats:
    """Give flat paint the uneven surface of fur or of a petal."""
    height, width = colours.shape[:2]
    noise = rng.standard_normal((height // 2 + 1, width // 2 + 1), np.float32)
    uneven = cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(colours * _spread(1 + rng.uniform(0.02, 0.1) * uneven), np.float32)


def _expose(rng: np.random.Generator, scene: Floats) -> Image:
    """Light the scene and take it through lens and sensor."""
    height, width = scene.shape[:2]
    light = _light(rng, height, width)
    tint = rng.normal(1, 0.045, 3).astype(np.float32)
    lit = scene * cv2.merge([light * channel for channel in tint])
    blur_px = rng.uniform(0.0, 0.8)
    if blur_px > 0.3:
        lit = cv2.GaussianBlur(lit, (0, 0), blur_px)
    # a film's shoulder: whites near the limit are pressed together rather than cut off
    lit = np.minimum(lit, 120 + 0.4 * lit)
    # noise in lightness only: JPEG drops most of that in colour
    lit += _spread(rng.standard_normal((height, width), np.float32) * rng.uniform(1, 7))
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _light(rng: np.random.Generator, height: int, width: int) -> Floats:
    """Strength of the light at each pixel: a gain, a gradient, and at times the edge of a shade."""
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    angle = rng.uniform(0, 2 * np.pi)
    ramp = x * np.cos(angle) + y * np.sin(angle)
    light = rng.uniform(0.78, 1.2) * (1 + rng.uniform(0.0, 0.3) * ramp)
    if rng.random() < 0.3:
        across = x * np.cos(2 * angle) + y * np.sin(2 * angle) - rng.uniform(-0.8, 0.8)
        light *= 1 - rng.uniform(0.15, 0.45) / (1 + np.exp(-across * rng.uniform(6, 30)))
    return np.asarray(light, np.float32)
