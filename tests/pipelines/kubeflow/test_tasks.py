from types import SimpleNamespace

import pytest

from pipelines.targets.kubeflow_tasks import Tasks


def run_with(*turns):
    """What the API tells of a run in which a loop has had these turns."""
    details = [SimpleNamespace(display_name="train", state=state) for state in turns]
    return SimpleNamespace(
        run_details=SimpleNamespace(task_details=details), state="RUNNING", error=None
    )


@pytest.mark.parametrize(
    ("turns", "status"),
    [
        (["SUCCEEDED"], "succeeded"),
        (["SUCCEEDED", "RUNNING"], "running"),
        (["SUCCEEDED", "PENDING"], "running"),
        (["RUNNING", "FAILED", "SUCCEEDED"], "failed"),
        (["SUCCEEDED", "SUCCEEDED"], "succeeded"),
    ],
)
def test_of_a_loops_turns_the_one_that_needs_a_look_counts(turns, status):
    assert Tasks(run_with(*turns)).status("train") == status
