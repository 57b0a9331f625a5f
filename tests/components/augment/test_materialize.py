import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.augment.augmenter import Augmenter
from components.augment.materialize import materialize
from components.augment.policies import Policy, find_policy
from components.augment.warp import warp_box, warp_mask
from components.common import storage
from components.common.dataset import DatasetWriter, read_photos
from components.common.errors import InputError
from components.common.manifest import Manifest
from components.common.photos import decode, decode_mask, load_photos
from components.common.records import PhotoRecord
from components.ingest.ingest import Order, ingest_photos
from components.split.rule import SPLITS
from components.split.split import split_photos
from tests.components.resampling import psnr

SIZE = 64


def write(train, folder, *, policy="heavy", copies=2, seed=5):
    return materialize(train, folder, find_policy(policy), copies=copies, size=SIZE, seed=seed)


@pytest.fixture(scope="module")
def written(pets_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("copies") / "copies"
    return folder, write(pets_folder, folder)


def test_each_photo_has_its_copies_one_after_another(written, pets):
    folder, manifest = written
    copies = list(read_photos(folder))

    assert manifest == Manifest.load(folder)
    assert manifest.num_photos == len(copies) == 12
    assert manifest.classes == ("cat", "dog")
    assert [copy.filename for copy in copies[:4]] == [
        f"{pets[0].filename}.0.jpg",
        f"{pets[0].filename}.1.jpg",
        f"{pets[1].filename}.0.jpg",
        f"{pets[1].filename}.1.jpg",
    ]
    for copy, original in zip(copies, np.repeat(pets, 2), strict=True):
        assert (copy.label, copy.class_name) == (original.label, original.class_name)
        assert (copy.format, copy.height, copy.width) == ("jpeg", SIZE, SIZE)
        assert copy.sha256 == hashlib.sha256(copy.encoded).hexdigest()


def test_copies_are_a_part_of_the_dataset_and_say_how_they_were_made(written):
    _, manifest = written

    assert (manifest.split, manifest.dataset_digest) == ("train", "whole-digest")
    assert manifest.split_rule == "by hand; 2 x heavy, 64 px, seed 5"
    assert (manifest.name, manifest.source) == ("pets", "sample:pets")


def test_a_copy_is_what_training_sees_in_that_epoch(written, pets):
    folder, _ = written
    augmenter = Augmenter(policy=find_policy("heavy"), seed=5)

    for number, copy in enumerate(read_photos(folder)):
        index, epoch = divmod(number, 2)
        photo = cv2.imdecode(np.frombuffer(copy.encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
        assert psnr(photo, augmenter.from_record(pets[index], index, epoch, SIZE)) > 33  # of JPEG


def test_boxes_and_masks_move_with_the_photo(written, pets):
    folder, _ = written
    augmenter = Augmenter(policy=find_policy("heavy"), seed=5)

    for number, copy in enumerate(read_photos(folder)):
        index, epoch = divmod(number, 2)
        moved = augmenter.moved(index, epoch, SIZE, SIZE)
        assert copy.box == pytest.approx(warp_box(pets[index].box, moved, SIZE, SIZE))
        expected = warp_mask(decode_mask(pets[index]), moved, SIZE, SIZE)
        np.testing.assert_array_equal(decode_mask(copy), expected)


def test_the_same_arguments_write_the_same_bytes(written, pets_folder, tmp_path):
    folder, manifest = written

    again = write(pets_folder, tmp_path)

    assert again.digest == manifest.digest
    for shard in manifest.shards:
        assert (tmp_path / shard.file).read_bytes() == (folder / shard.file).read_bytes()


def test_another_seed_writes_other_copies(written, pets_folder, tmp_path):
    assert write(pets_folder, tmp_path, seed=6).digest != written[1].digest


def test_copies_are_loaded_as_photos(written):
    with load_photos(written[0], SIZE) as photos:
        assert photos.images.shape == (12, SIZE, SIZE, 3)
        assert photos.labels.tolist() == [0] * 6 + [1] * 6
        assert not np.isnan(photos.boxes).any()


def test_mixed_photos_cannot_be_written(pets_folder, tmp_path):
    with pytest.raises(InputError, match=r"`augmentation` 'mixup' mixes photos of several classes"):
        write(pets_folder, tmp_path, policy="mixup")


def test_without_copies_there_is_a_note_and_no_dataset(pets_folder, tmp_path):
    assert write(pets_folder, tmp_path / "copies", copies=0) is None

    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["none.txt"]


@pytest.mark.parametrize("policy", ["light", "color", "erasing", "randaugment"])
def test_training_sees_nearly_the_same_though_it_warps_squares(policy, pets, pets_folder, tmp_path):
    write(pets_folder, tmp_path, policy=policy, copies=3)
    augmenter = Augmenter(policy=find_policy(policy), seed=5)
    squares = np.stack([decode(record, SIZE) for record in pets])

    copies = [decode(copy, SIZE) for copy in read_photos(tmp_path)]

    for epoch in range(3):
        seen = augmenter(squares, np.arange(6), epoch)
        for row in range(6):
            # By a second resampling. What another epoch does differs by 15 levels and more, but
            # where RandAugment leaves a photo nearly as it is.
            difference = np.abs(copies[3 * row + epoch].astype(int) - seen[row])
            assert difference.mean() < 6


@pytest.mark.parametrize("policy", ["heavy", "randaugment"])
def test_box_and_mask_are_where_the_object_went(policy, tmp_path):
    write_patches(tmp_path / "train", num_photos=8)

    write(tmp_path / "train", tmp_path / "copies", policy=policy)

    copies = list(read_photos(tmp_path / "copies"))
    assert len({copy.box for copy in copies}) >= 4  # RandAugment does not always move a photo
    for copy in copies:
        marked = decode_mask(copy) == 1
        photo = decode(copy, SIZE)[:, :, 1].astype(int)
        # Colours may change, so: what is nearer to the patch's than to the rest's.
        patch, rest = np.median(photo[marked]), np.median(photo[~marked])
        bright = np.abs(photo - patch) < np.abs(photo - rest)
        rows, columns = np.nonzero(marked)
        sides = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        # Up to half a pixel of its edge, all around.
        assert (bright != marked).sum() < 0.1 * marked.sum()
        assert SIZE * np.array(copy.box) == pytest.approx(np.array(sides), abs=1.5)


def write_patches(folder, *, num_photos):
    """A patch on a darker ground, its box and its mask, in photos that are no squares."""
    photo = np.full((96, 144, 3), 40, np.uint8)
    photo[30:60, 50:110] = 160
    encoded = cv2.imencode(".png", photo)[1].tobytes()
    mask = cv2.imencode(".png", (photo[:, :, 0] == 160).astype(np.uint8))[1].tobytes()
    writer = DatasetWriter(folder, ("bare", "patch"))
    for row in range(num_photos):
        writer.add(
            PhotoRecord(
                encoded=encoded,
                format="png",
                height=96,
                width=144,
                label=1,
                class_name="patch",
                filename=f"{row}.png",
                sha256=hashlib.sha256(encoded).hexdigest(),
                box=(50 / 144, 30 / 96, 110 / 144, 60 / 96),
                mask=mask,
            )
        )
    writer.finish(name="patches", source="drawn://patches")


def test_the_number_of_threads_does_not_matter(written, pets_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("components.augment.materialize.num_cores", lambda: 1)

    write(pets_folder, tmp_path)

    def contents(folder):
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    assert contents(tmp_path) == contents(written[0])


@pytest.fixture
def kept_train(tmp_path):
    """The training photos of pets that are kept below a storage root."""
    ingest_photos(
        Order(dataset="sample:pets?photos=12", root=str(tmp_path / "root")),
        tmp_path / "whole",
        page=tmp_path / "report.html",
        data=tmp_path / "report.json",
    )
    folders = {split: tmp_path / split for split in SPLITS}
    fractions = {"train": 0.5, "validation": 0.25, "test": 0.25}
    split_photos(tmp_path / "whole", folders, fractions, seed=1)
    return tmp_path / "train"


def test_below_a_storage_root_copies_are_written_once(kept_train, tmp_path):
    place = Manifest.load(kept_train).location

    first = write(kept_train, tmp_path / "first")
    files = storage.list_files(place)
    second = write(kept_train, tmp_path / "second")

    assert second == first
    assert storage.list_files(place) == files  # the versions of all of them, too
    assert first.location.startswith(f"{place}/augmented-")
    assert Manifest.load(first.location).digest == first.digest
    # The steps' own folders hold the manifest alone; through it the photos are found.
    for folder in ("first", "second"):
        assert [path.name for path in (tmp_path / folder).iterdir()] == ["manifest.json"]
    copies = list(read_photos(tmp_path / "second"))
    assert len(copies) == first.num_photos == 2 * Manifest.load(kept_train).num_photos


def test_other_copies_are_kept_in_another_place(kept_train, tmp_path):
    usual = {"policy": find_policy("light"), "copies": 1, "size": SIZE, "seed": 5}
    changes = [{}, {"policy": find_policy("color")}, {"copies": 2}, {"size": 48}, {"seed": 6}]
    changes.append({"policy": Policy(name="light", rotation_degrees=5)})  # its name is not all

    places = {
        materialize(kept_train, tmp_path / str(number), **(usual | change)).location
        for number, change in enumerate(changes)
    }

    assert len(places) == 6
    found = {str(path) for path in (tmp_path / "root").rglob("augmented-*")}
    assert found == places


def test_copies_whose_writer_was_killed_are_written_anew(kept_train, tmp_path):
    first = write(kept_train, tmp_path / "first")
    Path(first.location, "manifest.json").unlink()  # it comes last: without it nothing counts

    again = write(kept_train, tmp_path / "again")

    assert again == first
    assert list(read_photos(tmp_path / "again")) == list(read_photos(tmp_path / "first"))
