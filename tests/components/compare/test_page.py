"""What the page says of candidates whose answers are given by hand."""

import re
from pathlib import Path

import numpy as np
import pytest

from components.compare.candidates import Candidate
from components.compare.page import render_comparison
from components.compare.plots import COLORS, plot_cost, plot_curves
from components.evaluate.metrics import evaluate_predictions

NUM_PHOTOS = 20
LABELS = np.arange(NUM_PHOTOS) % 2


def candidate(
    name: str, right: range, *, num_parameters: int = 1_000, num_epochs: int = 3
) -> Candidate:
    """Right on the photos in that range."""
    correct = np.isin(np.arange(NUM_PHOTOS), right)
    predicted = np.where(correct, LABELS, 1 - LABELS)
    return Candidate(
        name=name,
        folder=Path(name),
        settings={
            "architecture": name,
            "image_size": 64,
            "best_epoch": num_epochs,
            "num_parameters": num_parameters,
            "training_seconds": 90.0,
        },
        history={
            key: [0.5] * num_epochs for key in ("accuracy", "loss", "val_accuracy", "val_loss")
        },
        evaluation=evaluate_predictions(np.eye(2)[predicted], LABELS, ("cat", "dog")),
        correct=correct,
    )


def text_of(*ranked: Candidate) -> str:
    page = render_comparison(ranked, dataset="pets")
    return " ".join(re.sub(r"<style.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL).split())


def test_a_lead_that_coins_would_give_is_called_chance():
    # 2 more right, and they differ on nothing else: 2 coins of 2, on either side: p = 0.5.
    text = text_of(candidate("residual", range(12)), candidate("dense", range(10)))

    assert "residual is right on 2 photos more than dense , the second." in text
    assert "That may well be chance : where they differ, the best alone is right on 2" in text
    assert "(p = 0.50)" in text
    assert "10.0 points" in text  # 2 of 20


def test_a_lead_that_coins_hardly_give_is_called_so():
    # 10 coins of 10: p = 2 / 1024.
    text = text_of(candidate("residual", range(20)), candidate("dense", range(10)))

    assert "That is hardly chance" in text
    assert "(p = 0.002)" in text


def test_a_tie_is_said_with_its_reason():
    small = candidate("dense", range(10), num_parameters=999)

    assert "; the former is smaller" in text_of(small, candidate("residual", range(10)))
    assert "the former has the lower loss" in text_of(
        candidate("inception", range(10)), candidate("residual", range(10))
    )


def test_a_far_smaller_network_that_the_photos_do_not_tell_apart_is_named():
    best = candidate("residual", range(12), num_parameters=1_000)
    near = candidate("inception", range(10), num_parameters=500)
    far = candidate("dense", range(2), num_parameters=10)  # 10 coins of 10

    assert "If size matters: inception has 500 parameters" in text_of(best, near, far)
    assert "If size matters" not in text_of(best, far)


def test_settings_that_differ_are_shown_and_others_are_not():
    one, other = candidate("residual", range(12)), candidate("dense", range(10))
    assert "The network alone; all other settings are the same." in text_of(one, other)

    other.settings["image_size"] = 96  # type: ignore[index]
    text = text_of(one, other)
    assert "Candidate Architecture Image size residual residual 64 dense dense 96" in text


def test_names_are_text_and_never_markup():
    page = render_comparison([candidate("<b>x</b>", range(3))], dataset="<i>y</i>")

    assert "<b>x</b>" not in page
    assert "&lt;i&gt;y&lt;/i&gt;" in page


@pytest.mark.parametrize("plot", [plot_curves, plot_cost])
@pytest.mark.parametrize("num_candidates", [1, 2, len(COLORS) + 1, 50])
def test_any_number_of_candidates_is_drawn_the_same_way_twice(plot, num_candidates):
    ranked = [
        candidate(f"network {place}", range(20 - place % 20), num_epochs=1 + place % 4)
        for place in range(num_candidates)
    ]

    drawn = plot(ranked, stacked=True)

    assert drawn.startswith(b"\x89PNG")
    assert drawn == plot(ranked, stacked=True)
    assert drawn != plot(ranked)
