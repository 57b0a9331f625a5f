#!/usr/bin/env python3
"""Run the demo here and on another commit, and say what changed: `.ci/compare.py HEAD^1`.

Each runs by its own `make demo`, in a checkout, an environment and a home of its own. DIR gets
metrics.json, comment.md and the reports of this one. Exit status 1 where the demo fails here; where
it fails there, the comment says so. Needs Python, git, make and a package index.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ROWS = (("Accuracy", "accuracy"), ("Macro F1", "macro_f1"), ("Loss", "loss"))
LAST_LINES = 15  # of a demo that failed
MARK = "<!-- pawpetal: metrics -->"  # by which .ci/comment.py finds its own comment again
SUMMARY = "GITHUB_STEP_SUMMARY"  # names the file that GitHub shows on the page of a job

Record = dict[str, Any]  # what a run's run.json holds


def main() -> int:
    """Compare, and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("base", metavar="COMMIT", help="to compare with, e.g. HEAD^1 of a merge")
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "demo", metavar="DIR")
    arguments = parser.parse_args()
    try:
        base = _commit(arguments.base)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    output: Path = arguments.output
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        here, said = run_demo(ROOT, Path(folder) / "here")
        if here is None:
            print(f"The demo failed:\n{said}", file=sys.stderr)
            return 1
        keep_reports(here, output)
        there, said = run_demo_of(base, Path(folder))
    text = comment(there, here, base=base, why_not=said)
    metrics = {"base": there and _figures(there), "change": _figures(here)}
    (output / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    (output / "comment.md").write_text(text)
    if summary := os.environ.get(SUMMARY):
        with Path(summary).open("a") as file:
            file.write(text)
    print(f"\n{text}\nIn {output}: {', '.join(sorted(path.name for path in output.iterdir()))}")
    return 0


def run_demo(folder: Path, home: Path) -> tuple[Record | None, str]:
    """The record of a checkout's demo, or None and its last lines."""
    print(f"Demo of {folder} ...", flush=True)
    environment = {**os.environ, "PAWPETAL_HOME": str(home)}
    demo = subprocess.Popen(
        ["make", "demo"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    for line in demo.stdout or ():
        print(line, end="", flush=True)
        lines.append(line)
    records = sorted(home.glob("runs/*/run.json"), key=lambda path: path.stat().st_mtime)
    if demo.wait() or not records:
        return None, "".join(lines[-LAST_LINES:])
    return json.loads(records[-1].read_text()), ""


def run_demo_of(commit: str, folder: Path) -> tuple[Record | None, str]:
    """The same of another commit, in a checkout beside this one."""
    checkout = folder / "checkout"
    _git("worktree", "add", "--quiet", "--detach", str(checkout), commit)
    try:
        return run_demo(checkout, folder / "there")
    finally:
        _git("worktree", "remove", "--force", str(checkout))


def keep_reports(record: Record, output: Path) -> None:
    """Copy the pages that a run made."""
    for kind in ("report", "preview", "data_report"):
        if (path := record.get(kind)) and Path(path).is_file():
            shutil.copy(path, output / Path(path).name)


def comment(there: Record | None, here: Record, *, base: str, why_not: str = "") -> str:
    """A table of both in Markdown, and a verdict.

    Args:
        there: The run to compare with; None where its demo failed.
        here: The run of this change.
        base: The commit of `there`.
        why_not: The last lines of a demo that failed.
    """
    new, num_photos = here["metrics"], here["metrics"]["num_photos"]
    old = there["metrics"] if there else {}
    rows = [(name, old.get(key), new[key], "{:.4f}", "{:+.4f}") for name, key in ROWS]
    seconds = there["seconds"] if there else None
    rows.append(("Seconds", seconds, here["seconds"], "{:.0f}", "{:+.0f}"))
    lines = [
        MARK,
        f"**{verdict(old, new)}**",
        "",
        f"`make demo` of this change, and of {base[:12]}, which it is to be merged into:",
        "",
        "| | before | this change | difference |",
        "| --- | ---: | ---: | ---: |",
        *(_row(*row) for row in rows),
        "",
        f"Accuracy of {num_photos} test photos, 95 % interval"
        f" {new['accuracy_low']:.3f} to {new['accuracy_high']:.3f}."
        " The reports are among the job's artifacts.",
    ]
    if there is None:
        lines += ["", "The last lines of its demo:", "", "```", why_not.rstrip(), "```"]
    return "\n".join(lines) + "\n"


def verdict(old: dict[str, Any], new: dict[str, Any]) -> str:
    """What the accuracies tell, given how many photos they are of."""
    if not old:
        return "Nothing to compare with: the demo of the commit before fails."
    if old["num_photos"] != new["num_photos"]:
        return "Not comparable: the numbers of test photos differ."
    if all(old[key] == new[key] for _, key in ROWS):
        return "The same figures."
    likely = f"{old['accuracy_low']:.3f} to {old['accuracy_high']:.3f} is likely"
    if not old["accuracy_low"] <= new["accuracy"] <= old["accuracy_high"]:
        word = "Better" if new["accuracy"] > old["accuracy"] else "Worse"
        return f"{word}: accuracy {new['accuracy']:.3f}; before, {likely}."
    return f"No clear difference: {new['num_photos']} photos cannot tell the two apart."


def _row(name: str, old: float | None, new: float, form: str, signed: str) -> str:
    if old is None:
        return f"| {name} | | {form.format(new)} | |"
    return f"| {name} | {form.format(old)} | {form.format(new)} | {signed.format(new - old)} |"


def _figures(record: Record) -> Record:
    return {"seconds": record["seconds"], **record["metrics"]}


def _commit(name: str) -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ValueError(
            f"`COMMIT` must be one of this checkout. Received: '{name}'. In a shallow checkout,"
            " fetch more of the history (actions/checkout: fetch-depth)."
        )
    return done.stdout.strip()


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
