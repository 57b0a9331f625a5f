import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.common.parallel import map_in_order, num_cores


def test_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1, 3, 5}, raising=False)

    assert num_cores() == 3


def test_where_no_process_is_held_to_some_cores_all_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)

    assert num_cores() == 12


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_results_keep_the_order_though_later_ones_are_done_first(pool):
    def slow_first(item):
        time.sleep(0.002 * (10 - item))
        return item * item

    squares = list(map_in_order(pool, slow_first, range(10), ahead=4))

    assert squares == [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]


def test_items_are_read_no_further_than_asked(pool):
    read = []

    def items():
        for item in range(100):
            read.append(item)
            yield item

    results = map_in_order(pool, lambda item: item, items(), ahead=3)

    assert read == []  # nothing before somebody asks
    next(results)
    assert len(read) == 1 + 3
    next(results)
    assert len(read) == 2 + 3


def test_as_many_run_at_once_as_threads_and_ahead_allow(pool):
    meet = threading.Barrier(4, timeout=10)

    assert list(map_in_order(pool, lambda item: meet.wait() >= 0, range(8), ahead=4)) == [True] * 8


def test_fewer_items_than_ahead_are_all_there(pool):
    assert list(map_in_order(pool, str, [1, 2], ahead=64)) == ["1", "2"]
    assert list(map_in_order(pool, str, [], ahead=64)) == []


def test_an_exception_arrives_after_the_results_before_it(pool):
    def invert(item):
        return 6 // item

    results = map_in_order(pool, invert, [3, 2, 0, 1], ahead=4)

    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_an_exception_of_the_items_arrives(pool):
    def items():
        yield 1
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(map_in_order(pool, str, items(), ahead=2))
