"""A schedule as Vertex AI's API writes it, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from components.common.errors import InputError
from pipelines.google_cloud.requests import LABELS, training_jobs
from pipelines.schedules import Settings
from pipelines.schedules.cron import Cron
from pipelines.schedules.deployed import chosen_parameters
from pipelines.specs import pipeline_names

# What is set when one is edited.
FIELDS = (
    "cron",
    "maxConcurrentRunCount",
    "maxConcurrentActiveRunCount",
    "allowQueueing",
    "createPipelineJobRequest",
)
ROOT = "/pawpetal/runs"  # of the bucket
# Of labels: small letters, digits, dashes and underscores, 63 at most.
NAME, WEEKDAYS = "schedule", "weekdays"
LONGEST_LABEL = 63
SIGNS = {"*": "all", ",": "_", "/": "__"}


def build_schedule(wanted: Settings, job: Mapping[str, Any], parent: str) -> dict[str, Any]:
    """Write one.

    Args:
        wanted: What it holds.
        job: PipelineJob of its runs.
        parent: "projects/P/locations/R".

    Raises:
        InputError: If there is no room for its days of the week.
    """
    cron = Cron(wanted.cron, wanted.time_zone)
    labels = {**job["labels"], NAME: wanted.name, **_weekdays(cron)}
    at_once = str(wanted.max_concurrency)  # as JSON has a number of 64 bits
    return {
        "displayName": wanted.name,
        "cron": cron.for_vertex(),
        "maxConcurrentRunCount": at_once,
        "maxConcurrentActiveRunCount": at_once,
        "allowQueueing": wanted.catch_up,
        "createPipelineJobRequest": {"parent": parent, "pipelineJob": {**job, "labels": labels}},
    }


def is_ours(found: Mapping[str, Any]) -> bool:
    """Whether one is of pawpetal's."""
    labels = _job(found).get("labels", {})
    is_named = labels.get(NAME) == found["displayName"] and LABELS.items() <= labels.items()
    return is_named and _pipeline(labels) in pipeline_names()


def read_settings(found: Mapping[str, Any]) -> Settings:
    """What one holds."""
    job = _job(found)
    cron, time_zone = _read_cron(found["cron"], job["labels"].get(WEEKDAYS, ""))
    pipeline = _pipeline(job["labels"])
    runtime = job.get("runtimeConfig", {})
    place = {
        "on": "vertex",
        "bucket": runtime.get("gcsOutputDirectory", "").removeprefix("gs://").removesuffix(ROOT),
        "service_account": job.get("serviceAccount", ""),
    }
    return Settings(
        name=found["displayName"],
        pipeline=pipeline,
        version=job.get("templateUri", "").rpartition("/")[2],
        cron=cron,
        time_zone=time_zone,
        max_concurrency=int(found.get("maxConcurrentActiveRunCount", 0)),
        catch_up=bool(found.get("allowQueueing")),
        paused=found.get("state") != "ACTIVE",
        place=place | ({"network": job["network"]} if job.get("network") else {}),
        parameters=chosen_parameters(pipeline, runtime.get("parameterValues", {})),
    )


def check_training(wanted: Settings, spec: Mapping[str, Any]) -> None:
    """Refuse who or where training is not: its job stands in the deployed spec.

    Raises:
        InputError: If it is another.
    """
    for job in training_jobs(spec):
        for option, key in (("service_account", "serviceAccount"), ("network", "network")):
            given, deployed = wanted.place.get(option, ""), job["jobSpec"].get(key, "")
            if given != deployed:
                raise InputError(
                    f"`{option}` must be that of the deployed spec, whose training has"
                    f" '{deployed}': deploy with the same --{option.replace('_', '-')}, or leave it"
                    " out in both."
                    f" Received: '{given}'"
                )


def left_as_before(found: Settings, wanted: Settings) -> list[str]:
    """Fields that an edit did not change; whether it is paused is none of them."""
    names = (each.name for each in fields(Settings) if each.name != "paused")
    return [name for name in names if getattr(found, name) != getattr(wanted, name)]


def _pipeline(labels: Mapping[str, str]) -> str:
    return labels.get("pipeline", "").replace("-", "_")


def _job(found: Mapping[str, Any]) -> dict[str, Any]:
    return dict(found.get("createPipelineJobRequest", {}).get("pipelineJob", {}))


def _weekdays(cron: Cron) -> dict[str, str]:
    """A label with the days of the week as people wrote them, where Vertex AI gets other text."""
    *_, written = cron.text.split()
    if cron.for_vertex().endswith(f" {written}"):
        return {}
    label = written
    for sign, text in SIGNS.items():
        label = label.replace(sign, text)
    if len(label) > LONGEST_LABEL:
        raise InputError(f"`cron` must have a shorter day of week. Received: '{written}'")
    return {WEEKDAYS: label}


def _read_cron(sent: str, label: str) -> tuple[str, str]:
    """Its times as they were written, where that still says the same, and its time zone."""
    zone, _, text = sent.rpartition("TZ=")[2].partition(" ") if "TZ=" in sent else ("UTC", "", sent)
    for sign, each in reversed(SIGNS.items()):
        label = label.replace(each, sign)
    written = " ".join((*text.split()[:-1], label))
    try:
        is_same = Cron(written, zone).for_vertex() == sent
    except InputError:  # there is no label, or it was edited by hand
        return text, zone
    return (written if is_same else text), zone
