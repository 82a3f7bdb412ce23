"""Whatever goes wrong on the way to a server and back, as the errors of `couchmend.errors`.

A server's words are passed on as they are; credentials are in none of them, since neither
requests nor headers enter an error.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Mapping

import urllib3.exceptions
from urllib3.exceptions import HTTPError

from couchmend.core.document import JSON, loads
from couchmend.errors import (
    BadRequest,
    DatabaseNotFound,
    DocumentInvalid,
    ReplicaError,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unsupported,
    error_for_status,
)
from couchmend.replica.couch.connection import hints
from couchmend.replica.couch.connection.exchange import Overdue
from couchmend.replica.couch.connection.retries import asked_to_wait

_NO_DATABASE = {"Database does not exist.", "no_db_file"}
_UNKNOWN_OUTCOME = "what was asked may or may not have been done; look before repeating it"
_CUT = "something on the way cut it off"

# CouchDB answers 400 to tokens and cookies that it cannot read or verify; that says nothing
# about what was asked.
_OF_CREDENTIALS = re.compile(
    r"Malformed (authentication )?token|Malformed AuthSession cookie|Bad (HMAC|signature)"
    r"|(Missing|Invalid) (alg|typ|iss|iat|nbf|exp|kid) |Unknown k(id|ty)|Not a valid key"
    r"|not an (RSA|EC) public key|Authorization header has"
)


class Closed(Unavailable):
    """Somebody used what was closed: that says nothing about the server."""


class NoHandshake(urllib3.exceptions.ConnectTimeoutError):
    """A server that takes the connection and does not answer in TLS."""


def refusal(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    operation: str,
    target: str,
    database: str | None,
    credentials: str,
) -> ReplicaError:
    """The error for an answer whose status says that the request failed.

    credentials: whose were sent, as a person says it; empty when none were.
    """
    error, reason, readable = _words(body)
    if status == 404 and database is not None and reason in _NO_DATABASE:
        missing = DatabaseNotFound(database, hint="check the name, or create the database first")
        missing.operation, missing.target = operation, target
        return missing
    class_ = _class_of(status, error, reason) if readable else _class_of_something_else(status)
    failure = class_(
        reason or error or f"the server answered {status}",
        error=error,
        operation=operation,
        target=target,
        transient=status in hints.TRANSIENT and class_ is not DocumentInvalid,
        retry_after_seconds=asked_to_wait(headers, time.time()),
    )
    hint = (
        hints.for_refusal(
            status,
            error,
            reason,
            headers,
            credentials,
            of_credentials=isinstance(failure, Unauthorized),
        )
        if readable
        else hints.for_something_else(status, headers, body)
    )
    failure.hint = hint or failure.hint
    return failure


def _class_of(status: int, error: str, reason: str) -> type[ReplicaError]:
    if error == DocumentInvalid.default_error:  # of pouchdb-server with status 500
        return DocumentInvalid
    if status == 500:
        return ReplicaError
    if status in hints.TRANSIENT or 300 <= status < 400:
        return Unavailable
    if status == 405:
        return Unsupported
    if status == 400 and _OF_CREDENTIALS.match(reason):
        return Unauthorized
    known = error_for_status(status)
    return BadRequest if known is ReplicaError and 400 <= status < 500 else known


def _class_of_something_else(status: int) -> type[ReplicaError]:
    """Words that are not CouchDB's say nothing about a document or a database."""
    return {401: Unauthorized, 413: TooLarge, 500: ReplicaError}.get(status, Unavailable)


def add_unknown_outcome(error: ReplicaError) -> None:
    """Say in the hint that what was asked may have been done."""
    if _UNKNOWN_OUTCOME not in error.hint:
        error.hint = "; ".join(part for part in (_UNKNOWN_OUTCOME, error.hint) if part)


def bad_answer(what: str, *, operation: str, target: str) -> ReplicaError:
    """The error for an answer that breaks the protocol: nothing can be concluded from it."""
    return ReplicaError(
        what,
        error="bad_answer",
        operation=operation,
        target=target,
        hint="the server speaks another dialect than CouchDB 3.1 or newer, or a proxy changes"
        " its answers",
    )


def not_json(
    status: int,
    body: bytes,
    *,
    operation: str,
    target: str,
    headers: Mapping[str, str] | None = None,
) -> ReplicaError:
    """The error for an answer that should be JSON and is not: cut off somewhere, or a page."""
    what = f"the answer is not JSON: {hints.shown(body)}" if body else "the answer is empty"
    error = bad_answer(what, operation=operation, target=target)
    if hints.is_html(headers or {}, body):
        error.hint = hints.for_something_else(status, headers or {}, body)
    else:
        error.transient = True
        error.hint = f"it was cut off, or {error.hint}"
    return error


def broken_off(how: str, *, operation: str, target: str) -> Unavailable:
    """The error for an answer of which only a part came."""
    return Unavailable(
        f"the answer broke off: {how}",
        operation=operation,
        target=target,
        hint=_CUT,
        transient=True,
    )


def closed(*, operation: str, target: str) -> Closed:
    """The error for using what was closed."""
    return Closed("the replica is closed", operation=operation, target=target)


def untouched(problem: HTTPError) -> bool:
    """Whether the request was certainly not carried out: no connection stood."""
    exceptions = urllib3.exceptions
    return isinstance(problem, exceptions.NewConnectionError | exceptions.ConnectTimeoutError)


def of_tls(problem: HTTPError) -> ssl.SSLError | None:
    """What TLS refused, if it did; a connection that merely ended is no refusal."""
    if not isinstance(problem, urllib3.exceptions.SSLError):
        return None
    inner = problem.args[0] if problem.args else None
    ended = isinstance(inner, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return inner if isinstance(inner, ssl.SSLError) and not ended else None


def ended(problem: HTTPError) -> bool:
    """Whether a connection that stood, or had begun to, merely came to an end."""
    exceptions = urllib3.exceptions
    broken = isinstance(problem, exceptions.ProtocolError | exceptions.SSLError)
    return broken and of_tls(problem) is None and _overdue(problem) is None


def _overdue(problem: BaseException | None) -> Overdue | None:
    while problem is not None and not isinstance(problem, Overdue):
        problem = problem.__cause__ or problem.__context__
    return problem


def unreachable(problem: HTTPError | ValueError, *, operation: str, target: str) -> Unavailable:
    """The error for a request that got no answer, or no whole one."""
    exceptions = urllib3.exceptions
    cause = problem.__cause__ or problem.__context__
    transient = True
    match problem:
        case exceptions.NameResolutionError():
            message, hint = "the host's name is unknown", "check the host in the address"
            transient = isinstance(cause, OSError) and cause.errno == socket.EAI_AGAIN
        case exceptions.NewConnectionError() if isinstance(cause, ConnectionRefusedError):
            message, hint = "connection refused", "is the server running, and the port right?"
        case exceptions.NewConnectionError():
            message, hint = f"no connection: {cause or problem}", "check host, port and network"
        case NoHandshake():
            message = "the server does not answer in TLS"
            hint = "does it speak https on this port? otherwise write http://"
        case exceptions.ConnectTimeoutError():
            message, hint = "the host does not answer", "check host, port and firewalls"
        case _ if (overdue := _overdue(problem)) is not None:
            message = str(overdue)
            hint = "the server is busy, something on the way lets bytes through one by one, or the"
            hint += " limit is too short"
            if not overdue.drips:
                hint = "the server is busy, or something on the way swallowed the request"
        case exceptions.SSLError() if (refused := of_tls(problem)) is not None:
            message = f"TLS failed: {getattr(refused, 'verify_message', '') or refused}"
            hint = "check the certificate, or name the one to trust as ca_file in [[servers]]"
            transient = False
        case exceptions.ClosedPoolError():
            return closed(operation=operation, target=target)
        case _:
            message = f"the connection broke: {cause or problem}"
            hint = "the server ended it, or something on the way"
    return Unavailable(message, operation=operation, target=target, hint=hint, transient=transient)


def _words(body: bytes) -> tuple[str, str, bool]:
    """CouchDB's `error` and `reason`, and whether the body had them."""
    try:
        answer: JSON = loads(body)
    except BadRequest:
        return "", "", False
    match answer:
        case {"error": str(error)}:
            reason = answer.get("reason")
            return error, reason if isinstance(reason, str) else "", True
    return "", "", False
