"""Each way to log in sends what it should, follows what expires, and stays secret."""

import json

import kfp
import pytest
from kfp.client import auth

from components.common.errors import InputError
from pipelines.targets.kubeflow_client import LoginError
from tests.pipelines.kubeflow.conftest import PIPELINE, make_arguments, make_target
from tests.pipelines.kubeflow.server import PAGE, Fault
from tests.pipelines.kubeflow.workflow import Outcome

SECRET = "s3cret-of-mine"  # noqa: S105  # opens nothing
FAILS_SOON = {"ingest": Outcome(fails=True)}


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secret.txt"
    path.write_text(f"{SECRET}\n")
    return path


def sent(server, header):
    return {each.headers.get(header) for each in server.seen}


def test_without_a_login_no_header_is_sent(server, follow):
    follow(make_target(server, wait=False))

    assert sent(server, "authorization") == sent(server, "cookie") == {None}


def test_a_token_is_sent_with_every_request(server, follow, secret_file):
    server.tokens, server.outcomes = {SECRET}, FAILS_SOON
    on = make_target(server, token_file=str(secret_file))
    on.check(make_arguments())

    execution, _ = follow(on)

    assert execution.run.error["step"] == "ingest"
    assert sent(server, "authorization") == {f"Bearer {SECRET}"}
    assert server.count("GET", "/k8s/pod/logs") > 0


def test_a_cookie_is_sent_from_a_file_or_the_environment(server, secret_file, monkeypatch):
    server.cookie = "authservice_session=abc"
    secret_file.write_text(server.cookie)
    make_target(server, cookie_file=str(secret_file)).check(make_arguments())
    monkeypatch.setenv("PAWPETAL_KFP_COOKIE", server.cookie)
    make_target(server).check(make_arguments())

    assert sent(server, "cookie") == {server.cookie}


def test_the_service_account_of_a_pod_is_taken_where_it_is(server, secret_file, monkeypatch):
    server.tokens = {SECRET}
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(secret_file))
    make_target(server).check(make_arguments())

    assert sent(server, "authorization") == {f"Bearer {SECRET}"}


def test_an_iap_token_is_asked_for_the_client_id(server, monkeypatch):
    asked = []

    def get_auth_token(client_id, *others):
        asked.append(client_id)
        return SECRET, False

    monkeypatch.setattr(auth, "get_auth_token", get_auth_token)
    server.tokens = {SECRET}
    make_target(server, iap_client_id="client.apps.example").check(make_arguments())

    assert set(asked) == {"client.apps.example"}
    assert sent(server, "authorization") == {f"Bearer {SECRET}"}


def test_without_google_credentials_iap_says_what_to_do(server, monkeypatch):
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)

    with pytest.raises(LoginError, match="gcloud auth application-default login"):
        make_target(server, iap_client_id="client.apps.example").check(make_arguments())


def test_a_token_that_is_renewed_in_its_file_is_taken_from_there(server, target, secret_file):
    server.tokens, server.outcomes = {SECRET}, FAILS_SOON
    on = make_target(server, token_file=str(secret_file))
    execution = on.start(PIPELINE, make_arguments())
    events = execution.follow()
    next(events)
    server.tokens = {"renewed"}
    secret_file.write_text("renewed")
    server.seen.clear()
    list(events)

    assert execution.run.error["step"] == "ingest"
    assert execution.run.status == "failed"
    assert sent(server, "authorization") == {"Bearer renewed"}


def test_an_iap_token_that_expires_is_asked_for_again(server, monkeypatch):
    server.outcomes = FAILS_SOON
    monkeypatch.setattr(auth, "get_auth_token", lambda *_: (max(server.tokens), False))
    server.tokens = {"first"}
    execution = make_target(server, iap_client_id="id").start(PIPELINE, make_arguments())
    events = execution.follow()
    next(events)
    server.tokens = {"second"}
    list(events)

    assert execution.run.error["step"] == "ingest"


@pytest.mark.parametrize(
    "fault", [Fault("GET .*/runs/", 9, 401), Fault("GET .*/runs/", 9, 200, PAGE)]
)
def test_a_login_that_expires_for_good_leaves_the_run_to_the_cluster(
    server, follow, secret_file, fault
):
    server.faults = [Fault(fault.path, fault.times, fault.status, fault.body)]

    execution, _ = follow(make_target(server, token_file=str(secret_file)))

    run = execution.run
    assert run.status == "submitted"
    assert (
        "What --token-file names may have expired, or lacks the right: renew it."
        in (run.error["message"])
    )
    assert run.error["message"].endswith(f"The run goes on in the cluster: follow it at {run.url}")
    assert server.count("GET", "/runs/") == 2


def test_secrets_are_nowhere_in_the_run_folder_or_in_errors(server, target, secret_file, tmp_path):
    server.outcomes = FAILS_SOON
    cookie = tmp_path / "cookie.txt"
    cookie.write_text(f"session={SECRET}")
    on = make_target(server, token_file=str(secret_file), cookie_file=str(cookie))
    execution = on.start(PIPELINE, make_arguments())
    list(execution.follow())
    server.tokens = set()
    with pytest.raises(LoginError) as caught:
        on.check(make_arguments())

    folder = tmp_path / "home"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "pipeline.yaml" for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in str(caught.value) + repr(on) + repr(on.login())
    assert caught.value.__cause__ is None


def test_what_kfp_remembers_of_other_servers_plays_no_part(server, target, tmp_path, monkeypatch):
    memory = tmp_path / "user" / "context.json"
    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(memory))
    target.check(make_arguments())
    assert not memory.exists()
    memory.parent.mkdir()
    memory.write_text(json.dumps({"namespace": "ana", "client_authentication_cookie": SECRET}))
    execution = make_target(server, wait=False).start(PIPELINE, make_arguments())
    list(execution.follow())

    assert execution.run.status == "submitted", execution.run.error
    assert sent(server, "cookie") == {None}
    assert {each.query.get("namespace", "") for each in server.seen} == {""}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b"one\ntwo", "must hold one line of plain ASCII"),
        (b"\xff\xfe", "cannot be read: it is no text"),
    ],
)
def test_a_token_file_that_holds_none_is_refused(server, secret_file, content, message):
    secret_file.unlink()
    if content is not None:
        secret_file.write_bytes(content)

    with pytest.raises(InputError, match=message):
        make_target(server, token_file=str(secret_file)).check(make_arguments())


def test_logins_that_exclude_each_other_are_refused(server, secret_file, monkeypatch):
    with pytest.raises(InputError, match="exclude each other"):
        make_target(server, token_file=str(secret_file), iap_client_id="id").check(make_arguments())
    monkeypatch.setenv("KF_PIPELINES_IAP_OAUTH2_CLIENT_ID", "id")
    with pytest.raises(InputError, match="which kfp prefers"):
        make_target(server, token_file=str(secret_file)).check(make_arguments())


def test_one_of_many_users_works_in_their_namespace(server, follow):
    server.users, server.outcomes = {"ana"}, FAILS_SOON
    on = make_target(server, namespace="ana")
    on.check(make_arguments())

    execution, _ = follow(on)

    assert execution.run.error["step"] == "ingest"
    assert server.store.pipelines[0].namespace == server.store.experiments[0].namespace == "ana"
    logs = [each.query for each in server.seen if each.path == "/k8s/pod/logs"]
    assert {query["podnamespace"] for query in logs} == {"ana"}


def test_a_namespace_of_somebody_else_is_told_in_one_line(server, follow):
    server.users = {"ana"}

    execution, _ = follow(make_target(server, namespace="bob"))

    assert execution.run.status == "failed"
    assert "not authorized in namespace 'bob'" in execution.run.error["message"]
    assert "\n" not in execution.run.error["message"]
