"""Estimates of whole runs, worked out by hand with round prices."""

import subprocess
import sys
from pathlib import Path

import pytest

from components.common.errors import InputError
from pipelines.accelerators import parse_accelerator
from pipelines.google_cloud.durations import FIXED_S
from pipelines.google_cloud.estimate import STARTUP_S, Request, estimate, render
from pipelines.google_cloud.machines import machine_of
from pipelines.google_cloud.prices import Prices

ROUND = Prices(  # an hour of the machine of the steps costs 1, of those that train 10
    machines={
        "e2-standard-4": {"us-central1": (1.0, None)},
        "e2-standard-8": {"us-central1": (10.0, 4.0)},
        "g2-standard-12": {"us-central1": (10.0, 4.0)},
        "g2-standard-24": {"us-central1": (10.0, 4.0)},
        "ct5lp-hightpu-4t": {"us-central1": (10.0, 4.0)},
    },
    accelerators={},
    spot_share=0.4,
    management_fee=0.0,
    pipeline_run=0.03,
    boot_disk=0.0,
    read="read today",
)
DOCUMENT = Path(__file__).parents[3] / "docs" / "vertex_costs.md"
PETS = {"dataset": "tfds:cats_vs_dogs", "architecture": "transfer:MobileNetV2"}
WHOLE = {"dataset": "gs://a/b", "architecture": "transfer:ResNet50", "weights": "none"}
QUICK = {"augmentation": "none", "epochs": 2}
CPUS = 0.6 * 4  # of a step's machine


def ask(
    pipeline="train_and_push",
    accelerator="none",
    *,
    spot=False,
    num_photos=0,
    num_workers=1,
    **arguments,
):
    machine = machine_of(parse_accelerator(accelerator), "us-central1")
    request = Request(
        pipeline=pipeline,
        arguments=arguments,
        machine=machine,
        region="us-central1",
        spot=spot,
        num_photos=num_photos,
        num_workers=num_workers,
    )
    return estimate(request, ROUND)


def by_step(estimated):
    return {row.step: row for row in estimated.rows}


def test_steps_are_started_worked_through_and_paid_by_the_hour():
    rows = by_step(ask(**QUICK, num_photos=10_000))

    ingest = STARTUP_S + 2 + 10_000 * 0.00107 / CPUS
    evaluated = 2 * 1500 * (2.5 + 2 * 11.4 / 3) / 1000 / CPUS  # 15 %, a mirror image, a champion
    assert rows["ingest"].seconds == pytest.approx(ingest)
    assert rows["ingest"].usd == pytest.approx(ingest / 3600)
    assert rows["split"].seconds == STARTUP_S + 1
    assert rows["evaluate"].seconds == pytest.approx(STARTUP_S + 15 + evaluated)
    assert rows["push"].seconds == STARTUP_S + 15


def test_training_is_paid_on_its_machine_and_while_its_launcher_waits():
    rows = by_step(ask(**QUICK, num_photos=10_000))

    # 7,000 photos to learn from, a third of the work for 1,500 of validation, on 4.8 cores
    work = 35 + (2 * 7500 * 11.4 + 8500 * 2.5) / 1000 / 4.8
    job = rows["train residual, 64 px"]
    assert job.machine == "e2-standard-8"
    assert job.seconds == pytest.approx(STARTUP_S + work)
    assert job.usd == pytest.approx(10 * (STARTUP_S + work) / 3600)
    assert rows["train, launcher"].machine == "e2-standard-4"
    assert rows["train, launcher"].seconds == pytest.approx(2 * STARTUP_S + work)


def test_the_total_counts_the_launcher_and_its_job_once_in_time_and_both_in_money():
    estimated = ask(**QUICK, num_photos=10_000)
    rows = by_step(estimated)

    job = rows["train residual, 64 px"]
    assert estimated.total_seconds == pytest.approx(
        sum(row.seconds for row in estimated.rows) - job.seconds
    )
    assert estimated.total_usd == pytest.approx(sum(row.usd for row in estimated.rows))
    assert rows["pipeline run"].usd == 0.03


def test_spot_is_for_the_machine_that_trains_alone():
    usual, spot = (by_step(ask(**QUICK, num_photos=1000, spot=spot)) for spot in (False, True))

    name = "train residual, 64 px"
    assert spot[name].usd == pytest.approx(0.4 * usual[name].usd)
    assert spot[name].machine == "e2-standard-8, spot"
    assert spot["train, launcher"] == usual["train, launcher"]


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("tfds:tf_flowers", "tfds:tf_flowers: 3,670 photos."),
        ("tfds:cats_vs_dogs:4.0.1", "tfds:cats_vs_dogs:4.0.1: 23,262 photos."),
        ("sample:pets?photos=200", "sample:pets?photos=200: 400 photos."),
        ("gs://bucket/photos", "gs://bucket/photos: 10,000 photos, for want of a number."),
    ],
)
def test_photos_are_known_or_assumed_and_it_says_which(dataset, said):
    assert ask(dataset=dataset).assumptions[0] == said


def test_photos_that_are_told_count_more_than_what_is_known():
    told = ask(dataset="tfds:tf_flowers", num_photos=500)

    assert told.assumptions[0] == "500 photos, as was said."
    assert told == ask(dataset="gs://bucket/photos", num_photos=500)


def test_fewer_photos_than_none_are_refused():
    with pytest.raises(InputError, match=r"`num_photos` must be 0 or more.* Received: -1"):
        ask(num_photos=-1)


def test_workers_start_too_and_share_what_ingest_reads():
    alone, shared = (ask(**QUICK, num_photos=10_000, num_workers=each) for each in (1, 4))
    rows = by_step(shared)

    share = STARTUP_S + 2 + 2500 * 0.00107 / CPUS
    assert "ingest_share" not in by_step(alone)
    assert rows["ingest_share"].seconds == pytest.approx(4 * share)
    assert rows["ingest"].seconds == STARTUP_S + 2
    waited = share + STARTUP_S + 2 - by_step(alone)["ingest"].seconds
    assert shared.total_seconds == pytest.approx(alone.total_seconds + waited)


def test_workers_share_each_dataset_of_a_curriculum():
    both = {"curriculum": "gs://a/easy,gs://a/hard", "num_photos": 10_000, "num_workers": 2}
    rows = by_step(ask("curriculum", **both, **QUICK))

    share = STARTUP_S + 2 + 2500 * 0.00107 / CPUS
    assert rows["ingest_share"].seconds == pytest.approx(4 * share)
    assert rows["ingest"].seconds == 2 * (STARTUP_S + 2)


def test_a_sweep_pays_every_candidate_and_waits_for_the_slowest():
    sweep = ask("sweep", architectures="residual,dense", **QUICK, num_photos=10_000)
    rows = by_step(sweep)

    slow, fast = rows["train residual, 64 px"], rows["train dense, 64 px"]
    assert slow.seconds > fast.seconds
    assert rows["augment"].seconds == 2 * (STARTUP_S + 1)
    assert rows["train, launcher"].seconds == pytest.approx(
        2 * STARTUP_S + slow.seconds + fast.seconds
    )
    alone = [rows[name].seconds for name in ("ingest", "split", "plan", "compare", "evaluate")]
    waited = STARTUP_S + 1 + STARTUP_S + slow.seconds + rows["push"].seconds
    assert sweep.total_seconds == pytest.approx(sum(alone) + waited)


def test_a_sweep_compares_all_on_the_validation_photos():
    rows = by_step(ask("sweep", architectures="residual,dense", **QUICK, num_photos=10_000))

    views = 1500 * (2.5 + 2 * 11.4 / 3) + 1500 * (2.5 + 2 * 1.9 / 3)
    assert rows["compare"].seconds == pytest.approx(STARTUP_S + 15 + views / 1000 / CPUS)


def test_a_candidate_that_cannot_work_is_refused_as_by_the_run():
    with pytest.raises(InputError, match="`architecture` must be one"):
        ask("sweep", architectures="residual,unknown")


def test_a_curriculum_trains_in_rounds_of_more_and_more_photos():
    rounds = ask("curriculum", curriculum="gs://a/easy,gs://a/hard", **QUICK, num_photos=10_000)
    rows = by_step(rounds)

    # 5,000 photos, then 10,000: 3,500 and 7,000 to learn from, 750 and 1,500 of validation
    photos = 3750 + 7500
    work = 35 + (2 * photos * 11.4 + (4250 + 8500) * 2.5) / 1000 / 4.8
    assert rows["train residual, 64 px"].seconds == pytest.approx(STARTUP_S + work)
    one = STARTUP_S + 2 + 5000 * 0.00107 / CPUS
    assert rows["ingest"].seconds == pytest.approx(2 * one)  # side by side
    assert rows["join"].seconds == STARTUP_S + FIXED_S["join"]
    job = rows["train residual, 64 px"].seconds
    once = sum(row.seconds for row in rounds.rows) - job - one - (STARTUP_S + 1)
    assert rounds.total_seconds == pytest.approx(once)


def test_names_of_pipelines_may_have_dashes_and_unknown_ones_are_refused():
    assert ask("train-and-push") == ask("train_and_push") == ask("retrain")
    with pytest.raises(InputError, match=r"'sweeps'. Did you mean 'sweep'"):
        ask("sweeps")


def test_what_was_never_measured_says_so():
    measured, bound = (ask(accelerator=each).assumptions for each in ("none", "gpu:nvidia-l4:2"))

    assert any("measured on 2 cores of an AMD EPYC" in text for text in measured)
    assert any("Training was never measured there: 30% of the bound" in text for text in bound)
    assert "One of 2 GPUs trains; all of them are paid for." in bound


def test_a_tpu_trains_in_bfloat16_with_a_batch_for_each_chip():
    rows = by_step(
        ask(
            accelerator="tpu:v5e:2x2",
            architecture="transfer:ResNet50",
            weights="none",
            augmentation="none",
            num_photos=100_000,
        )
    )

    # 20 epochs of 70,000 photos and a third of 15,000; bytes are the bound
    computed = 20 * 75_000 * 101.3 / 256 / (4 * 819) / 0.3
    work = 35 + 76 + 85_000 * 0.0025 / 9.6 + computed
    job = rows["train ResNet50, 224 px"]
    assert job.machine == "ct5lp-hightpu-4t, 2x2"
    assert job.seconds == pytest.approx(STARTUP_S + work)


def test_an_estimate_is_a_table_with_a_total_and_what_was_assumed():
    lines = render(ask(**QUICK, num_photos=10_000))

    head, *table = lines[: lines.index("")]
    assert head.split() == ["step", "machine", "time", "USD"]
    assert len({len(line) for line in (head, *table)}) == 1
    assert table[0].split() == ["ingest", "e2-standard-4", "4", "min", "0.07"]
    assert table[-2].split() == ["pipeline", "run", "0.03"]
    assert table[-1].startswith("in all")
    assert lines[len(table) + 2] == "Estimated, not measured:"
    assert "- 10,000 photos, as was said." in lines


@pytest.mark.parametrize(
    ("accelerator", "region", "spot", "num_photos", "arguments"),
    [
        ("none", "us-central1", False, 0, PETS),
        ("gpu:nvidia-l4:1", "us-central1", True, 0, PETS),
        ("tpu:v5e:2x2", "us-west4", False, 100_000, WHOLE),
    ],
)
def test_the_examples_of_the_documentation_are_what_comes_out(
    accelerator, region, spot, num_photos, arguments
):
    request = Request(
        pipeline="train_and_push",
        arguments=arguments,
        machine=machine_of(parse_accelerator(accelerator), region),
        region=region,
        spot=spot,
        num_photos=num_photos,
    )

    assert "\n".join(render(estimate(request))) in DOCUMENT.read_text()


def test_long_runs_are_told_in_hours():
    rows = render(ask(architecture="transfer:ResNet50", weights="none", num_photos=1_000_000))

    assert " h " in rows[-1 - rows[::-1].index("") - 1]


def test_estimating_imports_nothing_heavy():
    heavy = {"numpy", "cv2", "PIL", "kfp", "tensorflow", "keras", "google.cloud.storage"}
    script = (
        "import sys; import pipelines.google_cloud.estimate as its;"
        "from pipelines.google_cloud.machines import STEP_MACHINES as machines;"
        "its.estimate(its.Request(pipeline='sweep', arguments={}, machine=machines['train'],"
        " region='us-central1'));"
        f"sys.exit(str(sorted(set({sorted(heavy)!r}) & set(sys.modules)) or ''))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.stderr.strip() == ""
