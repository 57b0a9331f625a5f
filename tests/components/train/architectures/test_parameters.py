import pytest

from components.train.architectures import ARCHITECTURES
from components.train.architectures.parameters import (
    count_dense,
    count_inception_reference,
    count_residual_reference,
)

COUNTS = {
    "dense": count_dense,
    "inception_reference": count_inception_reference,
    "residual_reference": count_residual_reference,
}


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize(("size", "channels"), [(8, 3), (9, 1), (16, 1), (33, 3)])
def test_count_is_that_of_the_network_once_built(name, size, channels):
    built = ARCHITECTURES[name].build_backbone(size, channels)

    assert COUNTS[name](size, channels) == built.count_params()


@pytest.mark.parametrize("name", COUNTS)
def test_table_has_the_count_at_the_usual_size(name):
    usual = ARCHITECTURES[name]

    assert COUNTS[name](usual.image_size, 3) == usual.num_parameters


def test_dense_is_counted_as_by_hand():
    # 64 x 64 x 3 pixels, each to 256 units, these to 128; one bias a unit
    assert count_dense(64, 3) == 12_288 * 256 + 256 + 256 * 128 + 128


def test_the_literal_inception_has_hundreds_of_millions():
    # 75 x 75 places of 4 x 128 filters, each to 256 units: all else is below a million
    flattened = 75 * 75 * 512 * 256

    assert flattened == 737_280_000
    assert 0 < count_inception_reference(150, 3) - flattened < 1_000_000
