from dataclasses import replace

import cv2
import numpy as np
import pytest

from components.common.errors import InputError
from components.common.photos import PhotoSet
from components.evaluate.metrics import PlaceScore
from components.evaluate.place import box_ious, draw_examples, judge_places, score_places

SIZE = 16  # pixels
NAN = float("nan")
# Against the whole photo: all of it, half of it, and a quarter of it.
BOXES = np.array([[0, 0, 1, 1], [0, 0, 0.5, 1], [0, 0, 0.5, 0.5]], np.float32)


def photos_with(boxes, masks=()) -> PhotoSet:
    return PhotoSet(
        images=np.full((len(boxes), SIZE, SIZE, 3), 90, np.uint8),
        labels=np.zeros(len(boxes), np.int32),
        boxes=np.array(boxes, np.float32),
        filenames=tuple(f"{row}.png" for row in range(len(boxes))),
        classes=("a", "b"),
        encoded_masks=tuple(masks),
    )


def encode(mask) -> bytes:
    return cv2.imencode(".png", np.array(mask, np.uint8))[1].tobytes()


def test_iou_of_boxes():
    truth = [[0, 0, 1, 1], [0, 0, 0.5, 1], [0, 0, 0.5, 0.5], [NAN] * 4]
    # The second is shifted by half its width: 1/4 shared of 3/4; the third lies elsewhere.
    said = [[0, 0, 1, 1], [0.25, 0, 0.75, 1], [0.5, 0.5, 1, 1], [0, 0, 1, 1]]

    np.testing.assert_allclose(box_ious(np.array(truth), np.array(said)), [1, 1 / 3, 0, NAN])


def test_score_is_over_the_photos_whose_place_is_known():
    photos = photos_with([[0, 0, 1, 1]] * 3 + [[NAN] * 4])
    said = np.concatenate([BOXES, BOXES[:1]])

    score = score_places(said, judge_places(said, photos))

    assert score == PlaceScore(
        kind="box", num_photos=3, mean_iou=pytest.approx(1.75 / 3), found=pytest.approx(2 / 3)
    )


def test_without_any_true_place_there_is_no_score():
    photos = photos_with([[NAN] * 4] * 3)

    assert score_places(BOXES, judge_places(BOXES, photos)) is None
    assert draw_examples(BOXES, judge_places(BOXES, photos), photos, most=4) == []


def test_masks_are_compared_at_the_size_of_the_photos():
    # Truth: the left half, as two pixels; the second photo has none.
    photos = photos_with([[NAN] * 4] * 2, [encode([[1, 0]]), None])
    left = np.repeat([[0.9, 0.9, 0.1, 0.1]], 4, axis=0)
    said = np.stack([left, left])[..., None].astype(np.float32)

    ious = judge_places(said, photos)

    assert ious[0] == 1
    assert np.isnan(ious[1])
    score = score_places(said, ious)
    assert (score.kind, score.num_photos, score.found) == ("mask", 1, 1)


def test_examples_go_from_the_worst_to_the_best_evenly():
    photos = photos_with([[0, 0, 1, 1]] * 5)
    said = np.array([[0, 0, right, 1] for right in (0.5, 1, 0.25, 0.75, 0.9)], np.float32)

    examples = draw_examples(said, judge_places(said, photos), photos, most=3)

    assert [example.filename for example in examples] == ["2.png", "3.png", "1.png"]
    assert [example.iou for example in examples] == pytest.approx([0.25, 0.75, 1])


@pytest.mark.parametrize("kind", ["box", "mask"])
def test_true_and_predicted_places_are_drawn_in_two_colours(kind):
    photos = photos_with([[0.1, 0.1, 0.6, 0.6]], [encode(np.tri(8))])
    if kind == "box":
        said = np.array([[0.3, 0.3, 0.9, 0.9]], np.float32)
    else:
        said = np.ones((1, 4, 4, 1), np.float32)

    (example,) = draw_examples(said, np.array([0.5]), photos, most=4)

    pixels = example.photo.reshape(-1, 3)
    for colour in ([37, 99, 235], [251, 146, 60]):
        assert (pixels == colour).all(axis=1).sum() > 100


def test_one_place_a_photo_is_asked_for():
    photos = photos_with([[0, 0, 1, 1]])

    with pytest.raises(InputError, match=r"of 1 photos\. Received: shape=\(3, 4\)"):
        judge_places(BOXES, photos)


def test_photos_without_masks_have_none():
    photos = replace(photos_with([[0, 0, 1, 1]]), encoded_masks=())

    assert photos.mask(0) is None
