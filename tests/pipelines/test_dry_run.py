"""What `pawpetal run --on vertex --dry-run` says of a place, and of the run's own options."""

from tests.google_cloud.double import GoogleDouble
from tests.google_cloud.project import BUCKET, REGION, SUBMITTER
from tests.pipelines.command import finish, pawpetal

PLACE = ("--project", "acme", "--region", REGION, "--bucket", BUCKET)
DRY = ("run", "--on", "vertex", *PLACE, "--dataset", "sample:flowers", "--dry-run")


def test_a_place_that_was_seen_in_part_is_not_called_ready(tmp_path):
    with GoogleDouble() as google:
        google.project.revoke("projects/acme", "projects/acme/roles/pawpetalDoctor", SUBMITTER)
        google.project.grant("projects/acme", "roles/browser", SUBMITTER)
        code, out, err = finish(pawpetal(tmp_path, *DRY))

    assert code == 0, err
    assert "Google Cloud is ready" not in out
    (line,) = (line for line in out.splitlines() if line.startswith("Not asked of Google Cloud: "))
    assert "you lack storage.buckets.get" in line
    assert "you lack iam.serviceAccounts.getIamPolicy" in line


def test_workers_are_in_the_estimate(tmp_path):
    code, out, err = finish(pawpetal(tmp_path, *DRY, "--no-ask", "--num-workers", "3"))

    assert code == 0, err
    assert "Not asked of Google Cloud: --no-ask was given" in out
    (line,) = (line for line in out.splitlines() if line.startswith("ingest_share"))
    assert line.split()[1:4] == ["e2-standard-4", "12", "min"]
