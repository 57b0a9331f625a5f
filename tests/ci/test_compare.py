"""The figures on a pull request: a demo of two commits, and the comment."""

import http.server
import json
import threading
from types import SimpleNamespace

import pytest

# A demo that takes no time: its run has the figures that its commit holds.
MAKEFILE = """demo:
\t@echo Training ...
\t@test -f figures.json || { echo 'No figures.'; exit 1; }
\t@mkdir -p "$(PAWPETAL_HOME)/runs/one"
\t@cp figures.json "$(PAWPETAL_HOME)/runs/one/run.json"
"""
MARK = "<!-- pawpetal: metrics -->"
BOT = "github-actions[bot]"


def record(accuracy, *, low=0.9, high=0.98, num_photos=200, seconds=160.0, report=None):
    metrics = {"accuracy": accuracy, "accuracy_low": low, "accuracy_high": high}
    metrics |= {"macro_f1": accuracy, "loss": 0.25, "num_photos": num_photos}
    return {"seconds": seconds, "metrics": metrics, "report": report}


@pytest.fixture
def compare(project, tmp_path):
    """Commits a run before and one of this change, each a record or None, and compares them."""

    def comparing(before, after, base="HEAD^1"):
        project.write("Makefile", MAKEFILE)
        for figures in (before, after):
            (project.folder / "figures.json").unlink(missing_ok=True)
            if figures:
                project.write("figures.json", json.dumps(figures))
            project.git("add", "--all")
            project.git("commit", "--quiet", "--allow-empty", "--message=One")
        summary = str(tmp_path / "summary.md")
        return project.run("compare.py", base, GITHUB_STEP_SUMMARY=summary)

    return comparing


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (record(0.95), record(0.95), "**The same figures.**"),
        (record(0.95), record(0.94), "**No clear difference: 200 photos cannot tell"),
        (
            record(0.95),
            record(0.89),
            "**Worse: accuracy 0.890; before, 0.900 to 0.980 is likely.**",
        ),
        (
            record(0.95),
            record(0.99),
            "**Better: accuracy 0.990; before, 0.900 to 0.980 is likely.**",
        ),
        (record(0.95), record(0.95, num_photos=100), "**Not comparable: the numbers of test"),
        (None, record(0.95), "**Nothing to compare with: the demo of the commit before fails.**"),
    ],
    ids=["same", "close", "worse", "better", "other photos", "no base"],
)
def test_the_verdict_says_no_more_than_the_photos_tell(compare, project, before, after, said):
    done = compare(before, after)

    assert done.returncode == 0, done.stderr
    assert said in (project.folder / "dist/demo/comment.md").read_text()


def test_the_table_has_both_and_the_difference(compare, project, tmp_path):
    (tmp_path / "report.html").write_text("<p>A report</p>")

    compare(
        record(0.95, seconds=160.2),
        record(0.94, seconds=150.4, report=str(tmp_path / "report.html")),
    )

    output = project.folder / "dist" / "demo"
    text = (output / "comment.md").read_text()
    assert text.startswith(MARK)
    assert "| Accuracy | 0.9500 | 0.9400 | -0.0100 |" in text
    assert "| Loss | 0.2500 | 0.2500 | +0.0000 |" in text
    assert "| Seconds | 160 | 150 | -10 |" in text
    figures = json.loads((output / "metrics.json").read_text())
    assert (figures["base"]["accuracy"], figures["change"]["accuracy"]) == (0.95, 0.94)
    assert (output / "report.html").read_text() == "<p>A report</p>"
    assert (tmp_path / "summary.md").read_text() == text


def test_where_the_demo_of_the_base_fails_its_last_lines_are_shown(compare, project):
    compare(None, record(0.95))

    text = (project.folder / "dist/demo/comment.md").read_text()
    assert "| Accuracy | | 0.9500 | |" in text
    assert "No figures.\n" in text
    assert json.loads((project.folder / "dist/demo/metrics.json").read_text())["base"] is None


def test_where_the_demo_of_the_change_fails_it_fails(compare):
    done = compare(record(0.95), None)

    assert done.returncode == 1
    assert "The demo failed:\nTraining ...\nNo figures.\n" in done.stderr


def test_no_checkout_of_the_base_is_left(compare, project):
    compare(record(0.95), record(0.95))

    assert len(project.git("worktree", "list").splitlines()) == 1


def test_a_commit_that_is_not_there_is_refused(compare):
    done = compare(record(0.95), record(0.95), base="HEAD^2")

    assert done.returncode == 2
    assert "`COMMIT` must be one of this checkout. Received: 'HEAD^2'." in done.stderr


@pytest.fixture
def github():
    """A double of GitHub's API, with comments that are there; it notes what it is asked."""
    double = SimpleNamespace(comments=[], asked=[], status=200)

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            size = int(self.headers.get("Content-Length") or 0)
            sent = json.loads(self.rfile.read(size)) if size else None
            double.asked.append((self.command, self.path, self.headers["Authorization"], sent))
            page = int(self.path.rpartition("page=")[2]) if "&page=" in self.path else 1
            found = double.comments[100 * (page - 1) : 100 * page]
            body = found if self.command == "GET" else {"html_url": "https://github.com/1"}
            self.send_response(200 if self.command == "GET" else double.status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        do_GET = do_POST = do_PATCH = answer  # noqa: N815  # http.server's names

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        double.address = f"http://127.0.0.1:{server.server_port}"
        yield double
        server.shutdown()


@pytest.fixture
def say(project, github):
    """Comments on pull request 7."""

    def saying(text=f"{MARK}\nFigures\n", **env):
        project.write("comment.md", text)
        given = {
            "GITHUB_API_URL": github.address,
            "GITHUB_REPOSITORY": "acme/pawpetal",
            "GITHUB_TOKEN": "s3cret",
            "PULL_REQUEST": "7",
            "no_proxy": "127.0.0.1",
        }
        return project.run("comment.py", str(project.folder / "comment.md"), **(given | env))

    return saying


def by(login, number, body=f"{MARK}\nOld\n"):
    return {"id": number, "user": {"login": login}, "body": body}


def test_the_first_push_makes_a_comment(say, github):
    github.comments = [by("ann", 1, "Nice!")]

    done = say()

    assert (done.returncode, done.stdout) == (0, "https://github.com/1\n"), done.stderr
    body = {"body": f"{MARK}\nFigures\n"}
    comments = "/repos/acme/pawpetal/issues/7/comments"
    assert github.asked[-1] == ("POST", comments, "Bearer s3cret", body)


def test_the_next_push_edits_it_on_whichever_page_it_is(say, github):
    github.comments = [*(by("ann", number, "Hm.") for number in range(100)), by(BOT, 142)]

    say()

    assert github.asked[-1][:2] == ("PATCH", "/repos/acme/pawpetal/issues/comments/142")


def test_nobody_else_s_comment_is_edited_whatever_is_in_it(say, github):
    github.comments = [by("mallory", 13)]

    say()

    assert github.asked[-1][0] == "POST"


def test_a_token_that_only_reads_is_no_failure(say, github):
    github.status = 403

    done = say()

    assert done.returncode == 0
    assert "This job may not comment." in done.stdout


@pytest.mark.parametrize(
    ("text", "env", "said"),
    [
        ("Anything\n", {}, "is not what .ci/compare.py writes."),
        (MARK + "x" * 20_000, {}, "is not what .ci/compare.py writes."),
        (MARK, {"GITHUB_TOKEN": ""}, "with GITHUB_TOKEN"),
    ],
    ids=["another text", "too long", "no token"],
)
def test_what_cannot_be_said_is_refused(say, github, text, env, said):
    done = say(text, **env)

    assert done.returncode == 2
    assert said in done.stderr
    assert github.asked == []
