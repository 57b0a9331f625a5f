"""The order of the tests: long files first, which only the right option of xdist keeps."""

from types import SimpleNamespace

from tests.conftest import LONGEST, pytest_collection_modifyitems

from .conftest import ROOT


def test_the_longest_files_exist():
    assert [path for path in LONGEST if not (ROOT / "tests" / path).is_file()] == []


def test_they_come_first_and_the_rest_keeps_its_order():
    paths = ["components/b.py", LONGEST[1], "components/a.py", LONGEST[0], LONGEST[1]]
    items = [SimpleNamespace(path=ROOT / "tests" / path) for path in paths]

    pytest_collection_modifyitems(items)

    first, second = LONGEST[:2]
    wanted = [first, second, second, "components/b.py", "components/a.py"]
    assert [item.path.relative_to(ROOT / "tests").as_posix() for item in items] == wanted


def test_make_keeps_that_order():
    assert "--dist loadfile --no-loadscope-reorder" in (ROOT / "Makefile").read_text()
