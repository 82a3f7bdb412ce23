"""Writing documents: edits that extend a leaf, and revisions that replication brings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress

from couchmend.core.document import LOCAL, MAX_DEPTH, Doc, loads
from couchmend.core.revid import new_rev
from couchmend.core.revtree import Inserted, Rev, RevTree
from couchmend.errors import Conflict, Forbidden, NotFound, Unauthorized
from couchmend.replica.base import Refused, Validator, Written
from couchmend.replica.embedded import local
from couchmend.replica.embedded.attachments import Content, hashed, resolve, store
from couchmend.replica.embedded.drafts import Draft
from couchmend.replica.embedded.records import (
    Record,
    State,
    StoredAttachment,
    encode_attachments,
    encode_tree,
    find_records,
    find_revision,
    read_state,
)


class _Entry:
    """One document of a batch: as it was, and as it will be."""

    __slots__ = ("bodies", "changed", "deleted", "key", "record", "tree", "winner")

    def __init__(self, key: int, record: Record | None, winner: str, deleted: bool) -> None:
        self.key = key
        self.record = record
        self.winner = winner
        self.deleted = deleted
        self.tree: RevTree | None = None
        self.changed = False
        self.bodies: dict[str, tuple[bytes, tuple[StoredAttachment, ...]]] = {}

    def revtree(self) -> RevTree:
        """The tree, decoded when it is first needed."""
        if self.tree is None:
            if self.record is not None:
                self.tree = self.record.revtree()
            else:
                self.tree = RevTree.of([((Rev.parse(self.winner),), self.deleted)])
        return self.tree


class Batch:
    """A bulk write inside one transaction.  Rows are applied in order, then stored at once."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        drafts: Sequence[Draft],
        validators: Sequence[Validator] = (),
        max_depth: int = MAX_DEPTH,
    ) -> None:
        self._max_depth = max_depth
        self._connection = connection
        self._validators = validators
        self._drafts = drafts
        self._state: State = read_state(connection)
        self._entries = {
            id: _Entry(record.key, record, record.winner, bool(record.deleted))
            for id, record in find_records(connection, dict.fromkeys(d.id for d in drafts)).items()
        }
        (self._last_key,) = connection.execute(
            "SELECT coalesce(max(key), 0) FROM documents"
        ).fetchone()
        self._bodies: list[tuple[int, str, bytes, bytes | None]] = []
        self._contents: dict[str, Content] = {}
        self._forgotten: list[tuple[int, str]] = []

    def edit(self) -> list[Written | Refused]:
        """Extend leaves; one row a draft, in order."""
        return [self._edit(draft) for draft in self._drafts]

    def replicate(self) -> list[Written | Refused]:
        """Weave revisions in as they are; only refused rows."""
        rows = [self._replicate(draft) for draft in self._drafts]
        return [row for row in rows if isinstance(row, Refused)]

    # --- one draft

    def _edit(self, draft: Draft) -> Written | Refused:
        if draft.id.startswith(LOCAL):
            return self._edit_local(draft)
        entry = self._entries.get(draft.id)
        try:
            parent = self._parent(draft, entry)
            kept = self._attachments(draft, entry, parent)
            self._validate(draft, entry, parent)
        except (Conflict, Forbidden, Unauthorized) as refusal:
            given = str(draft.chain[0]) if draft.chain else None
            return Refused(draft.id, given, refusal.error, refusal.reason)
        rev = new_rev(
            parent,
            draft.deleted,
            draft.body,
            hashed(kept) if kept else (),
            max_depth=self._max_depth,
        )
        chain = (rev,) if parent is None else (rev, parent)
        if not self._weave(draft, entry, chain, kept, only_extend=True):
            conflict = Conflict()
            return Refused(draft.id, str(parent), conflict.error, conflict.reason)
        return Written(draft.id, str(rev))

    def _edit_local(self, draft: Draft) -> Written:
        name = draft.id.removeprefix(LOCAL)
        if draft.deleted:
            with suppress(NotFound):
                local.delete(self._connection, name)
            return Written(draft.id, "0-0")
        return Written(draft.id, local.put(self._connection, name, draft.text, draft.chain[:1]))

    def _replicate(self, draft: Draft) -> Written | Refused:
        if draft.id.startswith(LOCAL):
            return self._edit_local(draft)
        entry = self._entries.get(draft.id)
        rev, parent = draft.chain[0], draft.chain[1] if len(draft.chain) > 1 else None
        kept = self._replicated_attachments(draft, entry)
        try:
            self._validate(draft, entry, parent)
        except (Forbidden, Unauthorized) as refusal:
            return Refused(draft.id, str(rev), refusal.error, refusal.reason)
        self._weave(draft, entry, draft.chain, kept, only_extend=False)
        return Written(draft.id, str(rev))

    def _parent(self, draft: Draft, entry: _Entry | None) -> Rev | None:
        """The revision that an edit extends; raises `Conflict` where it may not."""
        parent = draft.chain[0] if draft.chain else None
        if entry is None:
            # CouchDB takes a new document with any `_rev`, but not as the first one of all.
            if parent is not None and not self._state.update_seq:
                raise Conflict
            return parent
        if entry.deleted and parent is None and not draft.deleted:
            return Rev.parse(entry.winner)  # a document that is created again
        if entry.deleted or parent is None:
            raise Conflict
        if entry.tree is None and (entry.record is None or entry.record.tree is None):
            extends = str(parent) == entry.winner
        else:
            extends = entry.revtree().is_leaf(parent)
        if not extends:
            raise Conflict
        return parent

    def _weave(
        self,
        draft: Draft,
        entry: _Entry | None,
        chain: tuple[Rev, ...],
        kept: tuple[StoredAttachment, ...],
        *,
        only_extend: bool,
    ) -> bool:
        """Put a chain into the document's tree; False when it would not extend a leaf."""
        rev = str(chain[0])
        if entry is None:
            self._last_key += 1
            entry = self._entries[draft.id] = _Entry(self._last_key, None, rev, draft.deleted)
            entry.changed = True
            if len(chain) > 1:
                entry.tree = RevTree.of([(chain, draft.deleted)])
        elif only_extend or rev != entry.winner or entry.tree is not None:
            tree = entry.revtree()
            outcome = tree.insert(chain, deleted=draft.deleted)
            if only_extend and outcome is not Inserted.NEW_LEAF:
                # An edit that was made before: its revision is in the tree already.
                return False
            entry.changed = entry.changed or outcome is not Inserted.NOTHING
            winner = tree.winner()
            entry.winner, entry.deleted = str(winner.rev), winner.deleted
        if entry.tree is not None:
            self._stem(entry)
        for item in draft.given or ():
            if item.content is not None:
                self._contents[item.content.digest] = item.content
        entry.bodies[rev] = (draft.text, kept)
        self._bodies.append((entry.key, rev, draft.text, encode_attachments(kept)))
        return True

    def _stem(self, entry: _Entry) -> None:
        limit = self._state.revs_limit
        if entry.tree is not None and len(entry.tree) > limit:
            self._forgotten += [(entry.key, str(rev)) for rev in entry.tree.stem(limit)]

    # --- attachments and validation

    def _attachments(
        self, draft: Draft, entry: _Entry | None, parent: Rev | None
    ) -> tuple[StoredAttachment, ...]:
        if draft.given is None:
            return ()
        known: Sequence[StoredAttachment] = ()
        if any(item.content is None for item in draft.given) and entry and parent:
            known = self._kept_by(entry, parent) or ()
        generation = 1 if parent is None else parent.generation + 1
        return resolve(draft.id, draft.given, generation, known)

    def _replicated_attachments(
        self, draft: Draft, entry: _Entry | None
    ) -> tuple[StoredAttachment, ...]:
        """A stub stands for what the nearest stored revision of the chain has by that name."""
        if draft.given is None:
            return ()
        known: Sequence[StoredAttachment] | None = None
        if any(item.content is None for item in draft.given) and entry:
            for ancestor in draft.chain:
                known = self._kept_by(entry, ancestor)
                if known is not None:
                    break
        return resolve(draft.id, draft.given, None, known or ())

    def _kept_by(self, entry: _Entry, rev: Rev) -> Sequence[StoredAttachment] | None:
        text = str(rev)
        if text in entry.bodies:
            return entry.bodies[text][1]
        stored = find_revision(self._connection, entry.key, text)
        return None if stored is None else stored.attachment_list()

    def _validate(self, draft: Draft, entry: _Entry | None, parent: Rev | None) -> None:
        if not self._validators:
            return
        new: Doc = {"_id": draft.id, **draft.body}
        if draft.deleted:
            new["_deleted"] = True
        if draft.chain:
            new["_rev"] = str(draft.chain[0])
        old = self._old(draft.id, entry, parent)
        for validate in self._validators:
            validate(new, old)

    def _old(self, id: str, entry: _Entry | None, parent: Rev | None) -> Doc | None:
        if entry is None or parent is None:
            return None
        text = str(parent)
        if text in entry.bodies:
            body = entry.bodies[text][0]
        else:
            stored = find_revision(self._connection, entry.key, text)
            if stored is None:
                return None
            body = stored.body
        old: Doc = {"_id": id, "_rev": text, **loads(body)}
        if parent in entry.revtree() and entry.revtree().is_deleted(parent):
            old["_deleted"] = True
        return old

    # --- storing

    def store(self) -> bool:
        """Write what the rows made of the documents; True when a document changed."""
        connection = self._connection
        seq = self._state.update_seq
        new, changed = [], []
        live = dead = 0
        for id, entry in self._entries.items():
            if not entry.changed:
                continue
            seq += 1
            record = entry.record
            row = (seq, entry.winner, entry.deleted, *_shape(entry))
            if record is None:
                new.append((entry.key, id, *row))
            else:
                changed.append((*row, entry.key))
                live -= not record.deleted
                dead -= record.deleted
            live += not entry.deleted
            dead += entry.deleted
        connection.executemany(
            "INSERT INTO documents (key, id, seq, winner, deleted, leaves, live_leaves, tree)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            new,
        )
        connection.executemany(
            "UPDATE documents SET seq = ?, winner = ?, deleted = ?, leaves = ?, live_leaves = ?,"
            " tree = ? WHERE key = ?",
            changed,
        )
        added_bytes = self._store_bodies()
        forget(connection, self._forgotten)
        connection.execute(
            "UPDATE state SET update_seq = ?, live = live + ?, deleted = deleted + ?,"
            " external_bytes = external_bytes + ?",
            (seq, live, dead, added_bytes),
        )
        return seq != self._state.update_seq

    def _store_bodies(self) -> int:
        insert = (
            "INSERT OR IGNORE INTO revisions (document, rev, body, attachments) VALUES (?, ?, ?, ?)"
        )
        if not self._contents and all(row[3] is None for row in self._bodies):
            self._connection.executemany(insert, self._bodies)
        else:
            kept = {
                (entry.key, rev): attachments
                for entry in self._entries.values()
                for rev, (_, attachments) in entry.bodies.items()
            }
            for row in self._bodies:
                if self._connection.execute(insert, row).rowcount:
                    store(self._connection, row[0], row[1], kept[row[:2]], self._contents)
        return sum(len(row[2]) for row in self._bodies)


def forget(connection: sqlite3.Connection, revisions: Iterable[tuple[int, str]]) -> None:
    """Drop the bodies of these revisions, `(document key, rev)`, and their attachments' uses."""
    rows = list(revisions)
    if not rows:
        return
    connection.executemany("DELETE FROM revisions WHERE document = ? AND rev = ?", rows)
    connection.executemany("DELETE FROM blob_uses WHERE document = ? AND rev = ?", rows)


def _shape(entry: _Entry) -> tuple[int, int, bytes | None]:
    """The columns `leaves`, `live_leaves` and `tree`."""
    if entry.tree is None:
        return 1, int(not entry.deleted), None
    leaves = entry.tree.leaves()
    return len(leaves), sum(not leaf.deleted for leaf in leaves), encode_tree(entry.tree)
