"""The layers: graphs know no ML, steps know no kfp, light commands import nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEPS = ("ingest", "split", "augment", "train", "evaluate", "push", "plan", "compare", "join")
ML = {"tensorflow", "keras", "numpy", "cv2", "PIL", "matplotlib", "tensorflow_datasets", "mlflow"}


def imported(path: Path, *, top_level: bool = False) -> set[str]:
    """Names of the modules that a file imports."""
    tree = ast.parse(path.read_text())
    names = set()
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def packages(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("step", STEPS)
def test_component_files_import_only_kfp_and_image_names_at_the_top(step):
    names = imported(ROOT / "components" / step / "component.py", top_level=True)

    types = {name for name in names if name.startswith("typing.")}  # of several outputs
    assert names - types == {"kfp.dsl", "components.common.images"}


@pytest.mark.parametrize("step", STEPS)
def test_each_step_has_a_component_a_plain_module_and_a_readme(step):
    folder = ROOT / "components" / step

    assert all((folder / name).is_file() for name in ("component.py", f"{step}.py", "README.md"))


def test_plain_modules_know_no_kfp():
    plain = [path for path in (ROOT / "components").rglob("*.py") if path.name != "component.py"]

    assert [path for path in plain if "kfp" in packages(imported(path))] == []


def test_pipelines_know_no_machine_learning():
    modules = list((ROOT / "pipelines").rglob("*.py"))

    assert modules
    assert [path for path in modules if packages(imported(path)) & ML] == []


def test_components_know_nothing_of_pipelines():
    modules = (ROOT / "components").rglob("*.py")

    assert [path for path in modules if "pipelines" in packages(imported(path))] == []


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], ML | {"kfp", "google.cloud.storage", "rich"}),
        (["run", "--help"], ML | {"kfp", "google.cloud.storage", "rich"}),
        (["compile", "--check"], ML),
    ],
)
def test_light_commands_import_nothing_heavy(arguments, unwanted):
    script = (
        "import sys; from pipelines.cli import cli;"
        f"cli.main({arguments!r}, standalone_mode=False);"
        f"sys.exit(str(sorted(set({sorted(unwanted)!r}) & set(sys.modules)) or ''))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)

    assert done.stderr.strip() == ""
