"""A server of Kubeflow Pipelines is asked by the real client, over HTTP."""

import pytest

from pipelines.doctor.kubeflow import check_kubeflow
from pipelines.targets.kubeflow import KubeflowTarget
from tests.pipelines.kubeflow.server import FakeServer, Fault


@pytest.fixture(autouse=True)
def _nobody(monkeypatch):
    for name in ("KF_PIPELINES_SA_TOKEN_PATH", "PAWPETAL_KFP_COOKIE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    fake = FakeServer()
    yield fake
    fake.close()


def look(host, **settings):
    checks = check_kubeflow(KubeflowTarget(host=host, **settings))
    return [(check.name, check.status, check.said, check.mend) for check in checks]


def test_a_server_that_answers_and_lets_one_in_is_ok(server):
    assert look(server.url) == [
        ("server", "ok", f"{server.url} runs Kubeflow Pipelines 2.17.0", ""),
        ("login", "ok", "runs can be listed", ""),
    ]
    assert server.count("POST", "") == 0


def test_another_minor_release_is_ok_with_a_word(server):
    server.version = "2.5.1"

    name, status, said, _ = look(server.url)[0]

    assert (name, status) == ("server", "ok")
    assert said.endswith("2.5.1; pawpetal was made for 2.17, and may misread its steps")


def test_a_release_without_the_api_fails(server):
    server.version = "1.8.5"

    assert look(server.url)[0][:2] == ("server", "fail")


def test_a_server_that_does_not_answer_is_told_how_to_be_reached():
    server, rest = look("http://127.0.0.1:1")

    assert server[:2] == ("server", "fail")
    assert "http://127.0.0.1:1 cannot be reached" in server[2]
    assert server[3] == "kubectl port-forward -n kubeflow svc/ml-pipeline-ui 1:80"
    assert rest[:2] == ("the rest", "skip")


def test_a_host_without_a_scheme_is_told_with_one():
    assert look("127.0.0.1:8080") == [
        ("server", "fail", "'127.0.0.1:8080' is no address", "pass --host http://127.0.0.1:8080")
    ]


def test_who_is_not_let_in_is_told_how_to_log_in(server):
    server.tokens = {"right"}

    found = look(server.url)[-1]

    assert found[:2] == ("login", "fail")
    assert found[2].endswith("there is no valid user identity")
    assert found[3] == "Log in with --token-file, --cookie-file or --iap-client-id"


def test_a_token_that_is_right_is_ok(server, tmp_path):
    server.tokens = {"right"}
    (tmp_path / "token").write_text("right")

    assert look(server.url, token_file=str(tmp_path / "token"))[-1][1] == "ok"


def test_a_token_file_that_is_missing_fails_before_anything_is_asked(server):
    ((name, status, said, _),) = look(server.url, token_file="/nowhere")  # noqa: S106  # a path

    assert (name, status) == ("login", "fail")
    assert "'/nowhere' cannot be read" in said
    assert server.seen == []


def test_a_server_of_many_users_asks_whose_namespace(server):
    server.users = {"ann"}

    assert look(server.url)[-1] == (
        "namespace",
        "fail",
        "the server has many users",
        "pass --namespace NAME",
    )
    assert look(server.url, namespace="ann")[-1][:3] == (
        "login",
        "ok",
        "runs can be listed in namespace ann",
    )


def test_a_server_that_fails_when_asked_for_runs_is_told(server):
    server.faults = [Fault(path="runs", times=9, status=500)]

    assert look(server.url)[-1][:2] == ("login", "fail")
