"""What a job printed, from Cloud Logging."""

from __future__ import annotations

import re
from typing import Any

from components.common.google_cloud import GoogleCloud

MOST_LINES = 300  # from the end
# In what the launcher of training prints: the job that it followed.
TRAINING = re.compile(r"/training/(?P<job>\d+)/")


def read_log(cloud: GoogleCloud, project: str, job_id: str) -> list[str]:
    """The last lines of a custom job; each step of a pipeline is one, too.

    Args:
        cloud: Asks.
        project: Id of the project.
        job_id: Number of the job.

    Raises:
        CloudError: If it cannot be read; it takes the role logging.viewer.

    Reference:
        https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
    """
    body = {
        "resourceNames": [f"projects/{project}"],
        "filter": f'resource.type="ml_job" AND resource.labels.job_id="{job_id}"',
        "orderBy": "timestamp desc",
        "pageSize": MOST_LINES,
    }
    entries = cloud.post("logging", "entries:list", body).get("entries", [])
    return [line for entry in reversed(entries) for line in _text(entry).splitlines()]


def _text(entry: dict[str, Any]) -> str:
    return str(entry.get("textPayload") or entry.get("jsonPayload", {}).get("message", ""))
