"""What cannot work in a cluster is refused before anything is uploaded."""

import pytest

from components.common.errors import ClusterError, InputError
from pipelines.targets.kubeflow import KubeflowTarget
from pipelines.targets.kubeflow_client import LoginError, UnreachableError
from tests.pipelines.kubeflow.conftest import make_arguments, make_target
from tests.pipelines.kubeflow.server import Fault


def test_what_can_work_is_let_through(server, target, capsys):
    target.check(make_arguments())
    target.check(
        make_arguments(dataset="gs://photos/flowers", weights="gs://weights/a.keras", data_dir="")
    )
    target.check(make_arguments(dataset="tfds:tf_flowers", data_dir="gs://data/tfds"))

    assert server.count("POST", "") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dataset": "folder:/photos"}, "`dataset` must be where the steps can read it"),
        ({"weights": "/w.keras"}, "`weights` must be auto, imagenet, none or a gs:// URI"),
        ({"data_dir": "/data"}, "`data_dir` must be empty or a gs:// URI"),
        ({"registry": ""}, "`registry` must be a server.*Received: none"),
        ({"registry": "mlflow:sqlite:////a.db"}, "the disk of a step's machine goes with it"),
        ({"registry": "mlflow:http://localhost:5000"}, "localhost is the step's own machine"),
    ],
)
def test_arguments_that_a_pod_cannot_use_are_refused(target, changed, message):
    with pytest.raises(InputError, match=message):
        target.check(make_arguments(**changed))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host": "127.0.0.1:8080"}, "`host` must be the address of Kubeflow Pipelines"),
        ({"host": "ftp://kubeflow"}, "`host` must be the address of Kubeflow Pipelines"),
        ({"host": "http://me:secret@kubeflow"}, "`host` must hold no user name, password"),
        ({"cpus": -1.0}, "`cpus` must be 0.01 or more"),
        ({"cpus": float("inf")}, "`cpus` must be 0.01 or more"),
        ({"memory": "4 GB"}, "`memory` must be a number with Mi or Gi"),
        ({"image_registry": "https://registry"}, "`image_registry` must be HOST"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(InputError, match=message) as caught:
        KubeflowTarget(**{"host": "http://127.0.0.1:1", **settings}).check(make_arguments())

    assert "secret" not in str(caught.value)


def test_a_host_where_nobody_listens_is_told_so():
    with pytest.raises(UnreachableError, match=r"cannot be reached: .*Connection refused"):
        KubeflowTarget(host="http://127.0.0.1:1").check(make_arguments())


@pytest.mark.parametrize("status", [401, 403])
def test_a_host_that_wants_a_login_says_which_there_are(server, target, status):
    server.faults = [Fault(path="healthz", times=1, status=status)]

    with pytest.raises(LoginError, match="Log in with --token-file, --cookie-file or"):
        target.check(make_arguments())


def test_a_host_that_is_no_kubeflow_is_told_so(server, target):
    server.faults = [Fault(path="healthz", times=1, status=200, body=b"<html>Hello</html>")]
    with pytest.raises(ClusterError, match="a web page instead of Kubeflow Pipelines' API"):
        target.check(make_arguments())

    server.faults = [Fault(path="healthz", times=1, status=404, body=b"<html>404</html>")]
    with pytest.raises(ClusterError, match="asked how it is, said 404: Not Found"):
        target.check(make_arguments())


def test_many_users_need_a_namespace(server, target):
    server.users = {"ana"}

    with pytest.raises(InputError, match="has many users: say whose with `namespace`"):
        target.check(make_arguments())

    make_target(server, namespace="ana").check(make_arguments())


@pytest.mark.parametrize("is_ui", [True, False])
@pytest.mark.parametrize(
    ("version", "is_warned"), [("2.17.3", False), ("2.3.0", True), ("", False)]
)
def test_another_release_is_warned_of(server, target, capsys, is_ui, version, is_warned):
    server.is_ui, server.version = is_ui, version

    target.check(make_arguments())

    told = capsys.readouterr().err
    assert ("runs Kubeflow Pipelines 2.3.0" in told) == is_warned
