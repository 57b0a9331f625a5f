import cv2
import numpy as np
import pytest

from components.augment.randaugment import (
    COLOURS,
    MOVES,
    OPERATIONS,
    apply_operation,
    draw_operations,
)
from components.augment.warp import Warp, to_affine
from components.common.affine import IDENTITY


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    coarse = np.random.default_rng(1).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_LINEAR)


def test_the_list_is_that_of_the_paper():
    assert len(OPERATIONS) == 14
    assert set(OPERATIONS) == {
        *("identity", "autocontrast", "equalize", "rotate", "solarize", "color", "posterize"),
        *("contrast", "brightness", "sharpness", "shear_x", "shear_y"),
        *("translate_x", "translate_y"),
    }


def test_each_operation_is_drawn_as_often_as_the_others(monkeypatch):
    drawn = []
    for name in OPERATIONS:
        table = MOVES if name in MOVES else COLOURS
        monkeypatch.setitem(table, name, _remember(name, drawn, is_move=name in MOVES))
    rng = np.random.default_rng(0)

    for _ in range(1400):
        _, recolours = draw_operations(2, 9, 10, 10, rng)
        for recolour in recolours:
            recolour(np.zeros((1, 1, 3), np.uint8))

    names, strengths = zip(*drawn, strict=True)
    counts = [names.count(name) for name in OPERATIONS]
    # 200 each; 5 times sqrt(2,800 x 1/14 x 13/14) = 68.
    assert sum(counts) == 2800
    assert max(abs(count - 200) for count in counts) <= 68
    # Magnitude 9 of 30, to either side.
    assert set(np.round(strengths, 9)) == {0.3, -0.3}
    assert abs(sum(strength > 0 for strength in strengths) - 1400) <= 5 * np.sqrt(2800 / 4)


def _remember(name: str, drawn: list, *, is_move: bool):
    def move(strength, height, width):
        drawn.append((name, strength))
        return IDENTITY

    def recolour(photo, strength):
        drawn.append((name, strength))
        return photo

    return move if is_move else recolour


def test_moves_are_as_strong_as_magnitude_says():
    # At strength -1: 30 degrees, 0.3, and 150 of 331 of the side.
    assert MOVES["rotate"](-1, 20, 20) == to_affine(Warp(rotation_degrees=-30), 20, 20)
    assert MOVES["translate_x"](-1, 20, 331)(0, 0) == pytest.approx((-150, 0))
    assert MOVES["translate_y"](1, 331, 20)(0, 0) == pytest.approx((0, 150))
    assert MOVES["shear_x"](1, 21, 21)(10, 20) == pytest.approx((13, 20))  # 10 below the centre
    assert MOVES["shear_y"](1, 21, 21)(20, 10) == pytest.approx((20, 13))


def test_two_moves_are_joined_in_the_order_drawn(monkeypatch):
    # First the photo is moved to the right, then turned about its centre: not the other way round.
    monkeypatch.setattr("components.augment.randaugment.OPERATIONS", ("translate_x", "rotate"))
    rng = _Fixed(chosen=[0, 1], coins=[0.9, 0.9])  # to either side: the second

    moved, recolours = draw_operations(2, 30, 101, 101, rng)

    translate = to_affine(Warp(shift_x=-150 / 331 * 101), 101, 101)
    rotate = to_affine(Warp(rotation_degrees=-30), 101, 101)
    # Places are followed backwards: from the result through the turn into the moved photo.
    assert moved(10, 20) == pytest.approx(translate(*rotate(10, 20)))
    assert recolours == []


class _Fixed:
    """Gives numbers that are known."""

    def __init__(self, *, chosen: list[int], coins: list[float]) -> None:
        self._chosen, self._coins = chosen, iter(coins)

    def integers(self, high: int, size: int) -> list[int]:
        return self._chosen

    def random(self) -> float:
        return next(self._coins)


OF_A_STRENGTH = sorted(set(OPERATIONS) - {"autocontrast", "equalize"})


@pytest.mark.parametrize("name", OF_A_STRENGTH)
def test_without_strength_nothing_moves_and_factors_are_1(name, photo):
    changed = apply_operation(photo, name, 0.0).astype(int)

    # Solarizing from 255 on turns white black, and nothing else.
    assert np.abs(changed - photo)[photo < 255].max() <= 1


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "identity"])
def test_each_operation_changes_a_photo(name, photo):
    changed = apply_operation(photo, name, 0.5)

    assert changed.shape == photo.shape
    assert changed.dtype == np.uint8
    assert (changed != photo).any()


def test_posterizing_and_solarizing_grow_with_the_magnitude():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)

    # 8 - 4 bits leave 16 values; 8 - round(4 x 0.3) bits leave 128.
    assert len(np.unique(apply_operation(ramp, "posterize", 1.0))) == 16
    assert len(np.unique(apply_operation(ramp, "posterize", 0.3))) == 128
    # From 255 x (1 - 0.3) = 178.5 on.
    solarized = apply_operation(ramp, "solarize", 0.3)[0, :, 0].tolist()
    assert solarized[:179] == list(range(179))
    assert solarized[179:] == list(range(76, -1, -1))
