import json
import re
from pathlib import Path

import numpy as np
import pytest

from components.common.errors import InputError
from components.common.manifest import Manifest
from components.common.model import ModelFolder
from components.common.photos import load_photos
from components.compare.compare import compare_models
from components.evaluate.evaluate import predict


@pytest.fixture(scope="module")
def compared(tmp_path_factory, models, validation):
    """The candidates in their order, and the folder of what was written."""
    folder = tmp_path_factory.mktemp("compared")
    return run(list(models.values()), validation, folder), folder


def run(models: list[Path], validation: Path, folder: Path):
    return compare_models(
        models, validation, folder / "best", folder / "ranking", folder / "comparison"
    )


def test_each_is_judged_at_its_own_image_size_as_it_will_predict(compared, models, validation):
    ranked, _ = compared

    assert {one.folder for one in ranked} == set(models.values())
    for candidate in ranked:
        size = ModelFolder(candidate.folder).settings()["image_size"]
        with load_photos(validation, size) as photos:
            right = predict(candidate.folder, photos.images).argmax(axis=1) == photos.labels
        assert candidate.correct.tolist() == right.tolist()
        assert candidate.evaluation.accuracy == pytest.approx(right.mean())


def test_the_winner_is_the_most_accurate_or_the_smaller_of_equals(compared):
    ranked, _ = compared

    order = [(-one.evaluation.accuracy, one.num_parameters) for one in ranked]

    assert order == sorted(order)


def test_the_best_is_passed_on_whole(compared):
    ranked, folder = compared
    files = {path.relative_to(ranked[0].folder) for path in ranked[0].folder.rglob("*")}

    assert {path.relative_to(folder / "best") for path in (folder / "best").rglob("*")} == files
    assert ModelFolder(folder / "best").digest() == ModelFolder(ranked[0].folder).digest()


def test_the_ranking_tells_all_that_was_found(compared, validation):
    ranked, folder = compared

    record = json.loads((folder / "ranking" / "ranking.json").read_text())

    assert record["validation_digest"] == Manifest.load(validation).digest
    assert [one["name"] for one in record["candidates"]] == [one.name for one in ranked]
    assert {one.name for one in ranked} == {"dense, 16 px", "dense, 24 px", "residual"}
    first, second, _ = record["candidates"]
    assert (first["only_best_right"], first["only_this_right"], first["p_value"]) == (0, 0, 1.0)
    lead = np.count_nonzero(ranked[0].correct) - np.count_nonzero(ranked[1].correct)
    assert second["only_best_right"] - second["only_this_right"] == lead
    assert second["settings"] == ModelFolder(ranked[1].folder).settings()


def test_the_page_holds_every_candidate_and_fetches_nothing(compared):
    ranked, folder = compared

    page = (folder / "comparison").read_text()

    for candidate in ranked:
        assert f"{candidate.num_parameters:,}" in page
        assert page.count(candidate.name) >= 3  # ranking, intervals, settings
    assert not re.search(r"""(src|href|srcset)=["'](?!data:)""", page)
    assert page.count("data:image/png") == 4


def test_the_order_in_which_models_come_changes_nothing(compared, models, validation, tmp_path):
    ranked, folder = compared

    turned = run(list(reversed(models.values())), validation, tmp_path)

    assert [one.folder for one in turned] == [one.folder for one in ranked]
    assert (tmp_path / "comparison").read_bytes() == (folder / "comparison").read_bytes()


def test_a_model_that_is_alone_wins(models, validation, tmp_path):
    (alone,) = run([models["dense-16"]], validation, tmp_path)

    assert alone.name == "dense"
    assert "stands alone" in (tmp_path / "comparison").read_text()


def test_no_model_is_no_comparison(validation, tmp_path):
    with pytest.raises(InputError, match="`models` must name a model, at least"):
        run([], validation, tmp_path)
