"""Judge several models on the same validation photos, and pass on the best."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.common.errors import InputError
from components.common.manifest import Manifest
from components.common.model import ModelFolder
from components.common.photos import PhotoSet, load_photos
from components.common.progress import report, report_result
from components.common.scores import SCORES
from components.common.storage import write_atomically
from components.compare.candidates import Candidate, name_candidates
from components.compare.page import render_comparison
from components.compare.ranking import duel, rank
from components.evaluate.evaluate import predict
from components.evaluate.metrics import evaluate_predictions

FILE_NAME = "ranking.json"


def compare_models(
    models: Sequence[Path], validation: Path, best: Path, ranking: Path, page: Path
) -> list[Candidate]:
    """Rank models by their accuracy on the validation photos, and copy the best.

    Args:
        models: Model folders. Each sees the photos at its own image size.
        validation: Dataset folder of the photos to choose by.
        best: Where the folder of the best is copied, as it is.
        ranking: Where `ranking.json` is written.
        page: Where the comparing page is written.

    Returns:
        The models, best first.

    Raises:
        InputError: If there is no model.
    """
    if not models:
        raise InputError("`models` must name a model, at least. Received: none")
    ranked = rank(_judge(models, validation))
    winner = ranked[0]
    shutil.copytree(winner.folder, best, dirs_exist_ok=True)
    manifest = Manifest.load(validation)
    write_atomically(page, render_comparison(ranked, dataset=manifest.name).encode())
    record = {"validation_digest": manifest.digest, "candidates": _records(ranked)}
    write_atomically(ranking / FILE_NAME, json.dumps(record, indent=2).encode())
    best_accuracy = winner.evaluation.accuracy
    report_result({"name": winner.name, "accuracy": best_accuracy, "num_candidates": len(ranked)})
    report(f"best of {len(ranked)} on validation: {winner.name}")
    return ranked


def _judge(models: Sequence[Path], validation: Path) -> list[Candidate]:
    """Score each model; photos are decoded once for all that see them at one size."""
    folders = [ModelFolder(model) for model in models]
    settings = [folder.settings() for folder in folders]
    judged = {}
    for size in sorted({one["image_size"] for one in settings}):
        with load_photos(validation, size) as photos:
            for place, name in enumerate(name_candidates(settings)):
                if settings[place]["image_size"] == size:
                    judged[place] = _judge_one(folders[place], name, settings[place], photos)
    return [judged[place] for place in range(len(models))]


def _judge_one(
    model: ModelFolder, name: str, settings: dict[str, Any], photos: PhotoSet
) -> Candidate:
    import keras

    report(f"judging {name} on {len(photos)} validation photos")
    probabilities = predict(model.path, photos.images)
    keras.utils.clear_session()  # else the graphs of all candidates would pile up in memory
    return Candidate(
        name=name,
        folder=model.path,
        settings=settings,
        history=model.history(),
        evaluation=evaluate_predictions(probabilities, photos.labels, photos.classes),
        correct=np.asarray(probabilities.argmax(axis=1) == photos.labels),
    )


def _records(ranked: Sequence[Candidate]) -> list[dict[str, Any]]:
    records = []
    for candidate in ranked:
        against = duel(ranked[0].correct, candidate.correct)
        records.append(
            {
                "name": candidate.name,
                **{score: getattr(candidate.evaluation, score) for score in SCORES},
                "num_photos": candidate.evaluation.num_photos,
                "only_best_right": against.only_first,
                "only_this_right": against.only_second,
                "p_value": against.p_value,
                "settings": dict(candidate.settings),
            }
        )
    return records
