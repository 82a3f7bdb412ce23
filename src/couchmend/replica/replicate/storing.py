"""Storing revisions at the target, with the attachments that it does not hold."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence

from couchmend.core.chain import chain_of
from couchmend.core.document import JSON, Doc
from couchmend.core.revtree import Rev
from couchmend.errors import DatabaseNotFound, NotFound, Unavailable
from couchmend.replica.base import Attachment, Found, Missing, Refused, Replica
from couchmend.replica.content import plain_length
from couchmend.replica.refusals import bulk_docs_each
from couchmend.replica.replicate.batches import TRANSIENT_ERRORS, Incoming, failure_of_row
from couchmend.replica.replicate.counting import Progress

_SENT = frozenset({"content_type", "revpos", "length", "encoding", "encoded_length"})
"""What is said of content that is sent: also what makes its length doubtful."""
_OF_THE_SOURCE = frozenset({"encoding", "encoded_length"})
"""What a stub says of how the source keeps content."""

_Held = Mapping[str, Doc]
"""Attachments that the target holds for an ancestor, as their stubs by name."""


class Store:
    """Takes revisions of one source to one target, and counts."""

    def __init__(self, source: Replica, target: Replica, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._progress = progress

    def store(self, incoming: Sequence[Incoming]) -> None:
        """Store all of it; what the target refuses does not stop the rest.

        Raises:
            ReplicaError: a side failed; some of it may be stored.
        """
        held = self._held(incoming)
        refused = self._write(incoming, held)
        # What the target held a moment ago may be compacted: send those whole.
        unheld = {
            (row.id, row.rev)
            for row in refused
            if row.error == "missing_stub" and (row.id, row.rev) in held
        }
        if unheld:
            refused = [row for row in refused if (row.id, row.rev) not in unheld]
            refused += self._write([one for one in incoming if one.key in unheld], {})
        self._progress.note_refused(refused)

    def _write(
        self, incoming: Sequence[Incoming], held: Mapping[tuple[str, str], _Held]
    ) -> list[Refused]:
        docs = [self._sent(one.doc, held.get(one.key, {})) for one in incoming]
        try:
            refused = bulk_docs_each(self._target, docs, new_edits=False)
        except _Vanished as gone:
            if len(incoming) > 1:
                half = len(incoming) // 2
                return self._write(incoming[:half], held) + self._write(incoming[half:], held)
            # Superseded and compacted meanwhile: the document is in the feed again.
            self._progress.note_unreadable([Missing(*gone.key, reason=gone.reason)])
            return []
        rows = [row for row in refused if isinstance(row, Refused)]
        for row in rows:
            if row.error in TRANSIENT_ERRORS:
                raise failure_of_row(row.id, row.error, row.reason)
        self._count(incoming, docs, {(row.id, row.rev) for row in rows})
        return rows

    def _count(
        self, incoming: Sequence[Incoming], docs: Sequence[Doc], refused: Collection[object]
    ) -> None:
        progress = self._progress
        for one, doc in zip(incoming, docs, strict=True):
            if refused and one.key in refused:
                continue
            progress.docs_written += 1
            progress.bytes_written += one.json_bytes
            if "_attachments" in doc:
                sent = [entry for entry in doc["_attachments"].values() if "data" in entry]
                progress.attachments += len(sent)
                progress.bytes_written += sum(entry["length"] for entry in sent)

    # --- attachments

    def _sent(self, doc: Doc, held: _Held) -> Doc:
        """A document as it is written: attachments that the target holds stay stubs."""
        stubs = doc.get("_attachments")
        if not stubs:
            return doc
        entries: dict[str, JSON] = {}
        for name, stub in stubs.items():
            if _same(stub, held.get(name)):
                entries[name] = {k: v for k, v in stub.items() if k not in _OF_THE_SOURCE}
            else:
                content = _Content(self._source, doc["_id"], name, doc["_rev"], plain_length(stub))
                entries[name] = {
                    **{k: v for k, v in stub.items() if k in _SENT},
                    "data": content,
                }
        return {**doc, "_attachments": entries}

    def _held(self, incoming: Sequence[Incoming]) -> dict[tuple[str, str], _Held]:
        """What the target holds of the attachments, by document and revision.

        Servers resolve a stub without comparing its digest, so it is compared here.
        """
        ancestors = {}
        for one in incoming:
            if one.possible_ancestors and one.doc.get("_attachments"):
                chain = map(str, chain_of(one.doc))
                ancestor = next(filter(one.possible_ancestors.__contains__, chain), "")
                if ancestor and _has_older(one.doc, Rev.parse(ancestor).generation):
                    ancestors[one.key] = ancestor
        if not ancestors:
            return {}
        wanted = [(key[0], ancestor) for key, ancestor in ancestors.items()]
        held: dict[tuple[str, str], _Held] = {}
        for key, row in zip(ancestors, self._target.bulk_get(wanted), strict=True):
            match row.outcomes:
                case (Found(doc),):
                    held[key] = doc.get("_attachments") or {}
        return held


class _Vanished(Exception):
    """The source has lost an attachment since it told of it."""

    def __init__(self, id: str, rev: str, reason: str) -> None:
        super().__init__(reason)
        self.key = id, rev
        self.reason = reason


class _Content:
    """An attachment of the source, read anew whenever somebody iterates.

    length: how long it is, where the source knows that.  Other content is not this
        revision's: it was cut off or exchanged on the way, and is never taken for it.
    """

    def __init__(self, source: Replica, id: str, name: str, rev: str, length: int | None) -> None:
        self._source = source
        self._id, self._name, self._rev = id, name, rev
        self._length = length

    def __iter__(self) -> Iterator[bytes]:
        try:
            found = self._source.attachment(self._id, self._name, rev=self._rev)
        except DatabaseNotFound:
            raise
        except NotFound as problem:
            reason = f"attachment {self._name}: {problem.reason}"
            raise _Vanished(self._id, self._rev, reason) from problem
        return self._whole(found)

    def _whole(self, found: Attachment) -> Iterator[bytes]:
        length = found.length if self._length is None else self._length
        passed = 0
        try:
            for chunk in found.chunks:
                passed += len(chunk)
                if found.length != length or passed > length:
                    break
                yield chunk
        finally:
            if isinstance(found.chunks, Generator):
                found.chunks.close()
        if found.length != length or passed != length:
            raise self._cut_off(found.length if found.length != length else passed, length)

    def _cut_off(self, came: int, length: int) -> Unavailable:
        return Unavailable(
            f"attachment {self._name} came as {came} bytes, but has {length}",
            operation="replicate",
            target=f"{self._id} {self._rev}",
            hint="it was cut off or exchanged on the way; try again",
            transient=True,
        )


def _has_older(doc: Doc, generation: int) -> bool:
    return any(stub["revpos"] <= generation for stub in doc["_attachments"].values())


def _same(stub: Doc, held: Doc | None) -> bool:
    compared = ("digest", "length", "content_type", "revpos")
    return held is not None and all(stub.get(name) == held.get(name) for name in compared)
