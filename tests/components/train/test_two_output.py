"""Class and place of a bright square on a dark photo: `small` or `large`, anywhere."""

import json
import subprocess
import sys

import cv2
import keras
import numpy as np
import pytest

from components.augment.policies import find_policy
from components.common.photos import PhotoSet
from components.train.material import Material
from components.train.settings import TrainSettings
from components.train.train import make_deterministic, start_network
from components.train.two_output import fit_two_outputs

SIZE = 32  # pixels

LOAD = """
import json, sys
import keras, numpy as np
model = keras.saving.load_model(sys.argv[1], compile=False)
said = model.predict_on_batch(np.load(sys.argv[2]))
assert not any(name.startswith("components") for name in sys.modules)
print(json.dumps({name: np.asarray(value).tolist() for name, value in said.items()}))
"""


def draw_squares(num_photos: int, *, seed: int) -> PhotoSet:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 40, (num_photos, SIZE, SIZE, 3)).astype(np.uint8)
    boxes, masks = np.empty((num_photos, 4), np.float32), []
    labels = np.arange(num_photos, dtype=np.int32) % 2
    for row, label in enumerate(labels.tolist()):
        side = (8, 16)[label]
        left, top = rng.integers(0, SIZE - side + 1, 2).tolist()
        images[row, top : top + side, left : left + side] = 220
        mask = np.zeros((SIZE, SIZE), np.uint8)
        mask[top : top + side, left : left + side] = 1
        boxes[row] = np.array([left, top, left + side, top + side]) / SIZE
        masks.append(cv2.imencode(".png", mask)[1].tobytes())
    return PhotoSet(
        images=images,
        labels=labels,
        boxes=boxes,
        filenames=tuple(f"{row}.png" for row in range(num_photos)),
        classes=("small", "large"),
        encoded_masks=tuple(masks),
    )


def train(*, epochs: int = 2, num_photos: int = 16, **settings):
    chosen = TrainSettings(
        architecture="two_output", image_size=SIZE, epochs=epochs, batch_size=8, **settings
    ).resolved()
    make_deterministic(0)
    network, _ = start_network(chosen, ("small", "large"))
    material = Material(
        train=draw_squares(num_photos, seed=1),
        validation=draw_squares(8, seed=2),
        policy=find_policy("none"),
    )
    return network, fit_two_outputs(network, material, chosen)


@pytest.fixture(scope="module", params=["box", "mask"])
def trained(request):
    return request.param, *train(epochs=8, num_photos=64, place=request.param)


def test_both_outputs_learn(trained):
    _, _, fitted = trained
    history = fitted.history

    assert history["val_class_loss"][fitted.best_epoch] < history["val_class_loss"][0]
    assert history["place_iou"][-1] > history["place_iou"][0] + 0.1
    assert history["class_loss"][-1] < history["class_loss"][0]


def test_history_has_both_losses_and_alpha_and_the_loss_is_their_sum(trained):
    history = trained[2].history
    usual = {"loss", "accuracy", "class_loss", "place_loss", "place_iou"}

    assert set(history) == usual | {f"val_{name}" for name in usual} | {"alpha"}
    assert {len(values) for values in history.values()} == {8}
    for prefix in ("", "val_"):
        total = np.add(history[f"{prefix}class_loss"], history[f"{prefix}place_loss"])
        np.testing.assert_allclose(history[f"{prefix}loss"], total, rtol=1e-5)


def test_weights_are_those_of_the_epoch_with_the_least_sum(trained):
    place, network, fitted = trained
    photos = draw_squares(8, seed=2)

    said = network.assemble(mirror_averaging=False).predict_on_batch(
        photos.images.astype(np.float32)
    )

    of_truth = said["class"][np.arange(8), photos.labels]
    kept = fitted.history["val_class_loss"][fitted.best_epoch]
    assert fitted.best_epoch == int(np.argmin(fitted.history["val_loss"]))
    assert -np.log(of_truth).mean() == pytest.approx(kept, rel=1e-2)
    assert said["place"].shape == ((8, 4) if place == "box" else (8, 8, 8, 1))


def test_prediction_model_loads_alone_without_this_project(trained, tmp_path):
    _, network, _ = trained
    photos = draw_squares(3, seed=3).images.astype(np.float32)
    model = network.assemble(mirror_averaging=True)
    expected = model.predict_on_batch(photos)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "photos.npy", photos)

    loaded = subprocess.run(
        [sys.executable, "-c", LOAD, tmp_path / "model.keras", tmp_path / "photos.npy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    said = json.loads(loaded.stdout)
    assert set(said) == {"class", "place"}
    for name, value in said.items():
        np.testing.assert_allclose(value, expected[name], atol=1e-5)


def test_saved_model_names_both_outputs(trained, tmp_path):
    import tensorflow as tf

    _, network, _ = trained
    photos = draw_squares(2, seed=3).images.astype(np.float32)
    model = network.assemble(mirror_averaging=True)
    model.export(tmp_path / "saved", verbose=False)

    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    said = loaded.serve(photos)

    assert set(said) == {"class", "place"}
    np.testing.assert_allclose(said["place"], model.predict_on_batch(photos)["place"], atol=1e-5)


def test_mirror_averaging_sees_no_difference_in_the_mirror(trained):
    place, network, _ = trained
    model = network.assemble(mirror_averaging=True)
    photos = draw_squares(2, seed=4).images.astype(np.float32)

    one, other = (model.predict_on_batch(view) for view in (photos, photos[:, :, ::-1]))

    np.testing.assert_allclose(one["class"], other["class"], atol=1e-5)
    if place == "box":
        back = np.stack(
            [
                1 - other["place"][:, 2],
                other["place"][:, 1],
                1 - other["place"][:, 0],
                other["place"][:, 3],
            ],
            axis=1,
        )
    else:
        back = other["place"][:, :, ::-1]
    np.testing.assert_allclose(one["place"], back, atol=1e-5)


@pytest.mark.parametrize("name", ["fixed", "scheduled", "trained", "uncertainty"])
def test_alpha_moves_but_where_it_is_fixed_and_stays_in_0_to_1(name):
    _, fitted = train(epochs=3, loss_weighting=name)
    alphas = fitted.history["alpha"]

    assert len(alphas) == 3
    assert all(0 <= alpha <= 1 for alpha in alphas)
    assert (len(set(alphas)) == 1) == (name == "fixed")


def test_training_twice_gives_the_same_weights():
    first, second = (train()[0].head.get_weights() for _ in range(2))

    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_gray_photos_of_an_odd_size_do_as_well():
    settings = TrainSettings(architecture="two_output", image_size=45, channels=1).resolved()

    network, _ = start_network(settings, ("small", "large"))

    said = network.assemble(mirror_averaging=False).predict_on_batch(
        np.zeros((2, 45, 45, 1), np.float32)
    )
    assert network.backbone.output_shape == (None, 6, 6, 192)
    assert keras.ops.shape(said["place"]) == (2, 4)
