"""YAML files that people write."""

from __future__ import annotations

import pytest

from components.common.errors import InputError
from pipelines.config import parse_inputs, read_yaml


def test_a_config_file_sets_what_the_options_set(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("dataset: sample:pets\nepochs: 3\nmin-accuracy: 1\nmirror_averaging: false\n")

    assert parse_inputs(read_yaml(file, "--config"), "train_and_push", str(file)) == {
        "dataset": "sample:pets",
        "epochs": 3,
        "min_accuracy": 1.0,
        "mirror_averaging": False,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", "Did you mean 'epochs'?"),
        ("epochs: three", "`epochs` must be of type int. Received: 'three'"),
        ("- epochs", "must hold `name: value` lines"),
        ("epochs: [", "must be YAML"),
        ("", "must hold `name: value` lines"),
    ],
)
def test_a_config_file_that_cannot_be_meant_is_refused(tmp_path, text, message):
    file = tmp_path / "run.yaml"
    file.write_text(text)

    with pytest.raises(InputError) as caught:
        parse_inputs(read_yaml(file, "--config"), "train_and_push", str(file))

    assert message in str(caught.value)


def test_a_missing_config_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="must name a text file that can be read"):
        read_yaml(tmp_path / "none.yaml", "--config")
