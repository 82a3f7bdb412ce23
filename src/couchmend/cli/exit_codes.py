"""What a shell is told when a command ends."""

from __future__ import annotations

from couchmend.errors import (
    BadRequest,
    Conflict,
    CouchmendError,
    DatabaseNotFound,
    EngineRefused,
    Forbidden,
    NotFound,
    PreconditionFailed,
    TooLarge,
    Unauthorized,
    Unsupported,
    UsageError,
)

DONE = 0
NEEDS_ATTENTION = 1
WRONG_USAGE = 2
UNREACHABLE = 3
REFUSED = 4
INTERRUPTED = 130


def exit_code(problem: CouchmendError) -> int:
    """What a shell is told about an error."""
    match problem:
        case UsageError() | BadRequest() | Unsupported():
            return WRONG_USAGE
        case Unauthorized() | Forbidden() | EngineRefused():
            return REFUSED
        case DatabaseNotFound():
            return UNREACHABLE
        case NotFound() | Conflict() | PreconditionFailed() | TooLarge():
            return NEEDS_ATTENTION
        case _:
            return UNREACHABLE
