"""Register a judged model, and make it champion where it beats the one there is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.common import storage
from components.common.model import ModelFolder
from components.common.progress import report_result
from components.common.registry import CHAMPION, ModelVersion, Registry, open_registry
from components.common.scores import SCORES
from components.common.storage import write_atomically

FILE_NAME = "pushed.json"


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """What became of a model in the registry."""

    model_name: str
    version: str
    is_champion: bool
    verdict: str  # why it is champion, or is not; one sentence


def push_model(
    model: Path,
    evaluation: Path,
    folder: Path,
    *,
    registry: str = "",
    root: str = "",
    code_version: str = "",
) -> Pushed:
    """Register a model with its scores and origin; move the alias `champion` if it is better.

    Running it again for the same model registers nothing new.

    Args:
        model: Model folder.
        evaluation: Folder with the model's `evaluation.json`.
        folder: Where `pushed.json` is written.
        registry: URI of the registry; empty takes the usual place.
        root: Storage root; where it is in Cloud Storage, the files of a version go there too.
        code_version: Recorded with the version.
    """
    scores = json.loads((evaluation / "evaluation.json").read_text())
    trained = ModelFolder(model)
    opened = open_registry(registry)
    version = opened.register(
        scores["model_name"],
        model,
        digest=trained.digest(),
        metrics={name: scores[name] for name in SCORES},
        labels=_labels(trained.settings(), scores, code_version),
        place=storage.join(root, "models") if storage.is_remote(root) else "",
    )
    wins, verdict = _contest(opened, version, scores)
    if wins:
        opened.set_alias(version, CHAMPION)
    pushed = Pushed(
        model_name=version.model_name,
        version=version.version,
        is_champion=wins or CHAMPION in version.aliases,
        verdict=verdict,
    )
    report_result(asdict(pushed))
    print(f"{pushed.model_name} version {pushed.version}: {verdict}")
    write_atomically(folder / FILE_NAME, json.dumps(asdict(pushed), indent=2).encode())
    return pushed


def _contest(
    registry: Registry, version: ModelVersion, scores: Mapping[str, Any]
) -> tuple[bool, str]:
    """Whether the version takes the alias, and why; both models judged on the same photos."""
    champion = registry.find(version.model_name, CHAMPION)
    if champion is None:
        return True, "champion, the first one"
    if champion.version == version.version:
        return False, "champion already"
    accuracy = _champion_accuracy(champion, scores)
    if accuracy is None:
        return False, (
            f"not champion: the champion, version {champion.version}, was not scored on these test"
            " photos; run again with --no-cache to compare the two"
        )
    ours = scores["accuracy"]
    comparison = f"accuracy {ours:.4f} against {accuracy:.4f} of version {champion.version}"
    if ours > accuracy:
        return True, f"champion: {comparison}"
    return False, f"not champion: {comparison}"


def _champion_accuracy(champion: ModelVersion, scores: Mapping[str, Any]) -> float | None:
    """The champion's accuracy on the photos that the new model was judged on."""
    judged = scores["champion"]
    if judged and judged["version"] == champion.version:
        return float(judged["accuracy"])
    # The evaluation is older than the champion (a cached step); but the photos may be the same.
    if champion.labels.get("test_digest") == scores["test_digest"]:
        return champion.metrics.get("accuracy")
    return None


def _labels(
    settings: Mapping[str, Any], scores: Mapping[str, Any], code_version: str
) -> dict[str, str]:
    shown = {key: value for key, value in settings.items() if key != "classes"}
    return {
        **{key: str(value) for key, value in shown.items()},
        "num_classes": str(len(settings["classes"])),  # their names are in settings.json
        "test_digest": scores["test_digest"],
        "code_version": code_version,
    }
