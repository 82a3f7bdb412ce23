"""How to talk to a server: patience, limits, who we are, whom we trust."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from couchmend.replica.couch.connection.authentication import Authentication
from couchmend.replica.couch.connection.retries import Retries
from couchmend.replica.couch.connection.throttle import Throttle


@dataclass(frozen=True, slots=True)
class Options:
    """How to talk to a server.

    connect_timeout_seconds: until a connection stands.
    read_timeout_seconds: of silence, while sending or in an answer; a long `_find` or
        `_changes` with a filter may be silent for minutes.
    answer_timeout_seconds: for a request and its answer, where that is taken as a whole: the
        limit for servers that send byte after byte, never silent and never done.  It begins
        with the request; for attachments and what else is sent in pieces, when that has
        been sent, since that may be of any size.
    connections: kept open for reuse; more threads at once than that open their own.
    tls: how an https server is verified; the system's certificates when None.
    shows_certificate: whether `tls` has a certificate of ours to show.
    authentication: as whom; the name and password of the address when None.
    throttle: shared with everybody else who talks to the server; one of its own when None.
    retries: of what failed for a while.
    """

    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 300.0
    answer_timeout_seconds: float = 1800.0
    connections: int = 16
    tls: ssl.SSLContext | None = None
    shows_certificate: bool = False
    authentication: Authentication | None = None
    throttle: Throttle | None = None
    retries: Retries = field(default_factory=Retries)
