import pytest

from components.common.errors import InputError
from components.common.lists import split_list


def test_items_are_split_at_commas_and_stripped():
    assert split_list("architectures", "residual, transfer:MobileNetV2 ,dense") == (
        "residual",
        "transfer:MobileNetV2",
        "dense",
    )


@pytest.mark.parametrize("text", ["", " ", "a,,b", "a,"])
def test_an_empty_item_is_refused(text):
    with pytest.raises(InputError, match="`sizes` must be items by commas, none of them empty"):
        split_list("sizes", text)
