import json
from dataclasses import replace

import pytest

from components.augment.policies import POLICIES, Policy, find_policy
from components.common.errors import InputError


def test_the_table_is_keyed_by_name():
    assert list(POLICIES) == [
        *("none", "light", "heavy", "color", "erasing", "mixup", "cutmix", "randaugment")
    ]
    assert all(find_policy(name).name == name for name in POLICIES)


def test_none_leaves_everything_out():
    assert find_policy("none") == Policy(name="none")
    assert not any(value for key, value in vars(find_policy("none")).items() if key != "name")


def test_light_is_gentle():
    assert find_policy("light") == Policy(
        name="light",
        rotation_degrees=10,
        width_shift=0.1,
        height_shift=0.1,
        shear_degrees=0,
        zoom=0.1,
        horizontal_flip=True,
    )


def test_heavy_is_the_recipe_of_the_keras_blog():
    heavy = find_policy("heavy")

    # rotation_range=40, the other ranges 0.2, horizontal_flip, fill_mode="nearest".
    assert (heavy.rotation_degrees, heavy.width_shift, heavy.height_shift) == (40, 0.2, 0.2)
    assert (heavy.zoom, heavy.horizontal_flip) == (0.2, True)
    # A shear factor of 0.2 is a slope of 1 in 5: arctan 0.2 = 11.31 degrees.
    assert heavy.shear_degrees == pytest.approx(11.3099, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        # SimCLR at strength 0.5: 0.8 x 0.5 each, and 0.2 x 0.5 of the colour circle.
        ("color", {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue_degrees": 36}),
        ("erasing", {"erasing": 0.5}),
        ("mixup", {"mixup_alpha": 0.2}),
        ("cutmix", {"cutmix_alpha": 1.0}),
    ],
)
def test_recipes_of_papers_come_on_top_of_light(name, more):
    assert find_policy(name) == replace(find_policy("light"), name=name, **more)


def test_randaugment_draws_2_operations_of_magnitude_9_and_mirrors():
    assert find_policy("randaugment") == Policy(
        name="randaugment", horizontal_flip=True, random_operations=2, random_magnitude=9
    )


def test_mixup_and_cutmix_alone_mix():
    assert {name for name, policy in POLICIES.items() if policy.mixes} == {"mixup", "cutmix"}


def test_a_policy_of_an_earlier_version_is_read(tmp_path):
    (tmp_path / "policy.json").write_text('{"name": "light", "zoom": 0.1}')

    assert Policy.load(tmp_path) == Policy(name="light", zoom=0.1)


def test_an_unknown_policy_is_refused_with_the_nearest():
    with pytest.raises(
        InputError,
        match=r"`augmentation` must be one of color, cutmix, erasing, heavy, light, mixup, none,"
        r" randaugment\. Received: 'haevy'\."
        r" Did you mean 'heavy'\?",
    ):
        find_policy("haevy")


@pytest.mark.parametrize("name", POLICIES)
def test_a_saved_policy_is_loaded_unchanged(tmp_path, name):
    find_policy(name).save(tmp_path)

    assert Policy.load(tmp_path) == find_policy(name)
    assert json.loads((tmp_path / "policy.json").read_text())["name"] == name
