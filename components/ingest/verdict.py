"""What was found in the photos: told, written down, and held against the data policy."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from components.common.errors import DataError
from components.common.progress import report_result
from components.common.storage import write_atomically
from components.ingest.data_policy import POLICIES
from components.ingest.data_report import SEVERITIES, DataReport
from components.ingest.page import render_data_report
from components.ingest.pictures import Pictures


def stops(found: DataReport) -> list[str]:
    """What in a report stops a run under its policy; empty where nothing does."""
    fatal = POLICIES[found.policy]
    return [finding.message for finding in found.findings if finding.severity in fatal]


def tell(found: DataReport) -> None:
    """Print the findings, and each file that was left out, into the log."""
    for file, reason in found.rejected:
        print(f"rejected {file}: {reason}")
    for finding in found.findings:
        print(f"{finding.severity}: {finding.message}")
    severities = Counter(finding.severity for finding in found.findings)
    report_result({severity: severities[severity] for severity in SEVERITIES})


def write(found: DataReport, pictures: Pictures, page: Path, data: Path) -> None:
    """Write the report as a page and as JSON."""
    samples = pictures.samples() if found.checked else []  # else nothing is to be decoded
    html = render_data_report(found, read_photo=pictures.read, samples=samples)
    write_atomically(page, html.encode())
    write_atomically(data, json.dumps(found.to_json(), indent=2, ensure_ascii=False).encode())


def enforce(found: DataReport) -> None:
    """Stop where the policy says so.

    Raises:
        DataError: If it does.
    """
    if reasons := stops(found):
        more = f" (and {len(reasons) - 1} more, see the data report)" if len(reasons) > 1 else ""
        remedy = ", or pass --data-policy warn" if found.policy == "strict" else ""
        raise DataError(f"{reasons[0].rstrip('.')}{more}. Mend the photos{remedy}.")
