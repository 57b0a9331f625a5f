import pytest

from components.ingest.data_report import ERROR, NOTE, WARNING, DataReport, Finding
from components.ingest.summary import amount, by_reason, class_of, size_words, sum_up, title


def report(*severities, **changes) -> DataReport:
    findings = tuple(
        Finding(check="any", severity=severity, message="Found.", remedy="Mend it.")
        for severity in severities
    )
    fields = {
        "name": "flowers",
        "source": "folder:/photos",
        "digest": "ab" * 32,
        "num_photos": 0,
        "size_bytes": 0,
        "classes": (),
        "formats": {},
        "traits": {},
        "histograms": (),
        "rejected": (),
    }
    return DataReport(**(fields | {"findings": findings} | changes))


@pytest.mark.parametrize(
    ("severities", "policy", "headline", "advice"),
    [
        ((), "warn", "Nothing found", "No check found anything that would spoil"),
        ((NOTE,), "strict", "1 note", "Good to know; nothing here spoils training."),
        ((WARNING,), "warn", "1 warning", "Look at them before you train."),
        ((WARNING, WARNING), "strict", "2 warnings", "Warnings stop a run under the policy"),
        ((ERROR,), "off", "1 error", "Errors stop a run: mend them first."),
        (
            (ERROR, WARNING, WARNING, NOTE),
            "warn",
            "1 error",
            "mend them first. Also 2 warnings and 1 note.",
        ),
    ],
)
def test_verdict_names_the_worst_and_what_to_do(severities, policy, headline, advice):
    said = sum_up(report(*severities, policy=policy))

    assert said.headline == headline
    assert advice in said.advice


def test_nothing_found_is_told_from_nothing_looked_for():
    said = sum_up(report(checked=False))

    assert (said.severity, said.headline) == ("unknown", "Not checked")


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 photos"), (1, "1 photo"), (25_000, "25,000 photos")]
)
def test_amounts_agree_with_their_number(count, words):
    assert amount(count, "photo") == words


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_960, "1.0 MB"),
        (41_250_000, "41.2 MB"),
        (3.2e12, "3.2 TB"),
    ],
)
def test_sizes_read_as_people_write(size_bytes, words):
    assert size_words(size_bytes) == words


def test_a_check_reads_as_a_headline():
    assert title("size-leak") == "Size leak"


@pytest.mark.parametrize(
    ("filename", "class_name"),
    [("rose/a/1.jpg", "rose"), ("1.jpg", ""), ("rose", ""), ("other/1.jpg", "")],
)
def test_the_class_is_the_folder_where_that_is_a_class(filename, class_name):
    assert class_of(filename, {"rose", "tulip"}) == class_name


def test_reasons_that_differ_in_a_number_are_one():
    cut = [("a", "cut (3 bytes left)"), ("b", "cut (12 bytes left)")]

    grouped = by_reason([("c", "no image"), *cut, ("d", "2 frames")])

    assert grouped == [
        ("cut (… bytes left)", cut),
        ("2 frames", [("d", "2 frames")]),  # nothing differs: the number stays
        ("no image", [("c", "no image")]),
    ]
