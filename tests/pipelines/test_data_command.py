import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from components.common.errors import InputError
from components.common.manifest import Manifest, Rejected, Shard
from components.ingest.data_report import (
    ERROR,
    NOTE,
    WARNING,
    Changes,
    ClassSummary,
    DataReport,
    Finding,
)
from pipelines.cli import cli
from pipelines.cli.data import _short_name
from pipelines.cli.data_display import plain, show_report
from tests.pipelines.command import ROOT

DIGEST = "0123456789abcdef" * 4


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PAWPETAL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def invoke(*arguments):
    return CliRunner().invoke(cli, ("data", *map(str, arguments)), catch_exceptions=False)


def finding(**changes) -> Finding:
    fields = {
        "check": "size-leak",
        "severity": WARNING,
        "message": "Width and height tell the class.",
        "remedy": "Bring all photos to one size.",
    }
    return Finding(**(fields | changes))


def report(*findings: Finding, **changes) -> DataReport:
    fields = {
        "name": "flowers",
        "source": "folder:/photos/flowers",
        "digest": DIGEST,
        "num_photos": 40,
        "size_bytes": 41_250_000,
        "classes": (class_summary("rose", 10), class_summary("tulip", 30)),
        "formats": {"jpeg": 40},
        "traits": {},
        "histograms": (),
        "rejected": (),
    }
    return DataReport(**(fields | {"findings": findings} | changes))


def class_summary(name: str, num_photos: int) -> ClassSummary:
    return ClassSummary(
        name=name,
        num_photos=num_photos,
        share=num_photos / 40,
        size_bytes=1,
        median_width=1,
        median_height=1,
        mean_color=None,
    )


@pytest.fixture
def printed(tmp_path, capsys):
    """Prints a report and gives the lines."""

    def show(*findings, **changes) -> list[str]:
        show_report(report(*findings, **changes), tmp_path / "data_report.html")
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return show


def manifest(name: str = "flowers", digest: str = DIGEST, **changes) -> Manifest:
    fields = {
        "source": "folder:/photos/flowers",
        "split": None,
        "classes": ("rose", "tulip"),
        "counts": {"rose": 10, "tulip": 30},
        "num_photos": 40,
        "size_bytes": 41_250_000,
        "dataset_digest": digest,
        "shards": (Shard(file="photos-00000.tfrecord", num_photos=40, size_bytes=41_300_000),),
    }
    return Manifest(name=name, digest=digest, **(fields | changes))


def stored(root, *manifests: Manifest):
    """A storage root with datasets in it."""
    for one in manifests:
        one.save(root / "datasets" / one.name / one.digest)
    return root


def test_report_starts_with_what_it_is_and_ends_with_verdict_and_page(printed, tmp_path):
    lines = printed(finding(), finding(severity=NOTE))

    assert lines[0] == "flowers: 40 photos of 2 classes, 41.2 MB"
    assert lines[-2:] == [
        "1 warning. Look at them before you train. Also 1 note.",
        f"Page: {(tmp_path / 'data_report.html').as_uri()}",
    ]


def test_classes_have_bars_largest_first(printed):
    lines = printed()

    # 24 columns are 30 photos: 10 are 8.
    assert lines[3] == f"tulip        30   75.0%  {'█' * 24}"
    assert lines[4] == f"rose         10   25.0%  {'█' * 8}"


def test_of_many_classes_the_largest_and_the_smallest_are_printed(printed):
    lines = printed(classes=tuple(class_summary(f"c{size}", size) for size in range(1, 101)))

    names = [line.split("  ")[0] for line in lines[3:22]]
    assert names == [
        *(f"c{size}" for size in range(100, 88, -1)),
        "(82 more)",
        *(f"c{size}" for size in range(6, 0, -1)),
    ]


def test_finding_is_told_with_its_remedy(printed):
    lines = printed(finding(severity=ERROR, num_files=402))

    start = lines.index("Error  Size leak  402 photos")
    assert lines[start + 1 : start + 3] == [
        "  Width and height tell the class.",
        "  → Bring all photos to one size.",
    ]


def test_copies_are_printed_side_by_side_20_groups_at_most(printed):
    groups = tuple((f"rose/{index}.jpg", f"tulip/{index}.jpg") for index in range(32))

    lines = printed(finding(groups=groups, num_files=64))

    assert "    rose/0.jpg = tulip/0.jpg" in lines
    assert sum(" = " in line for line in lines) == 20
    assert "    and 12 more groups, see the page" in lines


def test_single_photos_are_printed_as_examples(printed):
    groups = tuple((f"rose/{index}.jpg",) for index in range(50))

    lines = printed(finding(groups=groups, num_files=402))

    assert sum(line.startswith("    rose/") for line in lines) == 5
    assert "    and 397 more photos, see the page" in lines


def test_long_messages_stay_one_line_in_a_file(printed):
    assert f"  {'word ' * 100}end" in printed(finding(message=f"{'word ' * 100}end"))


def test_changes_and_files_left_out_are_counted(printed):
    changes = Changes(previous=DIGEST, num_added=1200, num_removed=3, num_relabelled=1)
    rejected = (("a.gif", "format GIF"), ("b.gif", "format GIF"), ("rose/c.jpg", "empty"))

    lines = printed(changes=changes, rejected=rejected)

    assert "since 0123456789ab: 1,200 added, 3 removed, 1 relabelled" in lines
    start = lines.index("3 files left out")
    assert lines[start + 1 : start + 3] == [
        "       2  format GIF, e.g. a.gif",
        "       1  empty: rose/c.jpg",
    ]


def test_names_cannot_command_the_terminal_nor_the_markup(printed):
    hostile = "\x1b[2J[red]犬\n"

    lines = printed(
        finding(message=hostile, remedy=hostile, groups=((hostile, hostile),)),
        name=hostile,
        classes=(class_summary(hostile, 1), class_summary("rose", 1)),
        rejected=((hostile, hostile),),
    )

    assert not any("\x1b" in line for line in lines)
    assert f"    {plain(hostile)} = {plain(hostile)}" in lines
    assert plain(hostile) == "\\x1b[2J[red]犬\\n"


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("folder:/photos/my flowers/", "my-flowers"),
        ("gs://bucket/photos/flowers", "flowers"),
        ("gs://bucket", "bucket"),
        ("sample:pets?photos=40", "pets"),
        ("tfds:cats_vs_dogs:4.0.0", "cats_vs_dogs-4.0.0"),
        ("folder:/", "photos"),
    ],
)
def test_reports_are_kept_under_the_name_of_the_data(uri, name):
    assert _short_name(uri) == name


def test_check_help_imports_nothing_heavy():
    heavy = ["PIL", "cv2", "google.cloud.storage", "jinja2", "kfp", "numpy", "rich", "tensorflow"]
    script = (
        "import sys; from pipelines.cli import cli;"
        "cli.main(['data', 'check', '--help'], standalone_mode=False);"
        f"sys.exit(str(sorted(set({heavy!r}) & set(sys.modules)) or ''))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)

    assert done.stderr.strip() == ""


def test_a_dataset_is_shown_with_classes_shards_and_what_was_left_out(tmp_path):
    folder = tmp_path / "photos"
    manifest(
        split="test",
        split_rule="test 0.15, seed 0",
        rejected=(Rejected(file="a.gif", reason="format GIF"),),
    ).save(folder)

    lines = [line.rstrip() for line in invoke("show", folder).output.splitlines()]

    assert lines[:6] == [
        "dataset  flowers",
        "source   folder:/photos/flowers",
        "split    test (test 0.15, seed 0)",
        f"digest   {DIGEST}",
        "photos   40, 41.2 MB",
        f"place    {folder}",
    ]
    assert f"tulip        30   75.0%  {'█' * 24}" in lines
    assert "photos-00000.tfrecord        40     41.3 MB" in lines
    assert lines[-2:] == ["1 file left out", "       1  format GIF: a.gif"]


def test_a_later_version_names_the_one_before(tmp_path):
    manifest(generation=2, previous="feed" * 16).save(tmp_path)

    assert f"version  3, after {'feed' * 16}" in invoke("show", tmp_path).output


def test_a_dataset_shown_as_json_is_its_manifest(tmp_path):
    manifest().save(tmp_path)

    shown = invoke("show", tmp_path / "manifest.json", "--json").output

    assert json.loads(shown) == json.loads((tmp_path / "manifest.json").read_text())


def test_a_folder_with_versions_lists_them(tmp_path):
    root = stored(
        tmp_path, manifest(), manifest(digest="feed" * 16), manifest("flowers2", digest="beef" * 16)
    )

    lines = invoke("show", root / "datasets" / "flowers").output.splitlines()

    assert [line.split()[1] for line in lines[1:]] == ["0123456789ab", "feedfeedfeed"]


def test_the_first_characters_of_a_digest_will_do(tmp_path):
    root = stored(tmp_path, manifest(), manifest(digest="feed" * 16))

    shown = invoke("show", root / "datasets" / "flowers" / "feedfeedfeed").output

    assert f"digest   {'feed' * 16}" in shown


def test_a_root_is_shown_as_its_list(tmp_path):
    root = stored(tmp_path, manifest(), manifest("pets", digest="feed" * 16))

    assert invoke("show", root).output == invoke("list", root).output


@pytest.mark.parametrize("path", ["", "datasets/roses", "datasets/flowers/9", "none"])
def test_what_is_no_dataset_is_refused(tmp_path, path):
    root = stored(tmp_path, manifest()) if path else tmp_path

    with pytest.raises(InputError, match=r"`URI` must name a dataset folder .* data check URI"):
        invoke("show", root / path)


def test_datasets_of_a_root_are_listed(tmp_path):
    root = stored(tmp_path, manifest(), manifest("pets", digest="feed" * 16, split="train"))

    lines = invoke("list", root).output.splitlines()

    assert lines[0].split() == [
        "dataset",
        "digest",
        "split",
        "photos",
        "classes",
        "size",
        "source",
    ]
    assert lines[1].split()[:7] == ["flowers", "0123456789ab", "whole", "40", "2", "41.2", "MB"]
    assert lines[2].split()[:3] == ["pets", "feedfeedfeed", "train"]


def test_datasets_as_json_come_with_their_uris(tmp_path):
    root = stored(tmp_path, manifest())

    (listed,) = json.loads(invoke("list", root, "--json").output)

    assert listed["uri"] == str(root / "datasets" / "flowers" / DIGEST)
    assert listed["counts"] == {"rose": 10, "tulip": 30}


def test_the_home_is_listed_by_default(home):
    assert f"No datasets under {home} yet." in invoke("list").output
    assert json.loads(invoke("list", "--json").output) == []

    stored(home, manifest())

    assert "0123456789ab" in invoke("list").output


def test_datasets_in_a_bucket_are_listed_and_shown(bucket):
    root = f"gs://{bucket.name}/team"
    uri = f"{root}/datasets/flowers/{DIGEST}"
    manifest().save(uri)

    assert "0123456789ab" in invoke("list", f"{root}/").output
    assert f"place    {uri}" in invoke("show", uri[:-40]).output


def test_check_of_good_photos_succeeds_and_writes_the_page(photo_folder, home):
    folder = photo_folder({"cat": 30, "dog": 30})

    done = invoke("check", f"folder:{folder}")

    assert done.exit_code == 0, done.output
    assert "photos: 60 photos of 2 classes" in done.output
    (written,) = (home / "data-checks").iterdir()
    assert written.name.startswith("photos-")
    assert f"Page: {(written / 'data_report.html').as_uri()}" in done.output
    assert "cat" in (written / "data_report.html").read_text()
    assert json.loads((written / "data_report.json").read_text())["num_photos"] == 60


def test_check_as_json_prints_the_report_alone_on_stdout(photo_folder, home, tmp_path):
    folder = photo_folder({"cat": 30, "dog": 30})

    done = invoke("check", f"folder:{folder}", "--json", "--output", tmp_path / "out")

    assert json.loads(done.stdout) == json.loads((tmp_path / "out/data_report.json").read_text())
    assert not home.exists()


def test_copies_under_two_labels_stop_a_strict_check_alone(photo_folder, home):
    folder = photo_folder({"cat": 30, "dog": 30})
    (folder / "dog" / "copy.jpg").write_bytes((folder / "cat" / "000.jpg").read_bytes())

    strict = invoke("check", f"folder:{folder}", "--data-policy", "strict")

    assert strict.exit_code == 1, strict.output
    assert "cat/000.jpg = dog/copy.jpg" in strict.output


def test_check_refuses_what_is_no_source_and_no_policy(home):
    with pytest.raises(InputError, match="`dataset` must be"):
        invoke("check", "photos")
    assert invoke("check", "folder:photos", "--data-policy", "lax").exit_code == 2


def test_check_refuses_a_place_that_cannot_be_written(photo_folder, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(InputError, match="`--output` must be a folder that can be written to"):
        invoke("check", f"folder:{photo_folder({'a': 2, 'b': 2})}", "--output", tmp_path / "file/x")


def test_check_names_what_spoils_the_real_flowers(real_data, home):
    done = invoke("check", f"folder:{real_data / 'flowers'}", "--json")

    report = json.loads(done.stdout)
    found = {one["check"]: one for one in report["findings"]}
    assert done.exit_code == 0, found
    assert report["num_photos"] == 2000
    assert found["size-leak"]["severity"] == WARNING
    copies = [found["near-duplicates"], found["contradicting-labels"]]
    groups = [{name.split("/")[0] for name in group} for one in copies for group in one["groups"]]
    assert any(len(classes) == 1 for classes in groups)
    assert {"rose", "tulip"} in groups  # the same photo, under two labels
