"""`pawpetal data`: what is in photos and in the datasets made of them."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TextIO

import click

from components.common.errors import InputError
from components.common.home import home
from components.ingest.data_policy import STRICT, WARN
from pipelines.places import absolute, absolute_dataset

if TYPE_CHECKING:
    from components.common.manifest import Manifest

PAGE = "data_report.html"

_as_json = click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")


@click.group()
def data() -> None:
    """Check photos; look at the datasets made of them."""


@data.command("check")
@click.argument("uri")
@click.option(
    "--previous",
    metavar="URI",
    default="",
    help="Dataset folder, local or gs://, to compare with: what was added, removed, relabelled.",
)
@click.option(
    "--data-policy",
    "policy",
    type=click.Choice([WARN, STRICT]),
    default=WARN,
    show_default=True,
    help="Whether warnings count as errors do.",
)
@click.option("--data-dir", default="", help="Where TensorFlow Datasets keeps its data (tfds:).")
@click.option(
    "--output",
    metavar="FOLDER",
    help="Where the page and its JSON go.  [default: data-checks/NAME-TIME in the home]",
)
@_as_json
def check_command(
    uri: str, previous: str, policy: str, data_dir: str, output: str | None, as_json: bool
) -> None:
    """Check photos where they are; nothing is copied.

    URI is what `pawpetal run --dataset` takes: folder:PATH, gs://BUCKET/PREFIX,
    archive:PATH, tfds:NAME or sample:NAME.

    Exit status: 0 nothing was found that would stop a run under the policy, 1 something was,
    2 an argument cannot work.
    """
    uri = absolute_dataset(uri)
    page = _output_folder(output, uri) / PAGE
    with _live(f"checking {uri}", sys.stderr if as_json else sys.stdout):
        from components.ingest.ingest import check_dataset
        from components.ingest.verdict import stops

        report = check_dataset(uri, data_dir=data_dir, previous=previous, policy=policy, page=page)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
        click.echo(f"Page: {page.as_uri()}", err=True)
    else:
        from pipelines.cli.data_display import show_report

        show_report(report, page)
    sys.exit(1 if stops(report) else 0)


@data.command("show")
@click.argument("uri")
@_as_json
def show_command(uri: str, as_json: bool) -> None:
    """Show a dataset, or the versions of one.

    URI, local or gs://, is a dataset folder (it holds manifest.json), or ROOT/datasets/NAME, which
    has a folder for each version. The first characters of a version's digest will do.
    """
    from pipelines.cli.data_display import show_datasets, show_manifest

    found = _find(uri)
    if len(found) > 1:
        show_datasets(found, as_json=as_json)
    elif as_json:
        click.echo(json.dumps(asdict(found[0][1]), indent=2))
    else:
        show_manifest(*found[0])


@data.command("list")
@click.argument("root", default="")
@_as_json
def list_command(root: str, as_json: bool) -> None:
    """List the datasets below ROOT, a folder or gs:// prefix; without it those of the home."""
    from components.common.dataset import list_datasets
    from pipelines.cli.data_display import show_datasets

    place = absolute(root or str(home())).rstrip("/")
    found = list_datasets(place)
    if not found and not as_json:
        click.echo(f"No datasets under {place} yet. Check photos: pawpetal data check URI")
        return
    show_datasets(found, as_json=as_json)


def _find(uri: str) -> list[tuple[str, Manifest]]:
    """The datasets that `uri` names: one, or the versions of one, or all below a root."""
    from components.common import storage
    from components.common.dataset import ROOM, list_datasets
    from components.common.manifest import FILE_NAME, Manifest

    place = absolute(uri.removesuffix(FILE_NAME)).rstrip("/")
    if storage.exists(storage.join(place, FILE_NAME)):
        return [(place, Manifest.load(place))]
    root, is_below, path = place.rpartition(f"/{ROOM}/")
    name, _, digest = path.partition("/")
    prefix = f"{place.removesuffix('/')}/" if is_below and not digest else place
    listed = list_datasets(root if is_below and name else place)
    found = [one for one in listed if one[0].startswith(prefix)]
    if not found:
        raise InputError(
            f"`URI` must name a dataset folder (with {FILE_NAME}), ROOT/{ROOM}/NAME or ROOT."
            f" Received: '{uri}', where there is none. For photos: pawpetal data check URI"
        )
    return found


def _output_folder(output: str | None, uri: str) -> Path:
    from pipelines.runs import is_writable

    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = (
        Path(output).expanduser().absolute()
        if output
        else home() / "data-checks" / f"{_short_name(uri)}-{stamp}"
    )
    if not is_writable(folder):
        raise InputError(f"`--output` must be a folder that can be written to. Received: {folder}")
    return folder


def _short_name(uri: str) -> str:
    """The last part of a URI, as a folder can be named: "flowers" of "sample:flowers?photos=40"."""
    kind, _, rest = uri.partition(":")
    path = str(Path(rest).absolute().resolve()) if kind == "folder" else rest.partition("?")[0]
    return re.sub(r"[^\w.-]+", "-", PurePosixPath(path).name).strip("-.") or "photos"


@contextlib.contextmanager
def _live(what: str, stream: TextIO) -> Iterator[None]:
    """Show a step's progress on one live line or, in a file, as a line now and then."""
    from rich.markup import escape

    from components.common.progress import shown_by
    from pipelines.cli.display import SECONDS_BETWEEN_LINES, Display

    last = time.monotonic()

    with Display(stream).waiting(escape(what)) as status:

        def show(line: str) -> None:
            nonlocal last
            status.update(escape(line))
            if not status.console.is_terminal and time.monotonic() - last > SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                status.console.print(f"  {escape(line)}")

        # Whatever else a library prints must not come into the JSON.
        with shown_by(show), contextlib.redirect_stdout(sys.stderr):
            yield
