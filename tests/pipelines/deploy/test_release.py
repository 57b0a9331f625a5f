"""What is compiled to be deployed."""

import json
import re

import pytest

from components.common.errors import InputError
from pipelines.accelerators import parse_accelerator
from pipelines.compiling import GRAPHS
from pipelines.deploy import documents, release
from pipelines.deploy.checkout import Checkout
from pipelines.deploy.release import make_release
from pipelines.images import code_version
from pipelines.specs import pipeline_names
from pipelines.targets.kubeflow import KubeflowTarget
from pipelines.targets.vertex import VertexTarget
from tests.pipelines.deploy.conftest import CHECKOUT, changed
from tests.pipelines.vertex.conftest import BUCKET

REGISTRY = "registry.example/pawpetal"
DIGESTS = {
    name: f"sha256:{64 * digit}" for name, digit in (("pawpetal-light", "1"), ("pawpetal-cpu", "2"))
}


def kubeflow(**settings):
    return KubeflowTarget(host="http://kubeflow.example", **settings)


def vertex(**settings):
    return VertexTarget(project="acme", region="us-central1", bucket=BUCKET, **settings)


@pytest.fixture
def one_pipeline(monkeypatch):
    """Compile one pipeline alone, for tests that look at one."""
    monkeypatch.setattr(release, "GRAPHS", {"retrain": GRAPHS["retrain"]})


def write_digests(tmp_path, digests):
    path = tmp_path / "digests.json"
    path.write_text(json.dumps(digests))
    return str(path)


def containers(spec):
    executors = documents.read(spec)[0]["deploymentSpec"]["executors"]
    return {name: executor["container"] for name, executor in executors.items()}


def cached(spec):
    plain = documents.read(spec)[0]
    parts = [plain["root"], *plain["components"].values()]
    tasks = [task for part in parts for task in part.get("dag", {}).get("tasks", {}).values()]
    return [task for task in tasks if task.get("cachingOptions", {}).get("enableCache")]


def test_every_pipeline_is_compiled(compiled_for_kubeflow, for_vertex):
    for made in (compiled_for_kubeflow, for_vertex):
        assert sorted(made.specs) == list(pipeline_names())


def test_content_does_not_depend_on_time_tag_or_commit_but_on_each_spec(one_pipeline):
    made = make_release(kubeflow(), CHECKOUT)

    assert re.fullmatch("sha256:[0-9a-f]{64}", made.content)
    assert make_release(kubeflow(), Checkout(), tag="x").content == made.content
    assert changed(made, "x").content != made.content
    assert make_release(kubeflow(cpus=1.5), CHECKOUT).content != made.content


def test_no_step_is_taken_from_the_cache_since_photos_change_behind_their_uri(
    compiled_for_kubeflow, for_vertex
):
    for made in (compiled_for_kubeflow, for_vertex):
        for spec in made.specs.values():
            assert not cached(spec)


def test_workers_are_not_taken_from_the_cache_either(one_pipeline):
    made = make_release(kubeflow(num_workers=3), CHECKOUT)

    assert any("ingest-share" in name for name in containers(made.specs["retrain"]))
    assert not cached(made.specs["retrain"])


def test_tag_is_the_one_given_or_of_git_or_the_version_of_the_code(one_pipeline):
    target = kubeflow()
    assert make_release(target, CHECKOUT, tag="v9").tag == "v9"
    assert make_release(target, CHECKOUT).tag == "v1"
    assert make_release(target, Checkout()).tag == code_version().replace("+", "-")


@pytest.mark.parametrize("tag", ["-v1", "v 1", "v/1", 64 * "v"])
def test_tag_that_names_nothing_is_refused(tag):
    with pytest.raises(InputError, match="`tag` must start with a letter or digit"):
        make_release(kubeflow(), CHECKOUT, tag=tag)


def test_images_are_named_by_their_digests(tmp_path, one_pipeline):
    file = write_digests(tmp_path, DIGESTS)

    made = make_release(kubeflow(image_registry=REGISTRY), CHECKOUT, digests=file)

    images = {each["image"] for each in containers(made.specs["retrain"]).values()}
    assert images == {f"{REGISTRY}/{name}@{digest}" for name, digest in DIGESTS.items()}


def test_launcher_and_training_on_vertex_ai_are_named_by_their_digests(tmp_path, one_pipeline):
    digests = {**DIGESTS, "pawpetal-gpu": f"sha256:{64 * '3'}"}
    target = vertex(accelerator=parse_accelerator("gpu:nvidia-l4:1"))

    made = make_release(target, CHECKOUT, digests=write_digests(tmp_path, digests))

    train = containers(made.specs["retrain"])["exec-train"]
    place = target.place.image_registry
    assert train["image"] == f"{place}/pawpetal-light@{DIGESTS['pawpetal-light']}"
    job = json.loads(train["args"][1])
    assert f"{place}/pawpetal-gpu@sha256:{64 * '3'}" in json.dumps(job)
    assert ":0." not in "".join(
        each["image"] for each in containers(made.specs["retrain"]).values()
    )


@pytest.mark.parametrize(
    ("digests", "said"),
    [
        ({"pawpetal-light": DIGESTS["pawpetal-light"]}, "Received for pawpetal-cpu: ''"),
        ({**DIGESTS, "pawpetal-cpu": "sha256:12"}, "Received for pawpetal-cpu: 'sha256:12'"),
        ([], "must hold one JSON object"),
    ],
)
def test_image_without_a_digest_is_refused(tmp_path, digests, said):
    with pytest.raises(InputError, match=re.escape(said)):
        make_release(
            kubeflow(image_registry=REGISTRY), CHECKOUT, digests=write_digests(tmp_path, digests)
        )


def test_digests_file_that_is_none_is_refused(tmp_path):
    file = tmp_path / "digests.json"
    with pytest.raises(InputError, match="cannot be read as JSON"):
        make_release(kubeflow(image_registry=REGISTRY), CHECKOUT, digests=str(file))
    file.write_text("{")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        make_release(kubeflow(image_registry=REGISTRY), CHECKOUT, digests=str(file))


def test_digests_without_a_registry_are_refused(tmp_path):
    with pytest.raises(InputError, match="`digests` needs `image_registry`"):
        make_release(kubeflow(), CHECKOUT, digests=write_digests(tmp_path, DIGESTS))
