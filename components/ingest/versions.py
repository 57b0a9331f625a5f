"""A dataset as one version among others of its name, below a storage root."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from components.common.dataset import dataset_location, find_dataset, read_index, versions
from components.common.duplicates import group_near_duplicates
from components.common.index import PhotoIndex
from components.common.manifest import Manifest

MOST_SEARCHED = 10  # versions, for one that shares photos: others may only share the name

Version = tuple[Manifest, PhotoIndex]


def as_version(
    manifest: Manifest, index: PhotoIndex, root: str
) -> tuple[Manifest, PhotoIndex, Version | None]:
    """Say of each photo with which version it came, and whose split it shares.

    Photos that an earlier version had keep both: so no photo changes sides, whatever comes or goes.
    A new one shares the split of those it looks like.

    Args:
        manifest: Of the dataset.
        index: Of its photos.
        root: Storage root; empty where no versions are kept.

    Returns:
        Manifest and index with all that, and the version before.
    """
    same = find_dataset(dataset_location(root, manifest.name, manifest.digest)) if root else None
    if same:
        index = _inherit(index, read_index(same.location), same.generation)
        manifest = replace(manifest, generation=same.generation, previous=same.previous)
        return manifest, index, version_before(root, same)
    before = _find_earlier(manifest, index, root) if root else None
    newest = next(versions(root, manifest.name), None) if root else None
    generation = newest.generation + 1 if newest else 0
    manifest = replace(manifest, generation=generation, previous=before[0].digest if before else "")
    return manifest, _inherit(index, before[1] if before else None, generation), before


def version_before(root: str, manifest: Manifest) -> Version | None:
    """The version before a dataset; None for the first, or where it is gone."""
    if not manifest.previous:
        return None
    before = find_dataset(dataset_location(root, manifest.name, manifest.previous))
    return (before, read_index(before.location)) if before else None


def _find_earlier(manifest: Manifest, index: PhotoIndex, root: str) -> Version | None:
    """The newest version that has some of the same photos."""
    for earlier in islice(versions(root, manifest.name), MOST_SEARCHED):
        known = read_index(earlier.location)
        if np.isin(_keys(index), _keys(known)).any():
            return earlier, known
    return None


def _inherit(index: PhotoIndex, before: PhotoIndex | None, generation: int) -> PhotoIndex:
    generations = np.full(len(index), generation, np.int32)
    leaders = index.sha256.copy()
    is_known = np.zeros(len(index), bool)
    if before is not None:
        known, now = _keys(before), _keys(index)
        order = np.argsort(known)
        places = np.minimum(np.searchsorted(known, now, sorter=order), len(known) - 1)
        rows = order[places]
        is_known = known[rows] == now
        generations[is_known] = before.generations[rows[is_known]]
        leaders[is_known] = before.leaders[rows[is_known]]
    index = replace(index, generations=generations)
    followed = leaders[group_near_duplicates(index)]
    return replace(index, leaders=np.where(is_known[:, None], leaders, followed))


def _keys(index: PhotoIndex) -> NDArray[np.bytes_]:
    return np.ascontiguousarray(index.sha256).view("S32").ravel()
