from components.compare.candidates import differing, name_candidates


def settings(architecture: str, **given):
    usual = {"augmentation": "light", "image_size": 64, "learning_rate": 0.003, "best_epoch": 1}
    return {"architecture": architecture, **usual, **given}


def test_a_network_that_stands_alone_needs_no_more_name():
    assert name_candidates([settings("residual"), settings("dense", image_size=32)]) == [
        "residual",
        "dense",
    ]


def test_what_tells_two_of_one_network_apart_is_named():
    assert name_candidates(
        [
            settings("residual", image_size=48),
            settings("residual", image_size=64),
            settings("dense", best_epoch=7),
            settings("inception", augmentation="heavy", learning_rate=0.001),
            settings("inception", augmentation="light", learning_rate=0.01),
        ]
    ) == [
        "residual, 48 px",
        "residual, 64 px",
        "dense",
        "inception, heavy, rate 0.001",
        "inception, light, rate 0.01",
    ]


def test_settings_differ_where_one_does_and_outcomes_are_no_settings():
    assert differing(
        [
            settings("residual", seed=1, training_seconds=3.0),
            settings("residual", seed=1, image_size=96, best_epoch=9, training_seconds=4.0),
        ]
    ) == ("image_size",)
