from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from components.common.errors import InputError
from components.evaluate.metrics import (
    ChampionScore,
    Evaluation,
    PlaceScore,
    evaluate_predictions,
)
from components.evaluate.place import PlaceExample
from components.evaluate.report import Mistake, render_report

HOSTILE = '"><script>alert(1)</script>'
HISTORY = {
    "accuracy": [0.5, 0.75],
    "loss": [1.2, 0.6],
    "val_accuracy": [0.4, 0.625],
    "val_loss": [1.3, 0.8],
}
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


class Page(HTMLParser):
    """Collects tags, attributes and text; fails where tags do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(html)
        self.close()
        assert self.open == []
        self.words = " ".join(self.words.split())  # also the spaces that do not break

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in {"td", "dd", "dt", "code"}:
            self.words += " "
        if tag not in {"meta", "img", "source"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words += data

    def count(self, tag: str, **attributes: str) -> int:
        return sum(name == tag and attributes.items() <= found.items() for name, found in self.tags)


def evaluation_of(num_classes: int, *, num_wrong: int = 0, names=None) -> Evaluation:
    """Ten photos a class; of the last class `num_wrong` are taken for the first."""
    labels = np.repeat(np.arange(num_classes), 10)
    predicted = labels.copy()
    predicted[len(labels) - num_wrong :] = 0
    classes = names or [f"class {index}" for index in range(num_classes)]
    return evaluate_predictions(np.eye(num_classes)[predicted], labels, classes)


def mistake(**changes) -> Mistake:
    arguments = {
        "photo": np.full((30, 40, 3), 90, np.uint8),
        "filename": "rose/0007.jpg",
        "true_class": "rose",
        "predicted_class": "tulip",
        "confidence": 0.987,
    }
    return Mistake(**(arguments | changes))


def report(evaluation: Evaluation, **changes) -> str:
    arguments = {"model_name": "flowers", "settings": {}, "history": {}, "mistakes": []}
    return render_report(evaluation, **(arguments | changes))


@pytest.mark.parametrize("num_classes", [2, 7, 40, 120])
def test_page_is_well_formed_and_fetches_nothing(num_classes):
    html = report(evaluation_of(num_classes, num_wrong=3), history=HISTORY, mistakes=[mistake()])

    page = Page(html)
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        for address in ("src", "srcset", "href"):
            assert attributes.get(address, "data:").startswith("data:"), tag


def test_headline_tells_accuracy_interval_and_counts():
    words = Page(report(evaluation_of(2, num_wrong=4))).words

    # 16 of 20: Wilson gives (0.8 + 0.09604 -+ 0.16812) / 1.19207 = 0.58397 to 0.91934 at 95 %.
    assert "Right on 16 of 20 test photos of 2 classes." in words
    assert "80.0 % 95 % interval 58.4 % to 91.9 %" in words


def test_without_a_champion_there_is_nothing_to_beat():
    assert "No champion is registered yet" in Page(report(evaluation_of(2))).words


def test_champion_that_cannot_be_compared_with_is_told_of():
    evaluation = replace(evaluation_of(2), champion_problem="its files are gone")

    words = Page(report(evaluation)).words

    assert "Not compared: its files are gone" in words
    assert "No champion is registered yet" not in words


@pytest.mark.parametrize(
    ("champion_accuracy", "sentence"),
    [
        (0.75, "It beats the champion, version 7, by 5.0 points (1 more of the same 20 photos"),
        (0.9, "It does not beat the champion, version 7, and falls 10.0 points short (2 fewer of"),
        (0.8, "It equals the champion, version 7: no difference on the same 20 photos."),
    ],
)
def test_verdict_against_the_champion(champion_accuracy, sentence):
    champion = ChampionScore(version="7", accuracy=champion_accuracy, num_photos=20)

    words = Page(report(replace(evaluation_of(2, num_wrong=4), champion=champion))).words

    assert sentence in words
    assert "The 95 % intervals overlap" in words


def test_champion_far_behind_is_told_from_chance():
    champion = ChampionScore(version="7", accuracy=0.1, num_photos=20)

    words = Page(report(replace(evaluation_of(2), champion=champion))).words

    assert "do not overlap" in words


def test_champion_measured_on_other_photos_is_said():
    champion = ChampionScore(version="7", accuracy=0.5, num_photos=10)

    words = Page(report(replace(evaluation_of(2), champion=champion))).words

    assert "(measured on 10 photos, not on the same 20)" in words


def test_a_tiny_lead_does_not_read_as_zero():
    champion = ChampionScore(version="7", accuracy=0.9998, num_photos=20)

    assert "by 0.020 points" in Page(report(replace(evaluation_of(2), champion=champion))).words


def test_confused_pairs_in_words():
    names = ["rose", "tulip"]

    assert "4 of 10 tulip photos were taken for rose" in (
        Page(report(evaluation_of(2, num_wrong=4, names=names))).words
    )
    assert "1 of 10 tulip photos was taken for rose" in (
        Page(report(evaluation_of(2, num_wrong=1, names=names))).words
    )


def test_only_the_worst_pairs_are_listed():
    # Each of 20 classes has 10 photos, of which 1 is taken for the next class.
    labels = np.repeat(np.arange(20), 10)
    predicted = np.where(np.arange(200) % 10 == 0, (labels + 1) % 20, labels)
    evaluation = evaluate_predictions(np.eye(20)[predicted], labels, [f"c{i}" for i in range(20)])

    words = Page(report(evaluation)).words

    assert words.count("was taken for") == 8
    assert "And 12 more pairs, each with 1 photo." in words


def test_matrix_has_a_cell_a_pair_and_shades_by_row():
    page = Page(report(evaluation_of(3, num_wrong=4)))

    assert page.count("table", **{"class": "matrix"}) == 1
    assert page.count("td", **{"class": "hit deep", "style": "--f: 1.000"}) == 2
    assert page.count("td", **{"class": "hit deep", "style": "--f: 0.600"}) == 1
    assert page.count("td", **{"class": "miss", "style": "--f: 0.400"}) == 1
    titles = [attributes.get("title") for tag, attributes in page.tags if tag == "td"]
    assert "class 2, taken for class 0: 4 (40.0\N{NO-BREAK SPACE}%)" in titles


def test_matrix_gives_way_to_pairs_beyond_40_classes():
    forty, more = Page(report(evaluation_of(40))), Page(report(evaluation_of(41, num_wrong=2)))

    assert forty.count("table", **{"class": "matrix"}) == 1
    assert more.count("table", **{"class": "matrix"}) == 0
    assert "With 41 classes the matrix would be too large" in more.words
    assert "2 of 10 class 40 photos were taken for class 0" in more.words


def test_classes_come_worst_first_and_many_are_folded():
    few = Page(report(evaluation_of(3, num_wrong=4)))
    many = Page(report(evaluation_of(41)))

    table = few.words[few.words.index("Class by class") :]
    assert table.index("class 2") < table.index("class 0") < table.index("class 1")
    assert few.count("details") == 0
    assert "The other 21 classes" in many.words


def test_class_never_seen_scores_0_and_has_a_blank_row():
    never = evaluate_predictions(np.eye(3)[[0, 1]], np.array([0, 1]), ["a", "b", "never"])

    assert "never 0 0.0 % 0.0 % 0.0 %" in Page(report(never)).words


def test_mistakes_show_photo_name_and_confidence():
    page = Page(report(evaluation_of(2, num_wrong=1), mistakes=[mistake()]))

    assert "True rose Taken for tulip Sure 98.7 % rose/0007.jpg" in page.words
    assert page.count("img", alt="rose/0007.jpg") == 1


def test_no_mistake_is_told_from_no_mistake_given():
    assert "every test photo was classified rightly" in Page(report(evaluation_of(2))).words
    assert "None of the 3 mistakes was given" in Page(report(evaluation_of(2, num_wrong=3))).words


def test_curves_name_the_kept_epoch():
    page = Page(report(evaluation_of(2), history=HISTORY, best_epoch=1))

    assert "Kept were the weights of epoch 1 of 2: accuracy 50.0 % on the training" in page.words
    assert page.count("picture") == 1


def test_curves_without_a_kept_epoch_tell_of_the_last():
    words = Page(report(evaluation_of(2), history=HISTORY)).words

    assert "Epoch 2 of 2: accuracy 75.0 % on the training photos, 62.5 % on the val" in words


def test_no_history_leaves_the_curves_out():
    page = Page(report(evaluation_of(2)))

    assert "Training curves" not in page.words
    assert page.count("picture") == 0


def test_place_tells_overlap_and_shows_photos_from_the_worst_to_the_best():
    place = PlaceScore(kind="box", num_photos=18, mean_iou=0.725, found=0.9)
    example = PlaceExample(photo=np.full((30, 30, 3), 90, np.uint8), filename="cat/1.jpg", iou=0.31)

    page = Page(report(replace(evaluation_of(2), place=place), place_examples=[example]))

    assert "overlaps the true one by 72.5 % on average" in page.words
    assert "at least half in 90.0 % of 18 test photos whose true box is known" in page.words
    assert "Overlap 31.0 % cat/1.jpg" in page.words
    assert page.count("img", alt="cat/1.jpg, true and predicted place") == 1


def test_warm_start_and_rounds_have_sections():
    page = Page(report(evaluation_of(2), transfers=TRANSFERS, rounds=ROUNDS))

    assert "Of the 3 weights, 10 parameters in all" in page.words
    assert "b/kernel 4 3 adapted: averaged" in page.words
    assert page.count("details") == 1
    assert "75.0 % 25.0 %" in page.words
    assert page.count("img", alt="Accuracy on each level after each round") == 1


def test_what_a_model_lacks_has_no_section():
    words = Page(report(evaluation_of(2))).words

    assert "earlier model" not in words
    assert "true box" not in words


def test_half_a_history_is_refused():
    with pytest.raises(InputError, match=r"`history` must have the keys"):
        report(evaluation_of(2), history={"loss": [0.1]})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.001, "0.001"),
        ((224, 224), "224, 224"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (None, "none"),
        ([], "none"),
        ({"train": 0.8, "test": 0.2}, "train 0.8, test 0.2"),
    ],
)
def test_settings_read_as_people_write(value, text):
    page = Page(report(evaluation_of(2), settings={"some_setting": value}))

    assert page.words.endswith(f"Some setting {text}")


def test_hostile_names_are_escaped_everywhere():
    html = report(
        evaluation_of(2, num_wrong=4, names=[HOSTILE, "rose"]),
        model_name=HOSTILE,
        settings={HOSTILE: HOSTILE},
        mistakes=[mistake(filename=HOSTILE, true_class=HOSTILE, predicted_class=HOSTILE)],
    )

    page = Page(html)
    assert "<script" not in html
    assert page.count("h1") == 1
    assert page.count("img", alt=HOSTILE) == 1
    assert page.words.count(HOSTILE) >= 8
