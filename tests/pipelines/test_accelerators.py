import pytest

from components.common.errors import InputError
from pipelines.accelerators import NONE, check_device_of, parse_accelerator


def test_none_trains_on_the_cpu_image():
    assert parse_accelerator("none") == NONE
    assert NONE.image == "pawpetal-cpu"
    assert NONE.count == 0


def test_a_gpu_is_named_counted_and_has_its_image():
    accelerator = parse_accelerator("gpu:nvidia-l4:2")

    assert (accelerator.resource, accelerator.type, accelerator.count) == (
        "nvidia.com/gpu",
        "nvidia-l4",
        2,
    )
    assert accelerator.image == "pawpetal-gpu"


def test_any_gpu_has_no_type():
    assert parse_accelerator("gpu:any:1").type == ""


@pytest.mark.parametrize(("topology", "chips"), [("1x1", 1), ("2x2", 4), ("2x4", 8)])
def test_a_tpu_slice_asks_for_all_chips_of_its_topology(topology, chips):
    accelerator = parse_accelerator(f"tpu:v5e:{topology}")

    assert (accelerator.resource, accelerator.count) == ("google.com/tpu", chips)
    assert accelerator.topology == topology
    assert accelerator.image == "pawpetal-tpu"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("gpu", r"must be none, gpu:TYPE:COUNT .* Received: 'gpu'"),
        ("gpu:nvidia-l4:0", "Received: 'gpu:nvidia-l4:0'"),
        ("gpu:NVIDIA L4:1", "Received"),
        ("tpu:v5e", "Received: 'tpu:v5e'"),
        ("tpu:v3:2x2", r"TPU generation of v5e, v6e\. Received: 'v3'"),
        ("tpu:v5e:4x4", r"one host holds, 1x1, 2x2, 2x4, .*Received: '4x4', 16 chips"),
        ("", "Received: ''"),
    ],
)
def test_what_is_no_accelerator_is_refused_with_what_would_be(setting, message):
    with pytest.raises(InputError, match=message):
        parse_accelerator(setting)


@pytest.mark.parametrize(
    ("accelerator", "device", "num_replicas"),
    [
        ("none", "auto", 0),
        ("none", "cpu", 1),
        ("gpu:nvidia-l4:1", "gpu", 0),
        ("tpu:v5e:2x2", "auto", 0),
        ("tpu:v5e:2x2", "tpu", 4),
    ],
)
def test_devices_that_the_image_has_pass(accelerator, device, num_replicas):
    check_device_of(
        parse_accelerator(accelerator), {"device": device, "num_replicas": num_replicas}
    )


@pytest.mark.parametrize(
    ("accelerator", "device", "num_replicas"),
    [("none", "tpu", 0), ("none", "gpu", 1), ("none", "cpu", 8), ("gpu:any:1", "tpu", 0)],
)
def test_devices_that_the_image_lacks_are_refused_before_the_run(accelerator, device, num_replicas):
    with pytest.raises(InputError, match=f"`device` {device} .* must be what `accelerator` gives"):
        check_device_of(
            parse_accelerator(accelerator), {"device": device, "num_replicas": num_replicas}
        )
