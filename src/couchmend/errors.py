"""Every error that couchmend raises, as one tree.

An error says what was tried (`operation`), on what (`target`), what went wrong (its
message) and what to do about it (`hint`).  Whoever shows an error to a person or a
program shows the hint too.  Secrets never enter an error.
"""

from __future__ import annotations

import re
from typing import ClassVar

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://|https?:/?", re.IGNORECASE)


class CouchmendError(Exception):
    """The root: `message` in a sentence, and where known an operation, target and hint."""

    def __init__(
        self, message: str, *, operation: str = "", target: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.operation = operation
        self.target = target
        self.hint = hint

    def __str__(self) -> str:
        where = " ".join(part for part in (self.operation, self.target) if part)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} ({self.hint})" if self.hint else text


class UsageError(CouchmendError):
    """Wrong arguments or configuration; nothing was done."""

    @property
    def mistakes(self) -> tuple[str, ...]:
        """All that is wrong, each in a sentence that can stand alone."""
        return (str(self),)


class JournalError(CouchmendError):
    """The journal cannot be used: it cannot be reached or written, is locked, damaged, or of
    another version; nothing was written to any database."""


class EngineRefused(CouchmendError):
    """couchmend itself declines: the mode forbids it, resolving is paused, a lease is held
    elsewhere, or what was decided on is no longer what there is."""


class ReplicaError(CouchmendError):
    """What a database refused or failed at, in CouchDB's terms.

    `status` is the HTTP status that a CouchDB answers, `error` and `reason` the members
    of its JSON answer (https://docs.couchdb.org/en/stable/api/basics.html).  `transient`
    tells that the same request may succeed later; `retry_after_seconds` is how long the
    server asked to wait, where it did.
    """

    status: ClassVar[int] = 500
    default_error: ClassVar[str] = "unknown_error"

    def __init__(
        self,
        reason: str,
        *,
        error: str = "",
        operation: str = "",
        target: str = "",
        hint: str = "",
        transient: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(reason, operation=operation, target=target, hint=hint)
        self.error = error or self.default_error
        self.reason = reason
        self.transient = transient
        self.retry_after_seconds = retry_after_seconds


class BadRequest(ReplicaError):
    """The request makes no sense; it will never succeed as it stands."""

    status = 400
    default_error = "bad_request"


class DocumentInvalid(BadRequest):
    """A document breaks a rule of the document format (an unknown `_member`, a bad value)."""

    default_error = "doc_validation"


class Unauthorized(ReplicaError):
    """Nobody is signed in, or the name and password do not match."""

    status = 401
    default_error = "unauthorized"


class Forbidden(ReplicaError):
    """Whoever asks may not do this, or a validation function refused the document."""

    status = 403
    default_error = "forbidden"


class NotFound(ReplicaError):
    """No such database, document, revision or attachment; `reason` is CouchDB's."""

    status = 404
    default_error = "not_found"


class DatabaseNotFound(NotFound):
    """No such database."""

    def __init__(self, name: str, *, hint: str = "") -> None:
        super().__init__("Database does not exist.", target=name, hint=hint)


class Conflict(ReplicaError):
    """The revision that was to be extended is not a leaf, or the document exists already."""

    status = 409
    default_error = "conflict"

    def __init__(
        self,
        reason: str = "Document update conflict.",
        *,
        error: str = "",
        operation: str = "",
        target: str = "",
        hint: str = "read the document again and repeat the edit on its present revision",
        transient: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(
            reason,
            error=error,
            operation=operation,
            target=target,
            hint=hint,
            transient=transient,
            retry_after_seconds=retry_after_seconds,
        )


class PreconditionFailed(ReplicaError):
    """The database exists already, or an attachment stub resolves to nothing."""

    status = 412
    default_error = "precondition_failed"


class TooLarge(ReplicaError):
    """A document, attachment, id or request is over a limit; the message names the limit."""

    status = 413
    default_error = "document_too_large"


class Unsupported(ReplicaError):
    """The replica knows the request but cannot do it (server-side JavaScript, for one)."""

    status = 501
    default_error = "not_implemented"


class Unavailable(ReplicaError):
    """The database could not be reached, is locked, or its file is damaged."""

    status = 503
    default_error = "service_unavailable"


_BY_STATUS: dict[int, type[ReplicaError]] = {
    cls.status: cls
    for cls in (
        BadRequest, Unauthorized, Forbidden, NotFound, Conflict, PreconditionFailed,
        TooLarge, Unsupported, Unavailable,
    )
}  # fmt: skip


def without_credentials(url: str) -> str:
    """An address, well-formed or not, as it may be shown: nothing before its last `@` is, but
    for the scheme.  Where an address is misspelt, nobody knows where a password begins."""
    before, at, place = url.rpartition("@")
    scheme = _SCHEME.match(before) if at else None
    return f"{scheme[0] if scheme else ''}…@{place}" if at else url


def error_for_status(status: int) -> type[ReplicaError]:
    """The class for an HTTP status; statuses without one of their own are `ReplicaError`."""
    return _BY_STATUS.get(status, ReplicaError)
