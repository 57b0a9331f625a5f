"""Home, disk and memory of this machine."""

from pathlib import Path

from components.common.home import VARIABLE
from pipelines.doctor.machine import check_disk, check_hardware, check_home, check_memory


def test_a_home_that_can_be_made_is_ok(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "new" / "home"))

    checks = list(check_home())

    assert [(check.name, check.status) for check in checks] == [("home", "ok"), ("disk", "ok")]
    assert not (tmp_path / "new").exists()


def test_a_home_below_a_file_fails(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file" / "home"))

    (check,) = check_home()

    assert (check.status, check.said) == ("fail", f"{tmp_path}/file/home cannot be written to")
    assert check.mend == "export PAWPETAL_HOME=FOLDER  # or pass --home FOLDER"


def test_a_disk_with_too_little_room_fails():
    check = check_disk(Path("/nowhere/yet"), 1e9, "buy one")

    assert (check.status, check.mend) == ("fail", "buy one")
    assert check.said.endswith("GB free at /; 1e+09 GB are needed")


def test_memory_may_lack_what_a_machine_keeps_for_itself():
    assert check_memory(3.7, "").status == "ok"  # sold as 4 GB
    check = check_memory(3.5, "buy some")
    assert (check.status, check.said) == ("fail", "3.5 GB; 4 GB are needed")


def test_this_machine_tells_its_cores():
    assert next(check_hardware()).name == "cores"
