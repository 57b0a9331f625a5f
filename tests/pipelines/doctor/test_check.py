"""Checks are made at once, and told in order."""

import threading

import pytest

from pipelines.doctor.check import in_parallel, ok


def test_checks_come_in_the_order_of_their_groups_whoever_is_first():
    second_is_done = threading.Event()

    def first():
        assert second_is_done.wait(10)
        yield ok("first", "")

    def second():
        yield ok("second", "")
        second_is_done.set()

    assert [check.name for check in in_parallel([first, second])] == ["first", "second"]


def test_a_check_is_told_before_its_group_is_done():
    told = threading.Event()

    def group():
        yield ok("one", "")
        assert told.wait(10)
        yield ok("two", "")

    checks = in_parallel([group])
    next(checks)
    told.set()

    assert next(checks).name == "two"


def test_what_a_group_raises_is_raised():
    def group():
        yield ok("one", "")
        raise RuntimeError("broken")

    checks = in_parallel([group])

    assert next(checks).name == "one"
    with pytest.raises(RuntimeError, match="broken"):
        next(checks)
