"""The databases that an engine knows: those that are configured, and those that are named."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from couchmend.engine.finding.targets import Address, Entry, Seen, Target, Watched
from couchmend.errors import CouchmendError, UsageError, without_credentials
from couchmend.replica.base import Replica, Server

if TYPE_CHECKING:
    from couchmend.replica.couch.connection.servers import Servers


class Known:
    """Databases by how people name them.  Usable from several threads.

    opened: databases that are open already; they are not closed with this.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        servers: Servers,
        opened: Sequence[tuple[Target, Replica]] = (),
    ) -> None:
        self._servers = servers
        self._configured = Watched(entries, servers)
        self._named: dict[str, Watched] = {}
        self._opened: Mapping[str, tuple[Target, Replica]] = {
            target.name: (target, replica) for target, replica in opened
        }
        self._lock = threading.RLock()
        self.unreachable: tuple[tuple[str, CouchmendError], ...] = ()
        """Of servers that did not tell which databases they have, the last time."""

    def close(self) -> None:
        """Close what was opened here."""
        with self._lock:
            for watched in (self._configured, *self._named.values()):
                watched.close()
            self._named.clear()

    def refresh(self) -> Seen:
        """Look again which of the configured databases there are."""
        seen = self._configured.refresh()
        self.unreachable = seen.unreachable
        return seen

    def configured(self) -> list[Target]:
        """All that are configured, as the last `refresh` saw them."""
        return [*(target for target, _ in self._opened.values()), *self._configured.targets]

    def named(self, names: Sequence[str]) -> list[Target]:
        """The databases that names mean, each once.

        Raises:
            UsageError: one means none.
            ReplicaError: a server does not tell which databases it has.
        """
        found: dict[str, Target] = {}
        for name in names:
            for target in self._of(name):
                found.setdefault(target.url, target)
        return list(found.values())

    def target(self, name: str) -> Target:
        """One database; see `named`."""
        found = self.named([name])
        if len(found) != 1:
            raise UsageError(
                f"{without_credentials(name)} is {len(found)} databases", hint="name one of them"
            )
        return found[0]

    def open(self, target: Target) -> Replica:
        """A database; it stays open until `close`.

        Raises:
            DatabaseNotFound: it is not there.
            ReplicaError: it cannot be opened.
        """
        if target.name in self._opened:
            return self._opened[target.name][1]
        return self._watched(target).open(target)

    def server(self, target: Target) -> Server | None:
        """The server of which a database was found; None where it was named by itself."""
        if target.name in self._opened:
            return None
        return self._watched(target).server(target)

    def _watched(self, target: Target) -> Watched:
        with self._lock:
            for watched in self._named.values():
                if any(one.url == target.url for one in watched.targets):
                    return watched
        return self._configured

    def _of(self, name: str) -> list[Target]:
        known = self._known_as(name)
        if known:
            return known
        if ":" not in name:
            raise self._unknown(name)
        with self._lock:
            watched = self._named.get(name)
            if watched is None:
                watched = self._named[name] = Watched([Address(name)], self._servers)
        seen = watched.refresh()
        for _, problem in seen.unreachable:
            raise problem
        return [self._configured.known_as(target) or target for target in watched.targets]

    def _known_as(self, name: str) -> list[Target]:
        """Of the configured ones those of a name: the journal's, the database's own, or a URL."""
        is_address = ":" in name
        if not self._configured.targets and not is_address:
            self.refresh()
        targets = self.configured()
        return [one for one in targets if name in (one.name, one.url)] or [
            one for one in targets if name == one.database
        ]

    def _unknown(self, name: str) -> UsageError:
        names = [one.name for one in self.configured()]
        names += [one.database for one in self.configured()]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        if near:
            hint = f"did you mean {near[0]}?"
        elif names:
            hint = "`couchmend config show` lists those that are configured; or give an address"
        else:
            hint = "give an address: file:PATH or http(s)://HOST/NAME; or configure [[databases]]"
        return UsageError(f"there is no database {name!r}", hint=hint)
