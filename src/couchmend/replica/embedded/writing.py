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
    UPDATE_DOCUMENT,
    Record,
    State,
    StoredAttachment,
    encode_attachments,
    find_records,
    find_revision,
    read_state,
    tree_columns,
)


class _Entry:
    """One document of a batch: as it was, and as it will be.

    `only` is its winner and whether that is deleted, while no more of it was needed; a
    `tree`, once there, tells instead.  `bodies` are those that the batch brings, by revision;
    `forgotten` are the revisions that the limit pushes out.
    """

    __slots__ = ("bodies", "changed", "forgotten", "key", "only", "record", "tree")

    def __init__(self, key: int, record: Record | None, winner: str, deleted: bool) -> None:
        self.key = key
        self.record = record
        self.only = winner, deleted
        self.tree: RevTree | None = None
        self.changed = False
        self.bodies: dict[str, tuple[bytes, tuple[StoredAttachment, ...]]] = {}
        self.forgotten: list[Rev] = []

    def revtree(self) -> RevTree:
        """The tree, decoded when it is first needed."""
        if self.tree is None:
            if self.record is not None:
                self.tree = self.record.revtree()
            else:
                winner, deleted = self.only
                self.tree = RevTree.of([((Rev.parse(winner),), deleted)])
        return self.tree

    def winner(self) -> tuple[str, bool]:
        """The winner as it is now, and whether it is deleted."""
        if self.tree is None:
            return self.only
        leaf = self.tree.winner()
        return str(leaf.rev), leaf.deleted

    def extends_live(self, parent: Rev) -> bool:
        """Whether a revision is a live leaf, of a tree that has several revisions."""
        if self.tree is None and (self.record is None or self.record.tree is None):
            return False
        tree = self.revtree()
        return tree.is_leaf(parent) and not tree.is_deleted(parent)

    def stem(self, limit: int) -> None:
        """Keep as many revisions of each branch as the limit allows."""
        if self.tree is not None:
            self.forgotten += self.tree.stem(limit)

    def columns(self) -> tuple[str, bool, int, int, bytes | None]:
        """What `records.tree_columns` tells."""
        if self.tree is None:
            winner, deleted = self.only
            return winner, deleted, 1, int(not deleted), None
        return tree_columns(self.tree)


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
        self._contents: dict[str, Content] = {}

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
            return Written(draft.id, local.GONE)
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
        if parent is not None and entry.extends_live(parent):
            return parent  # without a look at all other leaves, of which there may be thousands
        winner, deleted = entry.winner()
        if deleted and parent is None and not draft.deleted:
            return Rev.parse(winner)  # a document that is created again
        if deleted or parent is None:
            raise Conflict
        if entry.tree is None and (entry.record is None or entry.record.tree is None):
            extends = str(parent) == winner
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
        elif only_extend or entry.tree is not None or rev != entry.only[0]:
            outcome = entry.revtree().insert(chain, deleted=draft.deleted)
            if only_extend and outcome is not Inserted.NEW_LEAF:
                # An edit that was made before: its revision is in the tree already.
                return False
            entry.changed = entry.changed or outcome is not Inserted.NOTHING
        limit = self._state.revs_limit
        if entry.tree is not None and len(entry.tree) > limit < entry.tree.depth(chain[0]):
            # At once, because the next chain of the batch may branch off what goes now.
            entry.stem(limit)
        for item in draft.given or ():
            if item.content is not None:
                self._contents[item.content.digest] = item.content
        entry.bodies.setdefault(rev, (draft.text, kept))
        return True

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
        forgotten: list[tuple[int, str]] = []
        live = dead = 0
        for id, entry in self._entries.items():
            if not entry.changed:
                continue
            seq += 1
            entry.stem(self._state.revs_limit)
            forgotten += [(entry.key, str(rev)) for rev in entry.forgotten]
            columns = entry.columns()
            if entry.record is None:
                new.append((entry.key, id, seq, *columns))
            else:
                changed.append((seq, *columns, entry.key))
                live -= not entry.record.deleted
                dead -= entry.record.deleted
            live += not columns[1]
            dead += columns[1]
        connection.executemany(
            "INSERT INTO documents (key, id, seq, winner, deleted, leaves, live_leaves, tree)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            new,
        )
        connection.executemany(UPDATE_DOCUMENT, changed)
        added_bytes = self._store_bodies()
        forget(connection, forgotten)
        connection.execute(
            "UPDATE state SET update_seq = ?, live = live + ?, deleted = deleted + ?,"
            " external_bytes = external_bytes + ?",
            (seq, live, dead, added_bytes),
        )
        return seq != self._state.update_seq

    def _store_bodies(self) -> int:
        """Store what is not stored yet; returns the bytes of what the batch brought."""
        insert = (
            "INSERT OR IGNORE INTO revisions (document, rev, body, attachments) VALUES (?, ?, ?, ?)"
        )
        plain, size = [], 0
        for entry in self._entries.values():
            for rev, (text, kept) in entry.bodies.items():
                size += len(text)
                row = (entry.key, rev, text, encode_attachments(kept))
                if not kept:
                    plain.append(row)
                elif self._connection.execute(insert, row).rowcount:
                    store(self._connection, entry.key, rev, kept, self._contents)
        self._connection.executemany(insert, plain)
        return size


def forget(connection: sqlite3.Connection, revisions: Iterable[tuple[int, str]]) -> None:
    """Drop the bodies of these revisions, `(document key, rev)`, and their attachments' uses."""
    rows = list(revisions)
    if not rows:
        return
    connection.executemany("DELETE FROM revisions WHERE document = ? AND rev = ?", rows)
    connection.executemany("DELETE FROM blob_uses WHERE document = ? AND rev = ?", rows)
