"""Revisions that are to be written, with the attachments that they need and the names that
they will have."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from couchmend.core.document import JSON, Doc
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.merging.reading import Reader
from couchmend.core.revid import HashedAttachment, new_rev
from couchmend.core.revtree import Rev
from couchmend.errors import UsageError

_MD5 = "md5-"
_MD5_BYTES = 16


class PlanError(UsageError):
    """There is nothing to plan, or no way to do what was asked for."""


@dataclass(frozen=True, slots=True)
class PlannedAttachment:
    """An attachment of a revision that is to be written.

    source, source_name: a revision that has the content, and under which name.
    carried: whether the content must be sent; else a stub says that the parent has it.
    """

    name: str
    content_type: str
    digest: str
    source: Rev
    source_name: str
    carried: bool

    def to_json(self) -> Doc:
        """It as JSON."""
        return {
            "name": self.name,
            "content_type": self.content_type,
            "digest": self.digest,
            "source": {"revision": str(self.source), "name": self.source_name},
            "carried": self.carried,
        }

    @classmethod
    def from_json(cls, given: JSON, where: str = "attachment") -> PlannedAttachment:
        """Read what `to_json` wrote; raises `UsageError`."""
        read = Reader(given, where)
        source = Reader(read.member("source", dict, "an object"), read.at("source"))
        return cls(
            read.text("name"),
            read.text("content_type"),
            read.text("digest"),
            source.rev("revision"),
            source.text("name"),
            read.flag("carried"),
        )


@dataclass(frozen=True, slots=True)
class Write:
    """A revision that is to be written.

    parent: the leaf that it extends.
    fields: in the order in which they are hashed, without the attachments.
    attachments: in the order in which they are sent and hashed.
    expected: the revision that it becomes on a server that hashes as CouchDB does.
    as_replicated: whether it is stored under the expected revision, as replication does it:
        of a document without a live leaf, only the winning tombstone takes an edit.
    """

    parent: Rev
    fields: Doc
    attachments: tuple[PlannedAttachment, ...]
    expected: Rev
    as_replicated: bool = False

    @property
    def body(self) -> Doc:
        """The fields and attachments, as they take part in a merge."""
        if not self.attachments:
            return self.fields
        entries = {
            one.name: {"content_type": one.content_type, "digest": one.digest}
            for one in self.attachments
        }
        return {**self.fields, MEMBER: entries}

    def document(self, id: str) -> Doc:
        """It as a database takes it, except that what is carried still lacks its `data`."""
        doc: Doc = {"_id": id, "_rev": str(self.parent), **self.fields}
        if self.as_replicated:
            ids = [self.expected.hash, self.parent.hash]
            doc["_rev"] = str(self.expected)
            doc["_revisions"] = {"start": self.expected.generation, "ids": ids}
        if self.attachments:
            doc[MEMBER] = {
                one.name: {"content_type": one.content_type}
                if one.carried
                else {"content_type": one.content_type, "digest": one.digest, "stub": True}
                for one in self.attachments
            }
        return doc

    def to_json(self) -> Doc:
        """It as JSON."""
        return {
            "parent": str(self.parent),
            "fields": self.fields,
            "attachments": [one.to_json() for one in self.attachments],
            "expected": str(self.expected),
            "as_replicated": self.as_replicated,
        }

    @classmethod
    def from_json(cls, given: JSON, where: str = "write") -> Write:
        """Read what `to_json` wrote; raises `UsageError`."""
        read = Reader(given, where)
        return cls(
            read.rev("parent"),
            read.member("fields", dict, "an object"),
            read.each("attachments", PlannedAttachment.from_json),
            read.rev("expected"),
            read.flag("as_replicated"),
        )


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A leaf that is to be deleted, and the revision that the tombstone becomes."""

    rev: Rev
    expected: Rev

    @classmethod
    def over(cls, rev: Rev) -> Tombstone:
        """The plain deletion of a leaf."""
        return cls(rev, new_rev(rev, True, {}))

    def document(self, id: str) -> Doc:
        """It as a database takes it."""
        return {"_id": id, "_rev": str(self.rev), "_deleted": True}

    def to_json(self) -> Doc:
        """It as JSON."""
        return {"revision": str(self.rev), "expected": str(self.expected)}

    @classmethod
    def from_json(cls, given: JSON, where: str = "tombstone") -> Tombstone:
        """Read what `to_json` wrote; raises `UsageError`."""
        read = Reader(given, where)
        return cls(read.rev("revision"), read.rev("expected"))


def write_over(
    parent: Rev, body: Doc, sources: Mapping[Rev, Doc], *, as_replicated: bool = False
) -> Write:
    """The revision that extends `parent` with `body`.

    sources: the bodies of revisions that have the attachments' contents, the best first.  What
        the parent has by the same name goes as a stub; a tombstone has nothing.

    Raises:
        PlanError: none of them has the content of an attachment.
    """
    fields = {name: value for name, value in body.items() if name != MEMBER}
    attachments = tuple(
        _planned(name, entry, parent, sources)
        for name, entry in sorted(body.get(MEMBER, {}).items())
    )
    hashed = [
        HashedAttachment(one.name, one.content_type, _hashed(one.digest)) for one in attachments
    ]
    expected = new_rev(parent, False, fields, hashed)
    return Write(parent, fields, attachments, expected, as_replicated)


def _planned(name: str, entry: Doc, parent: Rev, sources: Mapping[Rev, Doc]) -> PlannedAttachment:
    content_type, digest = entry["content_type"], entry["digest"]
    if sources.get(parent, {}).get(MEMBER, {}).get(name) == entry:
        return PlannedAttachment(name, content_type, digest, parent, name, False)
    found = _found(name, digest, sources) or _found(None, digest, sources)
    if found is None:
        raise PlanError(
            f"no version has the content of the attachment {name}",
            hint="an attachment's content is that of a version: take it from one",
        )
    return PlannedAttachment(name, content_type, digest, *found, True)


def _found(name: str | None, digest: str, sources: Mapping[Rev, Doc]) -> tuple[Rev, str] | None:
    """A revision that has a content by a name, or by any, and by which."""
    for rev, body in sources.items():
        for known, entry in sorted(body.get(MEMBER, {}).items()):
            if entry["digest"] == digest and name in (None, known):
                return rev, known
    return None


def _hashed(digest: str) -> bytes:
    """A digest as it enters a revision's hash.  A server whose digests are of another kind
    hashes revisions otherwise, too, and these only tell one from another."""
    if digest.startswith(_MD5):
        try:
            found = base64.b64decode(digest.removeprefix(_MD5), validate=True)
        except (binascii.Error, ValueError):
            found = b""
        if len(found) == _MD5_BYTES:
            return found
    return hashlib.md5(digest.encode(), usedforsecurity=False).digest()
