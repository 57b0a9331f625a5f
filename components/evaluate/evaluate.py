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
from components.common.photos import Images, PhotoSet, load_photos
from components.common.progress import Meter, report, report_result
from components.common.registry import CHAMPION, Registry, open_registry
from components.common.scores import SCORES
from components.common.storage import write_atomically
from components.evaluate.metrics import (
    ChampionScore,
    Evaluation,
    evaluate_predictions,
    worst_mistakes,
)
from components.evaluate.report import Mistake, render_report

BATCH = 8  # photos at once: their activations stay in cache, 1.6 times faster than 64
MOST_MISTAKES = 24
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
    with load_photos(test, settings["image_size"]) as photos:
        probabilities = predict(model, photos.images)
        evaluation = evaluate_predictions(probabilities, photos.labels, photos.classes)
        mistakes = _mistakes(probabilities, photos)
    evaluation = replace(evaluation, champion=_score_champion(open_registry(registry), name, test))
    page = render_report(
        evaluation,
        model_name=name,
        settings=settings,
        history=trained.history(),
        mistakes=mistakes,
        best_epoch=settings["best_epoch"],
    )
    write_atomically(report_page, page.encode())
    record = {
        "model_name": name,
        "test_digest": Manifest.load(test).digest,
        **evaluation.to_json(),
    }
    write_atomically(folder / FILE_NAME, json.dumps(record, indent=2).encode())
    report_result({name: record[name] for name in (*SCORES, "num_photos")})
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
    network = keras.saving.load_model(model / MODEL_FILE, compile=False)
    meter = Meter("judged", len(images))
    parts = []
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH].astype(np.float32)
        parts.append(keras.ops.convert_to_numpy(network.predict_on_batch(batch)))
        meter.show(start + len(batch))
    return np.concatenate(parts)


def _score_champion(registry: Registry, name: str, test: Path) -> ChampionScore | None:
    """Score the champion on these photos, as it stands, at its own image size."""
    champion = registry.find(name, CHAMPION)
    if champion is None:
        return None
    report(f"judging the champion, version {champion.version}, on the same photos")
    with tempfile.TemporaryDirectory(prefix="pawpetal-") as scratch:
        try:
            model = registry.download(champion, Path(scratch))
            settings = ModelFolder(model).settings()
            if not set(settings["classes"]) & set(Manifest.load(test).classes):
                print("the champion knows none of these classes: nothing to compare")
                return None
            with load_photos(test, settings["image_size"]) as photos:
                predicted = predict(model, photos.images).argmax(axis=1)
        # Its files may be gone, or of another Keras; this model is good all the same.
        except (RegistryError, DataError, ValueError) as error:
            print(f"the champion cannot be compared with: {error}")
            return None
    # By name: its classes may be others, or in another order.
    names = np.array(settings["classes"])[predicted]
    correct = names == np.array(photos.classes)[photos.labels]
    return ChampionScore(
        version=champion.version, accuracy=float(correct.mean()), num_photos=len(correct)
    )


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
