"""Looks at photos: nothing new, photos that arrive, places that cannot be read."""

import time

import pytest

from pipelines.schedules.local.new_data import (
    ARRIVING,
    CHANGED,
    NOTHING,
    UNREADABLE,
    NewData,
    fingerprint,
)

QUIET_S = 0.3


@pytest.fixture
def folder(photo_folder):
    return photo_folder({"cat": 3, "dog": 3})


def look(new_data: NewData, folder, known: str):
    """The next thing that is found."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if found := new_data.look("nightly", f"folder:{folder}", "", known):
            return found
        time.sleep(0.01)
    raise AssertionError("nothing was found")


def add_photo(folder, name: str) -> None:
    (folder / "cat" / name).write_bytes((folder / "dog" / "000.jpg").read_bytes())


def test_where_nothing_changed_there_is_nothing_new(folder):
    known = fingerprint(f"folder:{folder}")

    assert look(NewData(), folder, known).kind == NOTHING


@pytest.mark.parametrize("change", ["add", "remove", "replace", "rename"])
def test_any_change_of_photos_is_found_once_all_is_quiet(folder, change):
    known = fingerprint(f"folder:{folder}")
    photo = folder / "cat" / "000.jpg"
    if change == "add":
        add_photo(folder, "new.jpg")
    elif change == "remove":
        photo.unlink()
    elif change == "replace":
        photo.write_bytes(photo.read_bytes())
    else:
        photo.rename(folder / "dog" / "cat.jpg")
    new_data = NewData(quiet_s=QUIET_S)

    first = look(new_data, folder, known)
    start = time.monotonic()
    second = look(new_data, folder, known)

    assert (first.kind, second.kind) == (ARRIVING, CHANGED)
    assert time.monotonic() - start >= QUIET_S * 0.9
    assert second.fingerprint == fingerprint(f"folder:{folder}") != known


def test_photos_that_still_arrive_are_waited_for(folder):
    known = fingerprint(f"folder:{folder}")
    new_data = NewData(quiet_s=QUIET_S)
    kinds = []
    for number in range(3):
        add_photo(folder, f"{number}.jpg")
        kinds.append(look(new_data, folder, known).kind)

    assert kinds == [ARRIVING] * 3
    assert look(new_data, folder, known).kind == CHANGED


def test_photos_that_never_cease_to_arrive_are_not_waited_for_without_end(folder):
    known = fingerprint(f"folder:{folder}")
    new_data = NewData(quiet_s=0.05, most_wait_s=0.4)
    kinds = []
    while CHANGED not in kinds:
        add_photo(folder, f"{len(kinds)}.jpg")
        kinds.append(look(new_data, folder, known).kind)

    assert len(kinds) > 3


def test_photos_that_came_and_went_again_are_nothing_new(folder):
    known = fingerprint(f"folder:{folder}")
    new_data = NewData(quiet_s=QUIET_S)
    add_photo(folder, "new.jpg")
    assert look(new_data, folder, known).kind == ARRIVING
    (folder / "cat" / "new.jpg").unlink()

    assert look(new_data, folder, known).kind == NOTHING


def test_a_folder_that_is_not_there_is_neither_changed_nor_empty(folder):
    known = fingerprint(f"folder:{folder}")
    new_data = NewData(quiet_s=QUIET_S)
    folder.rename(folder.with_name("elsewhere"))
    folder.mkdir()  # as a mount point without its disk

    gone = look(new_data, folder, known)
    folder.rmdir()
    missing = look(new_data, folder, known)
    folder.with_name("elsewhere").rename(folder)

    assert (gone.kind, missing.kind) == (UNREADABLE, UNREADABLE)
    assert "must hold 2 or more folders" in gone.why
    assert "No such folder" in missing.why
    assert look(new_data, folder, known).kind == NOTHING


def test_photos_that_are_added_to_a_bucket_are_found(bucket, photo_folder):
    folder = photo_folder({"cat": 2, "dog": 2})
    for path in folder.rglob("*.jpg"):
        bucket.blob(f"photos/{path.parent.name}/{path.name}").upload_from_filename(str(path))
    uri = f"gs://{bucket.name}/photos"
    before = fingerprint(uri)
    assert fingerprint(uri) == before
    bucket.blob("photos/cat/000.jpg").upload_from_filename(str(folder / "dog" / "000.jpg"))

    assert fingerprint(uri) != before
