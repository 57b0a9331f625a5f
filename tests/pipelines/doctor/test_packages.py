"""What is installed is found without importing it."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from pipelines.doctor import packages
from pipelines.doctor.packages import EXTRAS, NEEDED, check_packages

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


@pytest.mark.parametrize("on", sorted(NEEDED))
def test_what_is_installed_is_ok(on):
    assert {check.status for check in check_packages(on)} == {"ok"}


def test_missing_modules_are_named_with_the_extras_of_the_target(monkeypatch):
    monkeypatch.setitem(EXTRAS, "steps", ("numpy", "no_such_module"))
    monkeypatch.setitem(EXTRAS, "registry", ("no_parent.module",))

    check = list(check_packages("local"))[-1]

    assert check.status == "fail"
    assert check.said == "no_such_module, no_parent.module of the extra steps and registry missing"
    assert check.mend == f"{sys.executable} -m pip install 'pawpetal[steps,cpu,registry]'"


def test_another_python_is_refused(monkeypatch):
    monkeypatch.setattr(packages, "PYTHONS", ((3, 98), (3, 99)))

    check = next(check_packages("kubeflow"))

    assert (check.name, check.status) == ("Python", "fail")
    assert "3.98 or 3.99" in check.said
    assert check.mend.startswith("python3.99 -m venv")


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_the_modules_of_an_extra_are_those_that_it_installs(extra):
    """Each package that pyproject.toml names for it has a module in the table, and the reverse."""
    wanted = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"][extra]
    names = {re.split(r"[<>=!; \[]", line)[0].lower().replace("_", "-") for line in wanted}
    here = packages_distributions()

    brought = {module: _packages_of(module, here) for module in EXTRAS[extra]}

    assert all(packages_ & names for packages_ in brought.values()), brought
    installed = {name for known in here.values() for name in map(_normal, known)}
    assert (names & installed) <= set().union(*brought.values())


def _packages_of(module: str, here: dict[str, list[str]]) -> set[str]:
    if module == "google.cloud.aiplatform":  # many packages share `google`
        return {"google-cloud-aiplatform"}
    return set(map(_normal, here[module]))


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")
