"""The five steps, for a batch of plans at a time.

1. Whatever is taken out of the database, and the plans, are in the archive.
2. The merges are written, each over the winner that it was made for.
3. The losers of those that are confirmed are deleted.
4. What there is now is read, and is what was to be.
5. What came of it is in the journal, and told.

Safety rests on revisions: a database refuses a write on a leaf that moved.  Nothing is deleted
before what it is merged into is confirmed, and nothing at all before the archive has it.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from couchmend.engine.carrying import archive, recording
from couchmend.engine.carrying.carried import Carried, Stopped, Vetoed
from couchmend.engine.carrying.operations import Running, TimedOut
from couchmend.engine.carrying.site import Order, Site
from couchmend.engine.carrying.tombstoning import hold_bodyless, tombstone_losers
from couchmend.engine.carrying.verifying import sequence_now, verify
from couchmend.engine.carrying.work import Task, Work
from couchmend.engine.carrying.writing import write_merges
from couchmend.errors import EngineRefused, ReplicaError
from couchmend.events import ResolutionPlanned
from couchmend.journal import outcomes

BATCH_ORDERS = 250
_BATCH_LEAVES = 2000
_AT_ONCE = 2


def carry_out(site: Site, orders: Sequence[Order]) -> list[Carried]:
    """Carry plans out, in batches; what came of each, in their order.

    Raises:
        PlanError: an order cannot be carried out; none is.
        JournalError: the journal cannot be used.  What was begun is recovered later.
    """
    for order in orders:
        archive.check(order)
    return list(carry_out_all(site, orders))


def carry_out_all(site: Site, orders: Iterable[Order]) -> Generator[Carried, None, None]:
    """As `carry_out`, for any number of orders: they are taken as they are needed, and what came
    of each is told as it comes, in their order.

    Some batches are under way at once, so that the journal and the database wait less for each
    other; events come from several threads.  Close it when you leave before its end.

    Raises:
        PlanError: an order cannot be carried out; those before it are.
        JournalError: as `carry_out`.
    """
    batches = _batches(orders)
    first = next(batches, None)
    if first is None:
        return
    second = next(batches, None)
    if second is None:
        yield from _carry_out(site, first)
        return
    running: deque[Future[list[Carried]]] = deque()
    busy: deque[frozenset[str]] = deque()
    with ThreadPoolExecutor(_AT_ONCE, "carrying") as threads:
        for batch in itertools.chain((first, second), batches):
            documents = frozenset(order.doc.id for order in batch)
            while running and (
                len(running) > _AT_ONCE or any(documents & others for others in busy)
            ):
                busy.popleft()
                yield from running.popleft().result()
            running.append(threads.submit(_carry_out, site, batch))
            busy.append(documents)
        while running:
            yield from running.popleft().result()


def _batches(orders: Iterable[Order]) -> Iterator[list[Order]]:
    """Orders that go together: never two for one document."""
    batch, documents, leaves = list[Order](), set[str](), 0
    for order in orders:
        archive.check(order)
        size = len(order.doc.tree.leaves())
        full = len(batch) == BATCH_ORDERS or leaves + size > _BATCH_LEAVES
        if batch and (full or order.doc.id in documents):
            yield batch
            batch, documents, leaves = [], set(), 0
        batch.append(order)
        documents.add(order.doc.id)
        leaves += size
    if batch:
        yield batch


def _carry_out(site: Site, orders: Sequence[Order]) -> list[Carried]:
    came: dict[int, Carried] = {}
    ready: list[tuple[int, Order, archive.Fetched]] = []
    try:
        site.may_write()
    except EngineRefused as problem:
        return [_stopped(order, problem) for order in orders]
    for place, order in enumerate(orders):
        reason = site.veto(order)
        if reason is not None:
            came[place] = Vetoed(
                conflict=order.conflict, document=order.doc.id, resolution=None, reason=reason
            )
            continue
        fetched = archive.fetch(site, order)
        if isinstance(fetched, archive.Fetched):
            ready.append((place, order, fetched))
        else:
            came[place] = fetched
    _tell(site, [(orders[place], outcome) for place, outcome in came.items()])
    if ready:
        works, running = _archived(site, [(order, fetched) for _, order, fetched in ready])
        done = _steps(site, running, works)
        came.update(zip((place for place, _, _ in ready), done, strict=True))
    return [came[place] for place in range(len(orders))]


def _stopped(order: Order, problem: EngineRefused) -> Carried:
    return Stopped(
        conflict=order.conflict,
        document=order.doc.id,
        resolution=None,
        why=problem.message,
        begun=False,
    )


def _tell(site: Site, came: Sequence[tuple[Order, Carried]]) -> None:
    """Of what was not begun."""
    if not came:
        return
    now = site.clock.now()
    attempts = dict[int, int]()
    with site.journal.write() as tx:
        numbers = [order.conflict for order, _ in came if order.conflict is not None]
        known = outcomes.standing(tx, numbers)
        changes = [
            change
            for order, outcome in came
            if order.conflict in known
            and known[order.conflict].is_open
            and (change := recording.change_of(known[order.conflict], outcome, now)) is not None
        ]
        outcomes.change_states(tx, known, changes, now)
        attempts.update((change.number, change.attempts or 0) for change in changes)
    for order, outcome in came:
        tried = 0 if order.conflict is None else attempts.get(order.conflict, 0)
        site.emit(recording.failure(site, outcome, order.plan.strategy, now, tried))


def _archived(
    site: Site, orders: Sequence[tuple[Order, archive.Fetched]]
) -> tuple[list[Work], Running]:
    """The first step."""
    started, now = site.clock.monotonic(), site.clock.now()
    running = Running(site, [order.doc.id for order, _ in orders])
    with site.journal.write() as tx:
        numbers = archive.store(tx, site, orders, now)
        running.begin(tx, "write")
    works = [
        Work(
            conflict=order.conflict,
            resolution=number,
            document=order.doc.id,
            plan=order.plan,
            type=order.type,
            severity=order.severity,
            by=order.by,
            before=frozenset(leaf.rev for leaf in order.doc.tree.leaves()),
            contents=fetched.contents,
            started=started,
            undo_of=order.undo_of,
        )
        for number, (order, fetched) in zip(numbers, orders, strict=True)
    ]
    for work in works:
        site.emit(
            ResolutionPlanned(
                at=now,
                database=site.database.name,
                document=work.document,
                conflict=work.conflict,
                resolution=work.resolution,
                strategy=work.plan.strategy,
                by=work.by,
            )
        )
    return works, running


def _steps(site: Site, running: Running, works: Sequence[Work]) -> list[Carried]:
    """The second to the fifth."""
    try:
        since = sequence_now(site)
    except ReplicaError as problem:
        for work in works:
            work.unavailable(problem)
        return recording.record(site, running, works)
    with stopping(works):
        write_merges(site, running, works)
        with site.journal.write() as tx:
            recording.note(tx, works)
            running.begin(tx, "tombstone and verify")
        hold_bodyless(site, works)
        tombstone_losers(site, running, works)
        verify(site, works, since)
    return recording.record(site, running, works)


@contextmanager
def stopping(works: Sequence[Task]) -> Iterator[None]:
    """What is not decided when writing is forbidden, or there is no time left, is stopped."""
    try:
        yield
    except (EngineRefused, TimedOut) as problem:
        timed_out = isinstance(problem, TimedOut)
        why = "the step took too long" if timed_out else str(problem)
        for work in works:
            if work.outcome is None:
                work.stopped(why, timed_out=timed_out)
