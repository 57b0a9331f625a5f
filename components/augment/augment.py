"""Choose an augmentation policy and show what it does to the training photos."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from pathlib import Path

import numpy as np

from components.augment.augmenter import Augmenter
from components.augment.mixing import Mixer
from components.augment.policies import Policy, find_policy
from components.augment.preview import Copies, render_preview
from components.augment.strips import draw_strips, mixture_label
from components.common.dataset import read_photos
from components.common.manifest import Manifest
from components.common.photos import decode
from components.common.storage import write_atomically

PREVIEW_ROWS = 6
PREVIEW_SIZE = 256  # pixels
SEARCHED_PHOTOS = 2000  # a row a class, from the first photos: reading all would take too long


def choose_policy(name: str, train: Path, folder: Path, preview: Path, *, seed: int = 0) -> Policy:
    """Write the policy for train to read, and a page of originals beside augmented photos.

    Args:
        name: A name in the table of policies.
        train: Dataset folder of the training photos.
        folder: Where the policy is written.
        preview: Where the page is written.
        seed: The seed that training will augment with, so that the page shows its first epochs.

    Raises:
        InputError: If there is no policy of that name.
    """
    policy = find_policy(name)
    policy.save(folder)
    originals, labels, indices = _one_photo_a_class(train)
    augmenter = Augmenter(policy=policy, seed=seed)

    def augment(photos: np.ndarray, epoch: int) -> Copies:
        if policy.mixes:
            return _mixed(augmenter, photos, labels, epoch)
        return Copies(photos=augmenter(photos, indices, epoch), captions=[""] * len(labels))

    page = render_preview(
        originals,
        labels,
        augment,
        policy_name=name,
        policy={key: value for key, value in asdict(policy).items() if key != "name"},
        strips=draw_strips(policy, originals[0], originals[-1], (labels[0], labels[-1])),
    )
    write_atomically(preview, page.encode())
    return policy


def _mixed(augmenter: Augmenter, photos: np.ndarray, labels: list[str], epoch: int) -> Copies:
    """The photos mixed with each other: their partners in training may be anywhere."""
    rows = np.arange(len(photos))
    mixer = Mixer(augmenter=augmenter, num_photos=len(photos), size=photos.shape[1])
    captions = [
        mixture_label(mixer.mixture(row, epoch).share, labels[row], labels[partner])
        for row, partner in enumerate(mixer.partners(epoch))
    ]
    return Copies(photos=mixer.photos(photos, rows, epoch), captions=captions)


def _one_photo_a_class(train: Path) -> tuple[np.ndarray, list[str], np.ndarray]:
    num_rows = min(PREVIEW_ROWS, len(Manifest.load(train).classes))
    rows: dict[str, tuple[int, np.ndarray]] = {}
    for index, record in enumerate(itertools.islice(read_photos(train), SEARCHED_PHOTOS)):
        if record.class_name not in rows:
            rows[record.class_name] = (index, decode(record, PREVIEW_SIZE))
        if len(rows) == num_rows:
            break
    chosen = sorted(rows.items())
    return (
        np.stack([image for _, (_, image) in chosen]),
        [class_name for class_name, _ in chosen],
        np.array([index for _, (index, _) in chosen]),
    )
