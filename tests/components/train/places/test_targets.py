from dataclasses import replace

import cv2
import numpy as np
import pytest

from components.augment.augmenter import Augmenter
from components.augment.policies import Policy, find_policy
from components.common.errors import DataError
from components.common.photos import PhotoSet
from components.train.material import Material
from components.train.places.targets import find_places, placed_batches

SIZE = 8  # pixels
LEFT_HALF = np.array([0, 0, 0.5, 1], np.float32)
FLIPPED = 32  # photos: among so many some are turned and some are not, whatever the seed


def photos_with(num_photos: int, *, box: np.ndarray | None = LEFT_HALF, mask: bool = True):
    """Photos that are white in the left half, where the object is; as a mask of 2 x 2 pixels."""
    images = np.zeros((num_photos, SIZE, SIZE, 3), np.uint8)
    images[:, :, : SIZE // 2] = 255
    encoded = cv2.imencode(".png", np.array([[1, 0], [1, 0]], np.uint8))[1].tobytes()
    return PhotoSet(
        images=images,
        labels=np.arange(num_photos, dtype=np.int32) % 2,
        boxes=np.tile(np.full(4, np.nan, np.float32) if box is None else box, (num_photos, 1)),
        filenames=tuple(f"{row}.png" for row in range(num_photos)),
        classes=("a", "b"),
        encoded_masks=(encoded if mask else None,) * num_photos,
    )


def batches(train: PhotoSet, validation: PhotoSet, *, place: str = "box"):
    return placed_batches(
        Material(
            train=train,
            validation=validation,
            policy=Policy(name="mirror", horizontal_flip=True),
        ),
        place=place,
        cells=4,
        channels=3,
        batch_size=8,
        seed=0,
    )


@pytest.mark.parametrize("place", ["box", "mask"])
def test_places_move_with_the_photos_in_every_epoch(place):
    train, _ = batches(photos_with(FLIPPED), photos_with(8), place=place)

    turned = []
    for epoch in range(2):
        for ((photos, truth),) in train.epoch(epoch):
            for photo, found in zip(photos, truth["place"], strict=True):
                is_left = photo[0, 0, 0] == 255
                turned.append(not is_left)
                if place == "box":
                    expected = [0, 0, 0.5, 1] if is_left else [0.5, 0, 1, 1]
                else:
                    row = [1, 1, 0, 0] if is_left else [0, 0, 1, 1]
                    expected = np.tile(row, (4, 1))[..., None]
                np.testing.assert_allclose(found, expected, atol=1e-5)

    assert 0 < sum(turned) < len(turned)
    assert turned[:FLIPPED] != turned[FLIPPED:]


def test_labels_stay_with_their_photos():
    marked = photos_with(16)
    marked.images[:, 0, :, 1] = np.arange(16)[:, None]  # each photo's row, whichever way it turns
    train, validation = batches(marked, marked)

    for some in (train, validation):
        for ((photos, truth),) in some.epoch(0):
            np.testing.assert_array_equal(truth["class"], photos[:, 0, 0, 1] % 2)


def test_validation_photos_stay_as_they_are():
    _, validation = batches(photos_with(8), photos_with(8))

    ((photos, truth),) = next(validation.epoch(0))

    assert (photos[:, :, 0] == 255).all()
    np.testing.assert_array_equal(truth["place"], np.tile(LEFT_HALF, (8, 1)))


@pytest.mark.parametrize("place", ["box", "mask"])
def test_place_that_has_left_the_photo_is_not_known(place):
    corner = np.array([0, 0, 0.125, 0.125], np.float32)
    photos = photos_with(64, box=corner)
    one = np.zeros((SIZE, SIZE), np.uint8)
    one[0, 0] = 1
    masks = (cv2.imencode(".png", one)[1].tobytes(),) * 64
    far = Policy(name="far", width_shift=0.5)
    find = find_places(
        replace(photos, encoded_masks=masks), place, 4, Augmenter(policy=far, seed=0)
    )

    gone = np.isnan(find(np.arange(64), 0)).reshape(64, -1).all(axis=1)

    assert 16 < gone.sum() < 48  # half of the shifts go left


def test_a_photo_without_a_mask_has_no_place_and_a_cell_holds_its_share_of_the_object():
    photos = photos_with(2)
    find = find_places(replace(photos, encoded_masks=(None, photos.encoded_masks[1])), "mask", 1)

    places = find(np.array([0, 1]), 0)

    assert np.isnan(places[0]).all()
    assert places[1].tolist() == [[[0.5]]]


@pytest.mark.parametrize(("place", "plural"), [("box", "boxes"), ("mask", "masks")])
@pytest.mark.parametrize("side", ["training", "validation"])
def test_photos_without_any_place_are_refused(place, plural, side):
    known, unknown = photos_with(4), photos_with(4, box=None, mask=False)
    sides = (unknown, known) if side == "training" else (known, unknown)

    message = rf"needs {plural}, and none of the 4 {side} photos has one\. Ingest a dataset with"
    with pytest.raises(DataError, match=message):
        batches(*sides, place=place)


def test_policy_that_changes_nothing_leaves_the_boxes():
    find = find_places(photos_with(2), "box", 4, Augmenter(policy=find_policy("none"), seed=0))

    np.testing.assert_allclose(find(np.arange(2), 0), np.tile(LEFT_HALF, (2, 1)), atol=1e-6)
