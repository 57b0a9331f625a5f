"""Prices: what an hour costs, and files that replace them."""

from pathlib import Path

import pytest
import yaml

from components.common.errors import InputError
from pipelines.accelerators import parse_accelerator
from pipelines.google_cloud import prices
from pipelines.google_cloud.machines import STEP_MACHINES, machine_of
from pipelines.google_cloud.prices import load_prices

TABLE = yaml.safe_load(prices.TABLE.read_text())
DISK = 0.023288
STEP = STEP_MACHINES["ingest"]  # e2-standard-4
SAID = {"source": "our contract", "read": "2026-12-01"}


def write(folder: Path, **blocks) -> str:
    path = folder / "prices.yaml"
    path.write_text(yaml.safe_dump(blocks))
    return str(path)


def find(setting: str, region: str):
    return machine_of(parse_accelerator(setting), region)


def test_an_hour_is_the_machine_its_disk_and_the_fee_on_both():
    rate = load_prices().hour(STEP, "us-central1")

    assert rate.usd == pytest.approx(1.15 * (0.13402284 + DISK))
    assert rate.notes == ()


def test_without_the_disk_the_listed_price_for_training_comes_out():
    # n1-standard-8 is twice n1-standard-4, listed for training at 0.21849885; a T4 is 0.35
    rate = load_prices().hour(find("gpu:nvidia-tesla-t4:1", "us-central1"), "us-central1")

    assert rate.usd - 1.15 * DISK == pytest.approx(2 * 0.21849885 + 1.15 * 0.35, abs=1e-5)


def test_attached_gpus_are_paid_one_by_one():
    one, four = (
        load_prices().hour(find(f"gpu:nvidia-tesla-t4:{count}", "us-central1"), "us-central1").usd
        for count in (1, 4)
    )

    # 32 vCPUs for 8, and three T4 more
    assert four - one == pytest.approx(1.15 * (3 * 0.379998 + 3 * 0.35))


def test_a_spot_machine_pays_the_fee_of_one_on_demand():
    rate = load_prices().hour(find("tpu:v5e:2x2", "us-west4"), "us-west4", spot=True)

    assert rate.usd == pytest.approx(1.92 + DISK + 0.15 * (4.8 + DISK))


def test_where_no_spot_price_is_known_a_share_is_taken_and_said():
    machine = find("gpu:nvidia-h100-80gb:1", "us-central1")

    rate = load_prices().hour(machine, "us-central1", spot=True)

    assert rate.usd == pytest.approx(0.4 * 10.97906057 + DISK + 0.15 * (10.97906057 + DISK))
    assert rate.notes == (
        "a3-highgpu-1g has no known spot price: 40% of its price on demand is taken.",
    )


def test_a_region_without_a_price_takes_that_of_us_central1_and_says_so():
    rate = load_prices().hour(STEP, "me-central2")

    assert rate.usd == pytest.approx(1.15 * (0.13402284 + DISK))
    assert rate.notes == ("e2-standard-4 has no price for me-central2: us-central1's is taken.",)


def test_every_machine_that_can_be_asked_for_has_a_price():
    known = TABLE["machines"]["prices"]
    sizes = yaml.safe_load((prices.TABLE.parent / "machines.yaml").read_text())["machine_types"]

    assert set(sizes["sizes"]) == set(known)


def test_every_block_has_its_source_and_the_day_it_was_read():
    for block in TABLE.values():
        assert "https://" in block["source"]
        assert block["read"].isoformat() >= "2026-11-23"


def test_spot_is_never_dearer_than_on_demand():
    for block in ("machines", "accelerators"):
        for by_region in TABLE[block]["prices"].values():
            for on_demand, spot in by_region.values():
                assert spot is None or 0 < spot < on_demand


def test_a_file_replaces_what_it_names_and_nothing_else(tmp_path):
    machines = {"e2-standard-4": {"us-central1": [0.1, None]}}
    path = write(
        tmp_path,
        machines={**SAID, "prices": machines},
        management_fee={**SAID, "share": 0},
    )

    ours, usual = load_prices(path), load_prices()

    assert ours.hour(STEP, "us-central1").usd == pytest.approx(0.1 + DISK)
    assert ours.machines["e2-standard-4"]["us-west4"] == usual.machines["e2-standard-4"]["us-west4"]
    assert ours.machines["e2-standard-8"] == usual.machines["e2-standard-8"]
    assert ours.read == f"read 2026-11-23, replaced by {path} where it names one"


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"machine": {}}, "must be one of .*'machine'. Did you mean 'machines'?"),
        ({"spot": {**SAID}}, r"spot must have source, read, share. Received: \['read', 'source'\]"),
        ({"spot": {**SAID, "share": "a third"}}, "spot.share must be 0 or more. Received: a third"),
        ({"pipeline_run": {**SAID, "usd": -1}}, "pipeline_run.usd must be 0 or more. Received: -1"),
        ({"pipeline_run": {**SAID, "usd": float("nan")}}, "must be 0 or more. Received: nan"),
        ({"machines": {**SAID, "prices": 3}}, "machines.prices must name machines"),
        (
            {"machines": {**SAID, "prices": {"e2-standard-4": 0.1}}},
            "machines.prices.e2-standard-4 must be prices by region. Received: 0.1",
        ),
        (
            {"machines": {**SAID, "prices": {"e2-standard-4": {"us-west9": [1, 1]}}}},
            "'us-west9'. Did you mean 'us-west4'",
        ),
        (
            {"machines": {**SAID, "prices": {"e2-standard-4": {"us-west4": 0.1}}}},
            r"e2-standard-4.us-west4 must be \[on demand, spot\]",
        ),
        (
            {"machines": {**SAID, "prices": {"c3-standard-8": {"us-west4": [1, 1]}}}},
            r"c3-standard-8 must have us-central1. Received: \['us-west4'\]",
        ),
    ],
)
def test_files_of_another_form_are_refused_with_the_place(tmp_path, blocks, message):
    path = write(tmp_path, **blocks)

    with pytest.raises(InputError, match=message):
        load_prices(path)


def test_files_that_are_not_there_or_no_yaml_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"must be a file that can be read.*No such file"):
        load_prices(str(tmp_path / "none.yaml"))
    broken = tmp_path / "broken.yaml"
    broken.write_text("machines: [")
    with pytest.raises(InputError, match="`prices` must be YAML"):
        load_prices(str(broken))
    broken.write_text(40 * "root:x:0:0:root:/root:/bin/bash\n")
    with pytest.raises(InputError, match=r"Received: root:x:0:0.{1,100}\.\.\.$"):
        load_prices(str(broken))
    broken.write_text("- a list")
    with pytest.raises(InputError, match="the file must be blocks of machines, accelerators"):
        load_prices(str(broken))
