"""The command of the train step on Vertex AI."""

from __future__ import annotations

import argparse
import signal
import sys

from components.common.errors import PawpetalError
from components.common.google_cloud import GoogleCloud
from components.train.custom_job.follow import POLL_S, Follower
from components.train.custom_job.template import JobTemplate, Task


def main() -> int:
    """Run the job of one task.

    Returns:
        1 where it failed, 143 where SIGTERM ended it, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m components.train.custom_job")
    parser.add_argument("--job", required=True, help="JSON of `JobTemplate`")
    parser.add_argument("--executor-input", required=True, help="what the pipeline tells the step")
    parser.add_argument("--poll-s", type=float, default=POLL_S, help="seconds between questions")
    options = parser.parse_args()
    try:
        follower = Follower(
            GoogleCloud(),
            JobTemplate.from_json(options.job),
            Task.read(options.executor_input),
            poll_s=options.poll_s,
        )
        # A pipeline that is cancelled, or a machine that goes: the next try goes on from the state
        # that training saves when it is ended.
        signal.signal(signal.SIGTERM, lambda *_: follower.stop.set())
        follower.run()
    except PawpetalError as error:
        print(f"{type(error).__module__}.{type(error).__name__}: {error}", file=sys.stderr)
        return 143 if follower.stop.is_set() else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
