"""Whether the photos can be read where the run would read them, without reading them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from components.common import storage
from components.common.errors import InputError, PawpetalError, unknown_name
from components.common.google_cloud import CREDENTIALS_HINT
from components.common.network import why_unreachable
from components.ingest.samples import CLASSES
from components.ingest.sources import FORMS
from components.ingest.sources.tfds_names import check_name
from pipelines.doctor.check import Check, fail, ok
from pipelines.places import absolute_dataset

NAME = "dataset"
EMULATOR = "STORAGE_EMULATOR_HOST"
CLOUD_STORAGE = "storage.googleapis.com"
LOG_IN = "gcloud auth application-default login"
ANOTHER = "pass another --dataset: sample:flowers is always there"


def check_dataset(uri: str, *, runs_here: bool, bucket: str = "") -> Iterator[Check]:
    """Whether a dataset is there.

    Args:
        uri: As `pawpetal run --dataset` takes it.
        runs_here: Whether the steps see what this machine has.
        bucket: A bucket of the caller's, to name in the command that mends.
    """
    try:
        uri = absolute_dataset(uri)
        kind, _, rest = uri.partition(":")
        if kind in ("folder", "archive") and not storage.is_remote(rest) and not runs_here:
            yield _out_of_reach(uri, rest, bucket)
        elif kind == "sample":
            yield _sample(rest.partition("?")[0])
        elif kind == "tfds":
            yield _tfds(rest)
        elif kind == "folder":
            yield _folder(Path(rest))
        elif storage.is_remote(uri):
            yield _prefix(uri)
        elif kind == "archive":
            yield _archive(rest)
        else:
            raise InputError(f"`dataset` must be {FORMS}. Received: '{uri}'")
    except PawpetalError as error:
        said, is_login, _ = str(error).partition(CREDENTIALS_HINT)
        yield fail(NAME, said.strip(), LOG_IN if is_login else ANOTHER)


def _out_of_reach(uri: str, path: str, bucket: str) -> Check:
    place = f"gs://{bucket or 'BUCKET'}/photos/{Path(path).name}"
    kind = uri.partition(":")[0]
    where = place if kind == "folder" else f"archive:{place}"
    return fail(
        NAME,
        f"{uri} is of this machine, and the steps would run elsewhere",
        f"gcloud storage cp --recursive {path} {place}  # then --dataset {where}",
    )


def _sample(name: str) -> Check:
    if name not in CLASSES:
        raise unknown_name(NAME, f"sample:{name}", (f"sample:{known}" for known in CLASSES))
    return ok(NAME, f"sample:{name}, drawn on the spot")


def _tfds(rest: str) -> Check:
    try:
        check_name(rest)
    except ModuleNotFoundError:
        command = "pip install 'pawpetal[steps,cpu]'"
        return fail(NAME, "tfds: needs tensorflow_datasets, also to start a run", command)
    return ok(NAME, f"tfds:{rest} is known; whether it downloads, only the download tells")


def _folder(folder: Path) -> Check:
    if not folder.is_dir():
        said = f"there is no folder '{folder}'"
        return fail(NAME, said, f"ls {next(each for each in folder.parents if each.exists())}")
    classes = [each for each in folder.iterdir() if each.is_dir() and each.name[0] != "."]
    readable = [each for each in classes if os.access(each, os.R_OK | os.X_OK)]
    if unreadable := sorted(set(classes) - set(readable)):
        return fail(NAME, f"'{unreadable[0]}' cannot be read", f"chmod -R u+rX {folder}")
    if not any(_first_file(each) for each in classes):
        said = f"no photos in folders named by class, in '{folder}'"
        return fail(NAME, said, f"mkdir {folder}/CLASS && mv PHOTOS {folder}/CLASS")
    return ok(NAME, f"folder:{folder}, {len(classes)} classes")


def _first_file(folder: Path) -> bool:
    return any(files for _, _, files in os.walk(folder))


def _archive(path: str) -> Check:
    if storage.is_remote(path):
        return _prefix(path)
    if not os.access(path, os.R_OK):
        return fail(NAME, f"'{path}' is missing, or cannot be read", f"ls -l {path}")
    return ok(NAME, f"archive:{path}")


def _prefix(uri: str) -> Check:
    """Whether there is one object: a whole listing can take minutes."""
    from components.common.storage import cloud

    if EMULATOR not in os.environ and (why := why_unreachable(CLOUD_STORAGE)):
        command = "export https_proxy=http://HOST:PORT  # if there is one"
        return fail(NAME, f"{CLOUD_STORAGE} cannot be reached: {why}", command)
    if storage.exists(uri) or next(cloud.list_files(uri), None):
        return ok(NAME, uri)
    return fail(NAME, f"no objects under {uri}", f"gcloud storage ls {uri.rpartition('/')[0]}/")
