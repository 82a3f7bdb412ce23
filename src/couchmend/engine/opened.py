"""What an engine rests on: settings, journal, databases, leases; opened when they are needed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from couchmend.engine.clock import Clock, SystemClock
from couchmend.engine.deciding.views import Desk
from couchmend.engine.finding.databases import Known
from couchmend.engine.finding.judging import Ground
from couchmend.engine.finding.targets import Target
from couchmend.engine.hooks import Hooks, installed
from couchmend.engine.sweeping.announcing import installation
from couchmend.engine.sweeping.intake import Intake
from couchmend.engine.sweeping.lease import Leases
from couchmend.engine.sweeping.passing import Shared
from couchmend.engine.sweeping.report import Tally
from couchmend.events import AccessRecorded, Events
from couchmend.journal import conflicts, databases, records
from couchmend.journal.addresses import address
from couchmend.journal.conflicts import Conflict
from couchmend.journal.opening import Journal, open_journal
from couchmend.policies import Policies, load
from couchmend.replica.base import Replica
from couchmend.replica.couch.connection.servers import Servers
from couchmend.settings import Settings


class Opened:
    """The root of the engine; see `Engine`."""

    def __init__(
        self,
        settings: Settings,
        *,
        policies: Policies | None = None,
        journal: Journal | None = None,
        clock: Clock | None = None,
        hooks: Hooks | None = None,
        create_journal: bool = True,
        opened: Sequence[tuple[Target, Replica]] = (),
    ) -> None:
        """Nothing is opened yet.

        policies: those of the settings' file if None.
        journal: one that is open already, and stays so; that of the settings if None.
        hooks: those that are installed if None; `Hooks()` for none.
        create_journal: whether the journal is made where there is none.
        opened: databases that are open already, and stay so, beside those of the settings.

        Raises:
            PolicyError: the policies of the settings' file are wrong.
            UsageError: an address is none, or a hook cannot be loaded.
        """
        self.settings = settings
        self.events = Events()
        self.clock: Clock = clock or SystemClock()
        if policies is None:
            policies = Policies() if settings.file is None else load(settings.file)
        self.policies = policies
        self._hooks = installed() if hooks is None else hooks
        self._hooks.listen_to(self.events)
        self._servers = Servers(settings.servers)
        self._databases = Known(settings.databases, self._servers, opened)
        self._lock = threading.RLock()
        self._given, self._journal = journal is not None, journal
        self._create_journal = create_journal
        self._shared: Shared | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the journal and the databases, but for what was open before."""
        with self._lock:
            if self._shared is not None:
                self._shared.leases.close()
            if self._journal is not None and not self._given:
                self._journal.close()
            self._databases.close()

    @property
    def journal(self) -> Journal:
        """The journal, opened when it is first asked for.

        Raises:
            JournalError: it cannot be opened.
        """
        with self._lock:
            if self._journal is None:
                where = self.settings.journal.address()
                self._journal = open_journal(where, create=self._create_journal)
            return self._journal

    # --- databases

    def targets(self, names: Sequence[str] | None = None) -> list[Target]:
        """The databases that names mean (as they are configured, as they are called where they
        live, or addresses), or all that are configured.

        Raises:
            UsageError: there is no database of a name.
            ReplicaError: a server does not tell which databases it has.
        """
        if names is not None:
            return self._databases.named(names)
        self._databases.refresh()
        return self._databases.configured()

    def target(self, name: str) -> Target:
        """One database; see `targets`."""
        return self._databases.target(name)

    def replica(self, name: str) -> Replica:
        """A database, which stays open until the engine is closed.

        Raises:
            DatabaseNotFound: it is not there.
        """
        return self._databases.open(self.target(name))

    # --- what all of it rests on

    @property
    def shared(self) -> Shared:
        """What sweeps and decisions of this process have in common."""
        with self._lock:
            if self._shared is None:
                self._shared = self._made_shared(self.journal)
            return self._shared

    def _made_shared(self, journal: Journal) -> Shared:
        return Shared(
            journal=journal,
            clock=self.clock,
            emit=self.events.emit,
            leases=Leases(
                journal,
                self.clock,
                self.events.emit,
                seconds=self.settings.engine.lease_seconds,
            ),
            policies=self.policies,
            work=self.settings.engine,
            veto=lambda order: self._hooks.veto(order, self.events, self.clock.now()),
            installation=installation(journal),
        )

    def _dry_shared(self) -> Shared:
        """The same over the journal as it is, or over an empty one where there is none."""
        if self._journal is None:
            where = self.settings.journal.address()
            path = address(where).path
            if path is not None and not path.exists():
                return self._made_shared(open_journal("sqlite://"))
            self._journal = open_journal(where, create=False)
        return self._made_shared(self._journal)

    def _conflict(self, number: int) -> Conflict:
        with self.journal.read() as tx:
            return conflicts.get(tx, number)

    def _registered(self, target: Target) -> databases.Database:
        with self.journal.read() as tx:
            known = databases.named(tx, target.name)
        if known is not None:
            return known
        with self.journal.write() as tx:
            return databases.register(tx, target.name, target.url, self.clock.now())

    def ground(self, target: Target) -> Ground:
        """What of the settings decides about the documents of a database."""
        return Ground.of(target, self.policies)

    def _desk(self, target: Target) -> Desk:
        database = self._registered(target)
        replica = self._databases.open(target)
        ground = self.ground(target)
        intake = Intake(
            self.journal, database.id, replica, ground, self.clock, self.events.emit, Tally()
        )
        return Desk(self.journal, database.id, replica, ground, self.clock, intake)

    def _note(self, user: str, action: str, target: str) -> None:
        """Record who did what."""
        self._note_many(user, action, [target])

    def _note_many(self, user: str, action: str, targets: Sequence[str]) -> None:
        """Record who did the same to many things."""
        if not targets:
            return
        now = self.clock.now()
        with self.journal.write() as tx:
            for target in targets:
                records.record_access(tx, now, user, action, target)
        for target in targets:
            self.events.emit(AccessRecorded(at=now, user=user, action=action, target=target))
