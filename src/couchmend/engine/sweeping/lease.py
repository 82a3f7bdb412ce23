"""Who works on a database: one process at a time.

The lease is a row of the journal.  It saves work and needless forks; that nothing is lost rests on
revisions, not on it: whoever was paused for longer than a lease lasts may write a moment too long.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from couchmend.engine.clock import Clock
from couchmend.errors import EngineRefused, JournalError
from couchmend.events import Event, LeaseLost, LeaseTaken
from couchmend.journal import leases
from couchmend.journal.opening import Journal

LEASE_SECONDS: Final = 60.0
"""How long a lease lasts that is not renewed."""

_RENEWALS = 4
"""How often it is renewed within that time."""


def new_holder() -> str:
    """A name for this process that no other has, by which people find it."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class Lease:
    """A database that this process works on; see `Leases.hold`."""

    def __init__(self, name: str, renewed_at: float) -> None:
        self.name = name
        self.renewed_at = renewed_at
        self.users = 1
        self.lost = False


class Leases:
    """The leases of one process, renewed by a thread of their own while there are any.

    Several threads of the process may hold the same lease; it is let go with the last of them.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        emit: Callable[[Event], None],
        *,
        holder: str | None = None,
        seconds: float = LEASE_SECONDS,
    ) -> None:
        self._journal, self._clock, self._emit = journal, clock, emit
        self.holder = holder or new_holder()
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: dict[str, Lease] = {}
        self._taking: dict[str, threading.Lock] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def hold(self, name: str, *, wait_seconds: float = 0.0) -> Iterator[Lease]:
        """Hold the lease of a database.

        wait_seconds: how long to wait for another process to let it go.

        Raises:
            EngineRefused: another process holds it.
        """
        lease = self._take(name, wait_seconds)
        try:
            yield lease
        finally:
            self._let_go(lease)

    def check(self, lease: Lease) -> None:
        """Hold that a lease is still ours, before something is written.

        A process that was paused, or could not reach the journal, does not trust its memory, and
        asks.

        Raises:
            EngineRefused: another process has it.
            JournalError: nobody can tell.
        """
        if not lease.lost and self._age(lease) > self._seconds / 2:
            self._renew(lease)
        if lease.lost:
            raise self._refusal(lease.name, "the lease was lost")

    def close(self) -> None:
        """End the thread; what is held stays so until it runs out."""
        with self._lock:
            self._held.clear()
            thread, self._thread = self._thread, None
            self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(0.5)

    # --- taking

    def _take(self, name: str, wait_seconds: float) -> Lease:
        until = self._clock.monotonic() + wait_seconds
        with self._turn(name):
            with self._lock:
                known = self._held.get(name)
                if known is not None and not known.lost:
                    known.users += 1
                    return known
            while True:
                began = self._clock.monotonic()
                if self._acquire(name):
                    break
                if began >= until:
                    raise self._refusal(name, "another couchmend works on it")
                self._clock.sleep(min(0.2, max(0.01, until - began)))
            lease = Lease(name, began)
            with self._lock:
                self._held[name] = lease
                self._begin()
        self._emit(LeaseTaken(at=self._clock.now(), database=name))
        return lease

    def _acquire(self, name: str) -> bool:
        with self._journal.write() as tx:
            return leases.acquire(tx, name, self.holder, self._seconds)

    def _turn(self, name: str) -> threading.Lock:
        """Threads of this process take one lease one after another."""
        with self._lock:
            return self._taking.setdefault(name, threading.Lock())

    def _let_go(self, lease: Lease) -> None:
        with self._turn(lease.name):
            with self._lock:
                lease.users -= 1
                if lease.users:
                    return
                if self._held.get(lease.name) is lease:
                    del self._held[lease.name]
            if lease.lost:
                return
            try:
                with self._journal.write() as tx:
                    leases.release(tx, lease.name, self.holder)
            except JournalError:
                return  # it runs out by itself
        self._emit(LeaseLost(at=self._clock.now(), database=lease.name, released=True))

    def _refusal(self, name: str, what: str) -> EngineRefused:
        try:
            with self._journal.read() as tx:
                found = leases.holder(tx, name)
        except JournalError:
            found = None
        other = found is not None and found.holder != self.holder
        who = f": {found.holder} has it" if found is not None and other else ""
        return EngineRefused(
            f"{what}{who}",
            operation="lease",
            target=name,
            hint="wait until it is done, or end that process: the lease runs out"
            f" {self._seconds:g} seconds later",
        )

    # --- renewing

    def _age(self, lease: Lease) -> float:
        return self._clock.monotonic() - lease.renewed_at

    def _begin(self) -> None:
        if self._thread is None:
            self._wake = threading.Event()
            self._thread = threading.Thread(
                target=self._keep_renewing, args=(self._wake,), name="couchmend-leases", daemon=True
            )
            self._thread.start()

    def _keep_renewing(self, wake: threading.Event) -> None:
        while not wake.wait(self._seconds / _RENEWALS):
            with self._lock:
                if not self._held:
                    self._thread = None
                    return
                held = [lease for lease in self._held.values() if not lease.lost]
            for lease in held:
                try:
                    self._renew(lease)
                except JournalError:
                    continue  # tried again soon; until then `check` asks for itself

    def _renew(self, lease: Lease) -> None:
        began = self._clock.monotonic()
        with self._journal.write() as tx:
            renewed = leases.renew(tx, lease.name, self.holder, self._seconds)
        if renewed:
            lease.renewed_at = began
        elif self._lose(lease):
            self._emit(LeaseLost(at=self._clock.now(), database=lease.name))

    def _lose(self, lease: Lease) -> bool:
        """It is not ours any more; tells whether that is news."""
        with self._lock:
            first = not lease.lost and self._held.get(lease.name) is lease
            lease.lost = True
        return first
