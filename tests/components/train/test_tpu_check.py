"""What a train step needs of a TPU, found without one. Slow ones compile for v5e in earnest."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components.common.errors import InputError
from components.train.tpu_check import process
from components.train.tpu_check.process import check_elsewhere
from components.train.tpu_check.report import Finding, Request, StepCost, load_finding
from components.train.tpu_check.search import find_largest_batch
from components.train.tpu_check.topology import parse_topology
from pipelines.cli import cli
from pipelines.cli.tpu_check import tpu_check

ROOT = Path(__file__).parents[3]
GIB = 2**30


def run(*arguments: str) -> Result:
    return CliRunner().invoke(tpu_check, arguments)


# Of dense at 8 px: 192 x 256, 256 x 128 and 128 x 5 weights. A photo takes 2 FLOPs a weight forth,
# 2 for the weight's gradient and, but in the first layer, 2 for that of its input.
WEIGHTS = (192 * 256, 256 * 128, 128 * 5)
BIASES = 256 + 128 + 5
FLOPS_A_PHOTO = 4 * sum(WEIGHTS) + 2 * sum(WEIGHTS[1:])


@pytest.fixture(scope="module")
def small() -> Finding:
    return check_elsewhere(
        Request(architecture="dense", image_size=8, global_batch=256, topology="v5e:2x2")
    )


def test_flops_are_those_of_the_network_forth_and_back(small):
    flops = 4 * small.cost.flops  # of four chips

    assert small.num_parameters == sum(WEIGHTS) + BIASES
    # Above by activations, the loss and AdamW on each chip.
    assert 256 * FLOPS_A_PHOTO < flops < 1.5 * 256 * FLOPS_A_PHOTO


def test_memory_holds_at_least_the_weights_and_two_moments_of_each(small):
    state = 3 * 4 * small.num_parameters

    assert state < small.cost.hbm_bytes < 20 * state
    assert small.needed_gib == pytest.approx(small.cost.hbm_bytes / GIB)
    assert small.fits


def test_each_step_reads_and_writes_at_least_all_of_the_state(small):
    assert small.cost.bytes_accessed > 2 * 3 * 4 * small.num_parameters


def test_a_batch_that_cannot_fit_is_refused_with_the_largest_that_can():
    # A photo is 256 x 256 x 3 numbers of 4 bytes, 0.75 MiB: 65,536 of them take 48 GiB.
    arguments = ["--architecture", "dense", "--image-size", "256", "--topology", "v5e:1x1"]

    refused = run(*arguments, "--global-batch", "65536")

    assert refused.exit_code == 1
    message = " ".join(refused.output.split())
    assert "`global_batch` must fit into 15.75 GiB a chip of v5e:1x1. Received: 65,536" in message
    found = re.search(r"The largest that was found to fit is ([\d,]+)\.", message)
    largest = int(found[1].replace(",", ""))
    # 50 M weights and their moments, 0.6 GiB, leave room for photos alone up to 20,000.
    assert 5_000 < largest < 20_200


@pytest.mark.parametrize(
    ("fixed", "a_photo", "available", "largest"),
    [
        (10, 1.0, 100, 90),
        (10, 0.5, 100, 180),
        (99, 1.0, 100, 1),
    ],
)
def test_the_largest_batch_is_found_by_few_tries(fixed, a_photo, available, largest):
    tries = []

    def measure(batch: int) -> float:
        tries.append(batch)
        return fixed + a_photo * batch

    known = {0: fixed, 1024: fixed + a_photo * 1024}
    low, high = find_largest_batch(measure, known, available=available, step=1, most=1024)

    assert low <= largest < high
    assert low >= largest - math.ceil(largest / 16)
    assert len(tries) <= 5


def test_a_larger_batch_is_looked_for_from_one_that_fits():
    low, high = find_largest_batch(
        lambda batch: 10 + batch, {0: 10, 8: 18}, available=100, step=4, most=4096
    )

    assert 84 <= low <= 90
    assert low % 4 == 0
    assert high is None or high > 90


def test_no_batch_above_the_most_is_looked_for():
    low, high = find_largest_batch(
        lambda batch: 1.0, {0: 1, 8: 1}, available=100, step=4, most=4096
    )

    assert (low, high) == (4096, None)


def test_where_the_weights_alone_do_not_fit_no_batch_does():
    known = {0: 120, 8: 200}

    assert find_largest_batch(pytest.fail, known, available=100, step=4, most=4096) == (0, 0)


def test_a_need_that_the_compiler_does_not_tell_is_halved_until_it_fits():
    low, high = find_largest_batch(
        lambda batch: 10 + batch if batch <= 64 else math.inf,
        {0: 10, 1024: math.inf},
        available=1000,
        step=4,
        most=1024,
    )

    assert 60 <= low <= 64 < high


def test_bounds_are_photos_over_the_seconds_of_a_step():
    cost = StepCost(flops=197e9, bytes_accessed=819e7, hbm_bytes=GIB)  # 1 ms, and 10 ms
    request = Request(architecture="dense", global_batch=64, topology="v5e:2x2")
    finding = Finding(request=request, num_parameters=1, cost=cost, needed_gib=1.0)

    assert finding.flops_bound == pytest.approx(64_000)
    assert finding.bandwidth_bound == pytest.approx(6_400)
    assert load_finding(json.loads(json.dumps(finding.plain()))) == finding


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"topology": "v5e:3x3"}, "`topology` must be GENERATION:SHAPE, of v5e, v6e and 1x1, 2x2"),
        ({"topology": "v9:2x2"}, "`topology` must be GENERATION:SHAPE"),
        ({"global_batch": 30}, "`global_batch` must be a multiple of 4, the chips of v5e:2x2"),
        ({"global_batch": 0}, "`global_batch` must be a multiple of 4"),
        ({"image_size": 4}, "`image_size` must be from 8 to 1024 for architecture 'dense'"),
        ({"architecture": "dens"}, "`architecture` must be one that `pawpetal architectures`"),
        ({"num_classes": 1}, "`num_classes` must be at least 2. Received: 1"),
    ],
)
def test_what_cannot_be_compiled_is_refused_before_it_is_tried(changed, message):
    usual = {"architecture": "dense", "global_batch": 64, "topology": "v5e:2x2"}

    with pytest.raises(InputError) as refused:
        Request(**{**usual, **changed})

    assert str(refused.value).startswith(message)


def test_the_usual_image_size_is_the_architectures():
    assert Request(architecture="dense", global_batch=64, topology="v5e:2x2").image_size == 64


def test_a_slice_has_as_many_chips_as_its_sides_say():
    assert parse_topology("v6e:2x4").num_chips == 8


def test_where_the_extra_is_missing_it_is_named(monkeypatch):
    monkeypatch.setattr(process, "NEEDED", ("a_module_that_is_missing",))

    refused = run("--architecture", "dense", "--global-batch", "64")

    assert refused.exit_code == 1
    assert "needs a_module_that_is_missing: pip install 'pawpetal[steps,tpu]'" in refused.output


def test_the_command_is_one_of_pawpetals():
    assert "tpu-check" in CliRunner().invoke(cli, ["--help"]).output


def test_this_process_imports_nothing_heavy():
    script = (
        "import sys; import components.train.tpu_check.process, pipelines.cli.tpu_check;"
        "heavy = {'jax', 'keras', 'numpy', 'tensorflow', 'rich', 'kfp'} & set(sys.modules);"
        "sys.exit(str(sorted(heavy) or ''))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)

    assert done.stderr.strip() == ""
