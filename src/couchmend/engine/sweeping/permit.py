"""Whether something may be written now: asked before every write, and answered anew each time."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from couchmend.core.conflicts.eligibility import Mode
from couchmend.engine.sweeping.lease import Lease, Leases
from couchmend.errors import EngineRefused
from couchmend.journal import databases
from couchmend.journal.databases import Pause
from couchmend.journal.opening import Journal


class Stopped(EngineRefused):
    """Whoever runs this wants it to end."""


@dataclass(frozen=True, slots=True)
class Permit:
    """The permit to write to one database while its lease is held."""

    journal: Journal
    database: str
    mode: Mode
    leases: Leases
    lease: Lease
    stop: threading.Event

    def __call__(self) -> None:
        """Hold that something may be written now.

        Raises:
            EngineRefused: the mode forbids it, writing is paused, the lease is another's, or
                the end is wanted.
        """
        if self.stop.is_set():
            raise Stopped("it was told to stop", target=self.database)
        check_mode(self.mode, self.database)
        check_paused(self.journal, self.database)
        self.leases.check(self.lease)


def check_mode(mode: Mode, database: str) -> None:
    """Hold that the mode of a database lets anything be written.

    Raises:
        EngineRefused: it is `observe`.
    """
    if mode == "observe":
        raise EngineRefused(
            "the mode of this database is observe: nothing is written",
            target=database,
            hint='mode = "suggest" in [[databases]] lets people decide, "auto" also resolves what'
            " is eligible",
        )


def told_of_pause(pause: Pause) -> str:
    """That writing is paused, by whom, and how it goes on."""
    name = "--all" if pause.name == databases.EVERYWHERE else pause.name
    return f"resolving is paused, by {pause.by}; `couchmend resume {name}` goes on"


def check_paused(journal: Journal, database: str) -> None:
    """Hold that writing is not paused.

    Raises:
        EngineRefused: it is.
    """
    with journal.read() as tx:
        paused = databases.is_paused(tx, database)
    if paused:
        raise EngineRefused(
            "writing is paused",
            target=database,
            hint="`couchmend resume` goes on",
        )
