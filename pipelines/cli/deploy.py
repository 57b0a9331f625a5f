"""`pawpetal deploy` and `pawpetal deployments`: specs to where they run, and what is there."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from components.common.errors import InputError
from pipelines.cli.targets import target_options
from pipelines.targets.options import KUBEFLOW, VERTEX, make_target

if TYPE_CHECKING:
    from pipelines.deploy.deploy import Outcome, SmokeRun
    from pipelines.deploy.deployments import Place
    from pipelines.deploy.release import DeployTarget
    from pipelines.schedules import Scheduler

WHERE = ("host", "namespace", "token_file", "cookie_file", "iap_client_id")
WHERE_ON_GOOGLE = ("project", "region", "bucket")
FIXED = ("image_registry", "accelerator", "cpus", "memory", "num_workers", "network", "spot")
OF_RUNS = ("experiment", "service_account")


@click.command(short_help="Carry the compiled pipelines to where schedules run them.")
@target_options(*(*WHERE, *WHERE_ON_GOOGLE, *FIXED, *OF_RUNS, "ask_first"), on=(KUBEFLOW, VERTEX))
@click.option("--tag", default="", help="For people, e.g. v1.2.0.  [default: git's, or the code's]")
@click.option(
    "--digests",
    default="",
    metavar="FILE",
    help="JSON with the digest of each image, as docker/build.py --push writes it.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be sent and changed; change nothing.")
@click.option("--rollback", is_flag=True, help="Go back to what was deployed before.")
@click.option(
    "--smoke-run/--no-smoke-run",
    default=False,
    show_default=True,
    help="Run it once before it is deployed; where that fails, nothing is deployed.",
)
@click.option("--registry", default="", help="Of the smoke run; needed on Kubeflow.")
@click.option("--storage", default="", metavar="URI", help="Of the smoke run: a gs:// folder.")
@click.option("--json", "as_json", is_flag=True, help="Progress on stderr, the outcome on stdout.")
def deploy(
    on: str,
    tag: str,
    digests: str,
    dry_run: bool,
    rollback: bool,
    smoke_run: bool,
    registry: str,
    storage: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Compile all pipelines, put them where they run, and let schedules there run them.

    The same content is deployed once. Only committed code is deployed.

    Exit status: 0 it is current, 1 the smoke run failed and nothing was deployed, or somebody else
    deployed something else meanwhile, 2 an argument cannot work, or the place refuses.
    """
    if rollback and (tag or digests or smoke_run):
        raise InputError("`rollback` brings back what was deployed: leave out tag, digests, smoke.")
    if (registry or storage) and not smoke_run:
        raise InputError("`registry` and `storage` are of the smoke run: add --smoke-run.")
    target, place, scheduler = _open(on, options)

    from pipelines.deploy import deploy as deploying
    from pipelines.deploy.checkout import read_checkout, user
    from pipelines.deploy.release import make_release

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    if rollback and dry_run:
        from pipelines.cli import deploy_display

        deploy_display.show_rollback(place, scheduler, as_json=as_json)
    elif rollback:
        _end(deploying.roll_back(place, scheduler, by=user(), say=say), as_json)
    else:
        checkout = read_checkout()
        try_it = _smoke_run(target, registry, storage, as_json) if smoke_run else None
        release = make_release(target, checkout, tag=tag, digests=digests)
        if dry_run:
            from pipelines.cli import deploy_display

            deploy_display.show_plan(target, place, scheduler, release, as_json=as_json)
            return
        if on == VERTEX:
            target.check_place()
        _end(deploying.deploy(place, scheduler, release, smoke_run=try_it, say=say), as_json)


@click.command(short_help="List what was deployed where, newest first.")
@target_options(*WHERE, *WHERE_ON_GOOGLE, on=(KUBEFLOW, VERTEX))
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout.")
def deployments(on: str, as_json: bool, **options: Any) -> None:
    """List what was deployed, newest first, and which schedules run it."""
    from pipelines.cli import deploy_display

    _, place, scheduler = _open(on, options)
    deploy_display.show_history(place.history(), scheduler.live(), as_json=as_json)


def _open(on: str, options: dict[str, Any]) -> tuple[Any, Place, Scheduler]:
    """The target, what is deployed there, and the scheduler that fires runs of it."""
    target: Any = make_target(on, options)
    if on == KUBEFLOW:
        from pipelines.deploy.kubeflow import KubeflowDeployments
        from pipelines.schedules.kubeflow import KubeflowScheduler

        target.check_cluster()
        return target, KubeflowDeployments(target.connect()), KubeflowScheduler(target)
    from pipelines.deploy.vertex import VertexDeployments
    from pipelines.schedules.vertex import VertexScheduler

    place = target.place  # refuses names that no such thing can have
    there = VertexDeployments(place.project, place.region, place.bucket)
    return target, there, VertexScheduler(target)


def _smoke_run(target: DeployTarget, registry: str, storage: str, as_json: bool) -> SmokeRun:
    """Check its arguments now, before anything is deployed; run it later."""
    from pipelines.cli.display import Display
    from pipelines.deploy.smoke import smoke_arguments, start

    arguments = smoke_arguments(target, registry, storage)
    display = Display(sys.stderr if as_json else sys.stdout, advice="mend it, and deploy again")

    def run(release: Any) -> Any:
        execution = start(target, release, arguments)
        with contextlib.closing(execution.follow()) as events:
            display.show(execution.run, events)
        return execution.run

    return run


def _end(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        told = {
            "deployment": asdict(outcome.deployment) if outcome.deployment else None,
            "is_new": outcome.is_new,
            "repointed": [asdict(change) for change in outcome.repointed],
            "smoke_run": json.loads(outcome.smoke_run.to_json()) if outcome.smoke_run else None,
            "failure": outcome.failure or None,
        }
        click.echo(json.dumps(told, indent=2))
    sys.exit(1 if outcome.failure else 0)
