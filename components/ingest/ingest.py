"""Photos from anywhere into one dataset folder: checked, listed, bytes unchanged."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from components.common.dataset import DatasetWriter
from components.common.errors import DataError
from components.common.manifest import Manifest, Rejected
from components.common.parallel import map_in_order
from components.common.progress import Meter
from components.common.records import PhotoRecord
from components.ingest.check import check_photo
from components.ingest.sources import open_source
from components.ingest.sources.photo import SourcePhoto

NUM_THREADS = 2  # decoding releases the interpreter lock; more threads only wait for the writer


def ingest_photos(dataset: str, folder: Path, *, data_dir: str = "") -> Manifest:
    """Copy the photos of a source into sharded TFRecords with a manifest.

    Args:
        dataset: URI of the photos: `sample:NAME`, `tfds:NAME`, `folder:PATH` or
            `gs://BUCKET/PREFIX`.
        folder: Where the dataset is written.
        data_dir: Where TensorFlow Datasets keeps its data; for `tfds:` only.

    Returns:
        The manifest, which lists each rejected file with the reason.

    Raises:
        InputError: If there is no such source, or it has fewer than 2 classes.
        DataError: If no photo of some class can be used.
    """
    source = open_source(dataset, data_dir)
    labels = {class_name: label for label, class_name in enumerate(source.classes)}
    writer = DatasetWriter(folder, source.classes)
    rejected: list[Rejected] = []
    meter = Meter("checked", source.num_files)

    def check(photo: SourcePhoto) -> PhotoRecord | Rejected:
        return _check(photo, labels[photo.class_name])

    with ThreadPoolExecutor(NUM_THREADS) as pool:
        checked = map_in_order(pool, check, source.photos(), ahead=64)
        for done, outcome in enumerate(checked, start=1):
            if isinstance(outcome, Rejected):
                rejected.append(outcome)
            else:
                writer.add(outcome)
            meter.show(done)
    _report([*source.skipped, *rejected])
    for class_name in source.classes:
        if not writer.counts[class_name]:
            raise DataError(_no_photos(class_name, dataset, rejected))
    return writer.finish(name=source.name, source=dataset, rejected=[*source.skipped, *rejected])


def _check(photo: SourcePhoto, label: int) -> PhotoRecord | Rejected:
    shape = check_photo(photo.encoded)
    if isinstance(shape, str):
        return Rejected(file=photo.filename, reason=shape)
    return PhotoRecord(
        encoded=photo.encoded,
        format=shape.format,
        height=shape.height,
        width=shape.width,
        label=label,
        class_name=photo.class_name,
        filename=photo.filename,
        sha256=hashlib.sha256(photo.encoded).hexdigest(),
        box=photo.box,
        mask=photo.mask,
    )


def _report(rejected: list[Rejected]) -> None:
    for one in rejected:
        print(f"rejected {one.file}: {one.reason}")


def _no_photos(class_name: str, dataset: str, rejected: list[Rejected]) -> str:
    first = next((one for one in rejected if one.file.startswith(f"{class_name}/")), None)
    why = f" ({first.file}: {first.reason})" if first else ""
    return f"Class '{class_name}' of '{dataset}' has no photo that can be used{why}."
