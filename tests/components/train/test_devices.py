"""Choosing the device. Each choice is made in a process of its own: none can be made twice."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.common.errors import InputError
from components.train import devices
from components.train.devices import (
    check_device,
    check_device_here,
    num_replicas_in_use,
    prepare_device,
)

ROOT = Path(__file__).parents[3]


def prepared(*arguments: object, then: str = "", **environment: str) -> str:
    """What a process prints that prepares a device, or the error that it met."""
    script = f"""
import os, sys
from components.common.errors import InputError
from components.train.devices import prepare_device
try:
    prepare_device(*{arguments!r})
except InputError as error:
    sys.exit(print(error))
{then}
"""
    inherited = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**inherited, **environment},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("device", "num_replicas"),
    [("auto", 0), ("auto", 1), ("cpu", 0), ("cpu", 8), ("gpu", 1), ("tpu", 0), ("tpu", 4)],
)
def test_what_a_machine_could_give_passes(device, num_replicas):
    check_device(device, num_replicas)


@pytest.mark.parametrize(
    ("device", "num_replicas", "message"),
    [
        ("tpus", 0, "`device` must be one of auto, cpu, gpu, tpu. Received: 'tpus'. Did you mean"),
        ("gpu", 2, "`num_replicas` must be from 0 to 1 with `device` gpu. Received: 2. Pass"),
        ("auto", 8, "`num_replicas` must be from 0 to 1 with `device` auto. Received: 8. Pass"),
        ("cpu", -1, "`num_replicas` must be from 0 to 64 with `device` cpu. Received: -1."),
        ("cpu", 65, "`num_replicas` must be from 0 to 64 with `device` cpu. Received: 65."),
    ],
)
def test_what_no_machine_gives_is_refused(device, num_replicas, message):
    with pytest.raises(InputError) as refused:
        check_device(device, num_replicas)

    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(("device", "num_replicas"), [("tpu", 0), ("cpu", 2)])
def test_where_jax_is_missing_the_extra_is_named(device, num_replicas, monkeypatch):
    monkeypatch.setattr(devices, "JAX", "jax_that_is_missing")

    with pytest.raises(InputError, match=r"needs JAX: pip install 'pawpetal\[steps,tpu\]'"):
        prepare_device(device, num_replicas)


def test_a_tpu_that_is_not_there_is_found_out_before_a_run():
    with pytest.raises(InputError, match="Received: tpu, and there is no TPU"):
        check_device_here("tpu", 0)


def test_devices_that_are_here_pass():
    check_device_here("auto", 0)
    check_device_here("cpu", 2)


def test_choosing_imports_nothing_that_computes():
    script = (
        "import sys; from components.train.devices import prepare_device; prepare_device('cpu', 1);"
        "sys.exit(str(sorted({'keras', 'tensorflow', 'jax', 'numpy'} & set(sys.modules)) or ''))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)

    assert done.stderr.strip() == ""


def test_a_cpu_is_tensorflows_and_sees_no_gpu():
    then = "print(os.environ['KERAS_BACKEND'], os.environ['CUDA_VISIBLE_DEVICES'])"

    assert prepared("cpu", 1, then=then) == "tensorflow -1"


def test_auto_is_tensorflow_unless_jax_was_chosen():
    assert prepared("auto", 0, then="print(os.environ['KERAS_BACKEND'])") == "tensorflow"


def test_a_tpu_that_is_not_there_is_refused_at_once():
    """On a machine without one; JAX alone would train on the CPU, without a word."""
    said = prepared("tpu", 0)

    assert said.startswith(
        "`device` must be one that is there. Received: tpu, and there is no TPU: Unable to"
        " initialize backend 'tpu'"
    )


def test_auto_on_an_image_for_tpus_refuses_to_train_without_one():
    said = prepared("auto", 0, KERAS_BACKEND="jax", JAX_PLATFORMS="tpu,cpu")

    assert said.startswith("`device` must be one that is there. Received: auto, and there is no")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU")
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")

    with pytest.raises(InputError, match="Received: gpu, and TensorFlow finds none"):
        prepare_device("gpu", 1)


def test_a_cpu_is_divided_once_and_other_flags_stay():
    flags = "--xla_cpu_enable_fast_math=false --xla_force_host_platform_device_count=2"
    then = """
print(os.environ['XLA_FLAGS'])
import jax
print(len(jax.devices()))
try:
    prepare_device('cpu', 2)
except InputError as error:
    print(error)
"""

    kept, number, refused = prepared("cpu", 3, then=then, XLA_FLAGS=flags).splitlines()

    assert number == "3"
    assert "--xla_cpu_enable_fast_math=false" in kept.split()
    assert "--xla_force_host_platform_device_count=2" not in kept.split()
    assert refused == (
        "`num_replicas` must be 3, which JAX has in this process. Received: 2. Start another"
        " process."
    )


def test_keras_that_runs_on_another_backend_already_is_refused():
    import keras  # on TensorFlow, here in the tests

    assert keras.config.backend() == "tensorflow"
    with pytest.raises(InputError, match="needs Keras on jax, and it runs on tensorflow in this"):
        prepare_device("cpu", 8)


def test_tensorflow_trains_on_one_device():
    assert num_replicas_in_use() == 1
