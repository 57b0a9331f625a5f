"""How long the steps of a run take, by what was measured, and by bounds where nothing was.

Simple on purpose: it is to tell minutes from days. docs/vertex_costs.md says what each number is,
and what it leaves out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from components.train.settings import TrainSettings
from pipelines.accelerators import TOPOLOGIES
from pipelines.google_cloud.machines import Machine
from pipelines.google_cloud.needs import COUNTED, FORWARD_MS, needs_of

CPU_SHARE = 0.6  # of the vCPUs that are kept busy: 0.54 to 0.78 of 2 cores (docs/training.md)
MOST_CPUS = 16  # that help: one process reads, and it was seen on 2 cores alone; assumed

# Seconds of a step that no photo adds to: imports, compiling, pages, the registry. A run of 600 and
# one of 2,000 photos on 2 cores, 2 epochs of `residual` (docs/vertex_costs.md).
FIXED_S = {
    "list_datasets": 1.0,
    "plan": 1.0,
    "ingest": 2.0,
    "split": 1.0,
    "join": 1.0,
    "augment": 1.0,
    "train": 35.0,
    "compare": 15.0,
    "evaluate": 15.0,
    "push": 15.0,
}

# Milliseconds of a core a photo.
INGEST_MS = 1.07  # every check on, originals of cats and dogs (docs/data.md)
DECODE_MS = 2.5  # read from gs:// and decode: 809 photos/s on 2 cores (docs/data.md)
AUGMENT_MS = {  # of a decoded square of 192 px (docs/data.md)
    "none": 0.0,
    "light": 0.36,
    "heavy": 0.40,
    "erasing": 0.47,
    "color": 0.55,
    "randaugment": 0.63,
    "cutmix": 0.80,
    "mixup": 0.87,
}
AUGMENTED_PIXELS = 192

# Milliseconds of a core a photo and epoch at 64 px, all of training.
TRAIN_MS = {
    "dense": 1.9,  # 3.9 s, 2 epochs of 1,024 photos (docs/training.md)
    "residual": 11.4,  # 45.6 s, 4 epochs of 1,000 photos (docs/retraining.md)
    "inception": 19.4,  # 77.5 s
    "two_output": 14.5,  # 58.1 s
}
TRAINED_PIXELS = 64
FORWARD = 1 / 3  # of a training step's arithmetic; backwards takes twice as much
# An epoch of tuning takes 0.71 times a photo's forward pass: 164 s for 3 epochs of 2,800 photos,
# what is left of the 259 s of MobileNetV2 (docs/architectures.md) when its frozen layers are done.
TUNING = 0.71 * FORWARD

# TFLOP/s in float32 (NVIDIA's data sheets, not looked up) or bfloat16 (docs/tpu.md), and GB/s, of
# one GPU (https://cloud.google.com/compute/docs/gpus) or chip.
SPEEDS = {
    "NVIDIA_TESLA_T4": (8.1, 320.0),
    "NVIDIA_L4": (30.3, 300.0),
    "NVIDIA_TESLA_V100": (15.7, 900.0),
    "NVIDIA_TESLA_A100": (19.5, 1600.0),
    "NVIDIA_A100_80GB": (19.5, 2000.0),
    "NVIDIA_H100_80GB": (67.0, 3350.0),
    "ct5lp": (197.0, 819.0),
    "ct6e": (918.0, 1640.0),
}
UTILISATION = 0.3  # of the bound; assumed, never measured
CALL_S = 0.01  # least time of a step, however small the network; assumed, never measured
TPU_COMPILE_S = 76.0  # CPU seconds for `residual` with full effort (docs/tpu.md)
FEATURE_BATCH = 8  # photos that a frozen network sees at once
TUNING_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Pass:
    """Photos that go through a network, some part of it forwards or backwards."""

    num_photos: float
    share: float  # of a training step's arithmetic
    batch_size: int
    chips: int = 1


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training: what of it takes time."""

    settings: TrainSettings  # resolved
    augmentation: str
    augmented_copies: int
    num_train: float  # photos
    num_validation: float


def num_chips(machine: Machine) -> int:
    """Chips that share a batch: all of a TPU, and one GPU, whatever the machine has."""
    return TOPOLOGIES[machine.tpu_topology] if machine.tpu_topology else 1


def core_ms(settings: TrainSettings) -> float:
    """Milliseconds of a core that a training step takes a photo.

    Of `transfer:` networks, three times what the forward pass took. The two literal networks were
    not measured: they take as long a FLOP as `residual`.
    """
    name, pixels = settings.architecture, settings.image_size
    if name in FORWARD_MS:
        return FORWARD_MS[name] / FORWARD * (pixels / COUNTED[name][0]) ** 2
    if name in TRAIN_MS:
        return TRAIN_MS[name] * (pixels / TRAINED_PIXELS) ** 2
    known = needs_of("residual", TRAINED_PIXELS).gflop
    return TRAIN_MS["residual"] * needs_of(name, pixels).gflop / known


def ingest_seconds(num_photos: float, machine: Machine) -> float:
    """Of ingest, with every check."""
    return FIXED_S["ingest"] + _on_cores(num_photos * INGEST_MS, machine)


def augment_seconds(training: Training, machine: Machine) -> float:
    """Of the step that writes augmented copies, where some are wanted."""
    written = training.num_train * training.augmented_copies
    return FIXED_S["augment"] + _on_cores(written * (DECODE_MS + _augment_ms(training)), machine)


def judge_seconds(settings: TrainSettings, num_photos: float, machine: Machine) -> float:
    """Of a model that predicts on a CPU: each photo and its mirror image.

    Args:
        settings: Of the model, resolved.
        num_photos: That it predicts.
        machine: Where.
    """
    views = 2 if settings.mirror_averaging else 1
    forward = FORWARD * core_ms(settings)
    return _on_cores(num_photos * (DECODE_MS + views * forward), machine)


def train_seconds(training: Training, machine: Machine) -> float:
    """Of one training, the photos decoded once."""
    photos = training.num_train + training.num_validation
    passes = _passes(training, num_chips(machine))
    prepared = sum(each.num_photos for each in passes) * _augment_ms(training)
    seconds = FIXED_S["train"] + _on_cores(photos * DECODE_MS, machine)
    if machine.accelerator_type or machine.tpu_topology:
        seconds += TPU_COMPILE_S if machine.tpu_topology else 0
        computed = sum(_on_chips(each, training.settings, machine) for each in passes)
        return seconds + max(computed, _on_cores(prepared, machine))
    computed = sum(each.num_photos * each.share for each in passes) * core_ms(training.settings)
    return seconds + _on_cores(prepared + computed, machine)


def _passes(training: Training, chips: int) -> list[Pass]:
    settings, train, validation = training.settings, training.num_train, training.num_validation
    if not settings.is_frozen:
        seen = settings.epochs * (train + FORWARD * validation)
        return [Pass(num_photos=seen, share=1, batch_size=settings.batch_size, chips=chips)]
    copies = training.augmented_copies or (training.augmentation != "none")
    views = (1 + copies) * train
    times = 1 if settings.feature_cache else settings.epochs + settings.fine_tune_epochs
    tuned = settings.fine_tune_epochs * views
    return [
        Pass(num_photos=times * (views + validation), share=FORWARD, batch_size=FEATURE_BATCH),
        Pass(num_photos=tuned, share=TUNING, batch_size=TUNING_BATCH, chips=chips),
    ]


def _on_chips(each: Pass, settings: TrainSettings, machine: Machine) -> float:
    """The larger of the two bounds over what is made of it, and no step faster than a call."""
    family = machine.accelerator_type or machine.machine_type.partition("-")[0]
    tflops, gigabytes_a_s = SPEEDS[family]
    needs = needs_of(settings.architecture, settings.image_size)
    width = 2 if settings.precision == "float32" else 1  # the count is for bfloat16
    bound = max(needs.gflop / (tflops * 1000), width * needs.gigabytes / gigabytes_a_s)
    computed = each.num_photos * each.share * bound / (each.chips * UTILISATION)
    return max(computed, math.ceil(each.num_photos / each.batch_size) * CALL_S)


def _augment_ms(training: Training) -> float:
    area = (training.settings.image_size / AUGMENTED_PIXELS) ** 2
    return AUGMENT_MS[training.augmentation] * area


def _on_cores(milliseconds: float, machine: Machine) -> float:
    return milliseconds / 1000 / (CPU_SHARE * min(machine.cpus, MOST_CPUS))
