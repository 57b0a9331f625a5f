import cv2
import numpy as np
import pytest

from components.common.errors import InputError
from components.train.curves import plot_history, plot_rounds

HISTORY = {
    "accuracy": [0.5, 0.8, 0.9],
    "loss": [1.2, 0.6, 0.3],
    "val_accuracy": [0.4, 0.7, 0.6],
    "val_loss": [1.3, 0.8, 0.9],
}


def decoded(png: bytes) -> np.ndarray:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB)


def first_epochs(count: int) -> dict[str, list[float]]:
    return {key: values[:count] for key, values in HISTORY.items()}


def test_panels_are_side_by_side_or_stacked():
    wide, narrow = decoded(plot_history(HISTORY)), decoded(plot_history(HISTORY, stacked=True))

    assert wide.shape[1] > 2 * wide.shape[0]
    assert narrow.shape[0] > narrow.shape[1]


def test_alpha_has_a_panel_of_its_own():
    with_alpha = {**HISTORY, "alpha": [0.5, 0.3, 0.1]}
    with_iou = {**with_alpha, "place_iou": [0.2, 0.5, 0.6], "val_place_iou": [0.2, 0.4, 0.5]}
    without = decoded(plot_history(HISTORY))

    wide, narrow = (decoded(plot_history(with_alpha, stacked=stacked)) for stacked in (False, True))

    assert wide.shape[1] == pytest.approx(without.shape[1] * 3 / 2, abs=2)
    assert narrow.shape[0] > 2 * narrow.shape[1]
    assert (wide.reshape(-1, 3) == [0x15, 0x80, 0x3D]).all(axis=1).sum() > 100
    assert plot_history(with_iou) != plot_history(with_alpha)


def test_alpha_of_another_length_is_refused():
    with pytest.raises(InputError, match="each with one number an epoch"):
        plot_history({**HISTORY, "alpha": [0.5]})


@pytest.mark.filterwarnings("error")
def test_rounds_are_drawn_also_where_a_level_is_not_measured():
    picture = decoded(plot_rounds({"easy": [0.5, 0.75], "hard": [None, 0.25]}))

    for colour in ([0x25, 0x63, 0xEB], [0xD9, 0x57, 0x14]):
        assert (picture.reshape(-1, 3) == colour).all(axis=1).any()


def test_picture_is_drawn_on_white_in_two_colours():
    picture = decoded(plot_history(HISTORY)).reshape(-1, 3)

    assert (picture[0] == 255).all()
    for colour in ([0x25, 0x63, 0xEB], [0xD9, 0x57, 0x14]):
        assert (picture == colour).all(axis=1).sum() > 100


def test_same_numbers_give_the_same_bytes():
    assert plot_history(HISTORY, best_epoch=2) == plot_history(HISTORY, best_epoch=2)


def test_best_epoch_is_marked():
    assert plot_history(HISTORY, best_epoch=2) != plot_history(HISTORY)
    assert plot_history(HISTORY, best_epoch=2) != plot_history(HISTORY, best_epoch=3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_a_run_that_diverged_is_still_drawn(value):
    history = {**HISTORY, "loss": [1.2, value, value], "val_loss": [value] * 3}

    assert decoded(plot_history(history, best_epoch=1)).size


@pytest.mark.filterwarnings("error")
def test_one_epoch_shows_as_a_dot():
    picture = decoded(plot_history(first_epochs(1)))

    in_axes = picture[100:400, 200:760].reshape(-1, 3)  # left panel, clear of the legend's text
    assert (in_axes == [0xD9, 0x57, 0x14]).all(axis=1).any()


@pytest.mark.filterwarnings("error")
def test_hundreds_of_epochs_are_drawn():
    assert decoded(plot_history({key: values * 100 for key, values in HISTORY.items()})).size


def test_arrays_do_as_well_as_lists():
    arrays = {key: np.array(values) for key, values in HISTORY.items()}

    assert plot_history(arrays) == plot_history(HISTORY)


@pytest.mark.parametrize(
    "history",
    [
        {},
        first_epochs(0),
        {"accuracy": [1.0], "loss": [0.1]},
        {**HISTORY, "val_loss": [1.0]},
    ],
)
def test_half_a_history_is_refused(history):
    with pytest.raises(InputError, match=r"`history` must have the keys .*Received: {"):
        plot_history(history)


@pytest.mark.parametrize("best_epoch", [0, 4])
def test_best_epoch_must_be_one_of_them(best_epoch):
    with pytest.raises(InputError, match=rf"must be in \[1, 3\]. Received: {best_epoch}"):
        plot_history(HISTORY, best_epoch=best_epoch)
