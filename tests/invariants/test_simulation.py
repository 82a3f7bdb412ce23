"""Nothing is lost in many histories played by chance, with the real engine on real journals.

What is held after every write: whatever is written over is in the archive by then; what a merge
says was written by somebody and not superseded, counters are sums; what it does not say is
decided and written down.  What is held in the end, when nothing more happens: the same of every
document; the queue has every conflict; nothing is under way.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.invariants.playing import Tally, play
from tests.invariants.ways import WAYS


def _held(way: str, tally: Tally, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{way}: {tally}")  # noqa: T201
    assert tally.lost == []
    assert tally.clean


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_lost(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    _held(way, play([1], replace(WAYS[way], documents=20)), capsys)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_lost_in_many_histories(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    _held(way, play(range(1_000, 1_100), WAYS[way]), capsys)
