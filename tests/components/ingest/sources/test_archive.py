import gzip
import io
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from components.common.errors import InputError
from components.common.manifest import Rejected
from components.ingest.sources import open_source
from components.ingest.sources.archive import ArchiveSource

MIB = 1 << 20
KINDS = ["zip", "tar", "tar.gz", "tgz"]
PHOTOS = {"cat/1.jpg": b"a cat", "cat/2.jpg": b"another cat", "dog/3.jpg": b"a dog"}


def pack(path: Path, members: dict[str, bytes]) -> Path:
    """An archive of the kind that its name says; names that end with `/` are folders."""
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path
    mode = "w" if path.name.endswith(".tar") else "w:gz"
    with tarfile.open(path, mode, encoding="utf-8") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name.rstrip("/") or "/")
            info.size = len(content)
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(info, io.BytesIO(content))
    return path


def pack_tar(path: Path, *infos: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w", encoding="utf-8") as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(bytes(info.size)))
        for name, content in PHOTOS.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def open_archive(path: Path) -> ArchiveSource:
    source = open_source(f"archive:{path}")
    assert isinstance(source, ArchiveSource)
    return source


def contents(source: ArchiveSource) -> dict[str, bytes]:
    return {photo.filename: photo.encoded for photo in source.photos()}


@pytest.fixture(params=KINDS)
def archive(request, tmp_path):
    """Packs members as each kind of archive."""
    return lambda members: pack(tmp_path / f"pets.{request.param}", members)


def test_each_folder_is_a_class_and_each_member_a_photo(archive):
    source = open_archive(archive(PHOTOS))

    assert source.name == "pets"
    assert source.classes == ("cat", "dog")
    assert source.num_files == 3
    assert source.skipped == ()
    assert contents(source) == PHOTOS
    assert {photo.filename: photo.class_name for photo in source.photos()} == {
        "cat/1.jpg": "cat",
        "cat/2.jpg": "cat",
        "dog/3.jpg": "dog",
    }


def test_order_and_sizes_are_those_of_the_folder_it_was_made_of(photo_folder, tmp_path):
    folder = photo_folder({"cat": 8, "dog": 8})
    unpacked = open_source(f"folder:{folder}")
    shutil.make_archive(str(tmp_path / "of_files"), "zip", folder)
    shutil.make_archive(str(tmp_path / "of_the_folder"), "gztar", tmp_path, "photos")

    for name in ("of_files.zip", "of_the_folder.tar.gz"):
        source = open_archive(tmp_path / name)

        assert list(source.photos()) == list(unpacked.photos())
        assert list(source.sizes) == list(unpacked.sizes)
        assert source.sizes[0] == len(next(source.photos()).encoded)


def test_a_range_and_a_single_photo_can_be_read(archive):
    source = open_archive(archive(PHOTOS))
    names = [photo.filename for photo in source.photos()]

    assert [photo.filename for photo in source.photos(1, 2)] == names[1:2]
    assert [photo.filename for photo in source.photos(2)] == names[2:]
    assert list(source.photos(3)) == []
    assert source.read("cat/2.jpg") == b"another cat"


def test_a_single_folder_about_the_classes_is_left_out_of_names(archive):
    members = {f"my pets/{name}": content for name, content in PHOTOS.items()}
    about = {"my pets/": b"", "my pets/cat/": b"", "readme.txt": b"", "my pets/licence.txt": b""}

    source = open_archive(archive(members | about))

    assert contents(source) == PHOTOS
    assert source.classes == ("cat", "dog")
    assert source.skipped == (
        Rejected(file="readme.txt", reason="not in a class folder"),
        Rejected(file="licence.txt", reason="not in a class folder"),
    )
    assert source.read("dog/3.jpg") == b"a dog"


def test_folders_inside_a_class_folder_belong_to_the_class(archive):
    source = open_archive(archive(PHOTOS | {"cat/indoors/asleep/4.jpg": b"zzz"}))

    assert source.classes == ("cat", "dog")
    assert contents(source)["cat/indoors/asleep/4.jpg"] == b"zzz"


def test_what_macos_adds_is_no_photo_and_no_class(archive):
    added = {"__MACOSX/": b"", "__MACOSX/pets/cat/._1.jpg": b"x", "pets/.DS_Store": b"x"}
    members = {f"pets/{name}": content for name, content in PHOTOS.items()}

    source = open_archive(archive(members | added))

    assert contents(source) == PHOTOS
    assert source.skipped == (Rejected(file=".DS_Store", reason="hidden file"),)


def test_names_with_a_dot_for_the_folder_are_the_same_names(tmp_path):
    members = {f"./{name}": content for name, content in PHOTOS.items()}

    source = open_archive(pack(tmp_path / "dotted.tar", {"./": b"", "./cat/": b""} | members))

    assert contents(source) == PHOTOS
    assert source.skipped == ()


def test_names_may_be_in_any_script(archive):
    members = {"Katze/schläft.jpg": b"zzz", "犬/走る.jpg": b"wow", "Katze/🐈.jpg": b"!"}

    assert contents(open_archive(archive(members))) == members


def test_names_in_utf8_that_do_not_say_so_are_read(tmp_path):
    path = pack(tmp_path / "macos.zip", PHOTOS | {"cat/schläft.jpg": b"zzz"})
    path.write_bytes(_without_utf8_flag(path.read_bytes()))

    assert contents(open_archive(path))["cat/schläft.jpg"] == b"zzz"


def test_names_in_another_encoding_are_listed(tmp_path):
    path = pack(tmp_path / "old.zip", PHOTOS | {"cat/ä.jpg": b"zzz"})
    old = _without_utf8_flag(path.read_bytes()).replace("ä".encode(), b"\x84.")  # cp437
    path.write_bytes(old)

    source = open_archive(path)

    assert contents(source) == PHOTOS
    assert source.skipped == (Rejected(file=r"cat/\udc84..jpg", reason="name is not UTF-8"),)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../cat/4.jpg", "path with '..'"),
        ("cat/../../dog/4.jpg", "path with '..'"),
        ("/etc/cat/4.jpg", "absolute path"),
        ("C:/cat/4.jpg", "absolute path"),
        ("cat\\..\\4.jpg", "path with a backslash"),
        ("cat/\x1b[2J4.jpg", "control character in its name"),
    ],
)
def test_path_tricks_are_refused_and_listed(archive, name, reason):
    source = open_archive(archive(PHOTOS | {name: b"boo"}))

    assert contents(source) == PHOTOS
    assert source.skipped == (Rejected(file=name, reason=reason),)


@pytest.mark.parametrize("tar_type", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_a_tar_are_refused(tmp_path, tar_type):
    link = tarfile.TarInfo("cat/4.jpg")
    link.type, link.linkname = tar_type, "/etc/passwd"

    source = open_archive(pack_tar(tmp_path / "a.tar", link))

    assert contents(source) == PHOTOS
    assert source.skipped == (Rejected(file="cat/4.jpg", reason="link"),)


@pytest.mark.parametrize("tar_type", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"S"])
def test_devices_in_a_tar_are_refused(tmp_path, tar_type):
    device = tarfile.TarInfo("cat/4.jpg")
    device.type = tar_type  # S: with holes, whose bytes do not stand where they seem to

    source = open_archive(pack_tar(tmp_path / "a.tar", device))

    assert contents(source) == PHOTOS
    assert source.skipped == (Rejected(file="cat/4.jpg", reason="no plain file"),)


@pytest.mark.parametrize(
    ("kind", "reason"), [(stat.S_IFLNK, "link"), (stat.S_IFCHR, "no plain file")]
)
def test_links_and_devices_in_a_zip_are_refused(tmp_path, kind, reason):
    path = pack(tmp_path / "a.zip", PHOTOS)
    info = zipfile.ZipInfo("cat/4.jpg")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")

    source = open_archive(path)

    assert contents(source) == PHOTOS
    assert source.skipped == (Rejected(file="cat/4.jpg", reason=reason),)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_one_name_are_all_refused(tmp_path):
    path = pack(tmp_path / "a.zip", PHOTOS | {"cat/4.jpg": b"one"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("cat/./4.jpg", b"two")

    source = open_archive(path)

    assert contents(source) == PHOTOS
    assert source.skipped == (Rejected(file="cat/4.jpg", reason="2 members of that name"),) * 2


def test_encrypted_members_are_refused(tmp_path):
    path = pack(tmp_path / "a.zip", PHOTOS | {"cat/secret.jpg": b"x"})
    content = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rindex(signature) + at] |= 1  # of the last member
    path.write_bytes(content)

    source = open_archive(path)

    assert contents(source) == PHOTOS
    assert source.skipped == (Rejected(file="cat/secret.jpg", reason="encrypted"),)


def test_methods_that_python_lacks_are_refused(tmp_path):
    path = pack(tmp_path / "a.zip", PHOTOS | {"cat/4.jpg": b"x"})
    content = bytearray(path.read_bytes())
    for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        content[content.rindex(signature) + at] = 9  # deflate64, as Windows has it
    path.write_bytes(content)

    reason = "compressed by method 9, which cannot be read"
    assert open_archive(path).skipped == (Rejected(file="cat/4.jpg", reason=reason),)


def test_a_bomb_in_a_zip_is_refused(tmp_path):
    path = pack(tmp_path / "a.zip", PHOTOS | {"cat/bomb.jpg": bytes(65 * MIB)})

    source = open_archive(path)

    assert path.stat().st_size < MIB
    assert contents(source) == PHOTOS
    reason = "decompresses to more than 100 times its size"
    assert source.skipped == (Rejected(file="cat/bomb.jpg", reason=reason),)


def test_a_member_that_is_larger_than_any_photo_is_refused(tmp_path):
    path = pack(tmp_path / "a.tar", PHOTOS)
    size_bytes = 257 * MIB
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo("cat/film.jpg")
        info.size = size_bytes
        start = archive.offset
    with path.open("r+b") as file:  # with a hole for its bytes, which costs no room
        file.seek(start)
        file.write(info.tobuf())
        file.truncate(start + 512 + size_bytes + 1024)

    source = open_archive(path)

    assert contents(source) == PHOTOS
    assert source.skipped == (Rejected(file="cat/film.jpg", reason="more than 256 MiB"),)


def test_a_bomb_of_gzip_is_refused_at_once(tmp_path):
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(bytes(80 * MIB)))

    with pytest.raises(InputError, match=r"is damaged, .* more than 100 times its size in bytes"):
        open_archive(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.85])
def test_a_truncated_archive_is_refused_at_once(tmp_path, kind, part):
    path = pack(tmp_path / f"pets.{kind}", {name: os.urandom(30_000) for name in PHOTOS})
    os.truncate(path, int(part * path.stat().st_size))

    with pytest.raises(InputError, match=rf"'.*pets\.{kind}' is damaged, or no \.{kind} file: "):
        open_archive(path)


def test_a_tar_with_a_broken_header_in_the_middle_is_refused_at_once(tmp_path):
    path = pack(tmp_path / "pets.tar", PHOTOS)
    content = bytearray(path.read_bytes())
    content[content.index(b"cat/2.jpg")] ^= 1  # its checksum is wrong now
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"is damaged, .*it ends too early, or bytes were lost"):
        open_archive(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [b"", b"no archive", bytes(2000)])
def test_a_file_that_is_no_archive_is_refused(tmp_path, kind, content):
    path = tmp_path / f"pets.{kind}"
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"is damaged, or no|must hold 2 or more folders"):
        open_archive(path)


def test_a_photo_that_is_damaged_in_the_archive_is_empty(tmp_path):
    path = pack(tmp_path / "pets.zip", {name: os.urandom(3000) for name in PHOTOS})
    content = bytearray(path.read_bytes())
    content[200] ^= 1  # in the bytes of the first
    path.write_bytes(content)

    photos = contents(open_archive(path))

    assert photos["cat/1.jpg"] == b""
    assert len(photos["dog/3.jpg"]) == 3000


def test_many_photos_come_whole_through_threads(tmp_path):
    members = {f"{index % 7}/{index}.jpg": os.urandom(index) for index in range(3000)}

    source = open_archive(pack(tmp_path / "many.zip", members))

    assert contents(source) == members


def test_an_empty_class_folder_is_refused(archive):
    path = archive(PHOTOS | {"mouse/": b""})

    with pytest.raises(InputError, match=r"has no photos for class 'mouse'\. Add photos"):
        open_archive(path)


@pytest.mark.parametrize(
    ("members", "received"),
    [
        ({"cat/1.jpg": b"x"}, r"Received: cat\."),
        ({"cat\\1.jpg": b"x"}, r"no folder .* Left out: cat\\1\.jpg \(path with a backslash\)\."),
        ({"train/1.jpg": b"x", "test/1.jpg": b"x"}, "is split already"),
    ],
)
def test_archives_without_classes_are_refused(archive, members, received):
    with pytest.raises(InputError, match=received):
        open_archive(archive(members))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"must name an archive \(.zip.*Received: 'archive:a.rar'"):
        open_source("archive:a.rar")
    with pytest.raises(InputError, match=r"No such file: '.*/none\.zip'"):
        open_archive(tmp_path / "none.zip")


def test_the_fingerprint_changes_with_the_file(tmp_path):
    first = open_archive(pack(tmp_path / "pets.zip", PHOTOS)).fingerprint()

    assert open_archive(tmp_path / "pets.zip").fingerprint() == first
    assert (
        open_archive(pack(tmp_path / "pets.zip", PHOTOS | {"cat/4": b"x"})).fingerprint() != first
    )


def test_an_archive_in_a_bucket_is_fetched_when_a_photo_is_wanted(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    for kind in KINDS:
        path = pack(tmp_path / f"pets.{kind}", PHOTOS)
        bucket.blob(f"data/pets.{kind}").upload_from_filename(path)

        source = open_source(f"archive:gs://{bucket.name}/data/pets.{kind}")

        assert source.name == "pets"
        assert len(source.fingerprint()) == 16
        assert "_contents" not in vars(source)
        assert contents(source) == PHOTOS
        assert list((tmp_path / "scratch").iterdir()) == []  # nothing stays, even when killed


def test_an_archive_that_is_not_in_the_bucket_is_refused(bucket):
    with pytest.raises(InputError, match=rf"No such file: 'gs://{bucket.name}/none\.zip'"):
        open_source(f"archive:gs://{bucket.name}/none.zip")


def _without_utf8_flag(content: bytes) -> bytes:
    """A zip whose names do not say that they are UTF-8."""
    changed = bytearray(content)
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := changed.find(signature, start + 1)) >= 0:
            (flags,) = struct.unpack_from("<H", changed, start + at)
            struct.pack_into("<H", changed, start + at, flags & ~0x800)
    return bytes(changed)
