import re

import pytest

from components.common.errors import InputError
from components.join.curriculum import read_curriculum


def test_datasets_stand_between_commas_from_easy_to_hard():
    text = "sample:flowers?photos=40, folder:/data/flowers ,gs://bucket/wild"

    assert read_curriculum(text) == (
        "sample:flowers?photos=40",
        "folder:/data/flowers",
        "gs://bucket/wild",
    )


@pytest.mark.parametrize("text", ["", "sample:flowers,", ",sample:flowers", "a:b, ,c:d"])
def test_an_empty_place_is_refused(text):
    with pytest.raises(InputError, match=re.escape(f"none of them empty. Received: '{text}'")):
        read_curriculum(text)


def test_a_dataset_that_comes_twice_is_refused():
    with pytest.raises(InputError, match="must name each dataset once"):
        read_curriculum("sample:flowers,sample:pets,sample:flowers")
