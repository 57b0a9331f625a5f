import json
from dataclasses import replace

import numpy as np
import pytest

from components.common.index import FORMATS, concatenate
from components.ingest.data_report import ClassSummary
from components.ingest.statistics import build_report, summarise_classes, summarise_quantities
from tests.components.ingest.findings.indexes import make_index, real_index, with_trait


def report(index, **changes):
    fields = {
        "name": "pets",
        "source": "folder:pets",
        "digest": "ab" * 32,
        "size_bytes": int(index.size_bytes.sum()),
        "rejected": [],
    }
    return build_report(index, **(fields | changes))


def test_classes_are_summed_up():
    index = make_index(
        {"cat": 3, "dog": 1},
        widths=[10, 20, 60, 7],
        heights=[1, 2, 3, 4],
        size_bytes=[100, 200, 300, 50],
        means=[[0, 0, 0], [30, 60, 90], [30, 60, 90], [5, 6, 7]],
    )

    assert summarise_classes(index) == (
        ClassSummary(
            name="cat",
            num_photos=3,
            share=0.75,
            size_bytes=600,
            median_width=20.0,
            median_height=2.0,
            mean_color=(20.0, 40.0, 60.0),
        ),
        ClassSummary(
            name="dog",
            num_photos=1,
            share=0.25,
            size_bytes=50,
            median_width=7.0,
            median_height=4.0,
            mean_color=(5.0, 6.0, 7.0),
        ),
    )


def test_colours_are_those_of_the_photos_that_were_decoded():
    decoded = np.array([True, False, False])
    index = make_index({"cat": 2, "dog": 1}, decoded=decoded, means=[[1, 2, 3], [0] * 3, [0] * 3])

    cat, dog = summarise_classes(index)

    assert cat.mean_color == (1.0, 2.0, 3.0)
    assert dog.mean_color is None


def test_a_class_without_photos_is_listed():
    assert summarise_classes(make_index({"cat": 2, "dog": 0}))[1].num_photos == 0


def test_quantities_are_spread_over_bars_that_hold_all_photos():
    widths = np.arange(1, 101) + 100  # 101 to 200
    index = make_index({"cat": 100}, widths=widths, size_bytes=2048)

    width, height, size, brightness = summarise_quantities(index)

    assert (width.name, width.unit) == ("width", "pixels")
    assert (width.edges[0], width.edges[-1]) == (101, 200)
    assert np.diff(width.edges) == pytest.approx(99 / 24)
    assert (width.low, width.median, width.high) == pytest.approx((105.95, 150.5, 195.05))
    assert (height.counts, height.median) == ((100,), 80)  # one bar where all are equal
    assert (size.unit, size.median, size.counts) == ("KiB", 2.0, (100,))
    assert brightness.name == "brightness"
    for one in (width, height, size, brightness):
        assert sum(one.counts) == 100
        assert len(one.edges) == len(one.counts) + 1


def test_bars_of_widely_spread_quantities_grow_by_a_ratio():
    widths = np.geomspace(10, 10_000, 500).astype(int)

    width = summarise_quantities(make_index({"cat": 500}, widths=widths))[0]

    edges = np.array(width.edges)
    assert edges[1:] / edges[:-1] == pytest.approx((widths.max() / 10) ** (1 / 24))
    assert sum(width.counts) == 500


def test_without_decoding_there_is_no_brightness_and_the_report_says_so():
    index = make_index({"cat": 1, "dog": 1}, decoded=False)

    found = report(index)

    assert [one.name for one in found.histograms] == ["width", "height", "size"]
    assert not found.checked
    assert [one.mean_color for one in found.classes] == [None, None]


def test_a_report_holds_what_is_known_and_found():
    index = make_index(
        {"cat": 40, "dog": 40},
        formats=np.where(np.arange(80) % 4, 0, FORMATS.index("png")),
        traits=with_trait("alpha", np.arange(80) % 8 == 0),
    )
    rejected = [("cat/x.jpg", "not an image")]

    found = report(index, rejected=rejected, policy="strict")

    assert (found.name, found.num_photos, found.policy) == ("pets", 80, "strict")
    assert found.formats == {"jpeg": 60, "png": 20}
    assert found.traits == {"alpha": 10}
    assert found.rejected == (("cat/x.jpg", "not an image"),)
    assert [one.check for one in found.findings] == ["not-images", "alpha-photos"]
    assert found.changes is None
    assert json.loads(json.dumps(found.to_json()))["classes"][1]["num_photos"] == 40


def test_the_version_before_gives_changes_and_what_drifted_among_the_findings():
    before = make_index({"cat": 100, "dog": 100})
    dark = make_index({"cat": 50, "dog": 50}, seed=1, means=20, formats=FORMATS.index("png"))
    cats = make_index({"cat": 1900, "dog": 0}, seed=2)

    found = report(concatenate([before, dark]), previous=("cd" * 32, before))
    grown = report(concatenate([before, cats]), previous=("cd" * 32, before))

    assert (found.changes.previous, found.changes.num_added) == ("cd" * 32, 100)
    checks = {one.check: one.severity for one in found.findings}
    assert checks["brightness-drift"] == checks["format-drift"] == "warning"
    assert [one.check for one in grown.findings] == ["imbalance", "class-drift"]  # worst first


def test_fractions_that_are_asked_for_decide_which_classes_are_too_small():
    fractions = {"train": 0.5, "validation": 0.25, "test": 0.25}

    assert report(make_index({"cat": 20, "dog": 20}), fractions=fractions).findings == ()
    assert report(make_index({"cat": 20, "dog": 20})).findings != ()


def test_names_of_any_kind_and_length_can_be_reported():
    classes = {"ünïcode 🐈": 2, "x" * 1000: 1, "%s {name}": 1}
    index = make_index(classes)
    index = replace(index, filenames=[f"{index.classes[label]}/😀.jpg" for label in index.labels])

    found = report(index)

    assert [one.name for one in found.classes] == list(classes)
    assert max(len(one.message) for one in found.findings) < 400


def test_the_real_flowers_are_reported_on(real_data):
    found = report(real_index(real_data / "flowers"))

    assert found.num_photos == 2000
    assert found.formats == {"jpeg": 2000}
    assert {one.name: one.num_photos for one in found.classes}["dandelion"] == 400
    assert found.findings[0].check == "size-leak"
    width = found.histograms[0]
    assert (width.counts[0], width.counts[-1]) == (388, 1612)
