import hashlib
import re
from dataclasses import replace

import pytest

from components.common import dataset
from components.common.dataset import DatasetWriter, Part, read_index, read_photo, read_photos
from components.common.errors import DataError
from components.common.manifest import Manifest, Rejected, Shard, dataset_digest
from components.common.records import PhotoRecord, to_example

CLASSES = ("cat", "dog")


def record(index: int, size_bytes: int = 100, **fields) -> PhotoRecord:
    encoded = bytes([index]) * size_bytes
    return PhotoRecord(
        encoded=encoded,
        format="jpeg",
        height=48,
        width=64,
        label=index % 2,
        class_name=CLASSES[index % 2],
        filename=f"{CLASSES[index % 2]}/é {index}.jpg",
        sha256=hashlib.sha256(encoded).hexdigest(),
        **fields,
    )


def write(folder, records) -> Manifest:
    writer = DatasetWriter(folder, CLASSES)
    for one in records:
        writer.add(one)
    return writer.finish(name="pets", source="folder:/pets")


def test_photos_come_back_unchanged_and_in_order(tmp_path):
    # Sides that 32 bits hold exactly.
    boxed = record(2, box=(0.25, 0.125, 0.75, 0.5), mask=b"a PNG")
    records = [record(0), record(1), boxed, replace(record(3), format="png")]

    write(tmp_path, records)

    assert list(read_photos(tmp_path)) == records


def test_a_new_shard_begins_where_the_limit_is_reached(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD_SIZE_BYTES", 1000)

    manifest = write(tmp_path, [record(index) for index in range(7)])

    # A record takes some 390 bytes, and 3 are the first to reach 1000; so 3 + 3 + 1.
    assert [shard.file.split("-")[1] for shard in manifest.shards] == ["00000", "00001", "00002"]
    assert [shard.num_photos for shard in manifest.shards] == [3, 3, 1]
    for shard in manifest.shards:
        assert (tmp_path / shard.file).stat().st_size == shard.size_bytes
    assert [one.label for one in read_photos(tmp_path)] == [0, 1, 0, 1, 0, 1, 0]


def test_photos_that_end_with_a_shard_leave_no_empty_one(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD_SIZE_BYTES", 700)

    assert [s.num_photos for s in write(tmp_path, map(record, range(4))).shards] == [2, 2]


def test_the_manifest_counts_what_was_written(tmp_path):
    writer = DatasetWriter(tmp_path, CLASSES)
    for index in (0, 2, 1):
        writer.add(record(index))
    rejected = Rejected(file="cat/x.jpg", reason="empty file")

    manifest = writer.finish(name="pets", source="folder:/pets", rejected=[rejected])

    assert manifest == Manifest.load(tmp_path)
    assert manifest.counts == {"cat": 2, "dog": 1}
    assert (manifest.num_photos, manifest.size_bytes) == (3, 300)
    assert (manifest.name, manifest.source, manifest.split) == ("pets", "folder:/pets", None)
    assert manifest.rejected == (rejected,)
    photos = [(one.class_name, one.sha256) for one in map(record, (0, 1, 2))]
    assert manifest.digest == manifest.dataset_digest == dataset_digest(CLASSES, photos)


def test_a_split_carries_the_digest_of_the_whole(tmp_path):
    writer = DatasetWriter(tmp_path, CLASSES)
    writer.add(record(0))

    part = Part(split="test", dataset_digest="digest of the whole", rule="test 0.5")
    manifest = writer.finish(name="pets", source="s", part=part)

    assert (manifest.split, manifest.dataset_digest) == ("test", "digest of the whole")
    assert manifest.digest == dataset_digest(CLASSES, [("cat", record(0).sha256)])
    assert manifest.counts == {"cat": 1, "dog": 0}


def test_the_folder_is_no_dataset_before_it_is_finished(tmp_path):
    DatasetWriter(tmp_path, CLASSES).add(record(0))

    with pytest.raises(DataError, match=r"holds no manifest\.json"):
        next(read_photos(tmp_path))


def test_the_same_photos_give_the_same_bytes(tmp_path):
    records = [record(index, box=(0.1, 0.2, 0.3, 0.4), mask=b"m") for index in range(20)]

    one, two = (write(tmp_path / name, records) for name in ("one", "two"))

    assert one == two
    for file in (one.index, "manifest.json", one.shards[0].file):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_shard_is_named_by_its_bytes(tmp_path):
    manifest = write(tmp_path, [record(0), record(1)])

    content = (tmp_path / manifest.shards[0].file).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert manifest.shards[0].file == f"photos-00000-{digest[:16]}.tfrecord"


def test_a_writer_that_is_killed_leaves_no_shard_under_a_readable_name(tmp_path):
    writer = DatasetWriter(tmp_path, CLASSES)
    writer.add(record(0))

    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []


def test_keys_are_written_in_one_order_on_every_machine():
    serialized = to_example(record(0, box=(0.1, 0.2, 0.3, 0.4), mask=b"m"))

    # Maps have no order of their own: where keys are not sorted, it may differ between processes.
    keys = re.findall(rb"image/[a-z0-9/]+", serialized)
    assert keys == sorted(keys)
    assert len(keys) == 8 + 4 + 2


def test_other_tools_find_the_standard_keys(tmp_path):
    import tensorflow as tf

    photo = record(1, box=(0.25, 0.125, 0.75, 0.5), mask=b"a PNG")
    (shard,) = write(tmp_path, [photo]).shards
    text, number = tf.io.FixedLenFeature([], tf.string), tf.io.FixedLenFeature([], tf.int64)
    sides = [f"image/object/bbox/{side}" for side in ("xmin", "ymin", "xmax", "ymax")]

    (serialized,) = tf.data.TFRecordDataset(str(tmp_path / shard.file))
    parsed = tf.io.parse_single_example(
        serialized,
        {
            "image/encoded": text,
            "image/format": text,
            "image/height": number,
            "image/width": number,
            "image/class/label": number,
            "image/class/text": text,
            "image/filename": text,
            "image/sha256": text,
            "image/segmentation/class/encoded": text,
            "image/segmentation/class/format": text,
            **dict.fromkeys(sides, tf.io.VarLenFeature(tf.float32)),
        },
    )

    found = {key: value.numpy() for key, value in parsed.items() if key not in sides}
    assert found == {
        "image/encoded": b"\x01" * 100,
        "image/format": b"jpeg",
        "image/height": 48,
        "image/width": 64,
        "image/class/label": 1,
        "image/class/text": b"dog",
        "image/filename": "dog/é 1.jpg".encode(),
        "image/sha256": hashlib.sha256(b"\x01" * 100).hexdigest().encode(),
        "image/segmentation/class/encoded": b"a PNG",
        "image/segmentation/class/format": b"png",
    }
    assert [parsed[key].values.numpy().tolist() for key in sides] == [
        [0.25],
        [0.125],
        [0.75],
        [0.5],
    ]


def test_a_photo_without_box_and_mask_has_no_such_keys(tmp_path):
    import tensorflow as tf

    (shard,) = write(tmp_path, [record(0)]).shards

    (serialized,) = tf.data.TFRecordDataset(str(tmp_path / shard.file))
    keys = set(tf.train.Example.FromString(serialized.numpy()).features.feature)
    assert not [key for key in keys if "bbox" in key or "segmentation" in key]


def test_a_missing_shard_is_named(tmp_path):
    (shard,) = write(tmp_path, [record(0)]).shards
    (tmp_path / shard.file).unlink()

    with pytest.raises(DataError, match=rf"{shard.file}' is gone, .* with --no-cache"):
        list(read_photos(tmp_path))


def test_a_truncated_shard_is_named(tmp_path):
    (shard,) = write(tmp_path, [record(0), record(1)]).shards
    path = tmp_path / shard.file
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(DataError, match="holds a damaged record at byte"):
        list(read_photos(tmp_path))


def test_a_shard_that_ends_with_a_whole_record_too_early_is_named(tmp_path):
    (shard,) = write(tmp_path, [record(0), record(1)]).shards
    second = read_index(tmp_path).offsets[1]
    path = tmp_path / shard.file
    path.write_bytes(path.read_bytes()[:second])

    with pytest.raises(DataError, match=r"must hold 2 photos\. Received: 1\. The dataset"):
        list(read_photos(tmp_path))


def test_one_photo_is_read_without_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD_SIZE_BYTES", 1000)
    records = [record(index, size_bytes=100 + index) for index in range(5)]
    manifest = write(tmp_path, records)
    index = read_index(tmp_path)

    found = [read_photo(str(tmp_path), manifest.shards, index, row) for row in range(5)]

    assert len(manifest.shards) == 2
    assert found == records


def test_a_changed_byte_does_not_pass(tmp_path):
    (shard,) = write(tmp_path, [record(0)]).shards
    path = tmp_path / shard.file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(DataError, match="holds a damaged record"):
        list(read_photos(tmp_path))


def test_a_record_of_another_program_is_refused(tmp_path):
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(tmp_path / "photos-00000.tfrecord")) as writer:
        writer.write(tf.train.Example().SerializeToString())
    shard = Shard(
        file="photos-00000.tfrecord",
        num_photos=1,
        size_bytes=(tmp_path / "photos-00000.tfrecord").stat().st_size,
    )
    replace(write(tmp_path / "other", [record(0)]), shards=(shard,)).save(tmp_path)

    with pytest.raises(DataError, match="A photo record must hold 'image/encoded'"):
        list(read_photos(tmp_path))
