import math

import pytest

from components.augment.policies import POLICIES, find_policy
from components.common.errors import InputError
from components.train.settings import FitSettings, TrainSettings, check_augmentation


def starting_from(weights: str) -> TrainSettings:
    """Settings of a network that may start from any weights."""
    return TrainSettings(architecture="transfer:MobileNetV2", weights=weights).resolved()


def test_usual_values_of_residual_stand_in_for_0_and_auto():
    resolved = TrainSettings(architecture="residual").resolved()

    assert resolved.weights == "none"
    assert resolved.image_size >= 32
    assert resolved.epochs >= 1
    assert 0 < resolved.learning_rate < 1


def test_usual_values_of_mobilenet_v2_are_its_own():
    resolved = TrainSettings(architecture="transfer:MobileNetV2").resolved()

    assert resolved.weights == "imagenet"
    assert resolved.image_size == 224


def test_what_was_said_stays():
    settings = TrainSettings(
        architecture="transfer:MobileNetV2",
        weights="none",
        image_size=96,
        epochs=3,
        batch_size=7,
        precision="float32",
        learning_rate=0.5,
        fine_tune_epochs=0,
        fine_tune_blocks=2,
        fine_tune_learning_rate=1e-4,
        mirror_averaging=False,
        seed=11,
    )

    assert settings.resolved() == settings


def test_resolving_twice_changes_nothing_more():
    resolved = TrainSettings().resolved()

    assert resolved.resolved() == resolved


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("epochs", -1, "`epochs` must be from 0 to 10000. Received: -1"),
        ("epochs", 10_001, "`epochs` must be from 0 to 10000. Received: 10001"),
        ("batch_size", -1, "`batch_size` must be from 0 to 65536. Received: -1"),
        ("batch_size", 65537, "`batch_size` must be from 0 to 65536. Received: 65537"),
        ("learning_rate", -0.1, "`learning_rate` must be from 0 to 10. Received: -0.1"),
        ("learning_rate", 10.5, "`learning_rate` must be from 0 to 10. Received: 10.5"),
        ("learning_rate", math.nan, "`learning_rate` must be from 0 to 10. Received: nan"),
        ("learning_rate", math.inf, "`learning_rate` must be from 0 to 10. Received: inf"),
        ("seed", -1, "`seed` must be from 0 to 4294967295. Received: -1"),
        ("seed", 2**32, "`seed` must be from 0 to 4294967295. Received: 4294967296"),
    ],
)
def test_value_out_of_range_is_refused(setting, value, message):
    with pytest.raises(InputError) as error:
        TrainSettings(**{setting: value})

    assert str(error.value) == message


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 10_000},
        {"batch_size": 1},
        {"batch_size": 65_536},
        {"learning_rate": 10},
        {"seed": 2**32 - 1},
        {"image_size": 32},
        {"image_size": 1024},
    ],
)
def test_value_at_the_end_of_its_range_is_taken(values):
    assert vars(TrainSettings(**values)).items() >= values.items()


@pytest.mark.parametrize("image_size", [-32, 1, 31, 1025])
def test_image_size_out_of_range_is_refused_with_the_usual_one(image_size):
    message = (
        r"`image_size` must be from 32 to 1024 for architecture 'transfer:MobileNetV2'"
        rf" \(0 takes the usual 224\). Received: {image_size}$"
    )

    with pytest.raises(InputError, match=message):
        TrainSettings(architecture="transfer:MobileNetV2", image_size=image_size)


def test_unknown_architecture_is_refused_with_the_nearest_one():
    message = (
        "`architecture` must be one that `pawpetal architectures` lists."
        " Received: 'mobilenet_v2'. Did you mean 'transfer:MobileNetV2'?"
    )

    with pytest.raises(InputError) as error:
        TrainSettings(architecture="mobilenet_v2")

    assert str(error.value) == message


FROZEN_MIXES = (
    "`augmentation` '{}' mixes photos and labels anew in every epoch, but a network that starts"
    " from weights is frozen and sees few copies. Pass `weights` none, or an augmentation that"
    " mixes nothing."
)
WHOLE_NEEDS_NONE = (
    "`augmented_copies` are for a network that starts from weights: one that is trained whole gets"
    " new ones in every epoch. Pass 0. Received: {}"
)
NONE_CHANGES_NOTHING = (
    "`augmented_copies` must be 0 with `augmentation` none, which changes nothing. Received: {}"
)


@pytest.mark.parametrize(
    ("augmentation", "weights", "copies", "message"),
    [
        ("mixup", "imagenet", 0, FROZEN_MIXES.format("mixup")),
        ("cutmix", "/an/earlier/model.keras", 0, FROZEN_MIXES.format("cutmix")),
        ("mixup", "imagenet", 2, FROZEN_MIXES.format("mixup")),
        ("light", "none", 1, WHOLE_NEEDS_NONE.format(1)),
        ("mixup", "none", 3, WHOLE_NEEDS_NONE.format(3)),
        ("none", "imagenet", 2, NONE_CHANGES_NOTHING.format(2)),
        ("light", "imagenet", -1, "`augmented_copies` must be from 0 to 100. Received: -1"),
        ("light", "imagenet", 101, "`augmented_copies` must be from 0 to 100. Received: 101"),
    ],
)
def test_augmentation_that_training_would_not_use_is_refused(
    augmentation, weights, copies, message
):
    with pytest.raises(InputError) as error:
        check_augmentation(find_policy(augmentation), starting_from(weights), copies)

    assert str(error.value) == message


@pytest.mark.parametrize("name", POLICIES)
def test_a_network_trained_whole_may_have_any_augmentation(name):
    check_augmentation(find_policy(name), starting_from("none"))


@pytest.mark.parametrize("name", [name for name in POLICIES if name not in ("mixup", "cutmix")])
def test_a_frozen_network_may_have_any_augmentation_that_mixes_nothing(name):
    check_augmentation(find_policy(name), starting_from("imagenet"))


@pytest.mark.parametrize("name", ["light", "heavy", "color", "erasing", "randaugment"])
@pytest.mark.parametrize("copies", [1, 100])
def test_a_frozen_network_may_have_copies_made_by_what_mixes_nothing(name, copies):
    check_augmentation(find_policy(name), starting_from("/an/earlier/model.keras"), copies)


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_a_mixed_photo_has_no_one_place(name):
    with pytest.raises(InputError, match=f"'{name}' mixes photos, and a mixed photo has no one"):
        check_augmentation(find_policy(name), TrainSettings(architecture="two_output").resolved())


@pytest.mark.parametrize(
    ("architecture", "warm_start", "weights", "is_frozen"),
    [
        ("residual", "", "none", False),
        ("transfer:MobileNetV2", "", "imagenet", True),
        ("residual", "champion", "none", False),  # goes on whole, as it was trained
        ("transfer:MobileNetV2", "champion", "imagenet", True),  # where there is no champion yet
    ],
)
def test_a_warm_start_changes_nothing_in_how_a_network_is_trained(
    architecture, warm_start, weights, is_frozen
):
    resolved = TrainSettings(architecture=architecture, warm_start=warm_start).resolved()

    assert (resolved.weights, resolved.is_frozen) == (weights, is_frozen)


def test_a_network_that_is_told_to_start_from_none_is_trained_whole():
    settings = TrainSettings(
        architecture="transfer:MobileNetV2", warm_start="champion", weights="none"
    )

    assert not settings.resolved().is_frozen


def test_two_outputs_are_trained_whole_whatever_they_start_from():
    settings = TrainSettings(architecture="two_output", weights="/a/model.keras").resolved()

    assert not settings.is_frozen
    with pytest.raises(InputError, match="`augmented_copies` are for a network that starts from"):
        check_augmentation(find_policy("light"), settings, 2)


def test_any_frozen_network_can_be_tuned():
    settings = TrainSettings(architecture="residual", weights="/a/model.keras").resolved()

    assert (settings.fine_tune_blocks, settings.fine_tune_learning_rate) == (1, 1e-4)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("channels", 2, "`channels` must be 1 or 3. Received: 2"),
        ("alpha", 1.5, "`alpha` must be from 0 to 1. Received: 1.5"),
        ("fine_tune_epochs", -2, "`fine_tune_epochs` must be from -1 to 10000. Received: -2"),
        ("loss_weighting", "fix", "Did you mean 'fixed'?"),
        ("place", "bow", "Did you mean 'box'?"),
    ],
)
def test_settings_of_outputs_and_phases_are_checked(setting, value, message):
    with pytest.raises(InputError) as error:
        TrainSettings(**{setting: value})

    assert message in str(error.value)


def test_only_settings_that_shaped_the_model_are_told_of_it():
    whole = TrainSettings(architecture="dense").resolved().told()
    frozen = TrainSettings(architecture="transfer:MobileNetV2").resolved().told()
    places = TrainSettings(architecture="two_output", warm_start="3").resolved().told()

    assert not {"warm_start", "alpha", "fine_tune_epochs", "max_memory_gib"} & set(whole)
    assert "fine_tune_epochs" in frozen
    assert "batch_size" not in frozen
    assert {"warm_start", "alpha", "place", "loss_weighting"} <= set(places)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("optimizer", "adam", "Did you mean 'adamw'?"),
        ("schedule", "cos", "`schedule` must be one of constant, cosine. Received: 'cos'"),
        ("class_weights", "balance", "Did you mean 'balanced'?"),
        ("precision", "bfloat16", "Did you mean 'mixed_bfloat16'?"),
        ("device", "cuda", "`device` must be one of auto, cpu, gpu, tpu. Received: 'cuda'"),
        ("patience", -1, "`patience` must be from 0 to 10000. Received: -1"),
        ("ema", 1.0, "`ema` must be from 0 to 0.99999. Received: 1.0"),
        ("label_smoothing", 1.0, "`label_smoothing` must be from 0 to 0.9. Received: 1.0"),
        ("weight_decay", -0.1, "`weight_decay` must be from 0 to 1. Received: -0.1"),
    ],
)
def test_settings_of_the_loop_are_checked(setting, value, message):
    with pytest.raises(InputError) as error:
        TrainSettings(**{setting: value})

    assert message in str(error.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("optimizer", "sgd"), ("label_smoothing", 0.1), ("class_weights", "balanced")],
)
def test_two_losses_leave_no_room_for_other_ways_to_weigh(setting, value):
    with pytest.raises(InputError, match=f"`{setting}` must be .* for an architecture that says"):
        TrainSettings(architecture="two_output", **{setting: value})


def test_a_phase_is_fitted_by_its_own_epochs_and_rate_and_by_all_else_that_was_said():
    settings = TrainSettings(optimizer="sgd", patience=3, ema=0.9, epochs=7)

    assert settings.fit_settings(epochs=2, learning_rate=0.5) == FitSettings(
        epochs=2, learning_rate=0.5, optimizer="sgd", patience=3, ema=0.9
    )


@pytest.mark.parametrize(("optimizer", "pace"), [("adamw", 2), ("rmsprop", 2), ("sgd", 4)])
def test_usual_batch_and_rate_grow_with_the_replicas(optimizer, pace):
    one = TrainSettings(optimizer=optimizer).resolved()
    four = TrainSettings(optimizer=optimizer).resolved(num_replicas=4)

    assert (one.batch_size, four.batch_size) == (32, 128)
    assert four.learning_rate == pytest.approx(pace * one.learning_rate)


def test_batch_and_rate_that_were_given_stay():
    given = TrainSettings(batch_size=48, learning_rate=0.5).resolved(num_replicas=8)

    assert (given.batch_size, given.learning_rate) == (48, 0.5)
    assert TrainSettings(batch_size=48).resolved(num_replicas=8).learning_rate == 3e-3


@pytest.mark.parametrize(
    ("given", "on_tpu", "precision"),
    [
        ("auto", False, "float32"),
        ("auto", True, "mixed_bfloat16"),
        ("float32", True, "float32"),
        ("mixed_float16", False, "mixed_float16"),
    ],
)
def test_precision_is_what_suits_the_device_unless_it_was_given(given, on_tpu, precision):
    assert TrainSettings(precision=given).resolved(on_tpu=on_tpu).precision == precision
