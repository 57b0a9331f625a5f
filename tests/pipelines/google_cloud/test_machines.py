"""Accelerators as machines of Vertex AI: what is chosen, and what is refused."""

import pytest
import yaml

from components.common.errors import InputError
from pipelines.accelerators import TOPOLOGIES, TPUS, Accelerator, parse_accelerator
from pipelines.google_cloud import machines
from pipelines.google_cloud.machines import STEP_MACHINES, Machine, machine_of, regions

TABLE = yaml.safe_load(machines.TABLE.read_text())
GPUS = TABLE["accelerators"]["gpus"]


def find(setting: str, region: str = "us-central1") -> Machine:
    return machine_of(parse_accelerator(setting), region)


def test_no_accelerator_takes_the_same_family_as_the_steps():
    assert find("none", "europe-west4") == Machine(
        machine_type="e2-standard-8", cpus=8, memory_gib=32
    )
    assert STEP_MACHINES["ingest"].machine_type == "e2-standard-4"


def test_a_gpu_comes_with_a_machine_that_holds_as_many():
    assert find("gpu:nvidia-l4:1") == Machine(
        machine_type="g2-standard-12",
        accelerator_type="NVIDIA_L4",
        accelerator_count=1,
        cpus=12,
        memory_gib=48,
    )
    assert find("gpu:nvidia-l4:4").machine_type == "g2-standard-48"
    assert find("gpu:nvidia-tesla-a100:8").machine_type == "a2-highgpu-8g"
    assert find("gpu:nvidia-tesla-t4:2", "us-west4").machine_type == "n1-standard-16"


@pytest.mark.parametrize(
    ("topology", "machine_type", "cpus"),
    [
        ("1x1", "ct5lp-hightpu-1t", 24),
        ("2x2", "ct5lp-hightpu-4t", 112),
        ("2x4", "ct5lp-hightpu-8t", 224),
    ],
)
def test_a_tpu_is_a_machine_type_with_a_topology_and_no_accelerator_type(
    topology, machine_type, cpus
):
    machine = find(f"tpu:v5e:{topology}", "us-west4")

    assert (machine.machine_type, machine.tpu_topology, machine.cpus) == (
        machine_type,
        topology,
        cpus,
    )
    assert (machine.accelerator_type, machine.accelerator_count) == ("", 0)


def test_all_topologies_of_one_host_have_a_machine_in_each_generation():
    assert set(TABLE["accelerators"]["tpus"]) == set(TPUS)
    for row in TABLE["accelerators"]["tpus"].values():
        assert set(row["machines"]) == set(TOPOLOGIES)


def test_an_unknown_region_is_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"`region` .*'us-centrl1'. Did you mean 'us-central1'\?"):
        find("none", "us-centrl1")


def test_a_tpu_that_the_region_only_serves_with_is_refused_with_the_regions_that_train():
    with pytest.raises(
        InputError,
        match=r"trains with v5e: us-central1, us-east1, us-west1, us-west4."
        r" Received: 'europe-west4', which has .*nvidia-l4.* and TPU v6e",
    ):
        find("tpu:v5e:2x2", "europe-west4")


def test_a_region_without_accelerators_says_so():
    with pytest.raises(InputError, match=r"'europe-west9', which has no accelerator"):
        find("gpu:nvidia-l4:1", "europe-west9")


def test_an_unknown_gpu_is_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"'nvidia-t4'. Did you mean 'nvidia-l4'\?"):
        find("gpu:nvidia-t4:1")


def test_a_gpu_of_any_type_is_refused():
    with pytest.raises(InputError, match="must name the type on Vertex AI, one of nvidia-tesla-t4"):
        find("gpu:any:1")


@pytest.mark.parametrize(
    ("setting", "counts"),
    [
        ("gpu:nvidia-l4:3", "1, 2, 4 or 8 of nvidia-l4"),
        ("gpu:nvidia-tesla-t4:8", "1, 2 or 4 of nvidia-tesla-t4"),
        ("gpu:nvidia-tesla-a100:16", "1, 2, 4 or 8 of nvidia-tesla-a100"),
    ],
)
def test_as_many_gpus_as_no_machine_holds_are_refused(setting, counts):
    with pytest.raises(InputError, match=f"must ask for {counts}"):
        find(setting)


@pytest.mark.parametrize("generation", ["v2", "v3"])
def test_old_tpus_are_refused(generation):
    old = Accelerator(image="pawpetal-tpu", type=generation, topology="2x2", count=4)

    with pytest.raises(InputError, match=f"must be one of v5e, v6e. Received: '{generation}'"):
        machine_of(old, "us-central1")


def test_the_table_names_known_regions_and_sized_machines_alone():
    rows = [*GPUS.values(), *TABLE["accelerators"]["tpus"].values()]

    for row in rows:
        assert set(row["regions"]) <= set(regions())
        assert set(row["machines"].values()) <= set(TABLE["machine_types"]["sizes"])


def test_each_fact_has_its_source_and_the_day_it_was_read():
    blocks = ("regions", "accelerators", "machine_types")

    for block in (*(TABLE[name] for name in blocks), TABLE["defaults"]["step"]):
        assert block["source"].startswith("https://")
        assert block["read"].isoformat() >= "2026-11-23"


def test_accelerators_have_the_names_of_the_service():
    types = pytest.importorskip("google.cloud.aiplatform_v1.types.accelerator_type")

    known = set(types.AcceleratorType.__members__)
    assert {row["name"] for row in GPUS.values()} <= known


def test_a_worker_pool_takes_the_machine_as_it_is():
    resources = pytest.importorskip("google.cloud.aiplatform_v1.types.machine_resources")
    machine = find("tpu:v5e:2x4", "us-west1")

    spec = resources.MachineSpec(
        machine_type=machine.machine_type, tpu_topology=machine.tpu_topology
    )
    assert (spec.machine_type, spec.tpu_topology) == ("ct5lp-hightpu-8t", "2x4")
