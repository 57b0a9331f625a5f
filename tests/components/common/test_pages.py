import base64
from html.parser import HTMLParser

import cv2
import jinja2
import numpy as np
import pytest

from components.common.errors import InputError
from components.common.pages import data_uri, percent, percent_css, render_page, thumbnail


class Page(HTMLParser):
    """Fails where a tag is closed that was not the last one opened."""

    EMPTY = frozenset({"meta", "img", "source", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def decoded(uri: str) -> np.ndarray:
    encoded = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"), validate=True)
    return cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)


def test_base_page_is_well_formed_and_fetches_nothing():
    html = render_page("common/page.html.j2", title="A title", eyebrow="A step")

    page = Page(html)
    assert {"title", "style", "main"} <= set(page.tags)
    assert not {"script", "link"} & set(page.tags)
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html


def test_values_are_escaped_whatever_they_hold():
    html = render_page("common/page.html.j2", title="<script>alert(1)</script>", eyebrow="\"&'")

    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&#34;&amp;&#39;" in html


def test_a_name_that_the_template_lacks_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match=r"eyebrow"):
        render_page("common/page.html.j2", title="A title")


@pytest.mark.parametrize("template", ["common/nowhere.html.j2", "../pyproject.toml"])
def test_unknown_template_is_named(template):
    with pytest.raises(InputError, match=r"`template` must name a file under .* Received: "):
        render_page(template)


def test_data_uri_holds_the_bytes():
    assert data_uri(b"\x00\xff\x10", "image/png") == "data:image/png;base64,AP8Q"


def test_percent_uses_a_space_that_does_not_break():
    assert percent(0.915) == "91.5\N{NO-BREAK SPACE}%"
    assert percent(1.0, 0) == "100\N{NO-BREAK SPACE}%"


def test_what_is_not_perfect_does_not_read_as_100_percent():
    assert percent(0.9999) == "99.9\N{NO-BREAK SPACE}%"
    assert percent(0.9999, 0) == "99\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("fraction", "length"),
    [(0.25, "25.0%"), (-1.0, "0.0%"), (7.0, "100.0%"), (float("nan"), "0.0%")],
)
def test_bar_never_leaves_its_track(fraction, length):
    assert percent_css(fraction) == length


@pytest.mark.parametrize(
    ("shape", "small"), [((300, 600), (50, 100)), ((600, 300), (100, 50)), ((1, 999), (1, 100))]
)
def test_thumbnail_keeps_the_aspect(shape, small):
    photo = np.zeros((*shape, 3), np.uint8)

    assert decoded(thumbnail(photo, size=100)).shape == (*small, 3)


def test_thumbnail_does_not_enlarge():
    assert decoded(thumbnail(np.zeros((20, 30, 3), np.uint8), size=100)).shape == (20, 30, 3)


def test_thumbnail_keeps_red_red():
    photo = np.zeros((40, 40, 3), np.uint8)
    photo[..., 0] = 200

    red, green, blue = decoded(thumbnail(photo, size=20))[10, 10].tolist()
    assert abs(red - 200) < 6
    assert green < 6
    assert blue < 6


@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_thumbnail_wants_rgb_bytes(photo):
    with pytest.raises(InputError, match=r"`photo` must be uint8 RGB.*Received: dtype="):
        thumbnail(photo, size=10)


def test_thumbnail_wants_a_size():
    with pytest.raises(InputError, match=r"`size` must be at least 1 pixel. Received: 0"):
        thumbnail(np.zeros((8, 8, 3), np.uint8), size=0)
