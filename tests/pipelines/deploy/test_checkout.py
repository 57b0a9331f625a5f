"""What git says of the code, in real repositories."""

import subprocess

import pytest

from components.common.errors import InputError
from pipelines.deploy.checkout import Checkout, read_checkout, user


def git(folder, *arguments):
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@acme.example")
    command = ["git", "-C", str(folder), *identity, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "code"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "a.py").write_text("1\n")
    (folder / ".gitignore").write_text("ignored\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "First")
    return folder


def test_a_commit_is_told_with_its_tag(repository):
    commit = git(repository, "rev-parse", "HEAD")
    assert read_checkout(repository) == Checkout(commit=commit)

    git(repository, "tag", "v1.2.0")
    assert read_checkout(repository) == Checkout(commit=commit, tag="v1.2.0")

    (repository / "a.py").write_text("2\n")
    git(repository, "commit", "--quiet", "-am", "Second")
    assert read_checkout(repository).tag == ""


def test_of_several_tags_the_highest_version_is_taken(repository):
    for tag in ("v1.9.0", "v1.10.0"):
        git(repository, "tag", tag)

    assert read_checkout(repository).tag == "v1.10.0"


def test_changed_and_new_files_are_refused_by_name(repository):
    (repository / "a.py").write_text("2\n")
    (repository / "b.py").write_text("1\n")
    (repository / "ignored").write_text("1\n")

    with pytest.raises(InputError, match=r"Commit or stash: a\.py, b\.py$"):
        read_checkout(repository)


def test_hook_of_another_repository_does_not_lead_elsewhere(repository, tmp_path, monkeypatch):
    commit = git(repository, "rev-parse", "HEAD")
    other = tmp_path / "other"
    git(tmp_path, "init", "--quiet", str(other))
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_COMMON_DIR", str(other / ".git"))

    assert read_checkout(repository) == Checkout(commit=commit)

    (repository / "a.py").write_text("2\n")
    with pytest.raises(InputError, match=r"Commit or stash: a\.py$"):
        read_checkout(repository)


def test_many_changed_files_are_counted(repository):
    for number in range(12):
        (repository / f"new{number:02d}.py").write_text("1\n")

    with pytest.raises(InputError, match=r"new09\.py and 2 more$"):
        read_checkout(repository)


def test_code_without_git_has_no_commit_even_within_another_repository(repository):
    installed = repository / "ignored"
    installed.mkdir()

    assert read_checkout(installed) == Checkout()


def test_a_repository_that_git_cannot_read_is_said(repository):
    (repository / ".git" / "HEAD").unlink()

    with pytest.raises(InputError, match="git cannot read it: fatal: not a git repository"):
        read_checkout(repository)


def test_who_started_the_workflow_deploys_in_ci(monkeypatch):
    monkeypatch.setenv("GITHUB_ACTOR", "ann")

    assert user() == "ann"
