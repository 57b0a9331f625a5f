"""`pawpetal deploy` and `pawpetal deployments`, as processes, from a git checkout of their own."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.common.errors import InputError
from pipelines.cli import main
from pipelines.cli.deploy import deploy
from pipelines.deploy import checkout, release
from pipelines.specs import pipeline_names
from tests.google_cloud.project import DIGEST, REPOSITORY
from tests.pipelines.command import ROOT, finish, pawpetal
from tests.pipelines.deploy.conftest import CHECKOUT, REGISTRY, add_schedule, changed
from tests.pipelines.kubeflow.server import Fault
from tests.pipelines.vertex.conftest import BUCKET

VERTEX = ("--on", "vertex", "--project", "acme", "--region", "us-central1", "--bucket", BUCKET)
AT_REGISTRY = ("--registry", REGISTRY)
SOURCES = ("components", "pipelines", "docker", "pyproject.toml", "README.md", "LICENSE")


def git(folder, *arguments):
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@acme.example")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)


def commit(folder, tag):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", tag)
    git(folder, "tag", tag)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The code as a clean checkout, tagged v1.0.0; the one that is worked on may be dirty."""
    folder = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / name)
    (folder / ".gitignore").write_text("__pycache__\n")
    git(folder, "init", "--quiet")
    commit(folder, "v1.0.0")
    return folder


@pytest.fixture(scope="module")
def source_tag(source):
    """The tag of the images of that code."""
    command = [sys.executable, "-c", "from pipelines.images import tag; print(tag())"]
    return subprocess.run(command, cwd=source, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def images(google, source_tag):
    """The images of that code are pushed."""
    for tags in google.project.repositories[REPOSITORY].values():
        tags[source_tag.strip()] = DIGEST


@pytest.fixture
def run(source, server, tmp_path):
    """Runs the command on the server: `run("deploy", ...)` gives exit status, stdout, stderr."""

    def start(command, *arguments, on=("--on", "kubeflow", "--host", server.url), source=source):
        home = Path(tmp_path, "home")
        return finish(pawpetal(home, command, *on, *arguments, source=source))

    return start


@pytest.fixture
def run_here(server, for_vertex, monkeypatch, capsys):
    """The same in this process, which need not start, and with what is compiled already."""
    monkeypatch.setattr(checkout, "read_checkout", lambda: CHECKOUT)
    monkeypatch.setattr(release, "make_release", lambda *_, **__: for_vertex)

    def start(command, *arguments, on=("--on", "kubeflow", "--host", server.url)):
        monkeypatch.setattr(sys, "argv", ["pawpetal", command, *on, *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return end.value.code or 0, out, err

    return start


def uploads(server):
    return server.count("POST", "/upload_version$")


def test_deploy_puts_all_pipelines_there_and_does_nothing_the_second_time(run, server):
    code, out, err = run("deploy")

    assert code == 0, err
    assert out.startswith("Deploying v1.0.0 (")
    assert f" is current at Kubeflow at {server.url}" in out.splitlines()[-1]
    assert uploads(server) == 4

    code, out, err = run("deploy")

    assert code == 0, err
    assert out.startswith("Nothing to deploy: v1.0.0 (")
    assert uploads(server) == 4


def test_rollback_goes_back_and_then_there_is_nothing(run, server, kubeflow, for_kubeflow):
    kubeflow.deploy(for_kubeflow)
    kubeflow.deploy(changed(for_kubeflow, "v2"))

    code, out, err = run("deploy", "--rollback")

    assert code == 0, err
    assert out.startswith(f"Rolling back Kubeflow at {server.url} to v1 (")
    assert kubeflow.current().tag == "v1"

    code, _, err = run("deploy", "--rollback")

    assert code == 2
    assert "There is nothing to roll back to: only v1 (" in err


def test_deployments_are_listed_newest_first_with_the_current_one_marked(
    run_here, kubeflow, scheduler, for_kubeflow
):
    for tag in ("v1", "v2"):
        kubeflow.deploy(changed(for_kubeflow, tag))
    add_schedule(scheduler, kubeflow)
    kubeflow.roll_back(kubeflow.history()[1], "ann")

    code, out, err = run_here("deployments")

    assert code == 0, err
    rows = [line.split() for line in out.splitlines()[1:]]
    assert [row[:2] for row in rows] == [["3", "*"], ["2", "v2"], ["1", "v1"]]
    assert "ann" in rows[0]

    told = json.loads(run_here("deployments", "--json")[1])
    assert [each["is_current"] for each in told] == [True, False, False]
    assert [each["rolled_back_to"] for each in told] == [1, 0, 0]
    assert [each["schedules"] for each in told] == [[], ["nightly"], []]
    assert all(len(each["specs"]) == 4 for each in told)


def test_changed_files_are_refused_and_nothing_is_sent(run, server, source, tmp_path):
    dirty = tmp_path / "dirty"
    git(tmp_path, "clone", "--quiet", str(source), str(dirty))
    (dirty / "pipelines" / "new.py").write_text("")

    code, _, err = run("deploy", source=dirty)

    assert code == 2
    assert err.startswith("pawpetal: Only what is committed is deployed")
    assert err.rstrip().endswith("Commit or stash: pipelines/new.py")
    assert uploads(server) == 0


def test_dry_run_says_what_would_change_and_sends_nothing(
    run, server, kubeflow, scheduler, for_kubeflow, monkeypatch
):
    first = kubeflow.deploy(changed(for_kubeflow, "v0"))
    add_schedule(scheduler, kubeflow)
    server.seen.clear()
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")

    code, out, err = run("deploy", "--dry-run")

    assert code == 0, err
    assert "| tensorflow" not in err
    assert "Would deploy v1.0.0 (" in out
    posts = [line for line in out.splitlines() if line.startswith("  POST http://127.0.0.1")]
    assert len(posts) == len(pipeline_names())
    version = first.spec("retrain").version
    assert f"  schedule nightly: retrain {version} -> the new version" in out.splitlines()
    assert out.splitlines()[-1] == "Nothing was sent."
    assert not any(seen.method != "GET" for seen in server.seen)


def test_dry_run_of_a_rollback_names_what_it_would_make_and_where_it_broke_off(
    run_here, server, kubeflow, scheduler, for_kubeflow
):
    first = kubeflow.deploy(for_kubeflow)
    second = kubeflow.deploy(changed(for_kubeflow, "v2"))
    add_schedule(scheduler, kubeflow)
    version = f"{first.spec('retrain').version}-rollback-3"
    wanted = f"  schedule nightly: retrain {second.spec('retrain').version} -> {version}"

    code, out, err = run_here("deploy", "--rollback", "--dry-run")

    assert code == 0, err
    assert out.startswith(f"Would roll back Kubeflow at {server.url} to v1 (")
    assert wanted in out.splitlines()
    assert kubeflow.current().tag == "v2"

    kubeflow.roll_back(first, "ann")
    code, out, err = run_here("deploy", "--rollback", "--dry-run", "--json")

    assert code == 0, err
    told = json.loads(out)
    assert told["is_begun"]
    assert told["versions"]["retrain"] == version
    assert [change["after"] for change in told["repointed"]] == [version]


def test_smoke_run_that_fails_deploys_nothing_and_ends_with_1(run, server, kubeflow, for_kubeflow):
    kubeflow.deploy(changed(for_kubeflow, "v0"))
    server.faults.append(Fault("POST .*/runs$", times=1, status=400))

    code, out, err = run("deploy", "--smoke-run", *AT_REGISTRY, "--json")

    assert code == 1, err
    told = json.loads(out)
    assert told["deployment"]["tag"] == "v0"
    assert told["smoke_run"]["status"] == "failed"
    assert re.match("The smoke run of v1.0.0 .* nothing was deployed: ", told["failure"])
    assert told["failure"] in err
    assert "mend it, and deploy again" in err
    assert "cache" not in err
    assert [each.tag for each in kubeflow.history()] == ["v0"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rollback", "--tag", "v1"), "leave out tag, digests, smoke"),
        (("--registry", "mlflow:http://m.example"), "add --smoke-run"),
        (("--smoke-run",), "`registry` must be given for a smoke run"),
        (("--digests", "/no/such/file"), "`digests` '/no/such/file' cannot be read"),
        (("--project", "acme"), "--project goes with --on vertex"),
    ],
)
def test_arguments_that_cannot_work_are_refused(server, monkeypatch, arguments, said):
    monkeypatch.setattr(checkout, "read_checkout", lambda: CHECKOUT)

    with pytest.raises(InputError, match=re.escape(said)):
        deploy.main(["--on", "kubeflow", "--host", server.url, *arguments], standalone_mode=False)

    assert uploads(server) == 0


def test_kubeflow_that_does_not_answer_is_said(run):
    code, _, err = run("deploy", on=("--on", "kubeflow", "--host", "http://127.0.0.1:9"))

    assert code == 2
    assert "http://127.0.0.1:9 cannot be reached" in err


def test_nothing_deployed_is_said(run_here):
    assert run_here("deployments")[1].startswith("Nothing is deployed there yet.")


def test_vertex_ai_is_deployed_to(run, google, google_place, images):
    code, out, err = run("deploy", on=VERTEX)

    assert code == 0, err
    assert "  retrain          sha256:" in out
    assert len(google.asked("POST", "kfp")) == 4
    assert google_place.current().tag == "v1.0.0"


def test_vertex_ai_is_rolled_back_and_listed(run, run_here, google, google_place, for_vertex):
    google_place.deploy(for_vertex)
    google_place.deploy(changed(for_vertex, "v2"))

    code, out, err = run("deploy", "--rollback", on=VERTEX)

    assert code == 0, err
    assert out.startswith("Rolling back Vertex AI in acme, us-central1 to v1 (")
    told = json.loads(run_here("deployments", "--json", on=VERTEX)[1])
    assert [(each["number"], each["tag"]) for each in told] == [(3, "v1"), (2, "v2"), (1, "v1")]


def test_vertex_ai_dry_run_prints_the_requests_and_sends_nothing(run, google, vertex, images):
    code, out, err = run("deploy", "--dry-run", on=VERTEX)

    assert code == 0, err
    assert out.count("POST https://us-central1-kfp.pkg.dev/acme/pawpetal-specs") == 4
    assert f"PUT gs://{BUCKET}/pawpetal/deployments/us-central1/000001.json" in out
    assert "/packages/retrain/tags/deployed?updateMask=version" in out
    assert "/packages/retrain/tags/v1.0.0?updateMask=version" in out
    assert out.splitlines()[-1] == "Nothing was sent."
    assert not google.specs
    assert not [seen for seen in google.seen if seen.method in ("PATCH", "DELETE")]


def test_vertex_ai_dry_run_of_a_rollback_says_where_to(run_here, google, google_place, for_vertex):
    google_place.deploy(for_vertex)
    google_place.deploy(changed(for_vertex, "v2"))

    code, out, err = run_here("deploy", "--rollback", "--dry-run", on=VERTEX)

    assert code == 0, err
    assert out.startswith("Would roll back Vertex AI in acme, us-central1 to v1 (")
    assert google_place.current().tag == "v2"


def test_vertex_ai_dry_run_without_credentials_says_what_was_not_asked(
    run_here, tmp_path, monkeypatch
):
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")

    code, out, err = run_here("deploy", "--dry-run", on=VERTEX)

    assert code == 0, err
    assert out.count("POST https://us-central1-kfp.pkg.dev/acme/pawpetal-specs") == 4
    assert "Not asked of Google Cloud: none" in out


def test_vertex_ai_dry_run_where_the_bucket_cannot_be_asked_goes_on(
    run_here, google, vertex, images, tmp_path, monkeypatch
):
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")

    code, out, err = run_here("deploy", "--dry-run", on=VERTEX)

    assert code == 0, err
    assert f"PUT gs://{BUCKET}/pawpetal/deployments/us-central1/NUMBER.json" in out
    assert "Not asked of Google Cloud: Cloud Storage needs credentials" in out
    assert out.splitlines()[-1] == "Nothing was sent."
