from html.parser import HTMLParser

import numpy as np
import pytest

from components.augment.preview import EXPLANATIONS, Copies, render_preview
from components.common.errors import InputError

PHOTOS = np.arange(2 * 8 * 6 * 3, dtype=np.uint8).reshape(2, 8, 6, 3)
LABELS = ["daisy", "rose"]
POLICY = {
    "rotation_degrees": 40,
    "width_shift": 0.2,
    "height_shift": 0.125,
    "shear_degrees": 0.0,
    "zoom": 0.1,
    "horizontal_flip": True,
}


class Page(HTMLParser):
    """Collects tags, pictures and text; fails where tags do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures: list[dict[str, str]] = []
        self.words = ""
        self.tags: set[str] = set()
        self.feed(html)
        self.close()
        assert self.open == []
        self.words = " ".join(self.words.split())  # also the spaces that do not break

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in {"td", "li", "h3", "p", "span"}:
            self.words += " "
        if tag == "img":
            self.pictures.append(dict(attrs))
        elif tag not in {"meta", "source"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words += data


def copies_of(photos: np.ndarray, captions=("", "")) -> Copies:
    return Copies(photos=photos, captions=captions)


def brighten(photos: np.ndarray, epoch: int) -> Copies:
    return copies_of(photos // 2 + np.uint8(20 * (epoch + 1)))


def preview(**changes) -> str:
    arguments = {
        "originals": PHOTOS,
        "labels": LABELS,
        "augment": brighten,
        "policy_name": "heavy",
        "policy": POLICY,
    }
    return render_preview(**(arguments | changes))


def test_each_row_is_the_original_and_its_copies():
    page = Page(preview(copies=3))

    assert len(page.pictures) == 2 * (1 + 3)
    assert [picture["alt"] for picture in page.pictures[:4]] == [
        "",  # the class name stands below it
        "daisy, epoch 1",
        "daisy, epoch 2",
        "daisy, epoch 3",
    ]
    assert len({picture["src"] for picture in page.pictures}) == 8
    assert all(picture["src"].startswith("data:image/jpeg;base64,") for picture in page.pictures)


def test_page_fetches_and_runs_nothing():
    html = preview()

    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html
    assert not Page(html).tags & {"script", "link", "iframe"}


def test_epochs_are_asked_from_0_and_shown_from_1():
    asked = []

    def spy(photos, epoch):
        asked.append(epoch)
        return brighten(photos, epoch)

    page = Page(preview(augment=spy, copies=2))

    assert asked == [0, 1]
    assert "Epoch 1" in page.words
    assert "Epoch 2" in page.words
    assert "Epoch 0" not in page.words
    assert "Epoch 3" not in page.words


def test_settings_are_explained_in_plain_words():
    words = Page(preview()).words

    assert "Turned, by up to 40° to either side." in words
    assert "by up to 20 % of the width" in words
    assert "by up to 12.5 % of the height" in words
    assert "mirrored left to right" in words
    assert "Left out: Shear." in words


def test_a_part_is_shown_from_one_end_to_the_other():
    steps = [("40° left", PHOTOS[0]), ("as it is", PHOTOS[1]), ("40° right", PHOTOS[0] // 2)]

    page = Page(preview(strips={"rotation_degrees": steps}, copies=1))

    assert len(page.pictures) == 2 * 2 + 3
    assert "40° left as it is 40° right" in page.words
    assert "Rotation Turned, by up to 40°" in page.words


def test_captions_stand_below_the_copies():
    captions = ["70 % daisy, 30 % rose", "rose"]

    page = Page(preview(augment=lambda photos, _: copies_of(photos // 2, captions), copies=1))

    assert "70 % daisy, 30 % rose" in page.words


def test_a_policy_that_mixes_says_who_is_mixed_with_whom():
    mixing = "photos are mixed with each other"

    assert mixing in Page(preview(policy={"mixup_alpha": 0.2})).words
    assert mixing not in Page(preview()).words


def test_every_setting_of_a_policy_has_its_explanation():
    policies = pytest.importorskip("components.augment.policies")
    settings = set(policies.Policy.__dataclass_fields__) - {"name"}

    assert settings <= set(EXPLANATIONS)


def test_setting_without_an_explanation_shows_its_value():
    assert "Hue jitter 0.3" in Page(preview(policy={"hue_jitter": 0.3})).words


def test_policy_none_says_that_photos_stay_as_they_are():
    def never(photos, epoch):
        raise AssertionError

    page = Page(preview(policy_name="none", augment=never))

    assert "Training sees the photos as they are" in page.words
    assert len(page.pictures) == 2
    assert "Epoch 1" not in page.words


def test_policy_without_effect_is_pointed_out():
    assert (
        "this policy changes nothing"
        in Page(preview(augment=lambda photos, _: copies_of(photos))).words
    )
    assert "this policy changes nothing" not in Page(preview()).words


def test_originals_stay_when_augment_works_in_place():
    def blacken(photos, epoch):
        photos[:] = 0
        return copies_of(photos)

    before = PHOTOS.copy()
    page = Page(preview(augment=blacken, copies=1))

    assert (before == PHOTOS).all()
    assert page.pictures[0]["src"] != page.pictures[1]["src"]


def test_hostile_names_are_escaped():
    hostile = '"><script>alert(1)</script>'
    html = preview(labels=[hostile, "rose"], policy_name=hostile, policy={hostile: hostile})

    assert "<script" not in html
    assert hostile in Page(html).words


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"originals": PHOTOS / 255}, "`originals` must be uint8 RGB.*Received: dtype=float64"),
        ({"originals": PHOTOS[0]}, r"Received: dtype=uint8, shape=\(8, 6, 3\)"),
        ({"labels": ["daisy"]}, "`labels` must name each.*Received: 1 labels, 2 photos"),
        ({"originals": PHOTOS[:0], "labels": []}, "at least 1. Received: 0 labels, 0 photos"),
        ({"copies": 0}, "`copies` must be at least 1. Received: 0"),
        (
            {"augment": lambda photos, _: copies_of(photos / 255)},
            "`augment` must return uint8.*float64",
        ),
        (
            {"augment": lambda photos, _: copies_of(photos[:1])},
            r"Received: dtype=uint8, shape=\(1, 8, 6, 3\)",
        ),
    ],
)
def test_what_cannot_be_shown_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        preview(**changes)
