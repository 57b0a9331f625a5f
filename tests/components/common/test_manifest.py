import hashlib
import json
from dataclasses import replace

import pytest

from components.common.errors import DataError
from components.common.manifest import Manifest, Rejected, Shard, dataset_digest

MANIFEST = Manifest(
    name="flowers",
    source="folder:/data/flowers",
    split="train",
    classes=("daisy", "pâquerette"),
    counts={"daisy": 2, "pâquerette": 1},
    num_photos=3,
    size_bytes=300,
    digest="d1",
    dataset_digest="d0",
    shards=(Shard(file="photos-00000.tfrecord", num_photos=3, size_bytes=400),),
    rejected=(Rejected(file="daisy/é.jpg", reason="empty file"),),
)
PHOTOS = [("cat", "aa"), ("cat", "bb"), ("dog", "cc")]


def test_a_saved_manifest_is_loaded_unchanged(tmp_path):
    MANIFEST.save(tmp_path)

    assert Manifest.load(tmp_path) == MANIFEST


def test_a_manifest_is_json_that_others_can_read(tmp_path):
    MANIFEST.save(tmp_path)

    fields = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    assert fields["classes"] == ["daisy", "pâquerette"]
    assert fields["format"] == 2
    assert "pâquerette" in (tmp_path / "manifest.json").read_text("utf-8")  # no escapes


def test_a_folder_without_manifest_is_no_dataset(tmp_path):
    with pytest.raises(
        DataError, match=r"holds no manifest\.json: it is no dataset, or its writer"
    ):
        Manifest.load(tmp_path)


@pytest.mark.parametrize("other", [1, None])
def test_another_format_is_refused(tmp_path, other):
    replace(MANIFEST, format=other).save(tmp_path)

    with pytest.raises(
        DataError, match=rf"must have format 2\. Received: format={other}\. Ingest the photos again"
    ):
        Manifest.load(tmp_path)


def test_digest_is_the_same_in_every_order():
    assert dataset_digest(["cat", "dog"], PHOTOS) == dataset_digest(("cat", "dog"), PHOTOS[::-1])


def test_digest_hashes_the_classes_and_a_line_for_each_photo():
    text = '["cat", "dog"]\ncat\taa\ncat\tbb\ndog\tcc'

    assert dataset_digest(["cat", "dog"], PHOTOS) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("classes", "photos"),
    [
        (["cat", "dog"], [("dog", "aa"), *PHOTOS[1:]]),  # a photo in another class
        (["cat", "dog"], [*PHOTOS, PHOTOS[0]]),  # twice the same photo
        (["cat", "dog"], PHOTOS[1:]),  # one photo less
        (["dog", "cat"], PHOTOS),  # other labels
    ],
)
def test_digest_tells_other_datasets_apart(classes, photos):
    assert dataset_digest(classes, photos) != dataset_digest(["cat", "dog"], PHOTOS)
