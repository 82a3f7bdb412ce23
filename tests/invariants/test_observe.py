"""Observe means observe: neither `scan` nor mode `observe` writes anything to a database, and
an account that may only read suffices for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from couchmend import open_replica, scan
from couchmend.engine.engine import Engine
from couchmend.engine.hooks import Hooks
from couchmend.errors import EngineRefused
from couchmend.journal.listing import Wanted, listed
from couchmend.journal.opening import open_journal
from couchmend.replica.base import ChangesQuery
from couchmend.replica.embedded import Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.settings import Database, Settings
from tests.invariants.grounds import NAME, Grounds, grounds
from tests.invariants.installation import Installation
from tests.invariants.policies import LEAST
from tests.invariants.wires import WRITES
from tests.invariants.world import World
from tests.lying import Lie, LyingProxy, Seen, failure

READING = re.compile(
    r"/(_bulk_get|_changes|_all_docs|_find|_explain|_revs_diff|_dbs_info|_session)(/queries)?$"
)


def is_write(seen: Seen) -> bool:
    """Whether a request may change something."""
    if seen.method in ("GET", "HEAD", "OPTIONS"):
        return False
    return seen.method != "POST" or not READING.search(seen.path.partition("?")[0])


def _read_only(seen: Seen) -> Sequence[Lie]:
    return (failure(403, "forbidden", "this account may read only"),) if is_write(seen) else ()


@pytest.fixture
def ground(tmp_path: Path) -> Grounds:
    return grounds(tmp_path, 30)


@pytest.fixture
def proxy(ground: Grounds) -> Iterator[LyingProxy]:
    """Before the database, for an account that may only read."""
    with ExitStack() as stack:
        folder = stack.enter_context(closing(Folder(ground.folder)))
        server = stack.enter_context(BackgroundServer(folder))
        yield stack.enter_context(LyingProxy(server.url, _read_only))


def _state(ground: Grounds) -> tuple[str, list[object]]:
    with ground.open() as replica:
        rows = replica.changes(ChangesQuery(style="all_docs")).rows
        return replica.info().update_seq, [*rows, *replica.local_docs(), replica.security()]


def test_observing_writes_nothing(ground: Grounds, proxy: LyingProxy) -> None:
    before = _state(ground)
    entry = Database(url=f"{proxy.url}/{NAME}", name=NAME, mode="observe")
    with (
        closing(open_journal(f"sqlite:///{ground.journal}")) as journal,
        Engine(Settings(databases=(entry,)), journal=journal, hooks=Hooks()) as engine,
    ):
        for full in (False, False, True):
            (report,) = engine.sweep(full=full).each
            assert report.error is None
            assert report.outcome == "done"
        with journal.read() as tx:
            waiting = listed(tx, Wanted(database=NAME), 1000).conflicts
        assert len(waiting) == len(ground.versions)
        for conflict in waiting[:3]:
            engine.view(conflict.id)
            engine.preview(conflict.id, "merge")
        with pytest.raises(EngineRefused):
            engine.resolve(waiting[0].id, "merge", by="ann")
    assert proxy.seen
    assert [seen.path for seen in proxy.seen if is_write(seen)] == []
    assert _state(ground) == before


def test_scanning_writes_nothing(ground: Grounds, proxy: LyingProxy) -> None:
    before = _state(ground)
    with open_replica(f"{proxy.url}/{NAME}") as replica:
        found = list(scan(replica))
    assert len(found) == len(ground.versions)
    assert proxy.seen
    assert [seen.path for seen in proxy.seen if is_write(seen)] == []
    assert _state(ground) == before
    assert not ground.journal.exists()


def test_an_account_that_may_only_read_is_told_of_in_mode_auto(
    ground: Grounds, proxy: LyingProxy
) -> None:
    before = _state(ground)
    entry = Database(url=f"{proxy.url}/{NAME}", name=NAME, mode="auto")
    with (
        closing(open_journal(f"sqlite:///{ground.journal}")) as journal,
        Engine(Settings(databases=(entry,)), journal=journal, hooks=Hooks()) as engine,
    ):
        (report,) = engine.sweep().each
    assert report.resolved == 0
    assert report.failed or report.error is not None
    assert any(is_write(seen) for seen in proxy.seen), "the proxy counts"
    assert _state(ground) == before
    ground.judge()


MAY: dict[str, set[str]] = {
    "observe": set(),
    "suggest": {"put_local"},  # it leaves its name
    "auto": {"put_local", "bulk_docs"},
}


@pytest.mark.parametrize("mode", MAY)
def test_what_a_replica_is_asked_to_write(mode: str) -> None:
    world = World.of(2)
    engine = Installation.start(world, 0, LEAST, mode)
    try:
        world.create(0, "d", {"x": 1, "y": 1})
        world.replicate(0, 1)
        world.edit(0, "d", {("x",): 2})
        world.edit(1, "d", {("y",): 2})
        world.replicate(1, 0)
        engine.sweep()
        engine.sweep()
        assert {call for call in engine.wire.calls if call in WRITES} == MAY[mode]
        assert bool(engine.waiting()) == (mode != "auto")
    finally:
        engine.close()
        world.close()
