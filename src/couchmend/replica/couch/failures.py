"""Whatever goes wrong on the way to a server and back, as the errors of `couchmend.errors`.

A server's words are passed on as they are; credentials are in none of them, since neither
requests nor headers enter an error.
"""

from __future__ import annotations

import ssl

import urllib3.exceptions
from urllib3.exceptions import HTTPError

from couchmend.core.document import JSON, loads
from couchmend.errors import (
    BadRequest,
    DatabaseNotFound,
    DocumentInvalid,
    ReplicaError,
    Unavailable,
    Unsupported,
    error_for_status,
)

_NO_DATABASE = {"Database does not exist.", "no_db_file"}
_TRANSIENT = {
    408: "the server waited too long for the request; try again",
    429: "the server asks for fewer requests; wait before trying again",
    502: "a proxy does not reach the CouchDB behind it",
    503: "the server is starting, stopping or overloaded; try again",
    504: "a proxy gave up waiting for the CouchDB behind it; try again",
}
_SHOWN_CHARACTERS = 200


def refusal(
    status: int,
    body: bytes,
    *,
    operation: str,
    target: str,
    database: str | None,
    signed_in: bool,
) -> ReplicaError:
    """The error for an answer whose status says that the request failed."""
    error, reason, readable = _words(body)
    if status == 404 and database is not None and reason in _NO_DATABASE:
        missing = DatabaseNotFound(database, hint="check the name, or create the database first")
        missing.operation, missing.target = operation, target
        return missing
    hint = _hint(status, signed_in) if readable else _hint_unreadable(status, body)
    reason = reason or f"the server answered {status}"
    error_class = _class_of(status, error)
    failure = error_class(reason, error=error, operation=operation, target=target)
    failure.hint = hint or failure.hint
    return failure


def _class_of(status: int, error: str) -> type[ReplicaError]:
    if status in _TRANSIENT:
        return Unavailable
    if status == 405:
        return Unsupported
    if error == DocumentInvalid.default_error:
        return DocumentInvalid
    known = error_for_status(status)
    return BadRequest if known is ReplicaError and 300 <= status < 500 else known


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


def not_json(status: int, body: bytes, *, operation: str, target: str) -> ReplicaError:
    """The error for an answer that should be JSON and is not."""
    what = f"the answer is not JSON: {_shown(body)}"
    error = bad_answer(what, operation=operation, target=target)
    if _is_html(body):
        error.hint = _hint_unreadable(status, body)
    return error


def unreachable(problem: HTTPError, *, operation: str, target: str) -> Unavailable:
    """The error for a request that got no answer, or no whole one."""
    exceptions = urllib3.exceptions
    cause = problem.__cause__ or problem.__context__
    match problem:
        case exceptions.NameResolutionError():
            message, hint = "the host's name is unknown", "check the host in the address"
        case exceptions.NewConnectionError() if isinstance(cause, ConnectionRefusedError):
            message, hint = "connection refused", "is the server running, and the port right?"
        case exceptions.ConnectTimeoutError():
            message, hint = "the host does not answer", "check host, port and firewalls"
        case exceptions.ReadTimeoutError():
            message = "no answer within the read timeout"
            hint = "the server is busy, or something on the way swallowed the request"
        case exceptions.SSLError():
            message = f"TLS failed: {_tls_reason(problem)}"
            hint = "check the certificate, or give a TLS context that trusts it"
        case exceptions.ClosedPoolError():
            message, hint = "the replica is closed", ""
        case _:
            message = f"the connection broke: {cause or problem}"
            hint = "what was asked may or may not have been done; look before repeating it"
    return Unavailable(message, operation=operation, target=target, hint=hint)


def _words(body: bytes) -> tuple[str, str, bool]:
    """CouchDB's `error` and `reason`, and whether the body had them."""
    try:
        answer: JSON = loads(body)
    except BadRequest:
        return "", "", not body
    if not isinstance(answer, dict):
        return "", "", False
    error, reason = answer.get("error"), answer.get("reason")
    return (
        error if isinstance(error, str) else "",
        reason if isinstance(reason, str) else "",
        True,
    )


def _hint(status: int, signed_in: bool) -> str:
    if status == 401:
        if signed_in:
            return "the server does not take this name and password"
        return "give a name and a password: http://name:password@host/database"
    if status == 403:
        return "" if signed_in else "give the name and password of somebody who may"
    if status == 413:
        return (
            "the server's limits are max_document_size, max_attachment_size and"
            " max_http_request_size in its configuration"
        )
    if status == 405:
        return "CouchDB 3.1 or newer is needed"
    if 300 <= status < 400:
        return "the server sends us elsewhere; give the address where it really is"
    return _TRANSIENT.get(status, "")


def _hint_unreadable(status: int, body: bytes) -> str:
    if status == 413:
        return "a proxy in between limits the size of requests (nginx: client_max_body_size)"
    if _is_html(body):
        return "this is a web page, no CouchDB: a proxy or a sign-in page is in the way"
    return f"the server answered {status}: {_shown(body)}"


def _is_html(body: bytes) -> bool:
    return body.lstrip()[:1] == b"<"


def _shown(body: bytes) -> str:
    return body[:_SHOWN_CHARACTERS].decode(errors="replace")


def _tls_reason(problem: HTTPError) -> str:
    inner = problem.args[0] if problem.args else problem
    if isinstance(inner, ssl.SSLCertVerificationError):
        return inner.verify_message
    return str(inner)
