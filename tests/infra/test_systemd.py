"""The unit of `pawpetal scheduler`, read by systemd itself."""

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import cli
from pipelines.schedules.local.runner import STOP_S

UNIT = Path(__file__).parents[2] / "infra" / "systemd" / "pawpetal-scheduler.service"


@pytest.fixture(scope="module")
def unit():
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read(UNIT)
    return parser


def test_systemd_finds_nothing_wrong_with_it(tmp_path, unit):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    program = unit["Service"]["ExecStart"].split()[0]
    copy = tmp_path / UNIT.name  # with a program that is here
    copy.write_text(UNIT.read_text().replace(program, sys.executable))

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_it_starts_a_command_that_there_is(unit):
    _, *arguments = unit["Service"]["ExecStart"].split()

    done = CliRunner().invoke(cli, [*arguments, "--help"])

    assert done.exit_code == 0, done.output
    assert arguments[-1] == "scheduler"


def test_it_leaves_runs_to_the_service_and_gives_it_time_to_end_them(unit):
    service = unit["Service"]

    assert (service["KillMode"], service["OOMPolicy"]) == ("mixed", "continue")
    assert float(service["TimeoutStopSec"]) > STOP_S + 5
    assert service["User"] != "root"
