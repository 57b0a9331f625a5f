"""`tfds:NAME`: any image-classification dataset of TensorFlow Datasets, its files unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from components.common.errors import DataError, InputError, unknown_name
from components.common.manifest import Rejected
from components.common.network import why_unreachable
from components.ingest.sources.photo import SourcePhoto

DOWNLOAD_HOST = "storage.googleapis.com"


class TfdsSource:
    """All splits of a TFDS dataset together; pawpetal splits by itself."""

    sizes = None  # TFDS knows those of its files, each of many photos

    def __init__(self, name: str, data_dir: str) -> None:
        self._builder = _open_builder(name, data_dir)
        self._data_dir = str(self._builder.data_dir)
        features = self._builder.info.features
        if not {"image", "label"} <= set(features or {}):
            raise InputError(
                f"`dataset` must have the features 'image' and 'label'."
                f" Received: tfds:{name} with {', '.join(features or ['none'])}."
            )
        self.name = name.partition(":")[0].partition("/")[0]
        if not getattr(features["label"], "names", None):
            raise InputError(
                f"`dataset` must have named classes. Received: tfds:{name}, whose 'label' is"
                f" {features['label']!r}."
            )
        self.classes = tuple(features["label"].names)
        self._unlabelled: dict[str, Rejected] = {}
        self._places: dict[str, int] = {}  # of each photo read, by its name

    @property
    def num_files(self) -> int | None:
        """Photos over all splits, once the dataset is prepared."""
        return self._builder.info.splits.total_num_examples if self._is_prepared() else None

    def photos(self, start: int = 0, stop: int | None = None) -> Iterator[SourcePhoto]:
        """Yield photos as TFDS stores them, downloading and preparing the dataset when new.

        A photo without a label has a place in the order, and is not yielded.

        Raises:
            DataError: If the dataset is not prepared and its host cannot be reached.
        """
        for place, name, example in self._examples(start, stop):
            if example["label"] < 0:  # how TFDS marks a photo that nobody labelled
                self._unlabelled[name] = Rejected(file=name, reason="no label")
                continue
            photo = self._to_photo(example, fallback_name=name)
            self._places[photo.filename] = place
            yield photo

    def read(self, filename: str) -> bytes:
        """The bytes of one photo; reads all, once, where it was not among those yielded."""
        if filename not in self._places:
            for _ in self.photos():
                pass
        place = self._places[filename]
        return next(self.photos(place, place + 1)).encoded

    @property
    def skipped(self) -> tuple[Rejected, ...]:
        """Photos without a label, as far as they were read."""
        return tuple(self._unlabelled.values())

    def fingerprint(self) -> str:
        """Name, version and place: TFDS raises the version when the data changes."""
        return f"{self._builder.info.full_name}@{self._data_dir}"

    def _examples(self, start: int, stop: int | None) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Place, name and features of the examples in a range over all splits in turn."""
        import tensorflow_datasets as tfds

        if not self._is_prepared():
            self._check_network()
            self._builder.download_and_prepare()
        first = 0  # place of the split's first example
        for split, info in sorted(self._builder.info.splits.items()):
            end = info.num_examples if stop is None else min(stop - first, info.num_examples)
            begin = max(start - first, 0)
            if begin < end:
                examples = self._builder.as_dataset(
                    split=tfds.core.ReadInstruction(split, begin, end, unit="abs"),
                    decoders={"image": tfds.decode.SkipDecoding()},
                    read_config=tfds.ReadConfig(interleave_cycle_length=1),  # one order, always
                )
                for index, example in enumerate(tfds.as_numpy(examples), start=begin):
                    yield first + index, f"{split}/{index:06d}", example
            first += info.num_examples

    def _is_prepared(self) -> bool:
        return bool(self._builder.is_prepared())

    def _to_photo(self, example: dict[str, Any], *, fallback_name: str) -> SourcePhoto:
        name = example.get("file_name", example.get("image/filename", b""))
        class_name = self.classes[int(example["label"])]
        return SourcePhoto(
            filename=name.decode() or f"{class_name}/{fallback_name}",
            class_name=class_name,
            encoded=example["image"],
            box=_box(example.get("head_bbox", example.get("bbox"))),
            mask=_mask(example.get("segmentation_mask")),
        )

    def _check_network(self) -> None:
        if why := why_unreachable(DOWNLOAD_HOST):
            raise DataError(
                f"tfds:{self.name} is not prepared in '{self._data_dir}', and {DOWNLOAD_HOST}"
                f" cannot be reached to download it ({why}). Prepare it on a machine with a"
                " network and pass its folder as `data_dir`."
            )


def _open_builder(name: str, data_dir: str) -> Any:
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=data_dir or None)
    except tfds.core.registered.DatasetNotFoundError:
        known = tfds.list_builders(with_community_datasets=False)
        raise unknown_name("dataset", f"tfds:{name}", (f"tfds:{n}" for n in known)) from None
    except (AssertionError, ValueError) as error:  # no such version, no such config, no name at all
        raise InputError(
            f"`dataset` must name a dataset of TensorFlow Datasets. Received: 'tfds:{name}'"
            f" ({' '.join(str(error).split())[:200]})"
        ) from error


def _box(box: Any) -> tuple[float, float, float, float] | None:
    """TFDS boxes are (ymin, xmin, ymax, xmax); an empty one stands for none."""
    if box is None or not any(box):
        return None
    ymin, xmin, ymax, xmax = (float(side) for side in box)
    return xmin, ymin, xmax, ymax


def _mask(trimap: Any) -> bytes | None:
    """Oxford-IIIT trimaps hold 1 on the pet, 2 around it and 3 on its outline."""
    if trimap is None:
        return None
    import cv2

    subject = (trimap[..., 0] != 2).astype("uint8")
    return bytes(cv2.imencode(".png", subject)[1])
