"""Steps that are under way, for those who wonder what takes so long; and their time."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from couchmend.engine.carrying.site import Site
from couchmend.journal import records

_SECOND = 1_000_000


class TimedOut(Exception):  # nothing failed
    """A step has no time left."""


class Running:
    """The step that a batch is at.  The journal knows of it while it runs."""

    def __init__(self, site: Site, documents: Sequence[str]) -> None:
        self._site = site
        self._document = documents[0] if len(documents) == 1 else f"{len(documents)} documents"
        self._number: int | None = None
        self._until = 0.0

    def begin(self, tx: Connection, step: str) -> None:
        """The next step begins as soon as the transaction is stored."""
        self.end(tx)
        site = self._site
        timeout = site.step_timeout_seconds
        self._number = records.start_operation(
            tx,
            site.database.name,
            self._document,
            step,
            site.clock.now(),
            int(timeout * _SECOND),
        )
        self._until = site.clock.monotonic() + timeout

    def end(self, tx: Connection) -> None:
        """The step is over."""
        if self._number is not None:
            records.end_operation(tx, self._number)
            self._number = None

    def check(self) -> None:
        """Before each request: whether it may be sent.

        Raises:
            TimedOut: the step has no time left.
        """
        if self._site.clock.monotonic() > self._until:
            raise TimedOut

    def may_pause(self, seconds: float) -> bool:
        """Whether there is time to wait."""
        return self._site.clock.monotonic() + seconds < self._until


def forget_overdue(site: Site) -> None:
    """Forget steps of this database that have no time left: whoever was at them is gone."""
    now, name = site.clock.now(), site.database.name
    with site.journal.read() as tx:
        overdue = [
            one.id
            for one in records.pending_operations(tx)
            if one.database == name and one.started_at + one.timeout < now
        ]
    if overdue:
        with site.journal.write() as tx:
            for number in overdue:
                records.end_operation(tx, number)
