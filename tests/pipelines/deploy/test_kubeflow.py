"""Deployments on Kubeflow, against the double of its API."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.common.errors import ClusterError, InputError
from pipelines.deploy.deployments import previous
from pipelines.deploy.kubeflow import KubeflowDeployments
from pipelines.specs import pipeline_names
from pipelines.targets import kubeflow_client
from tests.pipelines.deploy.conftest import COMMIT, changed, mark
from tests.pipelines.kubeflow.conftest import make_target
from tests.pipelines.kubeflow.server import Fault

UPLOADS = "/pipelines/upload_version$"


def uploads(server):
    return server.count("POST", UPLOADS)


def roll_back(place):
    return place.roll_back(previous(place.history()), "ann")


def test_deploying_makes_one_version_of_each_pipeline_the_current_one(
    server, kubeflow, for_kubeflow
):
    deployment = kubeflow.deploy(for_kubeflow)

    assert kubeflow.current() == deployment
    assert (deployment.tag, deployment.commit, deployment.number) == ("v1", COMMIT, 1)
    assert [spec.pipeline for spec in deployment.specs] == list(pipeline_names())
    name = f"v1-{for_kubeflow.content[7:15]}"
    assert {spec.version for spec in deployment.specs} == {name}
    assert {version.display_name for version in server.store.versions} == {name}


def test_what_was_deployed_can_be_read_back_without_settings_of_kubernetes(kubeflow, for_kubeflow):
    spec = kubeflow.deploy(for_kubeflow).spec("retrain")

    assert kubeflow.read_spec(spec)["pipelineInfo"]["name"] == "retrain"


def test_the_record_is_one_line_of_json_that_people_can_read_too(server, kubeflow, for_kubeflow):
    kubeflow.deploy(for_kubeflow)

    record = json.loads(server.store.versions[0].description)
    assert record["made_by"] == "pawpetal deploy"
    assert (record["tag"], record["commit"], record["num_specs"]) == ("v1", COMMIT, 4)


def test_newest_deployment_is_the_current_one(kubeflow, for_kubeflow):
    kubeflow.deploy(for_kubeflow)
    kubeflow.deploy(changed(for_kubeflow, "v2"))

    assert [each.tag for each in kubeflow.history()] == ["v2", "v1"]
    assert mark(kubeflow.read_spec(kubeflow.current().spec("sweep"))) == "v2"


def test_nothing_deployed_is_said_with_the_command_that_does(kubeflow):
    with pytest.raises(InputError, match=r"Nothing is deployed at http.*: run `pawpetal deploy"):
        kubeflow.current()


def test_versions_of_other_people_and_of_runs_are_no_deployments(server, kubeflow, for_kubeflow):
    kubeflow.deploy(for_kubeflow)
    pipeline_id = server.store.pipelines[0].pipeline_id
    for name, description in (("a", None), ("b", "sha256:12"), ("c", '{"number": 9}'), ("d", "[]")):
        parsed = next(iter(server.store.parsed.values()))
        server._add_version(pipeline_id, name, parsed, description)

    assert [each.number for each in kubeflow.history()] == [1]


def test_rollback_makes_the_same_specs_the_newest_version_in_the_ui_too(
    server, kubeflow, for_kubeflow
):
    kubeflow.deploy(for_kubeflow)
    kubeflow.deploy(changed(for_kubeflow, "v2"))
    first = kubeflow.history()[1]

    back = roll_back(kubeflow)

    assert kubeflow.current() == back
    assert (back.tag, back.number, back.rolled_back_to) == ("v1", 3, 1)
    assert back.is_rollback
    assert back.spec("retrain").version == f"{first.spec('retrain').version}-rollback-3"
    parsed = {
        version.display_name: server.store.parsed[version.pipeline_version_id].as_json
        for version in server.store.versions
        if version.pipeline_id == back.spec("retrain").reference.partition("/")[0]
    }
    # With all that Kubernetes has to know.
    assert parsed[back.spec("retrain").version] == parsed[first.spec("retrain").version]
    assert "platform_spec" in parsed[back.spec("retrain").version]


def test_rolling_back_twice_goes_back_two_and_then_there_is_nothing(kubeflow, for_kubeflow):
    for tag in ("v1", "v2", "v3"):
        kubeflow.deploy(changed(for_kubeflow, tag))

    assert mark(kubeflow.read_spec(roll_back(kubeflow).spec("retrain"))) == "v2"
    assert mark(kubeflow.read_spec(roll_back(kubeflow).spec("retrain"))) == "v1"
    assert previous(kubeflow.history()) is None


def test_rollback_after_a_rollback_and_a_deployment_goes_to_what_stood_before_it(
    kubeflow, for_kubeflow
):
    for tag in ("v1", "v2"):
        kubeflow.deploy(changed(for_kubeflow, tag))
    roll_back(kubeflow)
    kubeflow.deploy(changed(for_kubeflow, "v3"))

    assert roll_back(kubeflow).tag == "v1"


def test_what_was_rolled_back_can_be_deployed_again(kubeflow, for_kubeflow):
    kubeflow.deploy(for_kubeflow)
    second = kubeflow.deploy(changed(for_kubeflow, "v2"))
    roll_back(kubeflow)

    again = kubeflow.deploy(changed(for_kubeflow, "v2"))

    assert kubeflow.current() == again
    assert again.spec("sweep").version == f"{second.spec('sweep').version}-4"


def test_each_of_many_users_has_deployments_of_their_own(server, for_kubeflow):
    server.users = {"ann", "bob"}
    ann, bob = (
        KubeflowDeployments(make_target(server, namespace=name).connect())
        for name in ("ann", "bob")
    )

    ann.deploy(for_kubeflow)

    assert ann.current().tag == "v1"
    assert bob.history() == []


def test_for_the_current_one_only_the_newest_versions_are_read(
    server, kubeflow, for_kubeflow, monkeypatch
):
    monkeypatch.setattr(kubeflow_client, "SPECS_PAGE_SIZE", 2)
    for tag in ("v1", "v2", "v3", "v4"):
        kubeflow.deploy(changed(for_kubeflow, tag))
    server.seen.clear()

    assert kubeflow.current().tag == "v4"

    assert server.count("GET", "/versions$") == 4  # one page a pipeline
    assert [each.tag for each in kubeflow.history()] == ["v4", "v3", "v2", "v1"]


def test_current_one_is_found_behind_one_that_broke_off_and_versions_of_runs(
    server, kubeflow, for_kubeflow, monkeypatch
):
    monkeypatch.setattr(kubeflow_client, "SPECS_PAGE_SIZE", 1)
    kubeflow.deploy(for_kubeflow)
    current = kubeflow.deploy(changed(for_kubeflow, "v2"))
    parsed = next(iter(server.store.parsed.values()))
    server._add_version(server.store.pipelines[0].pipeline_id, "a", parsed, "sha256:12")
    break_after(server, 3)
    with pytest.raises(ClusterError):
        kubeflow.deploy(changed(for_kubeflow, "v3"))
    server.before = None

    assert kubeflow.current() == current


def test_names_that_a_rollback_would_make_are_those_that_it_makes(server, kubeflow, for_kubeflow):
    for tag in ("v1", "v2"):
        kubeflow.deploy(changed(for_kubeflow, tag))
    break_after(server, 3)
    with pytest.raises(ClusterError):
        kubeflow.deploy(changed(for_kubeflow, "v3"))
    server.before = None
    told = kubeflow.versions_of_rollback(previous(kubeflow.history()))

    assert roll_back(kubeflow).versions == told
    assert told["retrain"].endswith("-rollback-4")


def break_after(server, number):
    """Drop the connection at each upload after so many."""
    before = uploads(server)

    def drop(seen):
        if seen.path.endswith("/upload_version") and uploads(server) - before >= number:
            raise ConnectionError

    server.before = drop


def test_deployment_that_broke_off_does_not_count_and_the_next_try_completes_it(
    server, kubeflow, for_kubeflow
):
    kubeflow.deploy(for_kubeflow)
    break_after(server, 2)
    with pytest.raises(ClusterError, match="cannot be reached"):
        kubeflow.deploy(changed(for_kubeflow, "v2"))

    assert uploads(server) == 4 + 2
    assert kubeflow.current().tag == "v1"

    server.before = None
    deployment = kubeflow.deploy(changed(for_kubeflow, "v2"))

    assert uploads(server) == 4 + 4
    assert kubeflow.current() == deployment
    assert deployment.number == 2


def test_deployment_that_broke_off_is_left_behind_by_another_one(server, kubeflow, for_kubeflow):
    break_after(server, 1)
    with pytest.raises(ClusterError):
        kubeflow.deploy(for_kubeflow)
    server.before = None

    other = kubeflow.deploy(changed(for_kubeflow, "v2"))

    assert (other.number, kubeflow.current()) == (2, other)
    assert [each.tag for each in kubeflow.history()] == ["v2"]


def test_rollback_that_broke_off_is_completed_too(server, kubeflow, for_kubeflow):
    for tag in ("v1", "v2"):
        kubeflow.deploy(changed(for_kubeflow, tag))
    break_after(server, 3)
    with pytest.raises(ClusterError):
        roll_back(kubeflow)
    server.before = None

    assert kubeflow.current().tag == "v2"
    assert roll_back(kubeflow).number == 3
    assert kubeflow.current().tag == "v1"
    assert uploads(server) == 12


def test_upload_whose_answer_was_lost_is_not_repeated(server, kubeflow, for_kubeflow):
    server.faults.append(Fault(f"POST .*{UPLOADS}", times=1, after=True))

    kubeflow.deploy(for_kubeflow)

    assert len(server.store.versions) == 4


def at_once(server, *releases):
    """Deploy from several machines, which all have looked before one of them uploads."""
    barrier = threading.Barrier(len(releases), timeout=20)
    waiting = list(releases)

    def wait_for_the_others(seen):
        if seen.path.endswith("/upload_version") and waiting:
            waiting.pop()
            barrier.wait()

    server.before = wait_for_the_others
    with ThreadPoolExecutor() as pool:
        places = [KubeflowDeployments(make_target(server).connect()) for _ in releases]
        return list(pool.map(lambda place, release: place.deploy(release), places, releases))


def test_of_two_that_deploy_different_things_at_once_one_is_current_for_everybody(
    server, kubeflow, for_kubeflow
):
    one, other = changed(for_kubeflow, "v2"), changed(for_kubeflow, "v3")

    at_once(server, one, other)

    newest = max((one, other), key=lambda release: release.content)
    current = kubeflow.current()
    assert current.content == newest.content
    assert {mark(kubeflow.read_spec(spec)) for spec in current.specs} == {newest.tag}


def test_two_that_deploy_the_same_at_once_make_one_deployment(server, kubeflow, for_kubeflow):
    at_once(server, for_kubeflow, for_kubeflow)

    [deployment] = kubeflow.history()
    assert len(deployment.specs) == 4
    assert len(server.store.versions) == 4
