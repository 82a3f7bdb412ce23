"""The part of the engine by which people decide."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from couchmend.core.document import JSON
from couchmend.core.plans.choices import Choices
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.undo import How
from couchmend.engine.carrying import Carried, Order, carry_out
from couchmend.engine.deciding.undo import Undone, batches, undo_batch
from couchmend.engine.deciding.views import NO_CHOICES, Desk, Preview, View, planned, ready
from couchmend.engine.finding.targets import Target
from couchmend.engine.opened import Opened
from couchmend.engine.sweeping.passing import site_of
from couchmend.engine.sweeping.permit import Permit, check_mode, check_paused
from couchmend.errors import CouchmendError, UsageError
from couchmend.journal import conflicts, resolutions
from couchmend.journal.conflicts import Conflict

LEASE_PATIENCE_SECONDS: Final = 10.0
"""How long a person's decision waits for another process to be done with the database."""

_DECIDED_AT_ONCE: Final = 100


class Decisions(Opened):
    """What people decide; see `Engine`."""

    def view(self, number: int) -> View:
        """A conflict, with its document read again.

        Raises:
            UsageError: there is no such conflict, or its database is not known any more.
            ReplicaError: the document cannot be read.
        """
        conflict = self._conflict(number)
        desk = self._desk(self.target(conflict.database))
        (found,) = desk.views([conflict])
        return found

    def preview(
        self,
        number: int,
        strategy: str,
        *,
        revision: str = "",
        choices: Choices = NO_CHOICES,
        body: Mapping[str, JSON] | None = None,
    ) -> Preview:
        """What a decision would come to; nothing is written to the database.

        strategy: one of `core.policy.parts.STRATEGIES`, or `suggested`.
        revision, choices, body: see `core.plans.plan.plan`.

        Raises:
            EngineRefused: the document is not in conflict any more.
            UsageError: there is no such conflict, strategy, revision or version.
        """
        found = self.view(number)
        plan = planned(found, strategy, revision=revision, choices=choices, body=body)
        return Preview(found, plan)

    def resolve(
        self,
        number: int,
        strategy: str,
        *,
        by: str,
        revision: str = "",
        choices: Choices = NO_CHOICES,
        body: Mapping[str, JSON] | None = None,
        digest: str | None = None,
    ) -> Carried:
        """Carry a decision out; what came of it is returned.

        by: who decided.
        digest: of the view that was decided on; None for whatever there is now.

        Raises:
            EngineRefused: the mode is `observe`, writing is paused, another process works on the
                database, or the conflict is another than the one that was decided on.
            PlanError: something is left to decide.
            UsageError: as for `preview`.
        """
        conflict = self._conflict(number)
        with self._permitted(conflict.database) as (target, permit):
            desk = self._desk(target)
            (found,) = desk.views([conflict])
            plan = planned(found, strategy, revision=revision, choices=choices, body=body)
            order = _order(found, ready(found, plan, digest), by)
            self._note(by, "decided", f"{conflict.database} {conflict.document}")
            site = site_of(self.shared, self._registered(target), desk.replica, permit)
            (carried,) = carry_out(site, [order])
            return carried

    def resolve_many(
        self, numbers: Iterable[int], strategy: str, *, by: str
    ) -> Iterator[tuple[int, Carried | CouchmendError]]:
        """Carry the same decision out for many conflicts; each with what came of it.

        One that cannot be decided so is told, and the others go on.
        """
        batches, unknown = self._by_database(numbers)
        yield from unknown
        for database, some in batches:
            yield from self._resolve_some(database, some, strategy, by)

    def preview_many(
        self, numbers: Iterable[int], strategy: str
    ) -> Iterator[tuple[int, Preview | CouchmendError]]:
        """What the same decision would come to for many conflicts; see `preview`."""
        batches, unknown = self._by_database(numbers)
        yield from unknown
        for database, some in batches:
            left = {conflict.id for conflict in some}
            try:
                desk = self._desk(self.target(database))
                for number, found in self._planned(desk, some, strategy):
                    left.discard(number)
                    yield number, found
            except CouchmendError as problem:
                for number in sorted(left):
                    yield number, problem

    def _by_database(
        self, numbers: Iterable[int]
    ) -> tuple[list[tuple[str, list[Conflict]]], list[tuple[int, CouchmendError]]]:
        """Conflicts in the batches in which they are decided; and those that there are not."""
        wanted = list(dict.fromkeys(numbers))
        with self.journal.read() as tx:
            known = conflicts.get_many(tx, wanted)
        by_database: dict[str, list[Conflict]] = {}
        for number in wanted:
            if number in known:
                by_database.setdefault(known[number].database, []).append(known[number])
        batches = [
            (database, found[start : start + _DECIDED_AT_ONCE])
            for database, found in by_database.items()
            for start in range(0, len(found), _DECIDED_AT_ONCE)
        ]
        unknown: list[tuple[int, CouchmendError]] = [
            (number, conflicts.unknown(number)) for number in wanted if number not in known
        ]
        return batches, unknown

    def _planned(
        self, desk: Desk, wanted: Sequence[Conflict], strategy: str
    ) -> Iterator[tuple[int, Preview | CouchmendError]]:
        for conflict, found in zip(wanted, desk.each(wanted), strict=True):
            if isinstance(found, CouchmendError):
                yield conflict.id, found
                continue
            try:
                yield conflict.id, Preview(found, planned(found, strategy))
            except CouchmendError as problem:
                yield conflict.id, problem

    def _resolve_some(
        self, database: str, wanted: Sequence[Conflict], strategy: str, by: str
    ) -> Iterator[tuple[int, Carried | CouchmendError]]:
        left = {conflict.id for conflict in wanted}
        try:
            with self._permitted(database) as (target, permit):
                desk = self._desk(target)
                orders: list[tuple[int, Order]] = []
                for number, found in self._planned(desk, wanted, strategy):
                    try:
                        if isinstance(found, CouchmendError):
                            raise found
                        plan = ready(found.view, found.plan, None)
                    except CouchmendError as problem:
                        left.discard(number)
                        yield number, problem
                        continue
                    orders.append((number, _order(found.view, plan, by)))
                documents = [f"{database} {order.doc.id}" for _, order in orders]
                self._note_many(by, "decided", documents)
                site = site_of(self.shared, self._registered(target), desk.replica, permit)
                outcomes = carry_out(site, [order for _, order in orders])
                for (number, _), carried in zip(orders, outcomes, strict=True):
                    left.discard(number)
                    yield number, carried
        except CouchmendError as problem:
            for number in sorted(left):
                yield number, problem

    def undo(
        self, resolution: int, how: How = "restore", *, by: str, preview: bool = False
    ) -> Undone:
        """Take a resolution back, or an undo; see `undo_many`.

        Raises:
            EngineRefused: as for `resolve`, or it cannot be taken back.
            PlanError: what it left is gone, or its bodies are not kept any more.
            UsageError: there is no such resolution.
        """
        ((_, found),) = self.undo_many([resolution], how, by=by, preview=preview)
        if isinstance(found, CouchmendError):
            raise found
        return found

    def undo_many(
        self, numbers: Iterable[int], how: How = "restore", *, by: str, preview: bool = False
    ) -> Iterator[tuple[int, Undone | CouchmendError]]:
        """Take many resolutions back, or undos; each as it comes, with what came of it, or why it
        cannot be taken back.

        Those of one document are taken back one after another, the newest first; those of many
        are read and written together.

        how: `restore` puts the winner's body from before over what was written; `reopen` also
            brings the versions back that were deleted, and with them the conflict.
        preview: only say what would be done, of each by itself as the document is now.
        """
        wanted = list(dict.fromkeys(numbers))
        with self.journal.read() as tx:
            places = resolutions.documents_of(tx, wanted)
        of_databases: dict[str, dict[int, str]] = {}
        for number in wanted:
            if number in places:
                database, document = places[number]
                of_databases.setdefault(database, {})[number] = document
            else:
                yield number, resolutions.unknown(number)
        for database, documents in of_databases.items():
            for batch in batches(documents):
                yield from self._undo_some(database, batch, how, by, preview=preview)

    def _undo_some(
        self, database: str, numbers: Sequence[int], how: How, by: str, *, preview: bool
    ) -> Iterator[tuple[int, Undone | CouchmendError]]:
        left = dict.fromkeys(numbers)
        try:
            with self._allowed(database, preview=preview) as permit:
                target = self.target(database)
                if not preview:
                    self._note_many(by, "undid", [f"resolution {number}" for number in numbers])
                known, replica = self._registered(target), self._databases.open(target)
                site = site_of(self.shared, known, replica, permit)
                policy_of = self.ground(target).policy
                for number, found in undo_batch(
                    site, numbers, how, by=by, policy_of=policy_of, preview=preview
                ):
                    del left[number]
                    yield number, found
        except CouchmendError as problem:
            for number in left:
                yield number, problem

    @contextmanager
    def _allowed(self, database: str, *, preview: bool) -> Iterator[Callable[[], None]]:
        """What is asked before each write; a preview needs no permit, and writes nothing."""
        if preview:
            yield partial(check_mode, "observe", database)
        else:
            with self._permitted(database) as (_, permit):
                yield permit

    def skip(self, number: int, *, by: str) -> Conflict:
        """Leave a conflict as it is, until the document has other versions.

        Raises:
            EngineRefused: the mode is `observe`.
            UsageError: there is no such conflict, or it is over.
        """
        conflict = self._conflict(number)
        check_mode(self.target(conflict.database).mode, conflict.database)
        now = self.clock.now()
        with self.journal.write() as tx:
            found = conflicts.get(tx, number)
            if found.is_open:
                found = conflicts.set_state(tx, number, "acknowledged", now, error="")
        self._note(by, "skipped", f"{conflict.database} {conflict.document}")
        return found

    def snooze(self, number: int, until: int | None, *, by: str) -> Conflict:
        """Leave a conflict alone until an instant; None wakes it.

        Raises:
            UsageError: there is no such conflict, or it is not one that waits.
        """
        conflict = self._conflict(number)
        with self.journal.write() as tx:
            found = conflicts.snooze(tx, number, until, self.clock.now())
        self._note(by, "snoozed", f"{conflict.database} {conflict.document}")
        return found

    def exclude(self, number: int, excluded: bool = True, *, by: str) -> Conflict:
        """Keep a conflict from being resolved automatically, or no longer.

        Raises:
            UsageError: there is no such conflict, or it is over.
        """
        conflict = self._conflict(number)
        if not conflict.is_open:
            raise UsageError(f"conflict {number} is {conflict.state}, and over")
        with self.journal.write() as tx:
            found = conflicts.exclude(tx, number, excluded, self.clock.now())
        action = "excluded" if excluded else "included"
        self._note(by, action, f"{conflict.database} {conflict.document}")
        if not excluded:
            target = self.target(conflict.database)
            self._desk(target).bring_up_to_date([found])
            found = self._conflict(number)
        return found

    @contextmanager
    def _permitted(self, database: str) -> Iterator[tuple[Target, Permit]]:
        """The permit to write to a database for a person.

        Raises:
            EngineRefused: there is none.
        """
        target = self.target(database)
        check_mode(target.mode, target.name)
        check_paused(self.journal, target.name)
        leases = self.shared.leases
        with leases.hold(target.name, wait_seconds=LEASE_PATIENCE_SECONDS) as lease:
            permit = Permit(
                self.journal, target.name, target.mode, leases, lease, threading.Event()
            )
            yield target, permit


def _order(view: View, plan: Plan, by: str) -> Order:
    return Order(
        conflict=view.conflict.id,
        doc=view.doc,
        plan=plan,
        type=view.conflict.type,
        severity=view.conflict.severity,
        by=by,
    )
