#!/usr/bin/env python3
"""Say the figures on a pull request: `.ci/comment.py dist/demo/comment.md`.

One comment, edited by each push. Reads GITHUB_API_URL, GITHUB_REPOSITORY, GITHUB_TOKEN and
PULL_REQUEST (its number). Runs from the branch that is merged into, never from the one that is
merged: it holds a token that may write, and takes what the other made as text only.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

MARK = "<!-- pawpetal: metrics -->"
BOT = "github-actions[bot]"
NEEDED = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN", "PULL_REQUEST")
LONGEST = 20_000  # characters; GitHub takes 65,536
PAGE_SIZE = 100
TIMEOUT_S = 30


def main() -> int:
    """Post or edit the comment; exit status 2 where something is missing."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if len(sys.argv) != 2 or missing:
        print(f"Usage: {sys.argv[0]} FILE, with {', '.join(missing or NEEDED)}", file=sys.stderr)
        return 2
    text = Path(sys.argv[1]).read_text()
    if not text.startswith(MARK) or len(text) > LONGEST:
        print(f"{sys.argv[1]} is not what .ci/compare.py writes.", file=sys.stderr)
        return 2
    try:
        print(say(text))
    except urllib.error.HTTPError as error:
        if error.code != 403:
            raise
        # Dependabot's and forks' tokens only read.
        print("This job may not comment. The figures are in the summary of the demo.")
    return 0


def say(text: str) -> str:
    """Post the comment, or edit the one that is there.

    Returns:
        Its address.
    """
    issue = f"issues/{int(os.environ['PULL_REQUEST'])}/comments"
    for page in range(1, 100):
        found = _ask("GET", f"{issue}?per_page={PAGE_SIZE}&page={page}")
        for each in found:
            # Others may write the mark, too: theirs is not ours to edit.
            if each["user"]["login"] == BOT and each["body"].startswith(MARK):
                return str(_ask("PATCH", f"issues/comments/{each['id']}", text)["html_url"])
        if len(found) < PAGE_SIZE:
            break
    return str(_ask("POST", issue, text)["html_url"])


def _ask(method: str, path: str, text: str | None = None) -> Any:
    place = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
    question = urllib.request.Request(  # noqa: S310  # GitHub's own address, which its runner sets
        f"{place}/{path}",
        data=None if text is None else json.dumps({"body": text}).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        method=method,
    )
    with urllib.request.urlopen(question, timeout=TIMEOUT_S) as answer:  # noqa: S310
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main())
