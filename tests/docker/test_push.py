"""Pushing images, by a real engine: to Debian's docker-registry where it is, else to a double."""

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request
import uuid
from types import SimpleNamespace

import pytest

from components.common.errors import DataError

from .conftest import checked, inspect, run
from .registry import Registry

CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
SIGNED_BY = r"^https://github\.com/acme/pawpetal/"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
START_S = 10


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """HOST/PATH of an empty registry."""
    if os.environ.get("PAWPETAL_ENGINE") == "no" or run("docker", "info").returncode:
        pytest.skip("no Docker engine answers (docker info)")
    program = shutil.which("docker-registry")
    with _start(program, tmp_path_factory.mktemp("registry")) if program else Registry() as server:
        yield f"{server.address}/acme/pawpetal"


@contextlib.contextmanager
def _start(program, folder):
    config, port = folder / "config.yml", _free_port()
    config.write_text(CONFIG.format(folder=folder / "data", port=port))
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log)
    try:
        _await_port(port)
        yield SimpleNamespace(address=f"127.0.0.1:{port}")
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def make_image(registry):
    """Makes images of one small file; they and their names in the registry go after the test."""
    made = []

    def make(content, *, name="light", tag=""):
        image = f"pawpetal-{name}:{tag or f'test-{uuid.uuid4().hex[:12]}'}"
        made.append(image)
        subprocess.run(["docker", "import", "-", image], input=_tar(content), check=True)
        return image

    yield make
    names = [name for image in made for name in (image, f"{registry}/{image}")]
    run("docker", "image", "rm", "--force", *names)


@pytest.fixture
def build(load):
    return load("build")


@pytest.fixture
def as_version(build, monkeypatch):
    """Lets the command take images of a version for those of the code and its specs."""

    def take(version):
        named = [build.reference(image) for image in (build.images.CPU, build.images.LIGHT)]
        monkeypatch.setattr(build, "step_images", lambda _: named)
        monkeypatch.setattr(build, "tag", lambda: version)

    return take


@pytest.fixture
def cosign(tmp_path, monkeypatch):
    """A stand-in that knows a signature, or none, as the file `says` has it; gives its calls."""
    program = tmp_path / "bin" / "cosign"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{tmp_path}/calls\n. {tmp_path}/says\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    def say(line):
        (tmp_path / "says").write_text(f"{line}\n")
        return lambda: (tmp_path / "calls").read_text().splitlines()

    return say


def test_the_digest_is_the_one_that_the_registry_gives(make_image, registry, build):
    image = make_image("one")

    digest = build.push(image, registry)

    assert digest == _digest_there(registry, image)
    by_digest = f"{registry}/{image.partition(':')[0]}@{digest}"
    checked("docker", "pull", by_digest)
    assert inspect(by_digest)["Id"] == inspect(image)["Id"]


def test_what_a_registry_has_under_a_tag_stays_and_is_taken(make_image, registry, build):
    published = make_image("published")
    digest = build.push(published, registry)
    published_id = inspect(published)["Id"]
    make_image("built a second time", tag=published.partition(":")[2])

    assert build.fetch(published, registry) == digest
    assert inspect(published)["Id"] == published_id


def test_an_image_that_a_registry_does_not_have_is_not_fetched(make_image, registry, build):
    image = make_image("only here")

    assert build.fetch(image, registry) == ""
    assert inspect(image)["Id"]


def test_an_image_is_not_fetched_from_an_empty_repository(registry, build):
    assert build.fetch("pawpetal-light:1", f"{registry}/nothing/was/pushed/here") == ""


def test_a_registry_that_does_not_answer_is_no_reason_to_build_anew(build):
    nowhere = f"127.0.0.1:{_free_port()}"

    with pytest.raises(DataError, match=rf"Whether {nowhere}/pawpetal-light:1 exists is not known"):
        build.fetch("pawpetal-light:1", nowhere)


@pytest.mark.parametrize(
    ("said", "is_missing"),
    [
        ("Error response from daemon: manifest unknown", True),
        ("Error response from daemon: name unknown: No such package", True),
        ("Error response from daemon: manifest for r/a/b:1 not found: no such", True),
        ("Error response from daemon: repository r/a/b not found: does not exist", True),
        ('from daemon: failed to resolve reference "r/b:1": r/b:1: not found\n', True),
        ("Error response from daemon: pull access denied for r/a/b, repository does not", False),
        ('error getting credentials - exec: "docker-x": executable file not found in $PATH', False),
        ('Get "https://r/v2/": dial tcp: lookup r: no such host', False),
        ("received unexpected HTTP status: 503 Service Unavailable", False),
    ],
)
def test_only_an_answer_of_the_registry_means_that_there_is_none(build, said, is_missing):
    assert bool(build.MISSING.search(said)) == is_missing


def test_an_image_that_the_workflow_signed_is_taken(make_image, registry, build, cosign):
    image = make_image("published")
    digest = build.push(image, registry)
    calls = cosign("exit 0")

    assert build.fetch(image, registry, SIGNED_BY) == digest
    assert calls() == [
        "verify",
        "--certificate-oidc-issuer=https://token.actions.githubusercontent.com",
        f"--certificate-identity-regexp={SIGNED_BY}",
        f"{registry}/pawpetal-light@{digest}",
    ]


def test_an_image_that_somebody_else_pushed_is_not_taken(
    make_image, registry, build, cosign, capsys
):
    planted = make_image("planted")
    build.push(planted, registry)
    make_image("ours", tag=planted.partition(":")[2])
    our_id = inspect(planted)["Id"]
    cosign("echo no matching signatures; exit 1")

    with pytest.raises(DataError, match="is there, and not signed by"):
        build.fetch(planted, registry, SIGNED_BY)

    assert "no matching signatures" in capsys.readouterr().err
    assert inspect(planted)["Id"] == our_id


def test_nothing_is_built_or_pushed_over_what_somebody_else_pushed(
    make_image, registry, build, as_version, cosign, tmp_path, monkeypatch, capsys
):
    planted = make_image("planted")
    digest = build.push(planted, registry)
    cosign("exit 1")
    as_version(planted.partition(":")[2])
    options = [f"--image-registry={registry}", f"--digests={tmp_path / 'd'}", "--signed-by=^x"]
    monkeypatch.setattr("sys.argv", ["build.py", "light", "--push", *options])

    assert build.main() == 1

    assert "Delete it there, and run this again." in capsys.readouterr().err
    assert _digest_there(registry, planted) == digest
    assert not (tmp_path / "d").exists()


def test_a_push_to_nowhere_says_so(make_image, build, capfd):
    image, nowhere = make_image("one"), f"127.0.0.1:{_free_port()}"

    assert build.push(image, nowhere) == ""

    said = capfd.readouterr().err
    assert f"{nowhere}/{image} could not be pushed: see above." in said
    assert f"docker login {nowhere}" in said
    run("docker", "image", "rm", f"{nowhere}/{image}")


def test_the_command_writes_digests_and_again_the_same_ones(
    make_image, registry, build, as_version, tmp_path, monkeypatch
):
    version = f"test-{uuid.uuid4().hex[:12]}"
    made = [make_image(name, name=name, tag=version) for name in ("light", "cpu")]
    file = tmp_path / "new" / "digests.json"
    as_version(version)
    options = ["--push", f"--image-registry={registry}", f"--digests={file}"]
    monkeypatch.setattr("sys.argv", ["build.py", "light", "cpu", *options])

    assert build.main() == 0

    digests = json.loads(file.read_text())
    assert digests == {each.partition(":")[0]: _digest_there(registry, each) for each in made}
    run("docker", "image", "rm", "--force", *made)
    file.unlink()
    assert build.main() == 0  # as on another machine, which has none of them
    assert json.loads(file.read_text()) == digests


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--push"], "--push and --image-registry go together"),
        (["--image-registry=localhost:1"], "--push and --image-registry go together"),
        (["--digests=digests.json"], "--digests and --signed-by go with --push"),
        (["--signed-by=^https"], "--digests and --signed-by go with --push"),
        (["--push", "--image-registry=https://x"], "without a scheme. Received: 'https://x'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(build, options, said, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["build.py", "light", *options])

    with pytest.raises(SystemExit, match="2"):
        build.main()

    assert said in capsys.readouterr().err


def _digest_there(registry, image):
    """What the registry itself says of a tag."""
    host, _, path = registry.partition("/")
    name, _, tag = image.partition(":")
    url = f"http://{host}/v2/{path}/{name}/manifests/{tag}"
    question = urllib.request.Request(url, headers={"Accept": MANIFEST}, method="HEAD")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(question, timeout=START_S) as answer:
        return answer.headers["Docker-Content-Digest"]


def _tar(content):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("content")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content.encode()))
    return packed.getvalue()


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _await_port(port):
    deadline = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
