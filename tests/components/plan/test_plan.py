import pytest

from components.common.errors import InputError
from components.plan.plan import MOST_CANDIDATES, SWEPT, describe, plan_candidates
from components.train.architectures import ARCHITECTURES

USUAL = {
    "architectures": "residual",
    "augmentations": "light",
    "image_sizes": "0",
    "learning_rates": "0",
}


def plan(**given):
    return plan_candidates(**{**USUAL, **given})


def test_every_network_meets_every_setting_the_networks_varying_slowest():
    candidates = plan(architectures="residual, dense", image_sizes="48,64", learning_rates="0.001")

    assert candidates == [
        {
            "architecture": architecture,
            "augmentation": "light",
            "image_size": size,
            "learning_rate": 0.001,
        }
        for architecture, size in [
            ("residual", 48),
            ("residual", 64),
            ("dense", 48),
            ("dense", 64),
        ]
    ]


def test_the_usual_stays_0_which_training_looks_up():
    (candidate,) = plan()

    assert candidate["image_size"] == 0
    assert candidate["learning_rate"] == 0.0
    assert isinstance(candidate["image_size"], int)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_network_can_be_a_candidate(name):
    assert [one["architecture"] for one in plan(architectures=name)] == [name]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"architectures": "residual,rezidual"}, "Did you mean 'residual'"),
        ({"augmentations": "lite"}, r"must be one of .* Received: 'lite'"),
        ({"architectures": "residual,,dense"}, "`architectures` must be items by commas"),
        ({"image_sizes": "64,big"}, "`image_sizes` must be whole numbers by commas"),
        ({"learning_rates": "fast"}, "`learning_rates` must be numbers by commas"),
        ({"learning_rates": "nan"}, "`learning_rate` must be from 0 to 10"),
        ({"image_sizes": "16"}, r"`image_size` must be from 32 .* 'residual'"),
        ({"architectures": "dense,residual,dense"}, "each once. Received: 'dense' twice"),
        ({"learning_rates": "0.01,1e-2"}, "each once. Received: '1e-2' twice"),
    ],
)
def test_a_list_that_cannot_work_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        plan(**given)


def test_the_usual_size_and_the_same_in_numbers_are_one_training():
    usual = ARCHITECTURES["residual"].image_size

    with pytest.raises(
        InputError, match=rf"'residual, light, usual size.*' and 'residual, light, {usual} px.*'"
    ):
        plan(image_sizes=f"0,{usual}")


def test_a_frozen_network_and_mixed_photos_are_refused_by_name():
    both = {"architectures": "residual,transfer:MobileNetV2", "augmentations": "light,mixup"}

    with pytest.raises(InputError, match=r"Candidate 'transfer:MobileNetV2, mixup.*frozen"):
        plan(**both)
    assert len(plan(**both, weights="none")) == 4


def test_written_copies_are_refused_where_a_candidate_would_not_use_them():
    with pytest.raises(InputError, match=r"Candidate 'residual.*`augmented_copies`"):
        plan(architectures="transfer:MobileNetV2,residual", augmented_copies=1)
    assert len(plan(architectures="transfer:MobileNetV2", augmented_copies=1)) == 1


def test_as_many_candidates_as_a_sweep_may_have_and_no_more():
    rates = ",".join(str(number / 1000) for number in range(1, MOST_CANDIDATES + 1))
    assert len(plan(learning_rates=rates)) == 50

    with pytest.raises(InputError, match=r"Received: 2 x 1 x 1 x 50 = 100\. Sweep in parts"):
        plan(architectures="residual,dense", learning_rates=rates)


def test_a_candidate_is_named_for_people():
    first, second = plan(image_sizes="0,48", learning_rates="0.003")[:1] + plan(image_sizes="48")

    assert describe(first) == "residual, light, usual size, learning rate 0.003"
    assert describe(second) == "residual, light, 48 px, usual learning rate"


def test_the_lists_have_the_names_of_the_inputs():
    assert set(SWEPT) == set(USUAL)
