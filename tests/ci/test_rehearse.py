"""Running the pull request's commands here."""

import subprocess
import sys

import pytest

from .conftest import ROOT, checked

WORKFLOW = """
jobs:
  first:
    steps:
      - uses: actions/checkout@v6
      - run: echo one >>ran && false | true
  second:
    steps:
      - run: echo two >>ran
  comment:
    steps:
      - run: echo comment >>ran
"""


@pytest.fixture
def rehearse(project):
    """Rehearses a workflow of two jobs, whose first fails."""
    project.write(".github/workflows/pull-request.yaml", WORKFLOW)

    def rehearsing(*jobs):
        command = [sys.executable, project.folder / ".ci" / "rehearse.py", *jobs]
        return subprocess.run(command, capture_output=True, text=True)

    rehearsing.ran = lambda: (project.folder / "ran").read_text().split()
    return rehearsing


def test_all_commands_run_and_one_that_fails_is_told(rehearse):
    done = rehearse()

    assert done.returncode == 1
    assert rehearse.ran() == ["one", "two"]
    first, second = done.stdout.splitlines()[-2:]
    assert first.startswith("first: echo one")
    assert first.endswith("exit 1")
    assert second.endswith("exit 0")


def test_one_job_may_be_named(rehearse):
    done = rehearse("second")

    assert done.returncode == 0
    assert rehearse.ran() == ["two"]


def test_an_unknown_job_is_refused(rehearse):
    done = rehearse("third")

    assert done.returncode == 2
    assert "`JOB` must be of first, second. Received: third" in done.stderr


def test_the_commands_of_our_own_workflow_are_those_that_the_docs_speak_of():
    listed = checked(sys.executable, ROOT / ".ci" / "rehearse.py", "--list").splitlines()

    assert listed == [
        "check: make check",
        "test: make test",
        "specs: make setup",
        "specs: .venv/bin/pawpetal compile --check",
        "images: make images",
        "demo: .ci/compare.py HEAD^1",
    ]
