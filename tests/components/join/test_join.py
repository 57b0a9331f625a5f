import hashlib

import numpy as np
import pytest

from components.common.dataset import dataset_digest, read_index, read_photos
from components.common.errors import DataError
from components.common.manifest import Manifest, Round
from components.join.join import join_datasets
from components.split.rule import SPLITS
from tests.components.join.datasets import write

EASY = {
    "train": ["dog/d1", "cat/c1", "dog/d2"],
    "validation": ["cat/c2"],
    "test": ["cat/c3", "dog/d3"],
}
HARD = {
    "train": ["fox/f1", "dog/d4"],
    "validation": ["fox/f2", "dog/d5"],
    "test": ["fox/f3", "dog/d6"],
}


def join(root, *sources, order=None, storage="", out="joined") -> dict[str, Manifest]:
    """Join datasets given as `(uri, photos)`, handed over in another order where one is given."""
    written = [write(root / "given", uri, photos) for uri, photos in sources]
    handed_over = [written[place] for place in order or range(len(written))]
    return join_datasets(
        [uri for uri, _ in sources],
        {split: [folders[split] for folders in handed_over] for split in SPLITS},
        {split: root / out / split for split in SPLITS},
        root=storage,
    )


def contents(root, split, out="joined") -> list[str]:
    return [f"{one.class_name}/{one.encoded.decode()}" for one in read_photos(root / out / split)]


def test_photos_of_each_split_stand_in_the_order_of_the_curriculum(tmp_path):
    join(tmp_path, ("folder:/a/easy", EASY), ("folder:/b/hard", HARD))

    assert contents(tmp_path, "train") == ["dog/d1", "cat/c1", "dog/d2", "fox/f1", "dog/d4"]
    assert contents(tmp_path, "validation") == ["cat/c2", "fox/f2", "dog/d5"]
    assert contents(tmp_path, "test") == ["cat/c3", "dog/d3", "fox/f3", "dog/d6"]


def test_the_order_is_that_of_the_curriculum_however_the_folders_come(tmp_path):
    sources = [("x:a", {"train": ["cat/1"], "validation": ["cat/2"], "test": ["dog/3"]})]
    sources += [("x:b", {"train": ["cat/4"]}), ("x:c", {"train": ["dog/5"]})]

    join(tmp_path, *sources, order=[2, 0, 1])

    assert contents(tmp_path, "train") == ["cat/1", "cat/4", "dog/5"]


def test_manifests_say_where_each_round_ends(tmp_path):
    manifests = join(tmp_path, ("folder:/a/easy", EASY), ("folder:/b/hard", HARD))

    ends = {"train": (3, 5), "validation": (1, 3), "test": (2, 4)}
    for split, (first, second) in ends.items():
        rounds = (Round(name="easy", num_photos=first), Round(name="hard", num_photos=second))
        assert manifests[split].rounds == rounds
        assert Manifest.load(tmp_path / "joined" / split) == manifests[split]


def test_classes_are_united_by_name_and_labels_follow(tmp_path):
    manifests = join(tmp_path, ("folder:/a/easy", EASY), ("folder:/b/hard", HARD))

    # In `hard` a dog had label 0 and a fox 1.
    assert manifests["train"].classes == ("cat", "dog", "fox")
    assert manifests["train"].counts == {"cat": 1, "dog": 3, "fox": 1}
    assert [one.label for one in read_photos(tmp_path / "joined/train")] == [1, 0, 1, 2, 1]
    assert read_index(tmp_path / "joined/train").labels.tolist() == [1, 0, 1, 2, 1]


def test_what_else_is_known_of_a_photo_stays(tmp_path):
    join(tmp_path, ("folder:/a/easy", EASY), ("folder:/b/hard", HARD))

    fox = list(read_photos(tmp_path / "joined/train"))[3]
    assert fox.filename == "fox/f1.jpg"
    assert fox.box == (0.0, 0.25, 0.5, 1.0)
    assert fox.mask == b"mask of f1"
    assert fox.sha256 == hashlib.sha256(b"f1").hexdigest()


def test_the_joined_dataset_is_named_after_the_last_and_knows_them_all(tmp_path):
    manifests = join(tmp_path, ("folder:/a/easy", EASY), ("folder:/b/hard", HARD))

    train = manifests["train"]
    assert (train.name, train.source) == ("hard", "folder:/a/easy,folder:/b/hard")
    assert (train.split, train.split_rule) == ("train", "by hand")
    everything = [
        (one.class_name, one.sha256)
        for split in SPLITS
        for one in read_photos(tmp_path / "joined" / split)
    ]
    assert len(everything) == 12
    assert {one.dataset_digest for one in manifests.values()} == {
        dataset_digest(("cat", "dog", "fox"), everything)
    }


def test_rounds_of_datasets_with_one_name_are_called_by_their_uris(tmp_path):
    manifests = join(tmp_path, ("sample:pets", EASY), ("folder:/data/pets", HARD))

    names = [one.name for one in manifests["train"].rounds]
    assert names == ["sample:pets", "folder:/data/pets"]
    assert manifests["train"].name == "pets"


def test_the_same_bytes_are_kept_once_in_the_earliest_round(tmp_path):
    again = {**HARD, "train": ["dog/d2", "fox/f1", "dog/d1"]}

    manifests = join(tmp_path, ("folder:/a/easy", EASY), ("folder:/b/hard", again))

    assert contents(tmp_path, "train") == ["dog/d1", "cat/c1", "dog/d2", "fox/f1"]
    assert [one.num_photos for one in manifests["train"].rounds] == [3, 4]


def test_copies_within_one_dataset_stay(tmp_path):
    twice = {**HARD, "train": ["fox/f1", "fox/f1"]}

    join(tmp_path, ("folder:/a/easy", EASY), ("folder:/b/hard", twice))

    assert contents(tmp_path, "train")[3:] == ["fox/f1", "fox/f1"]


def test_one_photo_with_two_classes_is_refused_by_name(tmp_path):
    other = {**HARD, "train": ["fox/d1", "fox/f1"]}

    with pytest.raises(
        DataError,
        match=r"disagree on 1 of their photos: 'dog/d1\.jpg' of round 1 is 'dog', and"
        r" 'fox/d1\.jpg' of round 2 is 'fox', with the same bytes\. Correct one",
    ):
        join(tmp_path, ("folder:/a/easy", EASY), ("folder:/b/hard", other))


@pytest.mark.parametrize("hash_of_train", ["", "~1"])
def test_a_photo_that_judges_in_one_dataset_is_not_learned_from_in_another(tmp_path, hash_of_train):
    # A copy may have another split where it followed a photo that looked like it.
    easy = {**EASY, "train": [*EASY["train"], f"dog/d6{hash_of_train}", "dog/d5"]}

    join(tmp_path, ("folder:/a/easy", easy), ("folder:/b/hard", HARD))

    assert contents(tmp_path, "train") == ["dog/d1", "cat/c1", "dog/d2", "fox/f1", "dog/d4"]
    assert contents(tmp_path, "validation") == ["cat/c2", "fox/f2", "dog/d5"]
    assert contents(tmp_path, "test")[-1] == "dog/d6"


def test_photos_that_look_alike_do_not_straddle_splits(tmp_path):
    # 1 and 3 differ in one bit of 256; 2**40 - 1 is 39 and more bits from both.
    easy = {**EASY, "train": ["dog/d1~1", "cat/c1~1099511627775", "dog/d2"]}
    hard = {**HARD, "test": ["fox/f3", "dog/d6~3"]}

    join(tmp_path, ("folder:/a/easy", easy), ("folder:/b/hard", hard))

    assert contents(tmp_path, "train") == ["cat/c1", "dog/d2", "fox/f1", "dog/d4"]
    assert "dog/d6" in contents(tmp_path, "test")


def test_photos_that_look_alike_may_come_in_several_rounds(tmp_path):
    easy = {**EASY, "train": ["dog/d1~1", "cat/c1", "dog/d2"]}
    hard = {**HARD, "train": ["fox/f1", "dog/d4~3"]}

    join(tmp_path, ("folder:/a/easy", easy), ("folder:/b/hard", hard))

    assert len(contents(tmp_path, "train")) == 5


def test_a_round_without_a_photo_of_its_own_is_refused(tmp_path):
    same = {"train": ["dog/d1"], "validation": ["cat/c2"], "test": ["cat/c3"]}

    with pytest.raises(DataError, match="Dataset 'hard' of the curriculum adds no photo to learn"):
        join(tmp_path, ("folder:/a/easy", EASY), ("folder:/b/hard", same))


def test_a_first_round_without_validation_photos_is_refused(tmp_path):
    with pytest.raises(DataError, match="Dataset 'easy', the first of the curriculum, has no"):
        join(tmp_path, ("folder:/a/easy", {**EASY, "validation": []}), ("folder:/b/hard", HARD))


def test_other_datasets_than_those_of_the_curriculum_are_refused(tmp_path):
    written = write(tmp_path, "sample:pets", EASY)

    with pytest.raises(
        DataError, match=r"one dataset for each of sample:flowers\. Received: sample:pets"
    ):
        join_datasets(
            ["sample:flowers"],
            {split: [folder] for split, folder in written.items()},
            {split: tmp_path / "joined" / split for split in SPLITS},
        )


def test_below_a_storage_root_the_same_join_is_written_once(tmp_path):
    storage = tmp_path / "home"
    sources = [("folder:/a/easy", EASY), ("folder:/b/hard", HARD)]

    first = join(tmp_path, *sources, storage=str(storage))
    written = {path: path.stat().st_mtime_ns for path in storage.rglob("photos-*")}
    again = join(tmp_path, *sources, storage=str(storage), out="again")

    assert len(written) == 3
    assert {path: path.stat().st_mtime_ns for path in storage.rglob("photos-*")} == written
    assert first == again
    assert contents(tmp_path, "train", out="again") == contents(tmp_path, "train")
    assert list((tmp_path / "joined" / "train").iterdir()) == [
        tmp_path / "joined" / "train" / "manifest.json"
    ]


def test_another_order_below_a_storage_root_is_another_dataset(tmp_path):
    storage = str(tmp_path / "home")
    swapped = {**EASY, "validation": ["cat/c2"]}

    forth = join(tmp_path, ("x:pets", swapped), ("y:pets", HARD), storage=storage)
    back = join(tmp_path, ("y:pets", HARD), ("x:pets", swapped), storage=storage, out="back")

    assert forth["train"].digest == back["train"].digest  # the same photos
    assert contents(tmp_path, "train", out="back") == [
        *("fox/f1", "dog/d4", "dog/d1", "cat/c1", "dog/d2")
    ]
    assert contents(tmp_path, "train") == ["dog/d1", "cat/c1", "dog/d2", "fox/f1", "dog/d4"]


def test_the_index_says_where_each_photo_is(tmp_path):
    from components.common.dataset import read_photo

    manifests = join(tmp_path, ("folder:/a/easy", EASY), ("folder:/b/hard", HARD))
    folder = tmp_path / "joined" / "train"
    index = read_index(folder)

    fourth = read_photo(str(folder), manifests["train"].shards, index, 3)

    assert fourth.encoded == b"f1"
    assert np.unique(index.sha256, axis=0).shape == (5, 32)
