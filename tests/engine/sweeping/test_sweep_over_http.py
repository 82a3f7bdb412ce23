"""Sweeps of a server that is busy, and what a sweep asks of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from couchmend.engine.sweeping.report import SweepReport
from couchmend.replica.couch import CouchReplica
from couchmend.replica.embedded import Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.settings import ReplicaServer
from tests.engine.sites import fork
from tests.engine.swept import NAME, House, house, live, task
from tests.lying import LyingProxy, Match, too_many_requests

COUNT = 60


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """A folder with a database of conflicts that merge."""
    folder = Folder(tmp_path)
    replica = folder.create(NAME)
    for number in range(COUNT):
        fork(replica, f"d{number}", task(), task(title="read"), task(notes="soon"))
    yield folder
    folder.close()


@pytest.fixture
def proxy(folder: Folder) -> Iterator[LyingProxy]:
    with BackgroundServer(folder, ReplicaServer(port=0)) as server, LyingProxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def home(proxy: LyingProxy) -> Iterator[House]:
    """That database, through a proxy."""
    with CouchReplica.open(f"{proxy.url}/{NAME}") as replica:
        made = house(replica)
        yield made
        made.close()


def _writes(proxy: LyingProxy) -> list[str]:
    """The requests that may change something."""
    reads = ("/_bulk_get", "/_changes", "/_dbs_info")
    return [
        f"{one.method} {one.path}"
        for one in proxy.requests()
        if one.method not in {"GET", "HEAD"} and not one.path.partition("?")[0].endswith(reads)
    ]


def _all_resolved(folder: Folder, report: SweepReport) -> None:
    assert (report.outcome, report.resolved) == ("done", COUNT)
    replica = folder.open(NAME)
    assert all(len(live(replica, f"d{number}")) == 1 for number in range(COUNT))


def test_trap_11_no_view_and_no_index_is_asked(home: House, proxy: LyingProxy) -> None:
    assert home.sweep(mode="observe").detected == COUNT  # more than the 25 of a Mango query
    paths = {one.path.partition("?")[0].rpartition("/")[2] for one in proxy.requests()}
    assert paths <= {NAME, "_changes", "_bulk_get", ""}


def test_observe_sends_no_write_at_all(home: House, proxy: LyingProxy) -> None:
    home.sweep(mode="observe")
    home.sweep(mode="observe", full=True)
    assert _writes(proxy) == []


def test_trap_21_a_server_that_is_busy_is_given_time(
    home: House, proxy: LyingProxy, folder: Folder
) -> None:
    for path in ("_changes", "_bulk_get", "_bulk_docs"):
        busy = too_many_requests("0.2")
        proxy.lie(busy, on=Match(path=path, nth={1}))
    _all_resolved(folder, home.sweep())
    assert sum(bool(one.lies) for one in proxy.requests()) >= 3


def test_nothing_new_takes_one_request(home: House, proxy: LyingProxy) -> None:
    home.sweep()
    home.sweep()
    proxy.forget()
    assert home.sweep(mode="observe").rows == 0  # planned again: the mode is another
    proxy.forget()
    assert home.sweep(mode="observe").rows == 0
    assert [one.path.partition("?")[0] for one in proxy.requests()] == [f"/{NAME}/_changes"]
