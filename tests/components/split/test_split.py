from collections import Counter

import cv2
import numpy as np
import pytest

from components.common.dataset import DatasetWriter, read_photos
from components.common.errors import DataError, InputError
from components.common.manifest import Manifest
from components.common.records import PhotoRecord
from components.ingest.ingest import Order, ingest_photos
from components.split.rule import SPLITS, check_fractions, photos_needed, split_of
from components.split.split import describe, split_photos

FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}
EVEN = {"train": 0.4, "validation": 0.3, "test": 0.3}


def hashes(count: int, start: int = 0) -> list[str]:
    return [f"{number:064x}" for number in range(start, start + count)]


def record(class_name: str, sha256: str, filename: str = "x.jpg") -> PhotoRecord:
    return PhotoRecord(
        encoded=sha256.encode(),
        format="jpeg",
        height=1,
        width=1,
        label=("cat", "dog").index(class_name),
        class_name=class_name,
        filename=filename,
        sha256=sha256,
    )


def write(folder, records) -> Manifest:
    writer = DatasetWriter(folder, ("cat", "dog"))
    for one in records:
        writer.add(one)
    return writer.finish(name="pets", source="folder:/pets")


def split(source, root, fractions=EVEN, **options) -> dict[str, Manifest]:
    return split_photos(source, {name: root / name for name in SPLITS}, fractions, **options)


def places(root) -> dict[str, str]:
    """The split of each photo, by content."""
    return {one.sha256: name for name in SPLITS for one in read_photos(root / name)}


@pytest.mark.parametrize(
    "fractions",
    [FRACTIONS, EVEN, {"train": 0.1, "validation": 0.2, "test": 0.7}, dict.fromkeys(SPLITS, 1 / 3)],
)
def test_fractions_that_sum_to_1_are_taken(fractions):
    check_fractions(fractions)


@pytest.mark.parametrize("bad", [0.0, -0.1, 1.0, 1.5, float("nan"), float("inf")])
@pytest.mark.parametrize("name", SPLITS)
def test_a_fraction_that_leaves_a_split_empty_is_refused(name, bad):
    with pytest.raises(
        InputError, match=rf"above 0 and below 1\. Received: .*\b{name}_fraction={bad:g}(,|$)"
    ):
        check_fractions(FRACTIONS | {name: bad})


def test_fractions_with_another_sum_are_refused():
    with pytest.raises(
        InputError,
        match=r"must sum to 1\. Received: train_fraction=0\.7, validation_fraction=0\.15,"
        r" test_fraction=0\.1, sum 0\.95",
    ):
        check_fractions(FRACTIONS | {"test": 0.1})


def test_bad_fractions_are_refused_before_anything_is_written(tmp_path):
    write(tmp_path / "whole", [record("cat", *hashes(1))])

    with pytest.raises(InputError, match="must sum to 1"):
        split(tmp_path / "whole", tmp_path, FRACTIONS | {"test": 0.1})

    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_the_split_is_where_the_hash_falls():
    # `printf 0:a | sha256sum` begins 9df3c5fa, which is 0.617 of 16^8; that of 0:f 49f44721, 0.289.
    assert split_of("a", {"train": 0.5, "validation": 0.1, "test": 0.4}) == "train"
    assert split_of("a", {"train": 0.38, "validation": 0.01, "test": 0.61}) == "validation"
    assert split_of("a", {"train": 0.37, "validation": 0.01, "test": 0.62}) == "test"
    assert split_of("f", {"train": 0.41, "validation": 0.3, "test": 0.29}) == "test"
    assert split_of("f", {"train": 0.42, "validation": 0.3, "test": 0.28}) == "validation"


def test_fractions_hold_nearly():
    counts = Counter(split_of(sha256, FRACTIONS) for sha256 in hashes(10_000))

    # Binomial: sqrt(10,000 x 0.7 x 0.3) = 45.8 and sqrt(10,000 x 0.15 x 0.85) = 35.7; 4 of these.
    assert abs(counts["train"] - 7000) <= 184
    assert abs(counts["validation"] - 1500) <= 143
    assert abs(counts["test"] - 1500) <= 143


def test_another_seed_gives_an_independent_split():
    ours = [split_of(sha256, FRACTIONS) == "test" for sha256 in hashes(10_000)]
    theirs = [split_of(sha256, FRACTIONS, seed=1) == "test" for sha256 in hashes(10_000)]

    # Both at once: 0.15 x 0.15 = 0.0225, so 225 of 10,000; 4 times sqrt(225 x 0.9775) = 59.
    assert abs(np.logical_and(ours, theirs).sum() - 225) <= 59


def test_a_photo_is_placed_by_its_content_alone(tmp_path):
    sha256s = hashes(60)
    write(tmp_path / "one", [record("cat" if i % 2 else "dog", s) for i, s in enumerate(sha256s)])
    write(
        tmp_path / "two",  # in another order, in other classes, by other names, among others
        [
            record("dog" if i % 3 else "cat", s, filename=f"{i}.png")
            for i, s in enumerate(reversed(sha256s + hashes(40, start=1000)))
        ],
    )

    split(tmp_path / "one", tmp_path / "one-split")
    split(tmp_path / "two", tmp_path / "two-split")

    one, two = places(tmp_path / "one-split"), places(tmp_path / "two-split")
    assert len(one) == 60
    assert {sha256: two[sha256] for sha256 in one} == one
    assert set(one.values()) == set(SPLITS)


def test_copies_of_a_photo_stay_together(tmp_path):
    copies = [
        record(class_name, sha256, filename=f"{class_name}/{copy}-{sha256}.jpg")
        for sha256 in hashes(40)
        for class_name in ("cat", "dog")
        for copy in ("a", "b")
    ]
    write(tmp_path / "whole", copies)

    manifests = split(tmp_path / "whole", tmp_path / "split")

    found = [{one.sha256 for one in read_photos(tmp_path / "split" / name)} for name in SPLITS]
    assert [len(sha256s) * 4 for sha256s in found] == [
        manifests[name].num_photos for name in SPLITS
    ]
    assert sum(map(len, found)) == len(set.union(*found)) == 40


def test_the_splits_make_up_the_whole(tmp_path):
    whole = write(
        tmp_path / "whole",
        [record("cat", s) for s in hashes(50)] + [record("dog", s) for s in hashes(30, start=50)],
    )

    manifests = split(tmp_path / "whole", tmp_path / "split")

    assert list(manifests) == list(SPLITS)
    for name, manifest in manifests.items():
        assert manifest == Manifest.load(tmp_path / "split" / name)
        assert manifest.split == name
        assert manifest.dataset_digest == whole.digest
        assert (manifest.name, manifest.source) == (whole.name, whole.source)
        assert manifest.classes == whole.classes
    assert len({manifest.digest for manifest in manifests.values()} | {whole.digest}) == 4
    assert sum(manifest.num_photos for manifest in manifests.values()) == 80
    for class_name, total in {"cat": 50, "dog": 30}.items():
        assert sum(manifest.counts[class_name] for manifest in manifests.values()) == total
    parts = [one for name in SPLITS for one in read_photos(tmp_path / "split" / name)]
    by_content = sorted(parts, key=lambda one: one.sha256)
    assert by_content == sorted(read_photos(tmp_path / "whole"), key=lambda one: one.sha256)


def test_photos_keep_their_order_inside_a_split(tmp_path):
    write(tmp_path / "whole", [record("dog" if int(s, 16) % 2 else "cat", s) for s in hashes(60)])

    split(tmp_path / "whole", tmp_path / "split")

    train = [one.sha256 for one in read_photos(tmp_path / "split/train")]
    assert train == sorted(train)


def test_the_seed_moves_photos(tmp_path):
    write(tmp_path / "whole", [record("dog" if int(s, 16) % 2 else "cat", s) for s in hashes(60)])

    split(tmp_path / "whole", tmp_path / "0")
    split(tmp_path / "whole", tmp_path / "1", seed=1)

    assert places(tmp_path / "0") != places(tmp_path / "1")


@pytest.mark.parametrize(
    ("fraction", "photos"),
    # ln 0.01 / ln(1 - fraction): -4.6052 / -0.16252 = 28.34; / -0.69315 = 6.64; / -0.01005 = 458.2.
    [(0.15, 29), (0.5, 7), (0.01, 459), (0.99, 1)],
)
def test_photos_needed_leave_1_chance_in_100_of_none(fraction, photos):
    assert photos_needed(fraction) == photos


def test_other_shares_of_train_and_validation_leave_the_test_photos_alone():
    other = {"train": 0.5, "validation": 0.35, "test": 0.15}

    def test_photos(fractions):
        return {s for s in hashes(200) if split_of(s, fractions) == "test"}

    assert test_photos(other) == test_photos(FRACTIONS) != set()


def test_more_classes_take_more_photos():
    # ln(0.01 / 10) / ln 0.85 = -6.9078 / -0.16252 = 42.50, so 43.
    assert photos_needed(0.15, 10) == 43


def test_a_class_without_a_test_photo_is_an_error_that_names_the_number(tmp_path):
    train_only = [s for s in hashes(30) if split_of(s, FRACTIONS) == "train"][:2]
    write(
        tmp_path / "whole",
        [record("cat", s) for s in hashes(60)] + [record("dog", s) for s in train_only],
    )

    with pytest.raises(
        DataError,
        match=r"Class 'dog' has 2 photos, and none of them falls into test"
        r" \(test_fraction=0\.15\)\. It takes about 33 photos a class",
    ):
        split(tmp_path / "whole", tmp_path / "split", FRACTIONS)

    assert not list((tmp_path / "split").rglob("manifest.json"))


def test_a_class_without_a_training_photo_is_an_error(tmp_path):
    others = [s for s in hashes(60) if split_of(s, EVEN) != "train"]
    write(
        tmp_path / "whole",
        [record("cat", s) for s in hashes(60)] + [record("dog", s) for s in others],
    )

    # ln(0.01 / 2) / ln 0.6 = -5.2983 / -0.51083 = 10.37, so 11.
    with pytest.raises(
        DataError, match=r"falls into train \(train_fraction=0\.4\)\. .*about 11 pho"
    ):
        split(tmp_path / "whole", tmp_path / "split")


def test_the_table_shows_number_and_share_of_each_class_and_split():
    counts = {
        "train": {"cat": 7, "sunflower": 30},
        "validation": {"cat": 1, "sunflower": 6},
        "test": {"cat": 2, "sunflower": 4},
    }

    assert describe({"cat": 10, "sunflower": 40}, counts).splitlines() == [
        "class                 train        validation              test",
        "cat               7   70.0%         1   10.0%         2   20.0%",
        "sunflower        30   75.0%         6   15.0%         4   10.0%",
    ]


def test_a_split_without_photos_of_a_class_shows_0():
    counts = {"train": {"cat": 3}, "validation": {}, "test": {}}

    assert describe({"cat": 3}, counts).splitlines()[1].split() == [
        "cat", "3", "100.0%", "0", "0.0%", "0", "0.0%",
    ]  # fmt: skip


def test_the_table_is_printed(tmp_path, capsys):
    write(tmp_path / "whole", [record("dog" if int(s, 16) % 2 else "cat", s) for s in hashes(60)])

    split(tmp_path / "whole", tmp_path / "split")

    assert capsys.readouterr().out.count("class ") == 1


def ingest(folder, out, root) -> Manifest:
    order = Order(dataset=f"folder:{folder}", root=str(root))
    return ingest_photos(order, out, page=out.with_suffix(".html"), data=out.with_suffix(".json"))


def test_new_photos_move_none_of_the_old_ones(tmp_path, real_data):
    photos = tmp_path / "flowers"
    copies = []
    for name in ("before", "after"):
        for class_folder in sorted((real_data / "flowers").iterdir()):
            (photos / class_folder.name).mkdir(parents=True, exist_ok=True)
            for number, photo in enumerate(sorted(class_folder.iterdir())):
                target = photos / class_folder.name / photo.name
                if name == "before" and number % 10:  # 90 %
                    target.symlink_to(photo)
                elif name == "after" and number % 10 == 0:  # the other 10 %
                    target.symlink_to(photo)
                    # Of every new photo near-duplicates come too: of old ones as of new ones.
                    old = (
                        photos / class_folder.name / sorted(class_folder.iterdir())[number + 1].name
                    )
                    copies.append((target, old))
        if name == "after":
            for target, old in copies[:40]:
                shrunk = cv2.resize(cv2.imread(str(old)), None, fx=0.9, fy=0.9)
                cv2.imwrite(str(target.with_name(f"copy-of-{old.name}")), shrunk)
        ingest(photos, tmp_path / f"{name}-whole", tmp_path / "storage")
        split(tmp_path / f"{name}-whole", tmp_path / f"{name}-split", FRACTIONS)

    before, after = places(tmp_path / "before-split"), places(tmp_path / "after-split")
    assert (len(before), len(after)) == (1799, 2039)  # one photo lies in two classes
    assert {sha256: after[sha256] for sha256 in before} == before
    by_name = {
        one.filename: name
        for name in SPLITS
        for one in read_photos(tmp_path / "after-split" / name)
    }
    followed = [
        by_name[f"{t.parent.name}/copy-of-{o.name}"] == by_name[f"{t.parent.name}/{o.name}"]
        for t, o in copies[:40]
    ]
    assert all(followed)


def test_photos_stay_where_they_are_when_those_they_followed_go(tmp_path):
    rng = np.random.default_rng(0)
    photos = tmp_path / "pets"
    for class_name in ("cat", "dog"):
        (photos / class_name).mkdir(parents=True)
        for number in range(40):
            coarse = rng.integers(0, 256, (6, 6, 3)).astype(np.uint8)
            photo = cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC)
            for copy, side in enumerate((96, 80, 70)):
                path = photos / class_name / f"{number}-{copy}.jpg"
                cv2.imwrite(str(path), cv2.resize(photo, (side, side)))
    ingest(photos, tmp_path / "before-whole", tmp_path / "storage")
    split(tmp_path / "before-whole", tmp_path / "before")
    for path in photos.glob("*/*-0.jpg"):
        path.unlink()
    ingest(photos, tmp_path / "after-whole", tmp_path / "storage")
    split(tmp_path / "after-whole", tmp_path / "after")

    before, after = places(tmp_path / "before"), places(tmp_path / "after")

    assert (len(before), len(after)) == (240, 160)
    assert {sha256: before[sha256] for sha256 in after} == after


def test_a_class_without_a_validation_photo_is_only_warned_of(tmp_path, capsys):
    dogs = [s for s in hashes(200) if split_of(s, FRACTIONS) != "validation"]
    write(
        tmp_path / "whole",
        [record("cat", s) for s in hashes(60)] + [record("dog", s) for s in dogs],
    )

    split(tmp_path / "whole", tmp_path / "split", FRACTIONS)

    assert "warning: Class 'dog'" in capsys.readouterr().out
