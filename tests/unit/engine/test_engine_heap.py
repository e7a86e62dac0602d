"""While a run lasts, the collector leaves alone what was there before and comes less often; then all is as it was."""

from __future__ import annotations

import gc

import pytest

from runner.engine.heap import YOUNG, settled_heap


@pytest.fixture(autouse=True)
def as_python_has_it():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_what_was_there_is_left_out_and_young_objects_are_looked_at_less_often():
    with settled_heap():
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold() == (YOUNG, 10, 10)
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == (700, 10, 10)


def test_all_is_put_back_after_an_error():
    with pytest.raises(ValueError, match="x"), settled_heap():
        raise ValueError("x")
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, (700, 10, 10))


def test_cycles_made_meanwhile_are_still_collected():
    class Node:
        """Weakly known by nobody: the collector's own count tells."""

    with settled_heap():
        gc.collect()
        node = Node()
        node.self = node
        del node
        assert gc.collect() > 0


def test_who_chose_a_rarer_collection_keeps_it():
    gc.set_threshold(50_000, 7, 7)
    with settled_heap():
        assert gc.get_threshold() == (50_000, 7, 7)


def test_who_switched_the_collector_off_keeps_it_off():
    gc.set_threshold(0)
    with settled_heap():
        assert (gc.get_threshold()[0], gc.get_freeze_count()) == (0, 0)
