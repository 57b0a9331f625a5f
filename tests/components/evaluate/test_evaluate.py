import base64
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from components.common.dataset import DatasetWriter, Part
from components.common.errors import DataError
from components.common.model import ModelFolder
from components.common.records import PhotoRecord
from components.common.registry import CHAMPION, open_registry
from components.evaluate.evaluate import evaluate_model, predict
from components.evaluate.metrics import Evaluation
from components.train.curves import plot_history

SIZE = 8  # pixels
HISTORY = {key: [0.5, 0.25] for key in ("accuracy", "loss", "val_accuracy", "val_loss")}
# Grey levels of the test photos. A model that splits at 128 takes the third for noon and the last
# for dusk: 4 of 6 are right.
DUSK, NOON = [0, 64, 160], [255, 192, 96]


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    """One new registry; each test has a model name of its own in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAWPETAL_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """The test photos: three a class, each of one grey."""
    folder = tmp_path_factory.mktemp("test")
    writer = DatasetWriter(folder, ("dusk", "noon"))
    for label, (class_name, greys) in enumerate((("dusk", DUSK), ("noon", NOON))):
        for grey in greys:
            encoded = cv2.imencode(".png", np.full((SIZE, SIZE, 3), grey, np.uint8))[1].tobytes()
            writer.add(
                PhotoRecord(
                    encoded=encoded,
                    format="png",
                    height=SIZE,
                    width=SIZE,
                    label=label,
                    class_name=class_name,
                    filename=f"{class_name}/{grey}.png",
                    sha256=hashlib.sha256(encoded).hexdigest(),
                    box=(0.0, 0.0, 1.0, 1.0) if class_name == "noon" else None,
                )
            )
    writer.finish(
        name="daytime",
        source="drawn://daytime",
        part=Part(split="test", dataset_digest="whole", rule="all"),
    )
    return folder


def write_model(
    folder: Path,
    *,
    threshold: float = 128.0,
    classes: tuple[str, str] = ("dusk", "noon"),
    size: int = 4,
    history: dict[str, list[float]] | None = None,
    says_place: bool = False,
) -> Path:
    """A model that takes photos brighter than the threshold for the class at 1.

    The place that it says is the upper half of every photo.
    """
    inputs = keras.Input((size, size, 3))
    outputs = keras.layers.Dense(2, activation="softmax")
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    said = outputs(pooled)
    if says_place:
        zero = pooled[:, :1] * 0
        sides = [zero, zero, zero + 1, zero + 0.5]
        said = {"class": said, "place": keras.layers.Concatenate()(sides)}
    model = keras.Model(inputs, said)
    # The softmax of (0, 0.01 (mean - threshold)) is the logistic function of the second.
    kernel = np.zeros((3, 2), np.float32)
    kernel[:, 1] = 0.01 / 3
    outputs.set_weights([kernel, np.array([0, -0.01 * threshold], np.float32)])
    folder.mkdir(parents=True)
    model.save(folder / "model.keras")
    settings = {"architecture": "grey", "image_size": size, "classes": classes, "best_epoch": 2}
    ModelFolder(folder).write(settings=settings, history=history or {}, plot=b"")
    return folder


@pytest.fixture(scope="module")
def judged(tmp_path_factory, photos) -> tuple[Path, Evaluation]:
    """A model that was evaluated with no champion beside it: where, and its scores."""
    root = tmp_path_factory.mktemp("judged")
    model = write_model(root / "model", history=HISTORY)
    return root, evaluate_model(
        model, photos, root / "evaluation", root / "report.html", model_name="a name"
    )


@pytest.fixture(scope="module")
def record(judged) -> dict[str, Any]:
    return read_record(judged[0])


def read_record(root: Path) -> dict[str, Any]:
    return json.loads((root / "evaluation" / "evaluation.json").read_text())


@pytest.fixture
def evaluate(tmp_path, photos, request):
    """Evaluates a model that splits at 128 beside the champion, and gives `evaluation.json`."""

    def call(**model: Any) -> dict[str, Any]:
        evaluate_model(
            write_model(tmp_path / "model", **model),
            photos,
            tmp_path / "evaluation",
            tmp_path / "report.html",
            model_name=request.node.name,
        )
        return read_record(tmp_path)

    return call


@pytest.fixture
def crown(tmp_path, request):
    """Registers a model as the champion."""

    def call(**settings):
        folder = write_model(tmp_path / "champion", **settings)
        registry = open_registry("")
        version = registry.register(
            request.node.name, folder, digest="champion", metrics={}, labels={}
        )
        registry.set_alias(version, CHAMPION)
        shutil.rmtree(folder)
        return version

    return call


def test_scores_are_those_worked_out_by_hand(record):
    # Logits of the truth are 1.28, 0.64, -0.32 for dusk and 1.27, 0.64, -0.32 for noon.
    logits = np.array([1.28, 0.64, -0.32, 1.27, 0.64, -0.32])
    assert record["loss"] == pytest.approx(np.log1p(np.exp(-logits)).mean(), rel=1e-5)
    assert record["accuracy"] == pytest.approx(4 / 6)
    assert record["macro_f1"] == pytest.approx(2 / 3)
    assert record["confusion"] == [[2, 1], [1, 2]]
    assert record["num_photos"] == 6
    assert record["classes"] == ["dusk", "noon"]


def test_first_model_has_no_champion_to_beat(record):
    assert record["champion"] is None


def test_record_tells_the_name_and_the_photos_and_can_be_read_again(judged, record, photos):
    scores = {**record}
    manifest = json.loads((photos / "manifest.json").read_text())

    assert scores.pop("test_digest") == manifest["digest"]
    assert scores.pop("model_name") == "a name"
    assert scores.pop("gain") == 1  # as there is no champion
    assert Evaluation.from_json(scores) == judged[1]


def test_model_without_a_name_takes_that_of_the_dataset(tmp_path, photos):
    model = write_model(tmp_path / "model")

    evaluate_model(model, photos, tmp_path / "evaluation", tmp_path / "report.html")

    assert read_record(tmp_path)["model_name"] == "daytime"


def test_report_is_a_page_that_names_classes_and_mistakes(judged):
    page = (judged[0] / "report.html").read_text()

    assert page.lstrip().lower().startswith("<!doctype html>")
    for words in ("a name", "dusk", "noon", "dusk/160.png", "noon/96.png"):
        assert words in page
    assert "dusk/0.png" not in page  # no mistake


def test_report_shows_the_curves_with_the_epoch_that_was_kept(judged):
    picture = base64.b64encode(plot_history(HISTORY, best_epoch=2)).decode()

    assert picture in (judged[0] / "report.html").read_text()


def test_predictions_are_probabilities_in_the_order_of_the_photos(tmp_path):
    model = write_model(tmp_path / "model")
    images = np.full((3, 4, 4, 3), 128, np.uint8)
    images[2] = 228  # a logit of 1

    probabilities = predict(model, images)

    noon = 1 / (1 + np.exp(-1))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, [[0.5, 0.5], [0.5, 0.5], [1 - noon, noon]], atol=1e-6)


def test_many_photos_are_predicted_in_batches(tmp_path):
    model = write_model(tmp_path / "model")
    images = np.zeros((130, 4, 4, 3), np.uint8)  # two batches of 64 and one of 2
    images[[0, 63, 64, 129]] = 255

    assert np.flatnonzero(predict(model, images).argmax(axis=1)).tolist() == [0, 63, 64, 129]


def test_champion_is_scored_on_the_same_photos(evaluate, crown):
    crown(threshold=100)  # takes 160 for noon, 96 for dusk, as we do

    record = evaluate()

    assert record["champion"] == {
        "version": "1",
        "accuracy": pytest.approx(4 / 6),
        "num_photos": 6,
    }


def test_champion_is_scored_at_its_own_image_size(evaluate, crown):
    crown(threshold=80, size=6)  # finds all of noon and 0 and 64 of dusk

    record = evaluate()

    assert record["champion"]["accuracy"] == pytest.approx(5 / 6)


def test_champion_with_classes_in_another_order_is_compared_by_name(evaluate, crown):
    crown(classes=("noon", "dusk"))  # takes bright photos for dusk: only 160 and 96 are right

    record = evaluate()

    assert record["champion"]["accuracy"] == pytest.approx(2 / 6)


def test_champion_that_does_not_know_a_class_gets_its_photos_wrong(evaluate, crown):
    crown(classes=("night", "noon"))  # right for 255 and 192 alone

    record = evaluate()

    assert record["champion"]["accuracy"] == pytest.approx(2 / 6)


def test_champion_whose_files_are_gone_is_left_out(evaluate, crown, capsys):
    version = crown()
    shutil.rmtree(version.source.removeprefix("file://"))

    record = evaluate()

    assert record["champion"] is None
    assert record["accuracy"] == pytest.approx(4 / 6)
    assert "the champion cannot be compared with: The files of" in capsys.readouterr().out


@pytest.mark.parametrize("file", ["settings.json", "model.keras"])
def test_champion_that_lost_one_of_its_files_is_left_out(evaluate, crown, capsys, file):
    version = crown()
    Path(version.source.removeprefix("file://"), file).unlink()

    record = evaluate()

    assert record["champion"] is None
    assert record["gain"] == -1  # it opens no gate
    assert record["champion_problem"].startswith("the champion cannot be compared with")
    assert "the champion cannot be compared with" in capsys.readouterr().out


def test_place_is_scored_where_the_true_one_is_known_and_the_class_as_ever(evaluate):
    record = evaluate(says_place=True)

    # The upper half of the whole photo, which is the true box of noon; dusk has none.
    assert record["place"] == {"kind": "box", "num_photos": 3, "mean_iou": 0.5, "found": 1.0}
    assert record["accuracy"] == pytest.approx(4 / 6)


def test_model_that_says_no_place_has_no_score_for_it(record):
    assert record["place"] is None


@pytest.mark.parametrize("says_place", [False, True])
def test_champion_of_either_kind_is_scored(evaluate, crown, says_place):
    crown(threshold=80, says_place=says_place)

    record = evaluate(says_place=not says_place)

    assert record["champion"]["accuracy"] == pytest.approx(5 / 6)


def test_other_aliases_and_versions_are_no_champion(evaluate, crown):
    version = crown()
    registry = open_registry("")
    registry._client.delete_registered_model_alias(version.model_name, CHAMPION)
    registry.set_alias(version, "candidate")

    record = evaluate()

    assert record["champion"] is None


def test_folder_that_is_no_model_is_refused(tmp_path, photos):
    with pytest.raises(DataError, match=r"holds no settings\.json: it is no complete model"):
        evaluate_model(tmp_path, photos, tmp_path / "evaluation", tmp_path / "report.html")
