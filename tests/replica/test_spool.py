"""Content set aside: read as often as one likes, by several at once, gone afterwards."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.errors import ReplicaError
from couchmend.replica.spool import CHUNK_BYTES, IN_MEMORY_BYTES, Spool


@given(st.lists(st.lists(st.binary(max_size=30), max_size=5), max_size=5))
def test_each_stretch_is_what_was_taken(contents: list[list[bytes]]) -> None:
    spool = Spool()
    stretches = [spool.take(iter(chunks)) for chunks in contents]
    assert [b"".join(stretch) for stretch in stretches] == [b"".join(c) for c in contents]
    assert [stretch.length for stretch in stretches] == [len(b"".join(c)) for c in contents]
    assert spool.length == sum(stretch.length for stretch in stretches)
    spool.close()


@pytest.mark.parametrize("count", [0, 1, 3, 2 * IN_MEMORY_BYTES // 1000])
def test_it_is_read_by_several_in_turns(count: int) -> None:
    chunks = [bytes([n % 256]) * 1000 for n in range(count)]
    stretch = Spool().take(iter(chunks))
    assert stretch.length == 1000 * count
    both = zip(stretch, stretch, strict=True)
    first, second = zip(*both, strict=True) if count else ((), ())
    assert b"".join(first) == b"".join(second) == b"".join(chunks)


@pytest.mark.parametrize("size", [CHUNK_BYTES, IN_MEMORY_BYTES], ids=["memory", "file"])
def test_it_is_read_by_several_threads_while_another_writes(size: int) -> None:
    first = [bytes([n]) * (size // 8) for n in range(8)]
    spool = Spool()
    stretch = spool.take(first)
    written = threading.Event()

    def read(_: int) -> list[bool]:
        told: list[bool] = []
        while not written.is_set() or len(told) < 20:
            told.append(b"".join(stretch) == b"".join(first))
        return told

    with ThreadPoolExecutor(4) as pool:
        reads = [pool.submit(read, n) for n in range(3)]
        second = spool.take(b"%03d" % n * 1000 for n in range(500))
        written.set()
        told = [all(future.result()) for future in reads]
    assert told == [True, True, True]
    assert b"".join(second) == b"".join(b"%03d" % n * 1000 for n in range(500))
    spool.close()


def test_a_spool_that_nobody_closes_leaves_no_file_open() -> None:
    spool = Spool()
    stretch = spool.take([b"x" * (IN_MEMORY_BYTES + 1)])
    closed = spool.close
    del spool
    gc.collect()
    assert closed.alive  # a stretch of it is still there
    del stretch
    gc.collect()
    assert not closed.alive  # an unclosed file would be a ResourceWarning, which fails tests


def test_a_spool_whose_source_breaks_leaves_no_file_open() -> None:
    def source() -> Iterator[bytes]:
        yield b"x" * (IN_MEMORY_BYTES + 1)
        raise ReplicaError("broken")

    with pytest.raises(ReplicaError, match="broken"):
        Spool().take(source())
    gc.collect()
