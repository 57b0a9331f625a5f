import re
import socket

import cv2
import numpy as np
import pytest

from components.common.dataset import read_photos
from components.common.errors import DataError, InputError
from components.ingest.ingest import Order, ingest_photos
from components.ingest.sources import open_source

NUM_TRAIN, NUM_TEST = 4, 2


def photo(index: int) -> bytes:
    return cv2.imencode(".jpg", np.full((20, 30, 3), 20 * index, np.uint8))[1].tobytes()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A dataset that the real machinery of TensorFlow Datasets has prepared, offline."""
    import tensorflow_datasets as tfds

    files = tmp_path_factory.mktemp("files")
    for index in range(NUM_TRAIN + NUM_TEST):
        (files / f"{index}.jpg").write_bytes(photo(index))

    class PawpetalTestPets(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.2.3")

        def _info(self):
            features = {
                "image": tfds.features.Image(encoding_format="jpeg"),
                "label": tfds.features.ClassLabel(names=["cat", "dog"]),
                "segmentation_mask": tfds.features.Image(shape=(None, None, 1)),
                "head_bbox": tfds.features.BBoxFeature(),
                "file_name": tfds.features.Text(),
            }
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager):
            return {
                "train": self._generate_examples(0, NUM_TRAIN),
                "test": self._generate_examples(NUM_TRAIN, NUM_TRAIN + NUM_TEST),
            }

        def _generate_examples(self, start, stop):
            for index in range(start, stop):
                trimap = np.full((20, 30, 1), 2, np.uint8)  # background
                trimap[5:15, 10:20] = 1  # the pet
                trimap[5:15, 10] = 3  # its outline
                box = (0.125, 0.25, 0.5, 0.75) if index != 1 else (0.0, 0.0, 0.0, 0.0)
                yield (
                    index,
                    {
                        "image": str(files / f"{index}.jpg"),
                        "label": index % 2,
                        "segmentation_mask": trimap,
                        "head_bbox": tfds.features.BBox(*box),  # ymin, xmin, ymax, xmax
                        "file_name": f"{index}.jpg",
                    },
                )

    data_dir = tmp_path_factory.mktemp("tfds")
    tfds.disable_progress_bar()
    PawpetalTestPets(data_dir=data_dir).download_and_prepare()
    return str(data_dir)


@pytest.fixture(scope="module")
def photos(data_dir):
    source = open_source("tfds:pawpetal_test_pets", data_dir)
    return {one.filename: one for one in source.photos()}


def test_a_dataset_is_opened_by_name(data_dir):
    source = open_source("tfds:pawpetal_test_pets", data_dir)

    assert source.name == "pawpetal_test_pets"
    assert source.classes == ("cat", "dog")
    assert source.num_files == 6
    assert source.skipped == ()
    assert re.fullmatch(
        rf"pawpetal_test_pets/1\.2\.3@{data_dir}/pawpetal_test_pets/1\.2\.3", source.fingerprint()
    )


def test_a_version_may_be_named(data_dir):
    assert open_source("tfds:pawpetal_test_pets:1.2.3", data_dir).name == "pawpetal_test_pets"


def test_all_splits_are_joined(photos):
    assert sorted(photos) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]


def test_bytes_are_those_of_the_files(photos):
    for index in range(6):
        assert photos[f"{index}.jpg"].encoded == photo(index)


def test_labels_become_class_names(photos):
    assert [photos[f"{index}.jpg"].class_name for index in range(3)] == ["cat", "dog", "cat"]


def test_boxes_are_turned_to_x_before_y(photos):
    assert photos["0.jpg"].box == (0.25, 0.125, 0.75, 0.5)


def test_an_empty_box_is_none(photos):
    assert photos["1.jpg"].box is None


def test_a_mask_is_1_on_the_pet_and_its_outline(photos):
    mask = cv2.imdecode(np.frombuffer(photos["0.jpg"].mask, np.uint8), cv2.IMREAD_UNCHANGED)

    expected = np.zeros((20, 30), np.uint8)
    expected[5:15, 10:20] = 1
    np.testing.assert_array_equal(mask, expected)


def test_the_order_is_always_the_same(data_dir, photos):
    again = open_source("tfds:pawpetal_test_pets", data_dir)

    assert [one.filename for one in again.photos()] == list(photos)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (1, 3), (1, 5), (2, 6), (3, None), (6, 9)])
def test_a_range_of_the_order_is_read_across_splits(data_dir, photos, start, stop):
    source = open_source("tfds:pawpetal_test_pets", data_dir)

    assert [one.filename for one in source.photos(start, stop)] == list(photos)[start:stop]
    assert source.sizes is None


def test_a_photo_can_be_read_by_its_name(data_dir):
    source = open_source("tfds:pawpetal_test_pets", data_dir)

    assert source.read("4.jpg") == photo(4)
    assert source.read("1.jpg") == photo(1)


def test_a_dataset_is_ingested_whole(data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr("components.ingest.chunks.PHOTOS_OF_UNKNOWN_SIZE", 4)
    manifest = ingest_photos(
        Order(dataset="tfds:pawpetal_test_pets", data_dir=data_dir),
        tmp_path / "dataset",
        page=tmp_path / "report.html",
        data=tmp_path / "report.json",
    )

    assert manifest.counts == {"cat": 3, "dog": 3}
    assert len(manifest.shards) == 2
    records = {one.filename: one for one in read_photos(tmp_path / "dataset")}
    assert records["3.jpg"].encoded == photo(3)
    assert (records["3.jpg"].height, records["3.jpg"].width) == (20, 30)
    assert records["3.jpg"].box == (0.25, 0.125, 0.75, 0.5)


def test_without_a_network_a_dataset_that_is_not_prepared_fails_at_once(
    data_dir, tmp_path, monkeypatch
):
    try:
        socket.create_connection(("127.0.0.1", 443), 1).close()
    except ConnectionRefusedError:
        pass
    else:
        pytest.skip("this machine serves HTTPS")
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.setattr("components.ingest.sources.tfds.DOWNLOAD_HOST", "127.0.0.1")

    source = open_source("tfds:pawpetal_test_pets", str(tmp_path))

    assert source.num_files is None
    with pytest.raises(
        DataError,
        match=rf"tfds:pawpetal_test_pets is not prepared in '{tmp_path}/.*', and 127\.0\.0\.1"
        r" cannot be reached to download it \(.*refused\)\. Prepare it on a machine",
    ):
        next(source.photos())


def test_a_dataset_that_is_not_prepared_is_prepared(data_dir, tmp_path, monkeypatch):
    # Behind a proxy nothing is asked beforehand, and this dataset has nothing to download.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    source = open_source("tfds:pawpetal_test_pets", str(tmp_path))

    assert len(list(source.photos())) == 6
    assert source.num_files == 6


def test_an_unknown_name_is_refused_with_the_nearest(data_dir):
    with pytest.raises(
        InputError, match=r"Received: 'tfds:oxford_iiit_pets'\. Did you mean 'tfds:oxford_iiit_pet'"
    ) as caught:
        open_source("tfds:oxford_iiit_pets", data_dir)
    assert len(str(caught.value)) < 200  # not the names of all of them


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mnist:9.9.9", "cannot be loaded at version 9.9.9"),
        ("mnist/nope", "BuilderConfig nope not found"),
        ("", "Parsing builder name string"),
    ],
)
def test_a_name_that_tfds_cannot_use_is_refused_with_its_reason(data_dir, name, reason):
    with pytest.raises(InputError, match=rf"Received: 'tfds:{name}' \(.*{reason}"):
        open_source(f"tfds:{name}", data_dir)


def test_a_dataset_of_something_else_is_refused(data_dir):
    with pytest.raises(
        InputError, match=r"features 'image' and 'label'\. Received: tfds:glue with .*sentence"
    ):
        open_source("tfds:glue", data_dir)
