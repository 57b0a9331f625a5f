import pytest

from components.common.errors import InputError
from components.train.architectures import ARCHITECTURES, find_architecture
from components.train.memory import (
    check_memory,
    count_parameters,
    describe_memory,
    training_gib,
)
from components.train.network import build_head
from components.train.settings import TrainSettings

GIB = 2**30


def check(num_classes=2, **settings):
    resolved = TrainSettings(**settings).resolved()
    check_memory(resolved.find_architecture(), resolved, num_classes=num_classes)


@pytest.mark.parametrize("name", ["dense", "inception", "residual", "residual_reference"])
def test_count_is_that_of_the_whole_classifier(name):
    backbone = ARCHITECTURES[name].build_backbone(33)
    head = build_head(backbone.output_shape[-1], 7, seed=0)

    counted = count_parameters(ARCHITECTURES[name], 33, 3, 7)

    dense = head.layers[-1]  # dropout has a seed, which is no parameter
    assert counted == backbone.count_params() + dense.count_params()


def test_each_parameter_takes_20_bytes():
    # 64 x 64 x 3 pixels to 256 units to 128 to 2 classes, one bias a unit
    parameters = 12_288 * 256 + 256 + 256 * 128 + 128 + 2 * 128 + 2

    assert training_gib(find_architecture("dense"), 64, 3, 2) == parameters * 20 / GIB


def test_memory_grows_with_the_size_where_a_network_flattens():
    literal, residual = map(find_architecture, ("inception_reference", "residual"))

    assert training_gib(literal, 128, 3, 2) > 3.9 * training_gib(literal, 64, 3, 2)
    assert training_gib(residual, 128, 3, 2) == training_gib(residual, 64, 3, 2)


def test_the_literal_inception_is_refused_and_the_message_says_what_to_do():
    # 737,728,128 parameters and 2 x 257 of the head, 20 bytes each
    with pytest.raises(InputError) as error:
        check(architecture="inception_reference")

    assert str(error.value) == (
        "The network must fit into 8 GiB. Received: inception_reference at 150 px: 737,728,642"
        " parameters, 13.7 GiB to train them. Pass a smaller `image_size`, `architecture`"
        " residual, or a larger `max_memory_gib` (0: no bound)."
    )


@pytest.mark.parametrize("allowed", [{"max_memory_gib": 0}, {"max_memory_gib": 14}])
def test_the_literal_inception_passes_where_it_is_allowed_to(allowed):
    check(architecture="inception_reference", **allowed)


def test_the_literal_inception_passes_at_a_smaller_size():
    check(architecture="inception_reference", image_size=64)


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name != "inception_reference"])
def test_every_other_network_passes_with_its_usual_settings(name):
    check(architecture=name)


def test_many_classes_count():
    # 3,178,880 of the backbone and 129 for each class
    with pytest.raises(InputError, match=r"dense at 64 px: 1,293,178,880 parameters, 24\.1 GiB"):
        check(num_classes=10_000_000, architecture="dense")


def test_small_networks_are_told_in_mebibytes():
    settings = TrainSettings(architecture="residual").resolved()

    line = describe_memory(settings.find_architecture(), settings, num_classes=2)

    # 308,976 + 2 x 129 = 309,234 parameters, 20 bytes each: 5.9 MiB
    assert line == "residual at 64 px: 309,234 parameters, 6 MiB to train them"
