"""A program that leaves what a run leaves, in a fraction of a second.

`short_run.py RUN_ID HOW [FILE]`: HOW is succeed, fail, refuse (no run begins), wait (until FILE is
there, and then succeed), or last (half a second, and then succeed).
"""

import sys
import time
from pathlib import Path

from pipelines.runs import CANCELLED, FAILED, SUCCEEDED, Run, RunFolder, now

run_id, how, *files = sys.argv[1:]
if how == "refuse":
    sys.exit("pawpetal: `epochs` must be at least 1. Received: 0")
folder = RunFolder.create("retrain", run_id)
run = Run(run_id=run_id, pipeline="retrain", target="local", started_at=now())
folder.save(run)
try:
    while how == "wait" and not Path(files[0]).exists():
        time.sleep(0.02)
    if how == "last":
        time.sleep(0.5)
except KeyboardInterrupt:
    run.status = CANCELLED
    folder.save(run)
    sys.exit(130)
run.status, run.seconds = SUCCEEDED, 180.0
run.metrics = {"accuracy": 0.97}
run.model = {"name": "pets", "version": "4", "is_champion": True}
if how == "fail":
    run.status, run.model = FAILED, None
    run.error = {"step": "train", "message": "Training diverged", "log": ""}
folder.save(run)
