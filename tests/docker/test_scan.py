import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
import uuid

import pytest

from pipelines.images import ROOT

from .conftest import NAMES, checked, inspect, run

# Made up, and put together here so that no file of the project looks as if it held one.
PEM = "-----BEGIN RSA PRIVATE {0}-----\n{1}\n-----END RSA PRIVATE {0}-----\n".format(
    "KEY", "MIIE" * 16
)
CERTIFICATE = "-----BEGIN {0}-----\n{1}\n-----END {0}-----\n".format("CERTIFICATE", "MIID" * 16)
GITHUB = "ghp_" + "a1B2c3" * 6
HUGGING_FACE = "hf_" + "aBcDeFgHiJkLmNoPq" * 2
AWS = "AKIA" + "ABCDEFGH23456723"
DOCKERFILE = """
FROM {base}
COPY files /
RUN rm -r /root/keys && chmod 777 /opt/open && chmod u+s /opt/setuid
ENV PIP_INDEX_URL=https://packages.example.org/simple REGISTRY_TOKEN=abc
LABEL note="{github}"
"""
FILES = {
    "etc/pip.conf": "[global]\n",
    "opt/open": "",
    "opt/setuid": "",
    "opt/settings.py": "code = '://name:word@host' if KEY else '-----BEGIN PRIVATE KEY-----'",
    "opt/lib/site-packages/rsa/altered.pem": PEM + "\n",
    "opt/lib/site-packages/rsa/key.pem": PEM,
    "root/.netrc": "machine example.org\n",
    "root/keys/key.txt": PEM,
    "usr/share/ca/company.crt": CERTIFICATE,
    "var/account.json": '{"private_key_id": "' + "0123456789" * 4 + '"}',
    "var/aws.txt": AWS,
    "var/large.bin": "\0" * (16 * 2**20 - 8) + HUGGING_FACE,  # across two chunks
}


@pytest.fixture(scope="session")
def scan(load):
    return load("scan")


@pytest.fixture
def planted(base_image, tmp_path):
    """An image with secrets in it, some of them deleted by a later layer."""
    record = base64.urlsafe_b64encode(hashlib.sha256(PEM.encode()).digest()).rstrip(b"=").decode()
    listed = "".join(f"rsa/{name}.pem,sha256={record},1\n" for name in ("altered", "key"))
    for path, text in {**FILES, "opt/lib/site-packages/rsa-4.dist-info/RECORD": listed}.items():
        file = tmp_path / "files" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.format(base=base_image, github=GITHUB))
    reference = f"pawpetal-test-scan:{uuid.uuid4().hex[:12]}"
    checked("docker", "build", f"--tag={reference}", str(tmp_path))
    yield reference
    run("docker", "image", "rm", "--force", reference)


def test_what_is_planted_is_found_deleted_files_and_configuration_included(
    planted, base_image, scan
):
    found = scan.scan(planted, base_image).findings

    first, second = (f"layer {number} of 3" for number in (2, 3))
    assert {(each.place, each.path, each.kind) for each in found if "layer" in each.place} == {
        (first, "/etc/pip.conf", "pip configuration"),
        (first, "/opt/lib/site-packages/rsa/altered.pem", "private key"),
        (first, "/opt/settings.py", "URL with a password"),
        (first, "/root/.netrc", "credentials file"),
        (first, "/root/keys/key.txt", "private key"),
        (first, "/usr/share/ca/company.crt", "CA bundle"),
        (first, "/var/account.json", "service-account key"),
        (first, "/var/aws.txt", "AWS access key"),
        (first, "/var/large.bin", "Hugging Face token"),
        (second, "/opt/open", "writable by all"),
        (second, "/opt/setuid", "setuid or setgid file"),
    }
    assert {each.kind for each in found if each.place == "configuration"} == {
        "GitHub token",
        "variable PIP_INDEX_URL",
        "variable REGISTRY_TOKEN",
    }
    assert not any(secret in repr(found) for secret in (GITHUB, AWS, HUGGING_FACE))


@pytest.mark.parametrize("name", NAMES)
def test_no_layer_of_an_image_holds_a_secret(name, images, base_image, scan, request):
    """Layers found clean once are not read again: the one with TensorFlow takes a minute."""
    digest = hashlib.sha256((ROOT / "docker" / "scan.py").read_bytes()).hexdigest()[:12]
    key = f"docker/clean-{digest}"
    clean = set(request.config.cache.get(key, []))
    details = inspect(images[name])
    if clean.issuperset(details["RootFS"]["Layers"]):
        known = scan.configuration(base_image)
        assert list(scan.config_findings(scan.configuration(images[name]), known)) == []
        return

    result = scan.scan(images[name], base_image)

    assert result.findings == []
    assert result.layers == details["RootFS"]["Layers"]
    assert result.num_files > 10_000
    request.config.cache.set(key, sorted(clean | set(result.layers)))


def test_the_layout_of_newer_engines_is_read_too(tmp_path, monkeypatch, scan):
    layer = gzip.compress(_tar({"app/token.txt": GITHUB.encode()}))
    empty = _tar({})
    config = {"rootfs": {"diff_ids": ["sha256:1", "sha256:2"]}, "history": []}
    manifest = [{"Config": "blobs/sha256/c", "Layers": ["blobs/sha256/1", "blobs/sha256/2"]}]
    archive = {
        "blobs/sha256/1": layer,
        "blobs/sha256/2": empty,
        "blobs/sha256/c": json.dumps(config).encode(),
        "index.json": b'{"schemaVersion": 2}',
        "manifest.json": json.dumps(manifest).encode(),
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
    }
    _pretend_to_save(tmp_path, monkeypatch, _tar(archive))

    result = scan.scan("any:1")

    assert result.findings == [scan.Finding("layer 1 of 2", "/app/token.txt", "GitHub token")]
    assert result.num_files == 1


def test_the_command_tells_where_and_fails_and_never_shows_the_secret(
    tmp_path, monkeypatch, scan, capsys
):
    manifest = [{"Config": "c.json", "Layers": ["1/layer.tar", "2/layer.tar"]}]
    archive = {
        "1/layer.tar": _tar({"key": PEM.encode()}),
        "2/layer.tar": "../1/layer.tar",
        "c.json": b'{"rootfs": {"diff_ids": ["sha256:1", "sha256:1"]}}',
        "manifest.json": json.dumps(manifest).encode(),
    }
    _pretend_to_save(tmp_path, monkeypatch, _tar(archive))
    monkeypatch.setattr("sys.argv", ["scan.py", "any:1"])

    assert scan.main() == 1
    assert capsys.readouterr().out == (
        "any:1: layer 1 of 2: /key: private key\nany:1: layer 2 of 2: /key: private key\n"
    )


def test_an_image_that_is_not_there_is_refused(images, scan):
    with pytest.raises(RuntimeError, match="`docker save pawpetal-none:0` failed: Error"):
        scan.scan("pawpetal-none:0")


@pytest.mark.parametrize(
    ("name", "is_told"),
    [
        ("HF_TOKEN", True),
        ("aws_secret_access_key", True),
        ("API_KEY", True),
        ("PIP_CERT", True),
        ("REQUESTS_CA_BUNDLE", True),
        ("HTTPS_PROXY", True),
        ("TOKENIZERS_PARALLELISM", False),
        ("PIP_NO_CACHE_DIR", False),
        ("KERAS_BACKEND", False),
        ("GPG_KEY", False),  # python:3.11-slim names the public key of the release so
    ],
)
def test_variables_that_should_not_be_in_an_image_are_known_by_name(name, is_told, scan):
    found = list(scan.config_findings({"config": {"Env": [f"{name}=value", f"{name}="]}}))

    assert [each.kind for each in found] == [f"variable {name}"] * is_told


def test_what_the_base_image_says_of_itself_does_not_count(scan):
    base = {"config": {"Env": ["SITE_TOKEN=public"]}, "history": []}
    image = {"config": {"Env": ["SITE_TOKEN=public", "MY_TOKEN=x"]}, "history": []}

    assert [each.kind for each in scan.config_findings(image, base)] == ["variable MY_TOKEN"]


def _tar(members):
    """A tar file of bytes by path; text is the target of a link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _pretend_to_save(folder, monkeypatch, archive):
    """A `docker` that gives this archive."""
    (folder / "image.tar").write_bytes(archive)
    (folder / "docker").write_text(f"#!/bin/sh\nexec cat '{folder}/image.tar'\n")
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
