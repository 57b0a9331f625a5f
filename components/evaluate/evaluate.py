"""Judge a model on test photos only, beside the champion on the very same photos."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from components.common.errors import DataError, RegistryError
from components.common.manifest import Manifest
from components.common.model import MODEL_FILE, ModelFolder
from components.common.photos import Images, PhotoSet, as_input, load_photos
from components.common.progress import Meter, report, report_result
from components.common.registry import CHAMPION, Registry, open_registry
from components.common.scores import SCORES
from components.common.storage import write_atomically
from components.evaluate.metrics import (
    ChampionScore,
    Evaluation,
    PlaceScore,
    evaluate_predictions,
    worst_mistakes,
)
from components.evaluate.place import (
    PlaceExample,
    draw_examples,
    judge_places,
    score_places,
)
from components.evaluate.report import Mistake, render_report

BATCH = 8  # photos at once: their activations stay in cache, 1.6 times faster than 64
MOST_MISTAKES = 24
MOST_EXAMPLES = 12  # of places
FILE_NAME = "evaluation.json"


def evaluate_model(
    model: Path,
    test: Path,
    folder: Path,
    report_page: Path,
    *,
    model_name: str = "",
    registry: str = "",
) -> Evaluation:
    """Score a model on the test photos and write the report.

    Args:
        model: Model folder.
        test: Dataset folder of the test photos.
        folder: Where `evaluation.json` is written.
        report_page: Where the report is written.
        model_name: Name in the registry; empty takes the dataset's.
        registry: Where a champion to compare with may be; empty takes the usual place.

    Returns:
        The scores.
    """
    trained = ModelFolder(model)
    settings = trained.settings()
    name = model_name or Manifest.load(test).name
    says_masks = settings.get("place") == "mask"
    with load_photos(test, settings["image_size"], masks=says_masks) as photos:
        probabilities, places = predict_with_places(model, photos.images)
        evaluation = evaluate_predictions(probabilities, photos.labels, photos.classes)
        mistakes = _mistakes(probabilities, photos)
        place, examples = _judge_places(places, photos) if places is not None else (None, [])
    champion, problem = _score_champion(open_registry(registry), name, test)
    evaluation = replace(evaluation, champion=champion, champion_problem=problem, place=place)
    page = render_report(
        evaluation,
        model_name=name,
        settings=settings,
        history=trained.history(),
        mistakes=mistakes,
        best_epoch=settings["best_epoch"],
        place_examples=examples,
        transfers=trained.transfers(),
        rounds=trained.rounds(),
    )
    write_atomically(report_page, page.encode())
    record = {
        "model_name": name,
        "test_digest": Manifest.load(test).digest,
        **evaluation.to_json(),
        "gain": evaluation.gain,
    }
    write_atomically(folder / FILE_NAME, json.dumps(record, indent=2).encode())
    report_result({name: record[name] for name in (*SCORES, "num_photos", "gain")})
    report(f"accuracy {evaluation.accuracy:.3f} on {evaluation.num_photos} test photos")
    return evaluation


def predict(model: Path, images: Images) -> np.ndarray:
    """Class probabilities of photos.

    Args:
        model: Model folder.
        images: RGB photos in [0, 255], shape `(n, size, size, 3)`.

    Returns:
        Shape `(n, classes)`.
    """
    return predict_with_places(model, images)[0]


def predict_with_places(model: Path, images: Images) -> tuple[np.ndarray, np.ndarray | None]:
    """Class probabilities of photos and, of a model that says it, where the object is.

    Args:
        model: Model folder.
        images: RGB photos in [0, 255], shape `(n, size, size, 3)`.

    Returns:
        Probabilities `(n, classes)`, and boxes `(n, 4)` or masks `(n, cells, cells, 1)` or None.
    """
    network = keras.saving.load_model(model / MODEL_FILE, compile=False)
    channels = network.input_shape[-1]
    meter = Meter("judged", len(images))
    probabilities, places = [], []
    for start in range(0, len(images), BATCH):
        batch = as_input(images[start : start + BATCH], channels)
        outputs = network.predict_on_batch(batch)
        if not isinstance(outputs, dict):
            outputs = {"class": outputs}
        probabilities.append(keras.ops.convert_to_numpy(outputs["class"]))
        if "place" in outputs:
            places.append(keras.ops.convert_to_numpy(outputs["place"]))
        meter.show(start + len(batch))
    return np.concatenate(probabilities), np.concatenate(places) if places else None


def _score_champion(registry: Registry, name: str, test: Path) -> tuple[ChampionScore | None, str]:
    """Score the champion on these photos, as it stands, at its own image size.

    Returns:
        Its score, None without a champion; and why there is none in spite of a champion.
    """
    champion = registry.find(name, CHAMPION)
    if champion is None:
        return None, ""
    report(f"judging the champion, version {champion.version}, on the same photos")
    with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
        try:
            model = registry.download(champion, Path(scratch))
            settings = ModelFolder(model).settings()
            if not set(settings["classes"]) & set(Manifest.load(test).classes):
                return None, _told("the champion knows none of these classes: nothing to compare")
            with load_photos(test, settings["image_size"]) as photos:
                predicted = predict(model, photos.images).argmax(axis=1)
        # Its files may be gone, or of another Keras; this model is good all the same.
        except (RegistryError, DataError, ValueError, TypeError) as error:
            return None, _told(f"the champion cannot be compared with: {error}")
    # By name: its classes may be others, or in another order.
    names = np.array(settings["classes"])[predicted]
    correct = names == np.array(photos.classes)[photos.labels]
    score = ChampionScore(
        version=champion.version, accuracy=float(correct.mean()), num_photos=len(correct)
    )
    return score, ""


def _told(problem: str) -> str:
    print(problem)
    return problem


def _judge_places(
    places: np.ndarray, photos: PhotoSet
) -> tuple[PlaceScore | None, list[PlaceExample]]:
    ious = judge_places(places, photos)
    return score_places(places, ious), draw_examples(places, ious, photos, most=MOST_EXAMPLES)


def _mistakes(probabilities: np.ndarray, photos: PhotoSet) -> list[Mistake]:
    return [
        Mistake(
            photo=np.array(photos.images[row]),
            filename=photos.filenames[row],
            true_class=photos.classes[photos.labels[row]],
            predicted_class=photos.classes[int(probabilities[row].argmax())],
            confidence=float(probabilities[row].max()),
        )
        for row in worst_mistakes(probabilities, photos.labels, most=MOST_MISTAKES)
    ]
