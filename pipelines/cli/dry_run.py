"""`pawpetal run --on vertex --dry-run`: the requests that would be sent, and their cost."""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import click

from components.common.google_cloud import endpoint
from pipelines.google_cloud.estimate import Estimate, Request, estimate, render
from pipelines.google_cloud.prices import load_prices
from pipelines.google_cloud.requests import Submission
from pipelines.targets.vertex import VertexTarget

LONG = 200  # letters of a value that are worth reading in a terminal


def show(
    target: VertexTarget,
    pipeline: str,
    arguments: Mapping[str, Any],
    *,
    use_cache: bool,
    prices: str,
    num_photos: int,
    as_json: bool,
) -> None:
    """Build and check all requests of a run, estimate it, and send nothing.

    Args:
        target: Where it would run.
        pipeline: Name of the pipeline, e.g. "train_and_push".
        arguments: Value of each of its inputs, checked.
        use_cache: Whether steps may come from the cache.
        prices: File of other prices; empty for none.
        num_photos: Of the dataset; 0 for what is known of it.
        as_json: Print one JSON object, with the whole spec, instead of text.

    Raises:
        InputError: If a request is none, or the place is not ready.
        CloudError: If Google Cloud can be asked, but does not answer.
    """
    submission = target.submission(
        pipeline, arguments, run_id=_run_id(pipeline), use_cache=use_cache
    )
    estimated = estimate(
        Request(
            pipeline=pipeline,
            arguments=arguments,
            machine=target.machine,
            region=target.region,
            spot=target.spot,
            num_photos=num_photos,
            num_workers=target.num_workers,
        ),
        load_prices(prices),
    )
    unasked = target.check_place(is_needed=False)
    if as_json:
        click.echo(json.dumps(_plain(submission, estimated, unasked), indent=2))
    else:
        click.echo("\n".join(_lines(submission, estimated, unasked)))


def _run_id(pipeline: str) -> str:
    return f"{pipeline.replace('_', '-')}-{secrets.token_hex(4)}"


def _plain(submission: Submission, estimated: Estimate, unasked: str) -> dict[str, Any]:
    return {
        "request": {"method": "POST", "url": _url(submission), "body": submission.job},
        "training": list(submission.training_jobs()),
        "estimate": asdict(estimated),
        "not_asked": unasked or None,
    }


def _url(submission: Submission) -> str:
    address = endpoint("aiplatform", submission.place.region)
    return f"{address}/v1/{submission.parent}/pipelineJobs?pipelineJobId={submission.run_id}"


def _lines(submission: Submission, estimated: Estimate, unasked: str) -> Iterator[str]:
    yield f"POST {_url(submission)}"
    yield _shortened(submission.job)
    yield ""
    for job in submission.training_jobs():
        yield "Its launcher would create this custom job, and follow it:"
        yield _shortened(job)
        yield ""
    yield "All fields are those of google.cloud.aiplatform.v1 (PipelineJob, CustomJob)."
    yield f"Not asked of Google Cloud: {unasked}" if unasked else "Google Cloud is ready for it."
    yield ""
    yield from render(estimated)
    yield ""
    yield "Nothing was sent. Without --dry-run it is; --json prints all of it, the spec included."


def _shortened(body: dict[str, Any]) -> str:
    """The body as JSON, without what nobody reads: the spec, and the code of steps."""
    shown = copy.deepcopy(body)
    if spec := shown.get("pipelineSpec"):
        steps = ", ".join(spec["deploymentSpec"]["executors"])
        shown["pipelineSpec"] = f"... {steps.replace('exec-', '')} ..."
    return json.dumps(_without_long_text(shown), indent=2)


def _without_long_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_long_text(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_long_text(each) for each in value]
    if isinstance(value, str) and len(value) > LONG:
        return f"... {len(value):,} letters of code ..."
    return value
