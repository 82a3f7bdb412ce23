"""Versions, and which is the newest."""

from __future__ import annotations

from itertools import permutations

from couchmend.core.policy.versions import Version, newest


def test_the_newest_version_has_the_newest_timestamp() -> None:
    old, new = Version("old", {}, 1, rank=0), Version("new", {}, 2, rank=1)
    assert newest([old, new]) is newest([new, old]) is new


def test_no_timestamp_is_the_oldest_of_all() -> None:
    silent, ancient = Version("silent", {}, rank=0), Version("ancient", {}, -(10**20), rank=1)
    assert newest([silent, ancient]) is newest([ancient, silent]) is ancient


def test_of_equal_timestamps_the_better_version_counts_in_whatever_order_they_come() -> None:
    versions = [Version(str(rank), {}, 5, rank=rank) for rank in range(3)]
    assert {newest(order).rank for order in permutations(versions)} == {0}
    silent = [Version(str(rank), {}, rank=rank) for rank in range(3)]
    assert {newest(order).rank for order in permutations(silent)} == {0}


def test_a_large_timestamp_is_compared_exactly() -> None:
    one, another = Version("a", {}, 10**17, rank=0), Version("b", {}, 10**17 + 1, rank=1)
    assert newest([one, another]) is another


def test_a_version_is_called_by_the_first_digits_of_its_revision() -> None:
    assert Version("3-9f8e7d6c5b4a39281706f5e4d3c2b1a0", {}).label == "3-9f8e7d"
    assert Version("current", {}).label == "current"
    assert Version("laptop-copy", {}).label == "laptop-copy"
