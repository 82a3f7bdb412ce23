"""What came of carrying a plan out: a closed set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from couchmend.core.revtree import Rev
from couchmend.errors import CouchmendError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """The root.

    conflict, resolution: their numbers in the journal; None where there is none.
    written: the revision that is stored over the winner, confirmed; None for none.
    tombstones: by leaf, the tombstone that is stored over it, confirmed.
    """

    conflict: int | None
    document: str
    resolution: int | None
    written: Rev | None = None
    tombstones: Mapping[Rev, Rev] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved(_Outcome):
    """It is done and verified.

    rev: the revision that it left as the winner; None where the document is deleted.
    edited: whether the document was edited since, over what was written.
    accepted: whether a cluster took a part of it without a quorum.
    """

    rev: Rev | None = None
    edited: bool = False
    accepted: bool = False

    @property
    def sentence(self) -> str:
        """What came of it, for people."""
        return "resolved" + (", and edited since" if self.edited else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(_Outcome):
    """The document is another than the plan was made for: it is to be read again."""

    why: str

    @property
    def sentence(self) -> str:
        """What came of it, for people."""
        return f"it is read again: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(_Outcome):
    """The database refused a write; `reason` is in its words, which may quote values."""

    error: str
    reason: str

    @property
    def sentence(self) -> str:
        """What came of it, for people."""
        return f"the database refuses it: {self.reason or self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable(_Outcome):
    """The database could not be reached or read.  What was begun is recovered later."""

    problem: CouchmendError

    @property
    def sentence(self) -> str:
        """What came of it, for people."""
        return f"the database cannot be used: {self.problem}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedSince(_Outcome):
    """Somebody deleted the document meanwhile; that stands."""

    @property
    def sentence(self) -> str:
        """What came of it, for people."""
        return "somebody deleted the document meanwhile; the archive has what it said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vetoed(_Outcome):
    """A hook did not want it; nothing was begun."""

    reason: str

    @property
    def sentence(self) -> str:
        """What came of it, for people."""
        return f"a hook did not want it: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(_Outcome):
    """It was stopped: paused, the lease lost, or out of time.

    begun: whether something of it is, or may be, stored; it is recovered later.
    timed_out: whether it was for want of time.
    """

    why: str
    begun: bool
    timed_out: bool = False

    @property
    def sentence(self) -> str:
        """What came of it, for people."""
        return f"stopped: {self.why}" + ("; it is recovered later" if self.begun else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unverified(_Outcome):
    """All was confirmed, and is not seen in the database.  It is looked at again later."""

    why: str

    @property
    def sentence(self) -> str:
        """What came of it, for people."""
        return f"not verified: {self.why}; the next sweep looks at it again"


Carried: TypeAlias = (
    Resolved | Moved | Refused | Unavailable | DeletedSince | Vetoed | Stopped | Unverified
)
