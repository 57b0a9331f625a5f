"""Specs are uploaded once, whoever else uploads; runs are started once, whatever gets lost."""

import threading

import pytest
import yaml

from pipelines.accelerators import parse_accelerator
from pipelines.images import tag
from pipelines.targets.kubeflow_client import Login, Server
from tests.pipelines.kubeflow.conftest import make_target
from tests.pipelines.kubeflow.server import Fault


def names(versions):
    return [version.name for version in versions]


def test_a_spec_is_uploaded_once_for_two_runs(server, follow):
    first, _ = follow(make_target(server, wait=False))
    second, _ = follow(make_target(server, wait=False))

    assert len(server.store.versions) == len(server.store.pipelines) == 1
    assert len(server.store.experiments) == 1
    assert len(server.store.runs) == 2
    assert first.run.remote_id != second.run.remote_id


def test_versions_are_named_by_code_version_and_hold_the_spec(server, target, follow, usual_spec):
    follow(make_target(server, wait=False))

    (version,) = server.store.versions
    assert version.name.startswith(f"{tag()}-")
    assert target.code_version().replace("+", "-") == tag()
    spec, platform = yaml.safe_load_all(usual_spec.read_text())
    assert version.pipeline_spec == {"pipeline_spec": spec, "platform_spec": platform}
    assert server.store.pipelines[0].name == "train-and-push"


def test_other_settings_make_another_version(server, follow):
    follow(make_target(server, wait=False))
    follow(
        make_target(
            server,
            wait=False,
            image_registry="localhost:5001",
            accelerator=parse_accelerator("gpu:any:1"),
            memory="6Gi",
        )
    )

    usual, other = server.store.versions
    assert usual.name != other.name
    assert usual.name.rpartition("-")[0] == other.name.rpartition("-")[0] == tag()
    text = str(other.pipeline_spec)
    assert "localhost:5001/pawpetal-gpu" in text
    assert "nvidia.com/gpu" in text
    assert "6144Mi" in text


@pytest.mark.parametrize("others", [15, 120])
def test_a_version_is_found_among_many(server, follow, usual_spec, others):
    follow(make_target(server, wait=False))
    api = Server(server.url, Login())
    parsed = server.store.parsed[server.store.versions[0].pipeline_version_id]
    for number in range(others):
        server._add_version(server.store.pipelines[0].pipeline_id, f"other-{number}", parsed, None)
        server.add_pipeline(f"other-{number}")

    follow(make_target(server, wait=False))

    assert len(server.store.versions) == others + 1
    found = list(pages(api, server))
    assert len(found) == others + 1


def pages(api, server):
    """Every version, as our own paging lists them."""
    from functools import partial

    from pipelines.targets.kubeflow_client import _pages

    pipeline_id = server.store.pipelines[0].pipeline_id
    return _pages(partial(api._client.list_pipeline_versions, pipeline_id=pipeline_id))


def test_a_version_of_that_name_with_another_spec_is_not_used(server, follow):
    follow(make_target(server, wait=False))
    server.store.versions[0].description = "sha256:another"

    execution, _ = follow(make_target(server, wait=False))

    assert execution.run.status == "failed"
    assert "holds another spec than this code compiles to" in execution.run.error["message"]
    assert len(server.store.runs) == 1


@pytest.mark.parametrize("path", ["pipelines$", "upload_version", "experiments$"])
def test_somebody_else_may_make_the_same_in_between(server, follow, path):
    is_first = True

    def another(seen):
        nonlocal is_first
        if is_first and seen.method == "POST" and seen.path.endswith(path.rstrip("$")):
            is_first = False
            assert follow(make_target(server, wait=False))[0].run.status == "submitted"

    server.before = another

    execution, _ = follow(make_target(server, wait=False))

    assert execution.run.status == "submitted", execution.run.error
    assert len(server.store.runs) == 2
    assert len(server.store.versions) == len(server.store.pipelines) == 1
    assert len(server.store.experiments) == 1


def test_many_submit_at_once(server, usual_spec):
    start = threading.Barrier(4)
    found, failed = [], []

    def submit():
        api = Server(server.url, Login())
        start.wait()
        try:
            found.append((api.upload("train-and-push", "v1", usual_spec), api.experiment("one")))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert len(set(found)) == 1
    assert len(server.store.versions) == 1


@pytest.mark.parametrize("path", ["POST .*/pipelines$", "POST .*upload_version", "POST .*/runs$"])
def test_a_lost_answer_does_not_make_anything_twice(server, follow, path):
    server.faults = [Fault(path=path, times=1, after=True)]

    execution, _ = follow(make_target(server, wait=False))

    assert execution.run.status == "submitted", execution.run.error
    assert len(server.store.runs) == len(server.store.versions) == 1
    assert server.count("POST", "/runs$") == 1


def test_a_refusal_is_one_line_and_fails_the_run(server, follow):
    server.faults = [Fault(path="POST .*/runs$", times=9, status=403)]

    execution, events = follow()

    assert execution.run.status == "failed"
    assert events == []
    assert execution.run.error == {
        "step": "start",
        "message": f"{server.url}, asked to start the run, said 403: Forbidden."
        " Log in with --token-file, --cookie-file or --iap-client-id.",
        "log": "",
    }


def test_without_the_cache_the_run_brings_its_own_spec(server, follow):
    cached, _ = follow(make_target(server, wait=False))
    fresh, _ = follow(make_target(server, wait=False), use_cache=False)

    by_version = server.store.runs[cached.run.remote_id].run
    by_spec = server.store.runs[fresh.run.remote_id].run
    assert by_version.pipeline_version_reference.pipeline_version_id
    assert by_spec.pipeline_version_reference is None
    tasks = by_spec.pipeline_spec["pipeline_spec"]["root"]["dag"]["tasks"]
    assert {task["cachingOptions"].get("enableCache", False) for task in tasks.values()} == {False}
    assert "kubernetes" in by_spec.pipeline_spec["platform_spec"]["platforms"]
