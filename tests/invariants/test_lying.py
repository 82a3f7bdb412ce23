"""A server that breaks off, refuses, stalls and answers nonsense while an engine resolves what
it has: nothing is lost, and when it is honest again everything is finished."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from couchmend.engine.engine import Engine
from couchmend.engine.hooks import Hooks
from couchmend.journal.opening import open_journal
from couchmend.replica.embedded import Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.settings import Database, Server, Settings, Work
from tests.invariants.grounds import NAME, Grounds, grounds
from tests.lying import (
    HTML,
    Bytes,
    Close,
    Drip,
    Gzip,
    Json,
    Lie,
    LyingProxy,
    Reset,
    Say,
    Seen,
    Truncated,
    failure,
    html,
    row_twice,
    rows_swapped,
    too_many_requests,
    without,
    without_row,
)

LIES: Sequence[Lie] = (
    Reset("request", pass_on=False),
    Reset("start"),
    Reset(20),
    Close("head"),
    Close(30),
    Drip(400, 0.001),
    Truncated(-1),
    Truncated(40),
    failure(429, "too_many_requests"),
    too_many_requests("0"),
    failure(500, "internal_server_error"),
    failure(503, "service_unavailable", pass_on=True),
    failure(500, "internal_server_error", pass_on=True),
    failure(401, "unauthorized"),
    html(),
    html(502, pass_on=True),
    Say(200, b"", {"Content-Type": "application/json"}, pass_on=True),
    Say(201, b"[]", {"Content-Type": "application/json"}, pass_on=True),
    Bytes(lambda body: HTML),
    Gzip("checksum"),
    Json(without_row(0)),
    Json(row_twice(0)),
    Json(rows_swapped(0, -1)),
    Json(without("rev")),
    Json(without("ok")),
    Json(without("_revisions")),
)
"""None of them changes what a document says: against that there is no remedy."""


def _sweep(ground: Grounds, url: str, *, full: bool = False) -> object:
    entry = Database(url=f"{url}/{NAME}", name=NAME, mode="auto")
    impatient = Server(url=url, attempts=3, retry_seconds=2, read_timeout_seconds=3)
    settings = Settings(
        databases=(entry,), servers=(impatient,), engine=Work(batch_documents=7, page_rows=40)
    )
    with (
        closing(open_journal(f"sqlite:///{ground.journal}")) as journal,
        Engine(settings, journal=journal, hooks=Hooks()) as engine,
    ):
        (report,) = engine.sweep(full=full).each
        return report.error


def _lied_to(tmp_path: Path, rounds: int, seed: int) -> tuple[int, int]:
    chance = random.Random(seed)
    told = failed = 0

    def script(seen: Seen) -> Sequence[Lie]:
        nonlocal told
        if chance.random() < 0.75:
            return ()
        told += 1
        return (chance.choice(LIES),)

    for number in range(rounds):
        folder = tmp_path / f"round-{number}"
        folder.mkdir()
        ground = grounds(folder, 40)
        with (
            closing(Folder(folder)) as databases,
            BackgroundServer(databases) as server,
            LyingProxy(server.url, script) as proxy,
        ):
            for _ in range(4):
                failed += _sweep(ground, proxy.url) is not None
                ground.judge()
                ground.forget_waiting()
            assert _sweep(ground, server.url, full=True) is None
        ground.hold_done()
    return told, failed


@pytest.mark.timeout(300)
def test_a_server_that_lies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, failed = _lied_to(tmp_path, 1, seed=3)
    with capsys.disabled():
        print(f"\nlies: {told} told, {failed} sweeps broken off; lost: 0")  # noqa: T201
    assert told > 5


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_server_that_lies_often(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, failed = _lied_to(tmp_path, 40, seed=4)
    with capsys.disabled():
        print(f"\nlies: {told} told, {failed} sweeps broken off; lost: 0")  # noqa: T201
