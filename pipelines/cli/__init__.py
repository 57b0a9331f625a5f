"""The command `pawpetal`. Light: what is heavy is imported by the command that needs it."""

from __future__ import annotations

import io
import os
import sys

import click

from components.common.errors import PawpetalError
from components.common.home import DEFAULT, VARIABLE
from pipelines.cli.architectures import architectures
from pipelines.cli.compile import compile_command
from pipelines.cli.data import data
from pipelines.cli.deploy import deploy, deployments
from pipelines.cli.doctor import doctor
from pipelines.cli.models import models
from pipelines.cli.run import run
from pipelines.cli.runs import runs
from pipelines.cli.schedule import schedule
from pipelines.cli.scheduler import scheduler
from pipelines.cli.tpu_check import tpu_check

HELP = """Labelled photos in, a judged and registered classifier out.

\b
Try it, offline:      pawpetal run
With your own photos: pawpetal run --dataset folder:PHOTOS --architecture transfer:MobileNetV2
Again and again:      pawpetal schedule apply
"""


@click.group(
    help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--home",
    envvar=VARIABLE,
    metavar="FOLDER",
    help=f"Where runs, cache and registry are kept.  [default: ./{DEFAULT}; env: {VARIABLE}]",
)
@click.version_option(package_name="pawpetal")
def cli(home: str | None) -> None:
    """Take the option that all commands have."""
    if home:
        os.environ[VARIABLE] = os.path.abspath(os.path.expanduser(home))  # noqa: PTH100, PTH111


cli.add_command(run)
cli.add_command(runs)
cli.add_command(models)
cli.add_command(data)
cli.add_command(architectures)
cli.add_command(schedule)
cli.add_command(scheduler)
cli.add_command(deploy)
cli.add_command(deployments)
cli.add_command(doctor)
cli.add_command(compile_command)
cli.add_command(tpu_check)


def main() -> None:
    """Run the command; an error that pawpetal expects is one line and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without the marks must not end a run
    # TensorFlow tells at length which instructions it found, here and in the steps.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        sys.exit(cli.main(standalone_mode=False, prog_name="pawpetal"))
    except PawpetalError as error:
        click.echo(f"pawpetal: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except BrokenPipeError:  # `pawpetal runs list | head`
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # no permission, disk full, a name that no file can have
        click.echo(f"pawpetal: {error}", err=True)
        sys.exit(2)
