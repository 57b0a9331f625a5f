"""The double behaves as the API does, for the real client."""

import json

import kfp
import pytest
import urllib3
from kfp_server_api import ApiException

CRON = "0 30 3 * * 1"


@pytest.fixture
def client(server):
    return kfp.Client(host=server.url, namespace="kubeflow")


@pytest.fixture
def uploaded(client, usual_spec):
    """A client's pipeline and its version, and an experiment."""
    pipeline = client.upload_pipeline(str(usual_spec), "train-and-push")
    version = client.upload_pipeline_version(
        str(usual_spec), "second", pipeline_id=pipeline.pipeline_id
    )
    experiment = client.create_experiment("nightly")
    return {
        "experiment_id": experiment.experiment_id,
        "pipeline_id": pipeline.pipeline_id,
        "version_id": version.pipeline_version_id,
    }


def post(server, path, body):
    answer = urllib3.request("POST", f"{server.url}{path}", json=body)
    return answer.status, answer.json()


def test_recurring_runs_are_made_listed_switched_and_deleted(client, uploaded):
    made = client.create_recurring_run(
        job_name="nightly", cron_expression=CRON, params={"dataset": "sample:pets"}, **uploaded
    )

    assert client.list_recurring_runs().recurring_runs == [made]
    assert (made.status, made.trigger.cron_schedule.cron) == ("ENABLED", CRON)
    client.disable_recurring_run(made.recurring_run_id)
    assert client.get_recurring_run(made.recurring_run_id).status == "DISABLED"
    client.enable_recurring_run(made.recurring_run_id)
    assert client.get_recurring_run(made.recurring_run_id).status == "ENABLED"
    client.delete_recurring_run(made.recurring_run_id)
    assert client.list_recurring_runs().recurring_runs is None


def test_recurring_runs_come_in_pages(client, uploaded):
    for number in range(12):
        client.create_recurring_run(job_name=f"job {number:02d}", cron_expression=CRON, **uploaded)

    first = client.list_recurring_runs(sort_by="display_name")
    second = client.list_recurring_runs(sort_by="display_name", page_token=first.next_page_token)

    names = [each.display_name for each in (*first.recurring_runs, *second.recurring_runs)]
    assert names == [f"job {number:02d}" for number in range(12)]
    assert (len(first.recurring_runs), first.total_size, second.next_page_token) == (10, 12, None)


def test_a_page_token_goes_with_its_listing_only(client, uploaded):
    for number in range(11):
        client.create_experiment(f"experiment {number}")
    token = client.list_experiments(sort_by="created_at").next_page_token

    with pytest.raises(ApiException, match="page token does not match"):
        client.list_experiments(sort_by="display_name", page_token=token)


def test_a_cron_of_five_fields_is_refused(client, uploaded):
    with pytest.raises(ApiException, match="not a supported format") as caught:
        client.create_recurring_run(job_name="nightly", cron_expression="30 3 * * 1", **uploaded)

    assert json.loads(caught.value.body) == {
        "error": json.loads(caught.value.body)["message"],
        "code": 3,
        "message": json.loads(caught.value.body)["message"],
        "details": [],
    }


def test_runs_are_listed_by_experiment_and_name(client, uploaded):
    client.run_pipeline(job_name="first", **uploaded)
    second = client.run_pipeline(job_name="second", **uploaded)

    named = json.dumps(
        {"predicates": [{"operation": 1, "key": "display_name", "stringValue": "second"}]}
    )
    found = client.list_runs(experiment_id=uploaded["experiment_id"], filter=named).runs

    assert [run.run_id for run in found] == [second.run_id]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dataset": 3}, "dataset requires type str"),
        ({"epochs": "3"}, "epochs requires type int"),
        ({"mirror_averaging": 1}, "mirror_averaging requires type bool"),
        ({"colour": "red"}, "not required by pipeline: colour"),
    ],
)
def test_parameters_that_the_spec_does_not_take_are_refused(client, uploaded, changed, message):
    with pytest.raises(ApiException, match=message):
        client.run_pipeline(job_name="run", params=changed, **uploaded)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("executorLabel: exec-train", "executorLabel: exec-gone", "'exec-gone' not found"),
        ("schemaVersion: 2.1.0", "schemaVersions: 2.1.0", "invalid v2 pipeline spec"),
        ("name: train-and-push", "name: Train and push", "name is not valid"),
        ("imagePullPolicy: IfNotPresent", "imagePull: Never", "invalid v2 pipeline spec"),
        ("kubernetes:", "nomad:", "unknown platform"),
    ],
)
def test_a_broken_spec_is_refused(client, usual_spec, tmp_path, old, new, message):
    broken = tmp_path / "broken.yaml"
    text = usual_spec.read_text()
    assert old in text
    broken.write_text(text.replace(old, new))

    with pytest.raises(ApiException, match=message) as caught:
        client.upload_pipeline(str(broken), "broken")

    assert set(json.loads(caught.value.body)) == {"error_message", "error_details"}


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("experiments", {"display_name": "a", "color": "red"}, "fields of V2beta1Experiment"),
        ("experiments", {"display_name": 3}, "display_name must be str"),
        ("runs", {"display_name": "a", "runtime_config": []}, "must be V2beta1RuntimeConfig"),
        ("recurringruns", {"display_name": "a", "mode": "ON"}, "mode must be one of"),
        ("recurringruns", {"display_name": "a", "max_concurrency": "x"}, "must be str"),
    ],
)
def test_a_body_that_is_not_of_its_model_is_refused(server, path, body, message):
    status, told = post(server, f"/apis/v2beta1/{path}", body)

    assert status == 400
    assert message in told["message"]


def test_an_answer_that_is_not_of_its_model_does_not_leave(server, client, uploaded):
    server.store.experiments[0].display_name = 3

    with pytest.raises(ApiException, match="display_name must be str"):
        client.list_experiments()


def test_a_second_pipeline_or_version_of_a_name_conflicts(client, usual_spec, uploaded):
    with pytest.raises(ApiException) as pipeline:
        client.upload_pipeline(str(usual_spec), "train-and-push")
    with pytest.raises(ApiException) as version:
        client.upload_pipeline_version(
            str(usual_spec), "second", pipeline_id=uploaded["pipeline_id"]
        )

    assert (pipeline.value.status, version.value.status) == (409, 409)


def test_what_is_not_there_is_not_found(client):
    with pytest.raises(ApiException) as caught:
        client.get_run("no-such-run")

    assert (caught.value.status, json.loads(caught.value.body)["code"]) == (404, 5)
