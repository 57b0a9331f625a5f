from components.evaluate.retraining import rounds_view, transfers_view

TRANSFERS = [
    {"weight": "a/kernel", "how": "copied", "detail": "", "before": [3, 2], "after": [3, 2]},
    {"weight": "b/kernel", "how": "adapted", "detail": "averaged", "before": [4], "after": [3]},
    {"weight": "scale", "how": "new", "detail": "not there", "before": None, "after": []},
]
ROUNDS = [
    {"round": 1, "dataset": "easy", "num_photos": 10, "epochs": 2, "accuracy": {"easy": 0.5}},
    {
        "round": 2,
        "dataset": "hard",
        "num_photos": 25,
        "epochs": 3,
        "accuracy": {"easy": 0.75, "hard": 0.25},
    },
]


def test_weights_are_summed_up_by_what_became_of_them():
    view = transfers_view(TRANSFERS)

    assert (view["num_weights"], view["num_parameters"]) == (3, 10)
    assert [
        (part["how"], part["num_weights"], part["num_parameters"], part["fraction"])
        for part in view["summary"]
    ] == [("copied", 1, 6, 0.6), ("adapted", 1, 3, 0.3), ("new", 1, 1, 0.1)]


def test_shapes_read_as_people_write():
    rows = transfers_view(TRANSFERS)["rows"]

    assert [(row["before"], row["after"]) for row in rows] == [
        ("3 × 2", "3 × 2"),
        ("4", "3"),
        ("", "1"),
    ]


def test_a_level_that_a_round_did_not_measure_is_blank():
    view = rounds_view(ROUNDS)

    assert view["levels"] == ["easy", "hard"]
    assert [accuracies for _, accuracies in view["rows"]] == [[0.5, None], [0.75, 0.25]]
    assert view["chart"].startswith("data:image/png;base64,")


def test_without_an_earlier_model_or_rounds_there_is_nothing_to_show():
    assert transfers_view([]) is None
    assert rounds_view([]) is None
