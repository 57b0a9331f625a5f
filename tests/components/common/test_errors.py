import pytest

from components.common.errors import (
    DataError,
    InputError,
    PawpetalError,
    RegistryError,
    unknown_name,
)


def test_the_nearest_name_is_offered():
    error = unknown_name("augmentation", "hevy", ["none", "light", "heavy"])

    assert str(error) == (
        "`augmentation` must be one of heavy, light, none. Received: 'hevy'. Did you mean 'heavy'?"
    )


def test_no_name_is_offered_where_none_is_near():
    error = unknown_name("augmentation", "zzz", ["none", "light"])

    assert str(error) == "`augmentation` must be one of light, none. Received: 'zzz'."


def test_hundreds_of_names_are_counted_not_listed():
    error = unknown_name("dataset", "set_7x", (f"set_{number}" for number in range(445)))

    assert str(error) == (
        "`dataset` must be one of 445 known names. Received: 'set_7x'. Did you mean 'set_7'?"
    )


@pytest.mark.parametrize("kind", [InputError, DataError, RegistryError])
def test_one_clause_catches_every_error(kind):
    with pytest.raises(PawpetalError):
        raise kind("message")


def test_an_input_error_is_a_value_error():
    assert issubclass(InputError, ValueError)
