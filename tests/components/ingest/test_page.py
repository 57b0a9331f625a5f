from html.parser import HTMLParser

import numpy as np
import pytest

from components.common.errors import InputError
from components.ingest.data_report import (
    ERROR,
    NOTE,
    WARNING,
    Changes,
    ClassSummary,
    DataReport,
    Finding,
    Histogram,
)
from components.ingest.page import render_data_report

HOSTILE = '"><script>alert(1)</script>'
PHOTO = np.full((30, 40, 3), 90, np.uint8)


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
        if tag in {"td", "dd", "dt", "code", "span", "li", "p", "b"}:
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

    @property
    def pictures(self) -> list[str]:
        return [attributes["alt"] for tag, attributes in self.tags if tag == "img"]

    @property
    def boxes(self) -> list[str]:
        """The classes of what shows photos that belong together."""
        found = [attributes.get("class", "") for tag, attributes in self.tags if tag == "div"]
        return [name for name in found if name.split(" ")[0] == "group"]


def summary(name: str, num_photos: int = 10, **changes) -> ClassSummary:
    fields = {
        "share": 0.5,
        "size_bytes": 20_000,
        "median_width": 40.0,
        "median_height": 30.0,
        "mean_color": (10.0, 20.4, 255.0),
    }
    return ClassSummary(name=name, num_photos=num_photos, **(fields | changes))


def finding(**changes) -> Finding:
    fields = {
        "check": "near-duplicates",
        "severity": WARNING,
        "message": "Two photos look the same.",
        "remedy": "Delete one.",
    }
    return Finding(**(fields | changes))


def histogram(**changes) -> Histogram:
    fields = {
        "name": "width",
        "unit": "pixels",
        "edges": (0.0, 10.0, 1000.0),
        "counts": (1, 4),
        "low": 5.0,
        "median": 505.0,
        "high": 1000.0,
    }
    return Histogram(**(fields | changes))


def report(*findings: Finding, **changes) -> DataReport:
    fields = {
        "name": "flowers",
        "source": "folder:/photos/flowers",
        "digest": "0123456789ab" * 5,
        "num_photos": 2000,
        "size_bytes": 41_250_000,
        "classes": (summary("rose"), summary("tulip")),
        "formats": {"jpeg": 1990, "png": 10},
        "traits": {"turned": 3},
        "histograms": (histogram(),),
        "rejected": (),
    }
    return DataReport(**(fields | {"findings": findings} | changes))


def render(data: DataReport, *, samples=(), read_photo=lambda filename: PHOTO) -> str:
    return render_data_report(data, read_photo=read_photo, samples=samples)


def page_of(*arguments, **keywords) -> Page:
    return Page(render(*arguments, **keywords))


def pairs(count: int, *, folders=("rose", "rose")) -> tuple[tuple[str, ...], ...]:
    first, second = folders
    return tuple((f"{first}/{index}a.jpg", f"{second}/{index}b.jpg") for index in range(count))


@pytest.mark.parametrize("num_classes", [2, 41, 2000])
@pytest.mark.parametrize("num_findings", [0, 1, 40])
def test_page_is_well_formed_fetches_nothing_and_holds_150_pictures_at_most(
    num_classes, num_findings
):
    names = [f"class {index}" for index in range(num_classes)]
    data = report(
        *(finding(groups=pairs(25)) for _ in range(num_findings)),
        classes=tuple(map(summary, names)),
        rejected=tuple((f"{index}.gif", "format GIF") for index in range(3000)),
        changes=Changes(
            previous="cd",
            num_added=9,
            num_removed=0,
            num_relabelled=50,
            relabelled=tuple((f"{index}.jpg", "a", "b") for index in range(50)),
        ),
    )

    html = render(data, samples=[(name, [f"{name}/{i}.jpg" for i in range(9)]) for name in names])

    page = Page(html)
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert all(
        attributes["src"].startswith("data:") for tag, attributes in page.tags if tag == "img"
    )
    assert 20 <= len(page.pictures) <= 150
    assert len(html) < 1_000_000


def test_headline_tells_the_verdict_and_the_counts():
    page = page_of(report(finding(), finding(severity=NOTE), rejected=(("a.gif", "GIF"),)))

    assert "Verdict 1 warning Look at them before you train. Also 1 note." in page.words
    assert "Photos 2,000 41.2 MB Classes 2 labels to tell apart Left out 1 file" in page.words


def test_no_finding_is_told_from_no_photo_looked_at():
    checked = page_of(report())
    unchecked = page_of(report(checked=False, classes=(summary("rose", mean_color=None),) * 2))

    assert "Nothing found" in checked.words
    assert "None. Looked for were damaged files" in checked.words
    assert "Not checked" in unchecked.words
    assert "No photo was decoded. So nothing is known of damaged files" in unchecked.words
    assert "Looked for were" not in unchecked.words


def test_a_finding_tells_severity_message_and_remedy():
    page = page_of(report(finding(check="size-leak", severity=ERROR, num_files=402)))

    assert "error Size leak 402 photos Two photos look the same." in page.words
    assert "What to do: Delete one." in page.words
    assert page.count("article", **{"class": "finding error"}) == 1


def test_copies_under_two_labels_ask_which_one_is_right():
    page = page_of(report(finding(groups=pairs(1, folders=("rose", "tulip")))))

    assert "rose or tulip? rose rose/0a.jpg tulip tulip/0b.jpg" in page.words
    assert page.boxes == ["group copies mixed"]
    assert page.pictures == ["rose/0a.jpg", "tulip/0b.jpg"]


def test_copies_under_one_label_name_it_once():
    page = page_of(report(finding(groups=pairs(1))))

    assert "rose rose/0a.jpg rose/0b.jpg" in page.words
    assert page.boxes == ["group copies"]


def test_photos_whose_names_tell_no_class_are_shown_without():
    page = page_of(report(finding(groups=(("1.jpg", "2.jpg"),))))

    assert "Delete one. 1.jpg 2.jpg" in page.words


def test_all_groups_after_the_first_six_are_folded():
    page = page_of(report(finding(groups=pairs(10), num_files=30)))

    before, folded = page.words.split("4 more", maxsplit=1)
    assert "rose/5b.jpg" in before
    assert "rose/6a.jpg" in folded
    assert "Listed are 20 of 30 photos." in folded


def test_groups_beyond_the_pictures_are_named():
    page = page_of(report(finding(groups=pairs(50))))

    # 84 pictures are 42 pairs; 8 of the 50 pairs are names alone.
    assert len(page.pictures) == 84
    assert "44 more" in page.words
    assert "rose/49a.jpg = rose/49b.jpg" in page.words


def test_of_many_copies_of_one_photo_four_are_shown_and_the_others_named():
    page = page_of(report(finding(groups=(tuple(f"rose/{i}.jpg" for i in range(6)),))))

    assert page.pictures == [f"rose/{i}.jpg" for i in range(4)]
    assert "and rose/4.jpg , rose/5.jpg" in page.words.replace(",", " ,")


def test_many_findings_share_the_pictures_and_fold():
    page = page_of(report(*(finding(groups=pairs(5)) for _ in range(20))))

    # 84 pictures // 20 findings are 4 each: 2 pairs.
    assert len(page.pictures) == 80
    assert "8 more findings" in page.words


def test_a_photo_that_cannot_be_had_leaves_a_place():
    page = page_of(report(finding(groups=pairs(1))), read_photo=lambda filename: None)

    assert page.pictures == []
    assert page.words.count("no picture") == 2


def test_photos_must_be_rgb():
    with pytest.raises(InputError, match="`photo` must be uint8 RGB"):
        render(report(finding(groups=pairs(1))), read_photo=lambda filename: PHOTO[:, :, 0])


def test_classes_are_shown_largest_first_with_bars_relative_to_it():
    data = report(classes=(summary("few", 5, share=0.2), summary("many", 20, share=0.8)))

    page = page_of(data)

    assert "From 5 photos of few to 20 of many, which is 4.0 times" in page.words
    # 20,000 bytes in 20 photos are 1.0 kB each; in 5 photos, 4.0 kB.
    assert "many 20 80.0 % 40 × 30 1.0 kB few 5 20.0 % 40 × 30 4.0 kB" in page.words
    assert page.count("i", style="width: 25.0%") == 1
    assert page.count("span", style="background: rgb(10 20 255)") == 2


def test_even_classes_are_said_to_be():
    assert "Perfectly even: 10 photos in each class." in page_of(report()).words


def test_of_many_classes_the_extremes_are_in_sight_and_all_are_listed():
    # Sizes 1 to 200: in sight are 200 to 189 and 12 to 1.
    data = report(classes=tuple(summary(f"c{size}", size) for size in range(1, 201)))

    page = page_of(data)

    assert page.count("th", scope="row") == 2 * 12 + 3 + 4  # and formats, trait, provenance
    assert "All 200 classes" in page.words
    assert "c100 100" in page.words
    assert "c200 200" in page.words


def test_samples_are_shown_in_the_order_given():
    page = page_of(report(), samples=[("tulip", ["tulip/2.jpg", "tulip/1.jpg"]), ("rose", ["r"])])

    assert page.pictures == ["tulip/2.jpg", "tulip/1.jpg", "r"]


def test_samples_of_more_classes_than_pictures_say_how_many_are_shown():
    names = [f"c{index}" for index in range(100)]

    page = page_of(
        report(classes=tuple(map(summary, names))), samples=[(name, [name]) for name in names]
    )

    assert "54 of 100 classes." in page.words
    assert len(page.pictures) == 54


def test_samples_that_cannot_be_fetched_are_said_to_be():
    page = page_of(report(), samples=[("rose", ["a"])], read_photo=lambda filename: None)

    assert "None of them could be fetched." in page.words


def test_histogram_draws_bins_alike_and_places_the_median_among_them():
    page = page_of(report())

    # Bins 0-10 and 10-1000: the median of 505 is in the middle of the second, at 3/4 of the
    # width; 5 to 1000 goes from 1/4 to the end.
    assert page.count("i", style="left: 75.0%") == 1
    assert page.count("i", style="left: 25.0%; width: 75.0%") == 1
    assert page.count("i", style="height: 25.0%", title="0 to 10: 1 photo") == 1
    assert "Median 505 pixels; 9 of 10 between 5 and 1,000." in page.words


def test_histogram_of_equal_values_says_so():
    same = histogram(edges=(227.0, 228.0), counts=(9,), low=227.0, median=227.0, high=227.0)

    assert "At least 9 of 10: 227 pixels." in page_of(report(histograms=(same,))).words


def test_histogram_of_bytes_reads_as_sizes():
    sizes = histogram(name="bytes", unit="bytes", low=500.0, median=1500.0, high=2_000_000.0)

    assert "Median 1.5 kB; 9 of 10 between 500 bytes and 2.0 MB." in (
        page_of(report(histograms=(sizes,))).words
    )


def test_traits_are_explained():
    assert "turned lies on its side or stands on its head" in page_of(report()).words


def test_files_left_out_are_grouped_by_reason_and_long_lists_folded():
    rejected = (
        ("rose/cut.jpg", "cut (12 bytes missing)"),
        ("rose/cut2.jpg", "cut (7 bytes missing)"),
        *((f"{index}.gif", "format GIF") for index in range(300)),
    )

    page = page_of(report(rejected=rejected))

    assert "302 files of the source are not in the dataset." in page.words
    assert "format GIF 300 files" in page.words
    assert "199.gif" in page.words
    assert "200.gif" not in page.words
    assert "And 100 more, not listed." in page.words
    assert "cut (… bytes missing) 2 files rose/cut.jpg cut (12 bytes missing)" in page.words


def test_changes_show_what_was_relabelled():
    changes = Changes(
        previous="fe" * 32,
        num_added=200,
        num_removed=1,
        num_relabelled=1,
        added=("rose/new.jpg",),
        removed=("rose/old.jpg",),
        relabelled=(("tulip/1.jpg", "rose", "tulip"),),
    )

    page = page_of(report(changes=changes))

    assert "200 added 1 removed 1 relabelled" in page.words
    assert "rose → tulip tulip/1.jpg" in page.words
    assert "200 photos added rose/new.jpg And 199 more, not listed." in page.words
    assert page.pictures == ["tulip/1.jpg"]


def test_no_change_is_said_and_no_previous_version_is_not():
    same = Changes(previous="fe", num_added=0, num_removed=0, num_relabelled=0)

    assert "The same photos with the same labels" in page_of(report(changes=same)).words
    assert "previous version" not in page_of(report()).words


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("warn", "warn: only errors stop a run"),
        ("strict", "strict: errors and warnings stop a run"),
    ],
)
def test_provenance_tells_source_digest_and_policy(policy, words):
    page = page_of(report(policy=policy))

    assert "Source folder:/photos/flowers Digest 0123456789ab" in page.words
    assert words in page.words


def test_hostile_and_foreign_names_are_escaped_everywhere():
    name = f"犬 кот مرحبا {HOSTILE}"
    changes = Changes(
        previous=name,
        num_added=1,
        num_removed=1,
        num_relabelled=20,
        added=(name,),
        removed=(name,),
        relabelled=((name, name, name),) * 20,
    )
    data = report(
        finding(check=name, message=name, remedy=name, groups=((f"{name}/1.jpg", "rose/1.jpg"),)),
        name=name,
        source=name,
        digest=name,
        classes=(summary(name), summary("rose")),
        formats={name: 1},
        traits={name: 1},
        rejected=((name, name),),
        changes=changes,
        histograms=(histogram(name=name, unit=name),),
    )

    html = render(data, samples=[(name, [name])])

    page = Page(html)
    assert "<script" not in html
    assert page.count("h1") == 1
    assert page.count("img", alt=name) == 1 + 12  # the sample, and the relabelled
    assert page.words.count(name) >= 20


def test_real_photos_make_a_page_that_opens_at_once(real_data):
    import cv2

    folders = sorted((real_data / "flowers").iterdir())
    names = {
        folder.name: [f"{folder.name}/{path.name}" for path in sorted(folder.iterdir())[:20]]
        for folder in folders
    }

    def read_photo(filename):
        return cv2.imread(str(real_data / "flowers" / filename), cv2.IMREAD_COLOR_RGB)

    html = render(
        report(
            finding(groups=tuple(zip(names["rose"], names["tulip"], strict=True))),
            classes=tuple(map(summary, names)),
        ),
        samples=list(names.items()),
        read_photo=read_photo,
    )

    page = Page(html)
    assert len(page.pictures) == 2 * 20 + 5 * 8
    assert page.words.count("rose or tulip?") == 20
    assert len(html) < 1_500_000
