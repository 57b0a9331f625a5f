"""The scripts of a release, with stand-ins for what they start, which note each call."""

import json
import shutil
import sys

import pytest

from .conftest import ROOT, checked, parse, tool

SCRIPTS = sorted(path for path in (ROOT / ".ci").iterdir() if path.is_file())
BASH = [path for path in SCRIPTS if path.read_bytes().startswith(b"#!/usr/bin/env bash")]
# Writes down what it is asked, and what is in the file of the token.
PAWPETAL = f"""#!{sys.executable}
import json, os, pathlib, stat, sys
call = {{"arguments": sys.argv[1:], "environment": dict(os.environ)}}
if "--token-file" in sys.argv:
    path = pathlib.Path(sys.argv[sys.argv.index("--token-file") + 1])
    call |= {{"token": path.read_text(), "mode": stat.S_IMODE(path.stat().st_mode)}}
with open("calls", "a") as log:
    log.write(json.dumps(call) + chr(10))
sys.exit(sys.argv[1] == "deploy" and "DEPLOY_FAILS" in os.environ)
"""
# docker/build.py and docker/sbom.py as they leave files; any other Python is real.
PYTHON = f"""#!{sys.executable}
import json, os, sys
arguments = sys.argv[1:]
with open("calls", "a") as log:
    log.write(json.dumps(["python", *arguments]) + chr(10))
if arguments[0] == "docker/build.py":
    path = arguments[arguments.index("--digests") + 1]
    os.makedirs(os.path.dirname(path))
    with open(path, "w") as file:
        json.dump({{"pawpetal-cpu": "sha256:c", "pawpetal-light": "sha256:l"}}, file)
elif arguments[0] == "docker/sbom.py":
    open(arguments[arguments.index("-o") + 1], "w").write("{{}}")
elif "pipelines.images" in arguments[1]:
    print("1.2.0-abc")
else:
    os.execv(sys.executable, [sys.executable, *arguments])
"""
NOTING = f"""#!{sys.executable}
import json, os, sys
given = "" if sys.stdin.isatty() else sys.stdin.read()
with open("calls", "a") as log:
    log.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:], given]) + chr(10))
"""
REGISTRY = "us-central1-docker.pkg.dev/acme/pawpetal"
SIGN = {
    "GITHUB_REPOSITORY": "acme/paw.petal",
    "GITHUB_SERVER_URL": "https://github.com",
    "SIGN": "yes",
}
OURS = r"^https://github\.com/acme/paw\.petal/\.github/workflows/release\.yaml@refs/tags/v"
OF_ALL = {"IMAGE_REGISTRY": REGISTRY, "TAG": "v1.2.0"}
KUBEFLOW = {"KUBEFLOW_HOST": "https://kubeflow.example.com"}
VERTEX = {
    "GOOGLE_CLOUD_BUCKET": "acme-photos",
    "GOOGLE_CLOUD_PROJECT": "acme",
    "GOOGLE_CLOUD_REGION": "us-central1",
    "GOOGLE_RUNNER": "pawpetal-runner@acme.iam.gserviceaccount.com",
}


@pytest.fixture
def released(project):
    """The project with images pushed and schedules written; gives what `pawpetal` was asked."""
    project.write(".venv/bin/pawpetal", PAWPETAL, is_program=True)
    project.write("dist/images/digests.json", "{}")
    project.write("schedules.yaml", "schedules: []\n")

    def calls():
        log = project.folder / "calls"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    project.calls = calls
    return project


@pytest.fixture
def building(project):
    """The project with stand-ins to build, push and sign by; gives what they were asked."""
    project.write("Makefile", "setup:\n\t@true\n")
    project.write(".venv/bin/python", PYTHON, is_program=True)
    for name in ("docker", "cosign"):
        project.write(f"bin/{name}", NOTING, is_program=True)
    project.path = f"{project.folder / 'bin'}:/usr/bin:/bin"

    def calls(program):
        lines = (project.folder / "calls").read_text().splitlines()
        found = [json.loads(line) for line in lines]
        return [call[1:] for call in found if call[0] == program]

    project.calls = calls
    return project


def options(call):
    return {name: value for name, value in parse(call["arguments"]).items() if value is not None}


def test_the_bash_scripts_are_clean():
    checked(tool("shellcheck"), *BASH)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_started_and_says_what_it_is_for(path):
    first, second, *_ = path.read_text().splitlines()

    assert first in ("#!/usr/bin/env bash", "#!/usr/bin/env python3")
    assert second.startswith(("# ", '"""'))
    assert path.stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("target", "given", "place"),
    [
        ("kubeflow", KUBEFLOW, {"host": "https://kubeflow.example.com"}),
        (
            "kubeflow",
            {**KUBEFLOW, "KUBEFLOW_NAMESPACE": "vision", "KUBEFLOW_IAP_CLIENT_ID": "one"},
            {"host": "https://kubeflow.example.com", "namespace": "vision", "iap_client_id": "one"},
        ),
        (
            "vertex",
            VERTEX,
            {
                "bucket": "acme-photos",
                "project": "acme",
                "region": "us-central1",
                "service_account": "pawpetal-runner@acme.iam.gserviceaccount.com",
            },
        ),
    ],
    ids=["kubeflow", "kubeflow behind IAP", "vertex"],
)
def test_specs_are_deployed_tried_and_then_schedules_are_applied(released, target, given, place):
    done = released.run("release", target, **OF_ALL, **given)

    assert done.returncode == 0, done.stderr
    deploy, apply = released.calls()
    assert deploy["arguments"][0] == "deploy"
    assert (
        options(deploy).items()
        >= {
            **place,
            "on": target,
            "image_registry": REGISTRY,
            "digests": "dist/images/digests.json",
            "tag": "v1.2.0",
            "smoke_run": True,
        }.items()
    )
    assert apply["arguments"][:2] == ["schedule", "apply"]
    assert (
        options(apply).items()
        >= {
            **place,
            "on": target,
            "image_registry": REGISTRY,
            "file": "schedules.yaml",
            "yes": True,
        }.items()
    )


def test_a_dry_run_is_of_the_deployment_alone(released):
    done = released.run("release", "vertex", "--dry-run", **OF_ALL, **VERTEX)

    assert done.returncode == 0, done.stderr
    (deploy,) = map(options, released.calls())
    assert (deploy["dry_run"], deploy["smoke_run"]) == (True, False)


@pytest.mark.parametrize(
    ("arguments", "is_dry"),
    [
        (["--rollback"], False),
        (["--rollback", "--dry-run"], True),
        (["--dry-run", "--rollback"], True),
    ],
)
def test_a_rollback_needs_no_images_and_leaves_schedules_to_deploy(released, arguments, is_dry):
    shutil.rmtree(released.folder / "dist")

    done = released.run("release", "vertex", *arguments, **VERTEX)

    assert done.returncode == 0, done.stderr
    (deploy,) = map(options, released.calls())
    assert (deploy["rollback"], deploy["dry_run"]) == (True, is_dry)


def test_schedules_stay_as_they_are_where_the_deployment_fails(released):
    done = released.run("release", "kubeflow", **OF_ALL, **KUBEFLOW, DEPLOY_FAILS="yes")

    assert done.returncode == 1
    assert [call["arguments"][0] for call in released.calls()] == ["deploy"]


def test_without_a_file_of_schedules_none_is_touched(released):
    (released.folder / "schedules.yaml").unlink()

    done = released.run("release", "kubeflow", **OF_ALL, **KUBEFLOW)

    assert "There is no schedules.yaml: schedules stay as they are." in done.stdout
    assert len(released.calls()) == 1


def test_the_registry_of_a_cluster_is_for_the_small_run(released):
    uri = "mlflow:http://mlflow.kubeflow:5000"
    released.run("release", "kubeflow", **OF_ALL, **KUBEFLOW, KUBEFLOW_REGISTRY=uri)

    assert options(released.calls()[0])["registry"] == uri


def test_what_the_specs_are_to_be_like_is_passed_on(released):
    more = "--accelerator gpu:nvidia-l4:1\n  --cpus 8\n--spot\n"  # lines, as in a box of GitHub's
    released.run("release", "vertex", **OF_ALL, **VERTEX, DEPLOY_OPTIONS=more)

    given = options(released.calls()[0])
    assert (given["accelerator"], given["spot"]) == ("gpu:nvidia-l4:1", True)
    assert float(given["cpus"]) == 8


@pytest.mark.parametrize("more", ['--tag "v 1"', "--tag 'v1'", "--tag v\\ 1"])
def test_options_that_only_a_shell_would_understand_are_refused(released, more):
    done = released.run("release", "vertex", **OF_ALL, **VERTEX, DEPLOY_OPTIONS=more)

    assert done.returncode == 2
    assert "`DEPLOY_OPTIONS` must be words without quotes and backslashes." in done.stderr
    assert released.calls() == []


def test_a_token_is_in_a_file_that_others_cannot_read_and_that_goes(released, tmp_path):
    given = {**OF_ALL, **KUBEFLOW, "KUBEFLOW_TOKEN": "s3cret", "TMPDIR": str(tmp_path)}

    done = released.run("release", "kubeflow", **given)

    assert done.returncode == 0, done.stderr
    for call in released.calls():
        assert (call["token"], call["mode"]) == ("s3cret\n", 0o600)
        assert "s3cret" not in str([call["arguments"], call["environment"]])
    assert not list(tmp_path.glob("tmp.*"))


@pytest.mark.parametrize(
    ("arguments", "missing", "said"),
    [
        ([], None, "Usage: "),
        (["laptop"], None, "Usage: "),
        (["vertex", "--smoke"], None, "Usage: "),
        (["vertex", "--rollback", "--force"], None, "Usage: "),
        (["vertex", "--rollback", ""], None, "Usage: "),
        (["kubeflow"], "KUBEFLOW_HOST", "must be the address of Kubeflow Pipelines"),
        (["vertex"], "GOOGLE_CLOUD_BUCKET", "must be the name of the bucket"),
        (["vertex"], "GOOGLE_RUNNER", "must be the account that the steps run as"),
        (["vertex"], "TAG", "must be what the deployment is called"),
        (["vertex"], "IMAGE_REGISTRY", "must be HOST/PATH of the registry"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_done(released, arguments, missing, said):
    given = {**OF_ALL, **KUBEFLOW, **VERTEX}
    given.pop(missing, None)

    done = released.run("release", *arguments, **given)

    assert done.returncode
    assert said in done.stderr
    assert (missing or "") in done.stderr
    assert released.calls() == []


def test_images_that_were_not_pushed_are_not_deployed(released):
    shutil.rmtree(released.folder / "dist")

    done = released.run("release", "vertex", **OF_ALL, **VERTEX)

    assert done.returncode == 1
    assert "There is no dist/images/digests.json: run .ci/images first." in done.stderr


def test_images_are_pushed_listed_and_signed_by_digest(building):
    done = building.run(
        "images",
        IMAGE_REGISTRY=REGISTRY,
        IMAGES="cpu light",
        PATH=building.path,
        REGISTRY_TOKEN="s3cret",  # noqa: S106  # nobody's
        **SIGN,
    )

    assert done.returncode == 0, done.stderr
    login = ["login", "--username", "oauth2accesstoken", "--password-stdin"]
    assert building.calls("docker") == [[*login, "https://us-central1-docker.pkg.dev", "s3cret\n"]]
    pushed = ["--push", "--image-registry", REGISTRY, "--digests", "dist/images/digests.json"]
    pushed += ["--signed-by", OURS]
    assert ["docker/build.py", "cpu", "light", *pushed] in building.calls("python")
    lists = [f"dist/images/pawpetal-{name}.cdx.json" for name in ("cpu", "light")]
    images = [f"{REGISTRY}/pawpetal-{name}@sha256:{name[0]}" for name in ("cpu", "light")]
    attest = ["attest", "--yes", "--type", "cyclonedx", "--predicate"]
    assert [call[:-1] for call in building.calls("cosign")] == [
        each
        for image, path in zip(images, lists, strict=True)
        for each in (["sign", "--yes", image], [*attest, path, image])
    ]
    assert all((building.folder / path).is_file() for path in lists)


def test_another_registry_has_another_user(building):
    given = {"IMAGE_REGISTRY": "ghcr.io/acme", "REGISTRY_USER": "ann", "REGISTRY_TOKEN": "s3cret"}
    done = building.run("images", PATH=building.path, **given)

    assert done.returncode == 0, done.stderr
    login = ["login", "--username", "ann", "--password-stdin", "https://ghcr.io", "s3cret\n"]
    assert building.calls("docker") == [login]


def test_images_are_not_signed_unless_it_is_asked_for(building):
    done = building.run("images", IMAGE_REGISTRY=REGISTRY, PATH=building.path)

    assert done.returncode == 0, done.stderr
    assert building.calls("cosign") == building.calls("docker") == []
    assert "--signed-by" not in str(building.calls("python"))


@pytest.mark.parametrize(
    ("given", "has_cosign", "said"),
    [
        ({}, True, "IMAGE_REGISTRY: must be HOST/PATH of the registry to push to"),
        ({"IMAGE_REGISTRY": REGISTRY, **SIGN}, False, "SIGN=yes needs cosign, which is not"),
        ({"IMAGE_REGISTRY": REGISTRY, "SIGN": "yes"}, True, "must be where the repository is"),
        (
            {"IMAGE_REGISTRY": REGISTRY, **SIGN, "GITHUB_REPOSITORY": ""},
            True,
            "GITHUB_REPOSITORY: must be the repository whose releases sign",
        ),
    ],
    ids=["registry", "cosign", "server", "repository"],
)
def test_what_images_need_is_said_first(building, given, has_cosign, said):
    if not has_cosign:
        (building.folder / "bin" / "cosign").unlink()

    done = building.run("images", PATH=building.path, **given)

    assert done.returncode
    assert said in done.stderr
    assert not (building.folder / "calls").exists()


@pytest.fixture
def tagged(project):
    """The project with a version, and a second commit that is not on main."""
    project.write("pyproject.toml", '[project]\nversion = "1.2.0"\n')
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message=One")
    project.git("checkout", "--quiet", "-b", "side")
    project.git("commit", "--quiet", "--allow-empty", "--message=Two")
    return project


def test_a_tag_of_the_version_on_main_may_be_released(tagged):
    tagged.git("checkout", "--quiet", "main")

    done = tagged.run("tag", TAG="v1.2.0", MAIN="main")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("v1.2.0: ")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"MAIN": "main"}, "TAG: must be the tag of the release"),
        (
            {"TAG": "v1.3.0", "MAIN": "main"},
            "`TAG` must be v1.2.0, the version in pyproject.toml. Received: 'v1.3.0'",
        ),
        ({"TAG": "v1.2.0", "MAIN": "main"}, "v1.2.0 is not on main: nobody has reviewed it."),
        ({"TAG": "v1.2.0"}, "There is no 'origin/main' in this checkout."),
    ],
    ids=["no tag", "another version", "another branch", "no main"],
)
def test_another_tag_is_refused(tagged, given, said):
    done = tagged.run("tag", **given)

    assert done.returncode
    assert said in done.stderr
