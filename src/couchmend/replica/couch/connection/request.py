"""A request, as it is sent as often as it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from couchmend.replica.couch.connection.address import quoted
from couchmend.replica.couch.connection.transport import Body

Params = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, without who asks.

    target: what errors call it.
    repeatable: whether it may be sent again when nobody knows if it was carried out.
    silence_seconds: how long the server may be silent; the read timeout when None.
    total_seconds: how long it and its whole answer may take.
    is_upload: whether sending it does not count towards that: it may be of any size.
    """

    method: str
    path: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: Body | None = field(repr=False)
    repeatable: bool
    silence_seconds: float | None = None
    total_seconds: float | None = None
    is_upload: bool = False

    @property
    def can_be_sent_again(self) -> bool:
        """Whether its body is still there."""
        return self.body is None or isinstance(self.body, bytes) or iter(self.body) is not self.body


def with_params(base: str, path: str, params: Params | None) -> str:
    """A path beneath another, with its query."""
    text = f"{base}/{path}" if path else base or "/"
    if not params:
        return text
    pairs = (
        f"{name}={quoted(str(value).lower() if isinstance(value, bool) else str(value))}"
        for name, value in params.items()
    )
    return f"{text}?{'&'.join(pairs)}"
