"""The model of time: what was measured is scaled as it says, what was not is a bound."""

import re
from pathlib import Path

import pytest

from components.train.architectures import ARCHITECTURES
from components.train.settings import TrainSettings
from pipelines.accelerators import parse_accelerator
from pipelines.google_cloud.durations import (
    AUGMENT_MS,
    Training,
    augment_seconds,
    core_ms,
    ingest_seconds,
    judge_seconds,
    num_chips,
    train_seconds,
)
from pipelines.google_cloud.machines import Machine, machine_of
from pipelines.google_cloud.needs import COUNTED, FORWARD_MS

DOCS = Path(__file__).parents[3] / "docs"
TEN = Machine(machine_type="ten", cpus=10, memory_gib=40)  # 0.6 of it: 6 cores


def find(setting: str, region: str = "us-central1") -> Machine:
    return machine_of(parse_accelerator(setting), region)


def training(
    machine: Machine = TEN, *, augmentation="none", copies=0, num_train=1000.0, **settings
):
    resolved = TrainSettings(**settings).resolved(
        num_replicas=num_chips(machine), on_tpu=bool(machine.tpu_topology)
    )
    return Training(
        settings=resolved,
        augmentation=augmentation,
        augmented_copies=copies,
        num_train=num_train,
        num_validation=0,
    )


def test_the_counts_are_those_of_the_documentation():
    rows = re.findall(
        r"^\| `([\w:]+)` \| (\d+) \| [\d,]+ \| ([\d,.]+) \| ([\d.]+) \|", _tpu(), re.M
    )

    assert {
        name: (int(pixels), float(gflop.replace(",", "")), float(gigabytes))
        for name, pixels, gflop, gigabytes in rows
    } == COUNTED


def _tpu() -> str:
    return (DOCS / "tpu.md").read_text()


def test_the_times_of_forward_passes_are_those_of_the_documentation():
    text = (DOCS / "vertex_costs.md").read_text()

    rows = re.findall(r"^\| `(transfer:\w+)` \| \d+ \| ([\d.]+) \|", text, re.M)
    assert {name: float(milliseconds) for name, milliseconds in rows} == FORWARD_MS


def test_every_network_has_its_needs_and_every_policy_its_time():
    assert set(COUNTED) == set(ARCHITECTURES)
    assert set(FORWARD_MS) == {name for name in ARCHITECTURES if name.startswith("transfer:")}
    assert set(AUGMENT_MS) == {
        *("none", "light", "heavy", "erasing", "color", "randaugment", "cutmix", "mixup")
    }
    assert all(pixels == ARCHITECTURES[name].image_size for name, (pixels, _, _) in COUNTED.items())


def test_training_on_a_cpu_is_the_measured_time_of_each_photo_and_epoch():
    # 2 epochs of 1,000 photos, 11.4 ms each, and 2.5 ms to decode each, on 6 cores
    expected = 35 + (2 * 1000 * 11.4 + 1000 * 2.5) / 1000 / 6

    assert train_seconds(training(epochs=2), TEN) == pytest.approx(expected)


def test_a_photo_of_twice_the_side_takes_four_times_as_long():
    small, large = (training(image_size=size).settings for size in (64, 128))

    assert core_ms(small) == pytest.approx(11.4)
    assert core_ms(large) == pytest.approx(4 * 11.4)


def test_what_was_not_measured_takes_as_long_a_flop_as_residual():
    literal = training(architecture="residual_reference").settings

    assert core_ms(literal) == pytest.approx(11.4 * 10527.0 / 23.2)


def test_a_frozen_network_sees_each_photo_and_its_copy_once_and_then_tunes():
    frozen = training(architecture="transfer:MobileNetV2", augmentation="light", fine_tune_epochs=2)
    forward = FORWARD_MS["transfer:MobileNetV2"]
    seen, tuned = 2000, 2 * 2000
    changed = (seen + tuned) * 0.36 * (224 / 192) ** 2
    expected = 35 + (1000 * 2.5 + changed + (seen + 0.71 * tuned) * forward) / 1000 / 6

    assert train_seconds(frozen, TEN) == pytest.approx(expected)


def test_the_real_flowers_take_the_259_core_seconds_that_they_took():
    # docs/architectures.md: 2,000 photos, 70 % to learn from, 224 px; the fixed 35 s are not in it
    flowers = Training(
        settings=TrainSettings(architecture="transfer:MobileNetV2").resolved(),
        augmentation="light",
        augmented_copies=0,
        num_train=1400,
        num_validation=300,
    )

    assert 6 * (train_seconds(flowers, TEN) - 35) == pytest.approx(259, rel=0.01)


def test_without_the_feature_cache_frozen_layers_compute_in_every_epoch():
    cached, anew = (
        training(architecture="transfer:MobileNetV2", epochs=5, fine_tune_epochs=0, feature_cache=c)
        for c in (True, False)
    )
    forward = FORWARD_MS["transfer:MobileNetV2"]

    longer = train_seconds(anew, TEN) - train_seconds(cached, TEN)

    assert longer == pytest.approx(4 * 1000 * forward / 1000 / 6)


def test_a_gpu_takes_the_bound_by_memory_over_what_is_made_of_it():
    machine = find("gpu:nvidia-l4:1")  # 12 vCPUs: 7.2 cores
    whole = training(machine, architecture="transfer:MobileNetV2", weights="none", epochs=10)
    # float32 is twice the counted 57.4 GB of 256 photos; 300 GB/s. FLOPs would take a twentieth.
    a_photo = 2 * 57.4 / 256 / 300
    expected = 35 + 1000 * 0.0025 / 7.2 + 10_000 * a_photo / 0.3

    assert train_seconds(whole, machine) == pytest.approx(expected)


def test_one_of_several_gpus_trains():
    one, four = (find(f"gpu:nvidia-l4:{count}") for count in (1, 4))
    settings = {"architecture": "transfer:ResNet50", "weights": "none"}

    # all that differs is decoding, on at most 16 vCPUs of 48
    assert train_seconds(training(one, **settings), one) - train_seconds(
        training(four, **settings), four
    ) == pytest.approx(2.5 / 7.2 - 2.5 / 9.6)


def test_chips_of_a_tpu_share_a_batch_and_compile_first():
    machine = find("tpu:v5e:2x2")
    whole = training(machine, architecture="transfer:ResNet50", weights="none", num_train=10_000.0)
    # bfloat16: 101.3 GB of 256 photos, four chips of 819 GB/s; 20 epochs
    computed = 200_000 * 101.3 / 256 / (4 * 819) / 0.3
    expected = 35 + 76 + 10_000 * 0.0025 / 9.6 + computed

    assert train_seconds(whole, machine) == pytest.approx(expected)


def test_a_small_network_takes_the_time_of_its_calls():
    machine = find("tpu:v5e:1x1")
    small = training(machine, architecture="dense", epochs=10)

    # 313 steps of 32 photos, though the bound is by far less
    assert train_seconds(small, machine) == pytest.approx(
        35 + 76 + 1000 * 0.0025 / 9.6 + 313 * 0.01
    )


def test_no_chip_trains_faster_than_its_cpus_prepare_photos():
    machine = find("gpu:nvidia-h100-80gb:1")  # 26 vCPUs, of which 16 help: 9.6 cores
    settings = {"architecture": "transfer:MobileNetV3Small", "weights": "none", "epochs": 10}
    mixed = training(machine, augmentation="mixup", batch_size=1024, **settings)

    prepared = 10_000 * 0.00087 * (224 / 192) ** 2 / 9.6

    assert train_seconds(mixed, machine) == pytest.approx(35 + 1000 * 0.0025 / 9.6 + prepared)


def test_ingest_augment_and_predicting_take_what_was_measured_a_photo():
    settings = training(architecture="transfer:ResNet50").settings
    copied = training(
        architecture="transfer:MobileNetV2", image_size=192, augmentation="heavy", copies=3
    )

    assert ingest_seconds(6000, TEN) == pytest.approx(2 + 1.07)
    assert augment_seconds(copied, TEN) == pytest.approx(1 + 3 * (2.5 + 0.4) / 6)
    assert augment_seconds(training(augmentation="heavy"), TEN) == pytest.approx(1)
    assert judge_seconds(settings, 6000, TEN) == pytest.approx(
        2.5 + 2 * FORWARD_MS["transfer:ResNet50"]
    )
