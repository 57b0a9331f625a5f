"""One photo under each part of a policy alone, from its one end to the other, for the preview."""

from __future__ import annotations

import math
from collections.abc import Callable

from components.augment import colour
from components.augment.draws import numbers
from components.augment.erasing import area, draw_rectangle, erase
from components.augment.mixing import Mixture, draw_patch, mix
from components.augment.policies import Policy
from components.augment.randaugment import MAX_MAGNITUDE, OPERATIONS, apply_operation
from components.augment.warp import Warp, apply_warp
from components.common.pixels import Photo

Steps = list[tuple[str, Photo]]  # caption and photo

AS_IS = "as it is"
SHARES = (1.0, 0.9, 0.7, 0.5)  # of the photo, where it is mixed with another


def draw_strips(
    policy: Policy, photo: Photo, partner: Photo, names: tuple[str, str]
) -> dict[str, Steps]:
    """Show what each part of a policy does, for the parts that it has.

    Args:
        policy: The policy.
        photo: Square, RGB, uint8.
        partner: Another one of the same size, for policies that mix.
        names: What the two show.

    Returns:
        By the policy's setting, photos with captions, from one end to the other.
    """
    strips: dict[str, Callable[[], Steps]] = {
        "rotation_degrees": lambda: _moves(
            photo, policy.rotation_degrees, "left", "right", "°", lambda v: Warp(rotation_degrees=v)
        ),
        "width_shift": lambda: _moves(
            photo, policy.width_shift, "left", "right", "%", lambda v: Warp(shift_x=v * len(photo))
        ),
        "height_shift": lambda: _moves(
            photo, policy.height_shift, "up", "down", "%", lambda v: Warp(shift_y=v * len(photo))
        ),
        "shear_degrees": lambda: _moves(
            photo, policy.shear_degrees, "left", "right", "°", lambda v: Warp(shear_degrees=v)
        ),
        "zoom": lambda: _moves(
            photo, policy.zoom, "smaller", "larger", "%", lambda v: Warp(zoom_x=1 + v, zoom_y=1 + v)
        ),
        "horizontal_flip": lambda: [
            (AS_IS, photo),
            ("mirrored", apply_warp(photo, Warp(flip=True))),
        ],
        "brightness": lambda: _colours(
            photo, policy.brightness, "darker", "brighter", "brightness"
        ),
        "contrast": lambda: _colours(photo, policy.contrast, "less", "more", "contrast"),
        "saturation": lambda: _colours(photo, policy.saturation, "less", "more", "saturation"),
        "hue_degrees": lambda: _steps(
            policy.hue_degrees, "back", "on", "°", lambda v: colour.jitter(photo, hue_degrees=v)
        ),
        "random_operations": lambda: _operations(photo, policy.random_magnitude),
        "erasing": lambda: _erasings(photo),
        "mixup_alpha": lambda: _mixtures(photo, partner, names, is_patch=False),
        "cutmix_alpha": lambda: _mixtures(photo, partner, names, is_patch=True),
    }
    return {setting: draw() for setting, draw in strips.items() if getattr(policy, setting)}


def _steps(most: float, low: str, high: str, unit: str, change: Callable[[float], Photo]) -> Steps:
    """Photos from -`most` to `most`, named by how far and to which side."""
    scale = 100 if unit == "%" else 1
    space = "\N{NO-BREAK SPACE}" if unit == "%" else ""
    return [
        (
            f"{scale * most * abs(part):.3g}{space}{unit} {low if part < 0 else high}"
            if part
            else AS_IS,
            change(part * most),
        )
        for part in (-1, -0.5, 0, 0.5, 1)
    ]


def _moves(
    photo: Photo, most: float, low: str, high: str, unit: str, warp: Callable[[float], Warp]
) -> Steps:
    # A warp says where to look in the original, so that the photo itself goes the other way.
    return _steps(most, low, high, unit, lambda v: apply_warp(photo, warp(-v)))


def _colours(photo: Photo, most: float, low: str, high: str, name: str) -> Steps:
    return _steps(most, low, high, "%", lambda v: colour.jitter(photo, **{name: 1 + v}))


def _operations(photo: Photo, magnitude: float) -> Steps:
    strength = magnitude / MAX_MAGNITUDE
    return [(name.replace("_", " "), apply_operation(photo, name, strength)) for name in OPERATIONS]


def _erasings(photo: Photo) -> Steps:
    height, width = photo.shape[:2]
    rng = numbers(0, 0, 0)
    rectangles = [draw_rectangle(height, width, rng) for _ in range(4)]
    steps = [(AS_IS, photo)]
    for rectangle in sorted(rectangles, key=area):
        share = area(rectangle) / (height * width)
        steps.append((f"{share:.0%} erased", erase(photo.copy(), rectangle, rng)))
    return steps


def _mixtures(photo: Photo, partner: Photo, names: tuple[str, str], *, is_patch: bool) -> Steps:
    size = len(photo)
    steps = []
    for number, wanted in enumerate(SHARES):
        patch = draw_patch(1 - wanted, size, numbers(0, 0, number)) if is_patch else None
        share = 1 - area(patch) / size**2 if patch else wanted
        mixed = mix(photo, partner, Mixture(share=share, patch=patch))
        steps.append((mixture_label(share, *names), mixed))
    return steps


def mixture_label(share: float, name: str, partner_name: str) -> str:
    """A mixed label in words: "70 % cat, 30 % dog"."""
    points = math.floor(100 * share + 0.5)
    if name == partner_name or points == 100:
        return name
    if points == 0:
        return partner_name
    space = "\N{NO-BREAK SPACE}"
    return f"{points}{space}% {name}, {100 - points}{space}% {partner_name}"
