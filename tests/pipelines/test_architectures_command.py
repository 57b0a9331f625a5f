import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from components.train.architectures import ARCHITECTURES
from pipelines.cli.architectures import architectures

ROOT = Path(__file__).parents[2]


def shown(*arguments: str) -> str:
    return CliRunner().invoke(architectures, arguments, catch_exceptions=False).output


def row(name: str) -> str:
    return " ".join(
        next(line for line in shown().splitlines() if line.split()[:1] == [name]).split()
    )


def test_a_row_says_sizes_parameters_use_and_paper():
    assert row("residual") == (
        "residual 64 (32) 0.3 M simple photos, or very many: try it first"
        " He et al., 2015, arXiv 1512.03385"
    )


def test_every_network_has_a_row():
    first = [line.split()[0] for line in shown().splitlines() if line]

    assert [name for name in ARCHITECTURES if name.removeprefix("transfer:") not in first] == []


def test_networks_that_start_from_imagenet_stand_apart():
    own, transfer = shown().split("Transfer (--weights imagenet, or a file)")

    assert "residual" in own
    assert "MobileNetV2" not in own
    assert "MobileNetV2" in transfer
    assert "--architecture transfer:NAME" in transfer


def test_json_holds_all_of_the_table():
    listed = {one["name"]: one for one in json.loads(shown("--json"))}

    assert list(listed) == list(ARCHITECTURES)
    assert listed["transfer:MobileNetV2"] == {
        "name": "transfer:MobileNetV2",
        "summary": "start here: small, fast, good from a few hundred photos on",
        "paper": "Sandler et al., 2018, arXiv 1801.04381",
        "num_parameters": 2257984,
        "image_size": 224,
        "min_image_size": 32,
        "channels": [3, 1],
        "weights": "imagenet",
        "epochs": ARCHITECTURES["transfer:MobileNetV2"].epochs,
        "fine_tune_epochs": ARCHITECTURES["transfer:MobileNetV2"].fine_tune_epochs,
    }


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_nothing_heavy_is_imported(arguments):
    heavy = ["cv2", "google.cloud.storage", "keras", "kfp", "numpy", "tensorflow"]
    script = (
        "import sys; from pipelines.cli.architectures import architectures;"
        f"architectures.main({arguments!r}, standalone_mode=False);"
        f"sys.exit(str(sorted(set({heavy!r}) & set(sys.modules)) or ''))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)

    assert done.stderr.strip() == ""


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_page_about_the_networks_says_what_the_table_says(name):
    page = (ROOT / "docs" / "architectures.md").read_text()
    one = ARCHITECTURES[name]
    sizes = f"{one.image_size} ({one.min_image_size})"

    (line,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` | {sizes} |")]

    assert line.startswith(f"| `{name}` | {sizes} | {one.num_parameters:,} |")
    assert line.endswith(f"| {one.summary} | {one.paper} |")
