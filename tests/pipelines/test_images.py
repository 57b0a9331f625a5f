"""Tags of images: they say what is inside, and never move."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.common.errors import InputError
from pipelines import images
from pipelines.images import names_for, reference, tag
from pipelines.specs import step_images

ROOT = Path(__file__).parents[2]
PARTS = ("components", "pipelines", "docker", "LICENSE", "README.md", "pyproject.toml")


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The sources elsewhere, where a test may change them."""
    for name in PARTS:
        source = ROOT / name
        copied = shutil.copytree if source.is_dir() else shutil.copy
        copied(source, tmp_path / name)
    monkeypatch.setattr(images, "ROOT", tmp_path)
    return tmp_path


def append(path, text="\n# changed\n"):
    path.write_text(path.read_text() + text)


def test_a_run_starts_two_images_and_a_third_where_another_trains():
    assert names_for("pawpetal-cpu") == ("pawpetal-cpu", "pawpetal-light")
    assert names_for("pawpetal-tpu") == ("pawpetal-cpu", "pawpetal-light", "pawpetal-tpu")


def test_image_whose_digest_is_known_is_named_by_it_alone():
    digests = {"pawpetal-cpu": f"sha256:{64 * 'a'}"}

    assert reference("pawpetal-cpu", "r.example/p", digests) == (
        f"r.example/p/pawpetal-cpu@sha256:{64 * 'a'}"
    )
    assert reference("pawpetal-gpu", "r.example/p", digests) == f"r.example/p/pawpetal-gpu:{tag()}"


def test_a_tag_is_the_version_and_a_digest():
    assert re.fullmatch(r"0\.1\.0-[0-9a-f]{12}", tag())


def test_the_same_sources_elsewhere_have_the_same_tag(copy):
    before = tag()
    (copy / "components" / "__pycache__").mkdir(exist_ok=True)
    (copy / "components" / "__pycache__" / "x.pyc").write_bytes(b"compiled")

    assert tag() == before


@pytest.mark.parametrize(
    "name",
    [
        "components/train/train.py",
        "components/common/page.html.j2",
        "pipelines/cli/run.py",
        "docker/Dockerfile",
        "docker/locks/cpu.lock",
        "docker/build.py",
        "pyproject.toml",
    ],
)
def test_whatever_goes_into_an_image_changes_the_tag(copy, name):
    before = tag()

    append(copy / name)

    assert tag() != before


@pytest.mark.parametrize(
    "name", ["pipelines/specs/train_and_push.vertex.yaml", "docker/README.md", "docker/scan.py"]
)
def test_what_goes_into_no_image_leaves_the_tag_alone(copy, name):
    before = tag()

    append(copy / name)

    assert tag() == before


def test_a_new_file_of_the_same_content_is_another_tag(copy):
    before = tag()
    shutil.move(copy / "components/train/train.py", copy / "components/train/training.py")

    assert tag() != before


def test_installed_without_sources_the_tag_is_that_of_the_shipped_specs(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "ROOT", tmp_path)

    assert f"pawpetal-cpu:{tag()}" in step_images("train_and_push")


def test_the_committed_specs_name_the_images_of_this_code():
    assert step_images("train_and_push") == (reference("pawpetal-cpu"), reference("pawpetal-light"))


def test_a_registry_stands_before_the_name():
    assert reference("pawpetal-cpu", "localhost:5001/team/") == (
        f"localhost:5001/team/pawpetal-cpu:{tag()}"
    )


def test_a_registry_with_a_scheme_is_refused():
    with pytest.raises(InputError, match=r"without a scheme\. Received: 'https://example\.com'"):
        reference("pawpetal-cpu", "https://example.com")


def test_specs_for_another_registry_and_accelerator_are_compiled_aside(tmp_path):
    command = [sys.executable, "-m", "pipelines", "compile", "--output", str(tmp_path)]
    options = ["--image-registry", "localhost:5001", "--accelerator", "gpu:any:1"]

    subprocess.run([*command, *options], check=True, capture_output=True, cwd=ROOT)

    spec = (tmp_path / "train_and_push.kubeflow.yaml").read_text()
    assert f"image: localhost:5001/pawpetal-gpu:{tag()}" in spec
    assert f"image: localhost:5001/pawpetal-light:{tag()}" in spec
    assert "resourceType: nvidia.com/gpu" in spec


def test_the_committed_specs_are_never_given_unusual_settings():
    command = [sys.executable, "-m", "pipelines", "compile", "--accelerator", "gpu:any:1"]

    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 2
    assert "`output` must name a folder where `image_registry`, `accelerator`" in done.stderr


def pinned(lock):
    """Versions by name: more than one where they differ by version of Python."""
    found = {}
    for name, version in re.findall(r"(?m)^([a-z0-9._-]+)==([^ ;]+)", lock.read_text()):
        found.setdefault(name, set()).add(version)
    return found


@pytest.mark.parametrize("name", ["build", "light", "cpu", "gpu", "tpu"])
def test_images_hold_the_versions_that_are_tested(name):
    tested = pinned(ROOT / "requirements.lock")
    held = pinned(ROOT / "docker" / "locks" / f"{name}.lock")

    differing = {key for key in held.keys() & tested.keys() if not held[key] <= tested[key]}

    assert held
    assert differing == set()


def test_step_images_leave_out_what_kfp_needs_only_to_submit():
    held = pinned(ROOT / "docker" / "locks" / "cpu.lock")

    assert "kfp" in held
    assert {"kubernetes", "requests-toolbelt"}.isdisjoint(held)
