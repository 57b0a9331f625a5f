"""Datasets of a few photos that are known by their content, split by hand."""

import hashlib
from pathlib import Path

from components.common.dataset import DatasetWriter, Part, dataset_digest
from components.common.index import PhotoFacts
from components.common.records import PhotoRecord
from components.split.rule import SPLITS

# A photo is `class/content`; with `~number` after it, its perceptual hash.
Photos = dict[str, list[str]]


def record(photo: str, classes: tuple[str, ...]) -> PhotoRecord:
    """The photo as it is stored; its content is its text."""
    class_name, content = photo.partition("~")[0].split("/")
    return PhotoRecord(
        encoded=content.encode(),
        format="jpeg",
        height=2,
        width=3,
        label=classes.index(class_name),
        class_name=class_name,
        filename=f"{class_name}/{content}.jpg",
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        box=(0.0, 0.25, 0.5, 1.0),
        mask=b"mask of " + content.encode(),
    )


def facts(photo: str) -> PhotoFacts:
    """What is known of it: nothing but its format and, where it has one, its hash."""
    marked = photo.partition("~")[2]
    words = (int(marked), 7, 7, 7) if marked else None
    mean = (0.0, 0.0, 0.0) if marked else None
    return PhotoFacts(format="jpeg", height=2, width=3, hash=words, mean=mean, std=mean)


def write(root: Path, source: str, photos: Photos) -> dict[str, Path]:
    """Write the three splits of a dataset; its name is what stands after the last slash."""
    name = source.rpartition("/")[2].rpartition(":")[2]
    everything = [photo for split in SPLITS for photo in photos.get(split, [])]
    classes = tuple(sorted({photo.split("/")[0] for photo in everything}))
    whole = dataset_digest(
        classes,
        [(one.class_name, one.sha256) for one in (record(photo, classes) for photo in everything)],
    )
    folders = {}
    for split in SPLITS:
        folders[split] = root / source.replace("/", "-").replace(":", "-") / split
        writer = DatasetWriter(folders[split], classes)
        for photo in photos.get(split, []):
            writer.add(record(photo, classes), facts(photo))
        part = Part(split=split, dataset_digest=whole, rule="by hand")
        writer.finish(name=name, source=source, part=part)
    return folders
