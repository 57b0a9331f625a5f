"""What trains: the device is chosen before Keras is imported, since its backend follows from it.

TPU is Keras on JAX; CPU and GPU are Keras on TensorFlow. Data parallelism is JAX's, too: over all
chips of a TPU, or over devices that JAX simulates on the CPU, to try it without a TPU. Light:
nothing that computes is imported before a device was chosen.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from components.common.errors import InputError, unknown_name

AUTO, CPU, GPU, TPU = "auto", "cpu", "gpu", "tpu"
DEVICES = (AUTO, CPU, GPU, TPU)
JAX = "jax"
MOST_REPLICAS = 64  # a TPU host has 8 chips at most; what a CPU simulates takes threads and memory
PCI = Path("/sys/bus/pci/devices")
GOOGLE = "0x1ae0"  # the vendor of TPUs on the PCI bus, and of other devices in Google's cloud


def check_device(device: str, num_replicas: int) -> None:
    """Refuse what no machine could give. Nothing is imported, and no device looked for.

    Args:
        device: One of `DEVICES`.
        num_replicas: Devices that share each batch; 0 takes all chips of a TPU, and else one.

    Raises:
        InputError: If it names no device, or that number is not to be had there.
    """
    if device not in DEVICES:
        raise unknown_name("device", device, DEVICES)
    most = MOST_REPLICAS if device in (CPU, TPU) else 1
    if not 0 <= num_replicas <= most:
        hint = "" if most > 1 else " Pass `device` tpu, or cpu to try it without one."
        raise InputError(
            f"`num_replicas` must be from 0 to {most} with `device` {device}."
            f" Received: {num_replicas}.{hint}"
        )


def check_device_here(device: str, num_replicas: int) -> None:
    """Refuse a device that this machine does not have; found out in another process.

    Args:
        device: One of `DEVICES`.
        num_replicas: Devices that share each batch.

    Raises:
        InputError: If the device is not there.
    """
    if device == AUTO or (device == CPU and num_replicas <= 1):
        return
    tried = subprocess.run(  # noqa: S603  # ourselves
        [sys.executable, "-m", __name__, device, str(num_replicas)], capture_output=True, text=True
    )
    if tried.returncode:
        raise InputError((tried.stderr.strip().splitlines() or ["`device` cannot be used"])[-1])


def prepare_device(device: str, num_replicas: int) -> None:
    """Choose the device of this process, and make sure that it is there.

    Call it before `import keras`. `auto` takes JAX where KERAS_BACKEND says so, as in the image for
    TPUs, else TensorFlow with the GPU that it finds, or the CPU.

    Args:
        device: One of `DEVICES`.
        num_replicas: Devices that share each batch; 0 takes all chips of a TPU, and else one.

    Raises:
        InputError: If the device is not there, or this process computes on another one already.
    """
    check_device(device, num_replicas)
    if (device == TPU or num_replicas > 1) and importlib.util.find_spec(JAX) is None:
        raise InputError(
            f"`device` {device} with `num_replicas` {num_replicas} needs JAX:"
            " pip install 'pawpetal[steps,tpu]'"
        )
    if device == TPU or num_replicas > 1 or (device == AUTO and _is_jax_chosen()):
        _prepare_jax(device, num_replicas)
    else:
        _prepare_tensorflow(device)


def num_replicas_in_use() -> int:
    """Devices that share each batch, once the device is prepared."""
    import keras

    return len(_jax_devices()) if keras.config.backend() == "jax" else 1


def is_on_tpu() -> bool:
    """Whether a TPU trains, once the device is prepared."""
    import keras

    return keras.config.backend() == "jax" and bool(_jax_devices()[0].platform == TPU)


def describe_device() -> str:
    """What trains, in a few words, once the device is prepared."""
    import keras

    if keras.config.backend() == "jax":
        devices = _jax_devices()
        return f"{len(devices)} x {devices[0].device_kind} (JAX)"
    import tensorflow as tf

    return f"{'GPU' if tf.config.list_physical_devices('GPU') else 'CPU'} (TensorFlow)"


def _is_jax_chosen() -> bool:
    keras = sys.modules.get("keras")
    return os.environ.get("KERAS_BACKEND") == "jax" if keras is None else _backend() == "jax"


def _backend() -> str:
    import keras

    return str(keras.config.backend())


def _choose_backend(backend: str) -> None:
    if "keras" in sys.modules and _backend() != backend:
        raise InputError(
            f"`device` needs Keras on {backend}, and it runs on {_backend()} in this process"
            " already. Start another process."
        )
    os.environ["KERAS_BACKEND"] = backend


def _prepare_tensorflow(device: str) -> None:
    _choose_backend("tensorflow")
    if device == CPU:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # or TensorFlow takes a GPU where there is one
    if device == GPU:
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            raise InputError(
                "`device` must be one that is there. Received: gpu, and TensorFlow finds none: it"
                " needs NVIDIA's driver and pip install 'pawpetal[steps,gpu]'"
            )


def _prepare_jax(device: str, num_replicas: int) -> None:
    _choose_backend("jax")
    if device == TPU:
        # The CPU stays, for what is kept on the host.
        os.environ["JAX_PLATFORMS"] = "tpu,cpu"
    elif device == CPU:
        os.environ["JAX_PLATFORMS"] = "cpu"
        _simulate(num_replicas)
    if not _has_google_device():
        os.environ["TPU_SKIP_MDS_QUERY"] = "1"  # or it may wait for a metadata server in vain
    try:
        devices = _jax_devices()
    except RuntimeError as error:
        raise InputError(_not_there(device, str(error).splitlines()[0])) from error
    if device == TPU and devices[0].platform != TPU:
        raise InputError(_not_there(device, f"JAX finds {devices[0].platform} alone"))
    if num_replicas and num_replicas != len(devices):
        remedy = "Pass 0 for all of them." if device == TPU else "Start another process."
        raise InputError(
            f"`num_replicas` must be {len(devices)}, which JAX has in this process."
            f" Received: {num_replicas}. {remedy}"
        )


def _simulate(num_devices: int) -> None:
    """Have JAX divide the CPU, from its first use in this process on."""
    flags = [
        flag
        for flag in os.environ.get("XLA_FLAGS", "").split()
        if not flag.startswith("--xla_force_host_platform_device_count=")
    ]
    flags.append(f"--xla_force_host_platform_device_count={num_devices}")
    # Many devices on few cores wait for the slowest one; after 40 s XLA would end the process.
    flags.append("--xla_cpu_collective_call_terminate_timeout_seconds=1800")
    os.environ["XLA_FLAGS"] = " ".join(dict.fromkeys(flags))


def _jax_devices() -> list:  # type: ignore[type-arg]  # of jax.Device, which is not imported here
    import jax

    return list(jax.devices())


def _has_google_device() -> bool:
    return any(path.read_text().strip() == GOOGLE for path in PCI.glob("*/vendor"))


def _not_there(device: str, reason: str) -> str:
    return f"`device` must be one that is there. Received: {device}, and there is no TPU: {reason}"


def main() -> None:
    """Say on stderr why a device cannot be used, where it cannot."""
    device, num_replicas = sys.argv[1:]
    try:
        prepare_device(device, int(num_replicas))
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
