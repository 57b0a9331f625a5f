import json
from pathlib import Path

import pytest

from components.common.model import ModelFolder
from components.common.registry import CHAMPION, ModelVersion, open_registry
from components.push.push import Pushed, push_model

SCORES = {
    "accuracy": 0.75,
    "accuracy_low": 0.5,
    "accuracy_high": 0.875,
    "macro_f1": 0.7,
    "loss": 0.625,
    "champion": None,
}


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    """One new registry; each test has a model name of its own in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAWPETAL_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture
def push(tmp_path, request):
    """Pushes a model that differs by `seed`, with scores that were taken by hand."""

    def call(seed: int, *, test_digest: str = "photos-1", **scores) -> Pushed:
        model, evaluation = tmp_path / f"model-{seed}", tmp_path / "evaluation"
        model.mkdir(exist_ok=True)
        evaluation.mkdir(exist_ok=True)
        (model / "model.keras").write_bytes(b"network")
        settings = {"classes": ["cat", "dog"], "seed": seed, "architecture": "residual"}
        ModelFolder(model).write(settings=settings, history={}, plot=b"")
        record = {"model_name": request.node.name, "test_digest": test_digest, **SCORES, **scores}
        (evaluation / "evaluation.json").write_text(json.dumps(record))
        return push_model(model, evaluation, tmp_path / "pushed", code_version="v-test")

    return call


@pytest.fixture
def champion(request):
    """The champion of the test's model."""

    def call() -> ModelVersion | None:
        return open_registry("").find(request.node.name, CHAMPION)

    return call


def judged(version: str, accuracy: float) -> dict[str, object]:
    """What `evaluation.json` says of the champion."""
    return {"version": version, "accuracy": accuracy, "num_photos": 40}


def test_first_version_becomes_champion(push, champion, request):
    pushed = push(1)

    assert pushed == Pushed(
        model_name=request.node.name,
        version="1",
        is_champion=True,
        verdict="champion, the first one",
    )
    assert champion().version == "1"


def test_what_was_pushed_is_written_and_told(push, tmp_path, capsys, request):
    push(1)

    assert json.loads((tmp_path / "pushed" / "pushed.json").read_text()) == {
        "model_name": request.node.name,
        "version": "1",
        "is_champion": True,
        "verdict": "champion, the first one",
    }
    line = f"{request.node.name} version 1: champion, the first one"
    assert line in capsys.readouterr().out.splitlines()


def test_version_carries_scores_settings_and_origin(push, champion):
    push(1)

    version = champion()
    assert version.metrics == {
        "accuracy": 0.75,
        "accuracy_low": 0.5,
        "accuracy_high": 0.875,
        "macro_f1": 0.7,
        "loss": 0.625,
    }
    labels = dict(version.labels)
    assert len(labels.pop("model_digest")) == 64
    assert labels == {
        "num_classes": "2",
        "seed": "1",
        "architecture": "residual",
        "test_digest": "photos-1",
        "code_version": "v-test",
    }


def test_better_version_takes_the_alias(push, champion):
    push(1)

    pushed = push(2, accuracy=0.8, champion=judged("1", 0.75))

    assert (pushed.version, pushed.is_champion) == ("2", True)
    assert pushed.verdict == "champion: accuracy 0.8000 against 0.7500 of version 1"
    assert champion().version == "2"
    assert champion().aliases == (CHAMPION,)
    assert open_registry("").find(pushed.model_name, "1").aliases == ()


@pytest.mark.parametrize("accuracy", [0.75, 0.5])
def test_version_that_is_no_better_does_not_take_it(push, champion, accuracy):
    push(1)

    pushed = push(2, accuracy=accuracy, champion=judged("1", 0.75))

    assert (pushed.version, pushed.is_champion) == ("2", False)
    assert pushed.verdict == f"not champion: accuracy {accuracy:.4f} against 0.7500 of version 1"
    assert champion().version == "1"


def test_champion_counts_as_judged_now_not_as_when_it_was_registered(push, champion):
    push(1, accuracy=0.99)  # on easier photos

    pushed = push(2, test_digest="photos-2", accuracy=0.8, champion=judged("1", 0.7))

    assert pushed.verdict == "champion: accuracy 0.8000 against 0.7000 of version 1"
    assert champion().version == "2"


def test_same_model_again_registers_nothing(push, champion):
    first = push(1)

    again = push(1)

    assert (again.version, again.is_champion) == (first.version, True)
    assert again.verdict == "champion already"
    assert len(open_registry("").versions(first.model_name)) == 1
    assert champion().version == "1"


def test_loser_pushed_again_stays_the_loser(push, champion):
    push(1)
    push(2, accuracy=0.5, champion=judged("1", 0.75))

    again = push(2, accuracy=0.5, champion=judged("1", 0.75))

    assert (again.version, again.is_champion) == ("2", False)
    assert len(open_registry("").versions(again.model_name)) == 2
    assert champion().version == "1"


def test_evaluation_older_than_the_champion_on_other_photos_does_not_compare(push, champion):
    push(1, test_digest="photos-1")

    pushed = push(2, test_digest="photos-2", accuracy=0.99, champion=None)

    assert not pushed.is_champion
    assert pushed.verdict == (
        "not champion: the champion, version 1, was not scored on these test photos;"
        " run again with --no-cache to compare the two"
    )
    assert champion().version == "1"


@pytest.mark.parametrize(("accuracy", "winner"), [(0.8, "2"), (0.75, "1")])
def test_evaluation_older_than_the_champion_on_the_same_photos_compares(
    push, champion, accuracy, winner
):
    push(1)  # accuracy 0.75

    pushed = push(2, accuracy=accuracy, champion=None)

    assert f"accuracy {accuracy:.4f} against 0.7500 of version 1" in pushed.verdict
    assert champion().version == winner


def test_evaluation_against_an_earlier_champion_compares_with_the_one_there_is(push, champion):
    push(1)  # 0.75
    push(2, accuracy=0.8, champion=judged("1", 0.75))

    pushed = push(3, accuracy=0.78, champion=judged("1", 0.75))

    assert pushed.verdict == "not champion: accuracy 0.7800 against 0.8000 of version 2"
    assert champion().version == "2"


def test_files_of_the_version_are_the_model_folder(push, champion, tmp_path):
    push(1)

    fetched = open_registry("").download(champion(), tmp_path / "fetched")

    assert isinstance(fetched, Path)
    assert ModelFolder(fetched).digest() == ModelFolder(tmp_path / "model-1").digest()
