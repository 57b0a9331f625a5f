"""What tests of whole runs share."""

import json
import random
import time

import pytest

from tests.pipelines.command import (
    SLOW_STEPS,
    STEPS,
    TINY,
    finish,
    is_running,
    kill,
    pawpetal,
    records,
    wait_for,
)


@pytest.fixture(scope="session")
def killed_everywhere(tmp_path_factory):
    """A home in which the run was killed once in each step, and then ran to its end."""
    home = tmp_path_factory.mktemp("killed")
    rng = random.Random(0)  # noqa: S311  # moments, not secrets
    for step in STEPS:
        known = {record["run_id"] for record in records(home)}
        process = pawpetal(home, "run", *TINY)
        # The step killed last time runs again; the ones before it are in the cache.
        wait_for(lambda step=step, known=known: is_running(home, step, known), f"step {step}")
        # Anywhere in the step; those that start no TensorFlow and no MLflow are soon done.
        time.sleep(rng.uniform(0, 2 if step in SLOW_STEPS else 0.2))
        kill(process, home)
    code, out, err = finish(pawpetal(home, "run", *TINY, "--json"))
    assert code == 0, err
    return {"home": home, "summary": json.loads(out), "progress": err}
