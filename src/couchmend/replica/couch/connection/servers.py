"""The servers that the settings know, and how to talk to them."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence

from couchmend.replica.couch.connection import tls
from couchmend.replica.couch.connection.address import Address
from couchmend.replica.couch.connection.authentication import Authentication
from couchmend.replica.couch.connection.credentials import authentication
from couchmend.replica.couch.connection.options import Options
from couchmend.replica.couch.connection.retries import Retries
from couchmend.replica.couch.connection.throttle import Throttle
from couchmend.settings import Server


class Servers:
    """The `[[servers]]` of the settings.

    All databases that are opened with one such object share the limits of their server and,
    when they are opened as the same user, the session there.
    environment: the variables that credentials may come from; the process's own when None.
    """

    def __init__(
        self, entries: Sequence[Server] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self._entries = [(Address.parse(entry.url), entry) for entry in entries]
        self._environment = os.environ if environment is None else environment
        self._lock = threading.Lock()
        self._throttles: dict[str, Throttle] = {}
        self._authentications: dict[tuple[str, tuple[object, ...]], Authentication] = {}

    def options(self, url: str) -> Options:
        """How to talk to the server of `url`: as the entry says whose address is the longest
        that covers it.

        Raises:
            UsageError: no address of a server, or a file of the entry cannot be used.
        """
        address = Address.parse(url)
        fitting = self._fitting(address)
        if fitting is None:
            return Options(
                authentication=self._authentication(address, address.origin, None),
                throttle=self._throttle(address.origin, None),
            )
        place, entry = fitting
        own_tls = entry.ca_file or entry.client_certificate
        return Options(
            connect_timeout_seconds=entry.connect_timeout_seconds,
            read_timeout_seconds=entry.read_timeout_seconds,
            answer_timeout_seconds=entry.answer_timeout_seconds,
            connections=entry.connections,
            tls=(
                tls.context(entry.ca_file, entry.client_certificate, entry.client_key)
                if own_tls
                else None
            ),
            shows_certificate=entry.client_certificate is not None,
            authentication=self._authentication(address, place, entry),
            throttle=self._throttle(place, entry),
            retries=Retries(
                attempts=entry.attempts,
                total_seconds=entry.retry_seconds,
                longest_retry_after_seconds=entry.longest_wait_seconds,
            ),
        )

    def entry(self, url: str) -> Server | None:
        """What is said of the server of `url`; None where nothing is.

        Raises:
            UsageError: no address of a server.
        """
        fitting = self._fitting(Address.parse(url))
        return None if fitting is None else fitting[1]

    def _fitting(self, address: Address) -> tuple[Address, Server] | None:
        fitting = [pair for pair in self._entries if pair[0].covers(address)]
        return max(fitting, key=lambda pair: len(pair[0].path), default=None)

    def _throttle(self, place: Address, entry: Server | None) -> Throttle:
        """One for each server: a pause that it asks for is for all who talk to it."""
        limit = None if entry is None else entry.max_requests_per_second
        with self._lock:
            return self._throttles.setdefault(place.url, Throttle(limit))

    def _authentication(
        self, address: Address, place: Address, entry: Server | None
    ) -> Authentication:
        """One for each who signs in there: one session, and one try of a wrong password."""
        found = authentication(address, entry, self._environment)
        with self._lock:
            return self._authentications.setdefault((place.url, found.identity), found)
