"""Replication from and to servers that lie: nothing is lost, and no checkpoint is ahead."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from couchmend.core.document import JSON, Doc
from couchmend.errors import CouchmendError, NotFound, Unavailable
from couchmend.replica.base import ChangesQuery, Replica
from couchmend.replica.couch import Options
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.replicate import replicate
from tests.contract.chains import chained, compact, grow, store
from tests.lying import (
    Bytes,
    Close,
    Drip,
    Framed,
    Framing,
    Gzip,
    Json,
    Length,
    Lie,
    Match,
    Place,
    Reset,
    Say,
    Seen,
    Stall,
    Truncated,
    elsewhere,
    failure,
    html,
    row_twice,
    too_many_requests,
    without,
)
from tests.replica.couch.lying.families import FAMILIES, Told
from tests.replica.couch.lying.lied_to import (
    HASTY,
    JSON_TEXT,
    PATIENT,
    PNG,
    TEXT,
    UPSTREAMS,
    Client,
    World,
    outcome,
    unclear,
    world,
)
from tests.replica.replicate.leaves import leaves_of_all

CONTENTS = (
    ("text", TEXT, "text/plain"),
    ("json", JSON_TEXT, "application/json"),
    ("png", PNG, "image/png"),
)
DIRECTIONS = ("from a liar", "to a liar", "between liars")
SEEDS = range(5)
LYING_RUNS = 6
HONEST_RUNS = 3


@pytest.fixture(scope="module", params=UPSTREAMS)
def there(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A server."""
    with world(request.param, tmp_path_factory.mktemp(request.param)) as there:
        yield there


# --- what is replicated


def fill(replica: Replica, chance: random.Random) -> None:
    """Trees, tombstones, attachments."""
    grow(replica)
    replica.bulk_docs([{"_id": f"d{n:02}", "s": "ä" * chance.randrange(50)} for n in range(20)])
    store(replica, chained("d03", "2-ff", "1-ee", n=3), chained("d04", "1-ff", n=4))
    replica.delete("d05", str(replica.get("d05")["_rev"]))
    replica.put_attachment("att", "f.png", PNG, "image/png")
    rev = replica.put_attachment(
        "att", "g.txt", b"text " * 999, "text/plain", rev=_rev(replica, "att")
    )
    rev = replica.put_attachment("att", "j.json", JSON_TEXT, "application/json", rev=rev)
    replica.put_attachment("att", "h.png", PNG * 30, "image/png", rev=rev)


def edit(replica: Replica, chance: random.Random) -> None:
    """Somebody goes on working meanwhile."""
    for _ in range(3):
        id = f"d{chance.randrange(30):02}"
        doc: Doc = {"_id": id, "n": chance.random()}
        if (rev := _rev(replica, id)) is not None:
            doc["_rev"] = rev
        if chance.random() < 0.2 and rev is not None:
            doc["_deleted"] = True
        replica.put(doc)
    replica.put({**replica.get("att"), "n": chance.random()})
    store(replica, chained(f"d{chance.randrange(30):02}", f"1-{chance.randrange(256):02x}", c=1))


def _rev(replica: Replica, id: str) -> str | None:
    try:
        return str(replica.get(id)["_rev"])
    except NotFound:
        return None


# --- the lies


def any_lie(chance: random.Random) -> list[Lie]:
    """Something that is not the truth, and can be told from it."""
    at = chance.choice([0, 1, chance.randrange(60), chance.randrange(4000)])
    framing: Framing = chance.choice(["length", "chunked"])
    where: Place = chance.choice(["start", "head", "end", at])
    status, pass_on = chance.choice([200, 400, 404, 409, 502, 504]), chance.random() < 0.5
    kinds: list[Callable[[], list[Lie]]] = [
        lambda: [Reset(where)],
        lambda: [Reset(pass_on=False)],
        lambda: [Reset("request")],
        lambda: [Framed(framing), Close(where)],
        lambda: [Close(pass_on=False)],
        lambda: [Framed("close"), Truncated(-chance.randrange(2, 40))],
        lambda: [Truncated(-chance.randrange(2, 40))],
        lambda: [Stall(where)],
        lambda: [Drip(200, 0.001)],
        lambda: [failure(chance.choice([408, 500, 503]), pass_on=pass_on)],
        lambda: [html(status, pass_on=pass_on)],
        lambda: [elsewhere("/sign-in", chance.choice([301, 302]))],
        lambda: [too_many_requests(chance.choice([None, "0", "soon"]))],
        lambda: [Length(chance.choice([-3, 9]))],
        lambda: [Gzip(chance.choice(["no gzip", "checksum", "cut"]))],
        lambda: [Bytes(lambda body: body + b"}")],
        lambda: [Json(without("_revisions", "last_seq", "rev", "missing"))],
        lambda: [Json(row_twice(0))],
    ]
    return chance.choice(kinds)()


@dataclass(slots=True)
class Liar:
    """A script for a proxy, which also looks at every checkpoint on its way."""

    chance: random.Random
    share: float
    checked: Callable[[JSON], None]
    lies: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, seen: Seen) -> list[Lie]:
        if seen.method == "PUT" and "/_local/" in seen.path:
            self.checked(json.loads(seen.body).get("source_last_seq"))
        with self._lock:
            if self.chance.random() >= self.share:
                return []
            self.lies += 1
            return any_lie(self.chance)


# --- what must hold


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides, told honestly, and as the replication has them."""

    source: Replica
    target: Replica
    seen_source: Replica
    seen_target: Replica
    clients: tuple[Client, ...]
    ahead: list[str] = field(default_factory=list)

    def check(self, seq: JSON) -> None:
        """Whether the target knows every leaf of the source up to this sequence."""
        if not isinstance(seq, str):
            self.ahead.append(f"{seq!r} is no checkpoint")
            return
        query = ChangesQuery(style="all_docs")
        before = {row.id: row.revs for row in self.source.changes(query).rows}
        for row in self.source.changes(ChangesQuery(since=seq, style="all_docs")).rows:
            before.pop(row.id, None)
        lacking = self.target.revs_diff(before)
        if lacking:
            self.ahead.append(f"{seq} was noted, but the target lacks {lacking}")

    def check_logs(self) -> None:
        """The checkpoints that both sides hold now."""
        for side in (self.source, self.target):
            for log in side.local_docs():
                if "source_last_seq" in log:
                    self.check(log["source_last_seq"])


@contextmanager
def sides(there: World, direction: str, options: Options) -> Iterator[Sides]:
    """Two databases; those of liars are behind a proxy."""
    with ExitStack() as stack:
        clients = []

        def side(lies: bool) -> tuple[Replica, Replica]:
            if not lies:
                memory = stack.enter_context(EmbeddedReplica.open(":memory:"))
                return memory, memory
            honest = stack.enter_context(there.database())
            client = stack.enter_context(there.client(options, honest.name))
            clients.append(client)
            return honest, client.replica

        source, seen_source = side(direction != "to a liar")
        target, seen_target = side(direction != "from a liar")
        yield Sides(source, target, seen_source, seen_target, tuple(clients))


def through_lies(there: World, direction: str, seed: int, options: Options = HASTY) -> int:
    """Replicate while lies are told and others write; then honestly, until nothing is left."""
    chance = random.Random(f"{direction} {seed}")
    with sides(there, direction, options) as both:
        fill(both.source, chance)
        liars = [
            Liar(random.Random(chance.random()), chance.choice([0.15, 0.3, 0.5]), both.check)
            for _ in both.clients
        ]
        for _ in range(LYING_RUNS):
            for client, liar in zip(both.clients, liars, strict=True):
                client.proxy.script = liar
            result = outcome(lambda: replicate(both.seen_source, both.seen_target))
            for client in both.clients:
                client.proxy.honest()
            if isinstance(result, CouchmendError):
                assert unclear(result) == [], result
            else:
                assert (result.progress.refused, result.progress.unreadable) == ([], [])  # type: ignore[attr-defined]
            both.check_logs()
            assert both.ahead == []
            edit(both.source, chance)
        for _ in range(HONEST_RUNS):  # a slow machine may need more than one
            last = outcome(lambda: replicate(both.seen_source, both.seen_target))
            if not isinstance(last, CouchmendError):
                break
        assert not isinstance(last, CouchmendError), last
        both.check_logs()
        assert both.ahead == []
        assert leaves_of_all(both.target) == leaves_of_all(both.source)
        assert replicate(both.seen_source, both.seen_target).progress.missing_checked == 0
        return sum(liar.lies for liar in liars)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_replication(there: World, direction: str, seed: int) -> None:
    assert through_lies(there, direction, seed) > 0


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_replication_many_times(there: World, direction: str) -> None:
    lies = sum(through_lies(there, direction, seed) for seed in range(1000, 1150))
    assert lies > 1000


# --- one lie at a time, always told


LASTING: dict[str, tuple[Lie, Match]] = {
    "bulk_docs redirected": (elsewhere("/sign-in", 302), Match("POST", "_bulk_docs")),
    "bulk_docs, a page": (html(), Match("POST", "_bulk_docs")),
    "bulk_docs, a page says 400": (html(400), Match("POST", "_bulk_docs")),
    "bulk_docs, 503": (failure(503), Match("POST", "_bulk_docs")),
    "bulk_docs, nothing": (Bytes(lambda body: b""), Match("POST", "_bulk_docs")),
    "revs_diff, a page": (html(), Match("POST", "_revs_diff")),
    "checkpoint, 500": (failure(500), Match("PUT", "_local")),
    "checkpoint, a page": (html(), Match("PUT", "_local")),
    "checkpoint, lost": (Reset(), Match("PUT", "_local")),
    "attachments, 503": (failure(503), Match("GET", r"/att/")),
    "attachments, cut": (Close(5_000), Match("GET", r"/att/")),
    "attachments, a page": (html(), Match("GET", r"/att/")),
    "attachments, a page says 404": (html(404), Match("GET", r"/att/")),
    "bulk_get, a page": (html(), Match("POST", "_bulk_get")),
    "bulk_get, a page says 404": (html(404), Match("POST", "_bulk_get")),
    "changes, cut": (Close(700), Match("GET", "_changes")),
    "changes, redirected": (elsewhere("/sign-in", 302), Match("GET", "_changes")),
    "checkpoint unreadable": (html(404), Match("GET", "_local")),
}


@pytest.mark.parametrize("label", list(LASTING))
def test_a_lie_that_lasts(there: World, label: str) -> None:
    """Replication fails, or gets round it; whatever it noted is true, and nothing is refused."""
    lie, match = LASTING[label]
    with sides(there, "between liars", PATIENT) as both:
        fill(both.source, random.Random(0))
        for client in both.clients:
            client.proxy.script = Liar(random.Random(0), 0.0, both.check)
            client.proxy.lie(lie, on=match)
        result = outcome(lambda: replicate(both.seen_source, both.seen_target))
        assert isinstance(result, CouchmendError), result
        assert unclear(result) == []
        for client in both.clients:
            client.proxy.honest()
        both.check_logs()
        assert both.ahead == []
        summary = replicate(both.seen_source, both.seen_target)
        assert summary.progress.refused == []
        assert leaves_of_all(both.target) == leaves_of_all(both.source)


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("direction", ["from a liar", "between liars"])
def test_lies_about_attachments(there: World, direction: str, family: str) -> None:
    """Of compressible types, too: what is stored under a revision is what it had, to the byte."""
    wrong = []
    for label, told in FAMILIES[family].items():
        with sides(there, direction, PATIENT) as both:
            for id, content, content_type in CONTENTS:
                both.source.put_attachment(id, "f", content, content_type)
            match = Match("GET", r"/(text|json|png)/f", nth=told.match.nth)
            both.clients[0].proxy.lie(*told.lies, on=match)
            result = outcome(lambda: replicate(both.seen_source, both.seen_target))
            both.clients[0].proxy.honest()
            wrong += [f"{label}: {problem}" for problem in _about_attachments(both, told, result)]
    assert not wrong, "\n".join(wrong)


def _about_attachments(both: Sides, told: Told, result: object) -> list[str]:
    problems = []
    there, here = leaves_of_all(both.source), leaves_of_all(both.target)
    if any(here[id] != there[id] for id in here):
        problems.append("something else is stored")
    if isinstance(result, CouchmendError):
        if told.kind == "true":
            problems.append(f"nothing was wrong: {result}")
        problems += [f"{result} does not say {part}" for part in unclear(result)]
    elif here != there:
        problems.append(f"not all came, but it is said to be done: {result}")
    both.check_logs()
    if replicate(both.seen_source, both.seen_target).progress.refused:
        problems.append("something is refused")
    if leaves_of_all(both.target) != there:
        problems.append("something never came")
    return problems + both.ahead


@pytest.mark.parametrize("at", [0, 1, 20, 50])
@pytest.mark.parametrize("framing", ["close", "chunked", "length"])
def test_attachments_that_are_cut_off(there: World, framing: Framing, at: int) -> None:
    with sides(there, "between liars", PATIENT) as both:
        for id, content, content_type in CONTENTS:
            both.source.put_attachment(id, "f", content, content_type)
        proxy = both.clients[0].proxy
        for id, *_ in CONTENTS:
            proxy.honest()
            proxy.lie(Framed(framing), Close(at), on=Match("GET", f"/{id}/f"))
            result = outcome(lambda: replicate(both.seen_source, both.seen_target))
            assert isinstance(result, Unavailable), result
            assert result.transient
            assert id not in leaves_of_all(both.target)
            both.check_logs()
            assert both.ahead == []
        proxy.honest()
        proxy.forget()
        replicate(both.seen_source, both.seen_target)
        assert leaves_of_all(both.target) == leaves_of_all(both.source)
        assert len(proxy.requests("GET", r"/f\?rev=")) == len(CONTENTS)  # each is asked for once


@pytest.mark.parametrize("path", ["_bulk_get", "/att/", "_revs_diff"])
def test_revisions_that_vanish_between_two_requests(there: World, path: str) -> None:
    """What is asked for has just been edited and compacted away, again and again."""
    with sides(there, "between liars", PATIENT) as both:
        fill(both.source, random.Random(0))
        left = [3]

        def vanish(seen: Seen) -> list[Lie]:
            if path in seen.path and left[0]:
                left[0] -= 1
                for id in ("att", "d01"):
                    both.source.put({"_id": id, "_rev": _rev(both.source, id), "n": left[0]})
                compact(both.source)
            return []

        for client in both.clients:
            client.proxy.script = vanish
        for n in range(5):
            content, rev = PNG + bytes([n]), _rev(both.source, "att")
            both.source.put_attachment("att", "f.png", content, "image/png", rev=rev)
            result = outcome(lambda: replicate(both.seen_source, both.seen_target))
            assert not isinstance(result, CouchmendError), result
            both.check_logs()
            assert both.ahead == []
        assert left == [0]
        assert leaves_of_all(both.target) == leaves_of_all(both.source)


def test_writes_whose_answers_are_lost_are_not_counted_as_refused(there: World) -> None:
    """The revisions are stored, the answer is lost, and they are sent once more."""
    with sides(there, "to a liar", PATIENT) as both:
        fill(both.source, random.Random(0))
        (client,) = both.clients
        client.proxy.lie(Reset(), on=Match("POST", "_bulk_docs", nth=1))
        client.proxy.lie(Say(504), on=Match("POST", "_revs_diff", nth=1))
        summary = replicate(both.seen_source, both.seen_target)
        assert summary.progress.refused == []
        assert leaves_of_all(both.target) == leaves_of_all(both.source)
        reached = [seen.reached for seen in client.proxy.requests("POST", "_bulk_docs")]
        assert reached[:2] == [True, True]
