"""Every operation of a replica, for tests that try them all against something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from couchmend.core.document import Doc
from couchmend.errors import NotFound
from couchmend.replica.base import (
    AllDocsQuery,
    Attachment,
    AttachmentData,
    ChangeRow,
    ChangesPage,
    ChangesQuery,
    Query,
    Replica,
)
from tests.contract.chains import chained, leaves
from tests.contract.chains import found as found_docs
from tests.replica.couch.lying.lied_to import PNG, Client, World

# --- reading


def _page(page: ChangesPage) -> object:
    """Without sequences, which may differ from one request to the next."""
    return [_row(row) for row in page.rows], page.pending, bool(page.last_seq)


def _row(row: object) -> object:
    return replace(row, seq="") if isinstance(row, ChangeRow) else row


def _content(attachment: Attachment) -> object:
    return attachment.content_type, attachment.digest, attachment.length, attachment.read()


_SOME = [("x", "2-bbbb"), ("x", None), ("d1", None), ("none", "1-aaaa"), ("att", None)]
Read = Callable[[Replica], object]

READS: dict[str, Read] = {
    "info": lambda r: (r.info().documents, r.info().deleted_documents),
    "get": lambda r: r.get("x", revs=True, conflicts=True, deleted_conflicts=True),
    "get a revision": lambda r: r.get("x", rev="2-bbbb", revs=True),
    "get the latest": lambda r: r.get("x", rev="1-aaaa", latest=True, revs=True),
    "get with attachments": lambda r: r.get("att", attachments=True),
    "get what is not there": lambda r: r.get("none"),
    "open_revs": lambda r: r.open_revs("x", revs=True),
    "open_revs, some": lambda r: r.open_revs("x", ["2-bbbb", "3-dddd", "9-none"], revs=True),
    "bulk_get": lambda r: list(r.bulk_get(_SOME, revs=True)),
    "bulk_get, latest": lambda r: list(r.bulk_get([("x", "1-aaaa"), ("x", "2-cccc")], latest=True)),
    "bulk_get with attachments": lambda r: list(r.bulk_get([("att", None)], attachments=True)),
    "all_docs": lambda r: r.all_docs(AllDocsQuery(include_docs=True)),
    "all_docs, keys": lambda r: r.all_docs(AllDocsQuery(keys=["d2", "none", "d5", "x"])),
    "all_docs, no design": lambda r: r.all_docs(AllDocsQuery(design=False, limit=3)),
    "changes": lambda r: _page(r.changes(ChangesQuery(style="all_docs"))),
    "changes with documents": lambda r: _page(r.changes(ChangesQuery(include_docs=True, limit=4))),
    "changes, some": lambda r: _page(r.changes(ChangesQuery(doc_ids=["d1", "x", "none"]))),
    "changes, selector": lambda r: _page(r.changes(ChangesQuery(selector={"n": {"$gt": 2}}))),
    "change_pages": lambda r: [
        _row(row)
        for page in r.change_pages(ChangesQuery(style="all_docs"), rows=3)
        for row in page.rows
    ],
    "revs_diff": lambda r: r.revs_diff({"x": ["2-bbbb", "4-ffff"], "y": ["1-aa"], "d1": ["1-zz"]}),
    "attachment": lambda r: _content(r.attachment("att", "f.png")),
    "attachment, text": lambda r: _content(r.attachment("text", "f.txt")),
    "attachment, JSON": lambda r: _content(r.attachment("json", "f.json")),
    "get_local": lambda r: r.get_local("l"),
    "local_docs": lambda r: r.local_docs(),
    "security": lambda r: r.security(),
    "revs_limit": lambda r: r.revs_limit(),
    "find": lambda r: r.find(Query({"n": {"$gt": 1}}, fields=["_id", "n"])).docs,
    "explain": lambda r: r.explain(Query({"n": 1})).get("index"),
    "indexes": lambda r: r.indexes(),
}


# --- writing


@dataclass(frozen=True, slots=True)
class Write:
    """Something that changes a database, done under a name that nobody has used.

    run: does it; gets what `prepare` returned as its last argument, as `state` does.
    state: what is there of it: `before` until it is done, `after` when it was done once, and
        anything else if it was done twice or wrongly.
    right: whether what `run` returned is true.
    repeatable: whether it ends in the same state however often it is done.
    resendable: whether its body is still there after it was sent.
    """

    run: Callable[[Client, str, str], object]
    state: Callable[[World, str, str], object]
    after: object
    before: object = None
    prepare: Callable[[World, str], str] = lambda world, name: ""
    right: Callable[[World, str, object], bool] = lambda world, name, result: True
    repeatable: bool = False
    resendable: bool = True


def _tree(world: World, name: str, given: str = "") -> object:
    """All leaves with the lengths of their chains, without the hashes that the server made."""
    try:
        found = found_docs(world.replica.open_revs(name, revs=True))
    except NotFound:
        return None
    return sorted((_shape(doc) for doc in found), key=str)


def _shape(doc: Doc) -> object:
    attached = {name: stub["length"] for name, stub in doc.get("_attachments", {}).items()}
    return len(doc["_revisions"]["ids"]), doc.get("_deleted", False), doc.get("v"), attached


def _trees(world: World, name: str, given: str) -> object:
    trees = _tree(world, name), _tree(world, f"{name}-2")
    return None if trees == (None, None) else trees


def _is_the_leaf(world: World, name: str, result: object) -> bool:
    """Whether the revision that was returned is that of the document's only leaf."""
    rows = [result] if isinstance(result, str) else [row.rev for row in result]  # type: ignore[attr-defined]
    return {rows[0]} == leaves(world.replica, name)


def _put(world: World, name: str) -> str:
    return world.replica.put({"_id": name, "v": 1})


def _put_with_attachment(world: World, name: str) -> str:
    return world.replica.put({"_id": name, "v": 1, **_attachment()})


def _attachment(data: AttachmentData = PNG) -> Doc:
    return {"_attachments": {"a.png": {"content_type": "image/png", "data": data}}}


def _with_v(world: World, name: str, given: str) -> int:
    """How many documents have `name` in their field `v`."""
    return len(world.replica.find(Query({"v": name})).docs)


def _local(world: World, name: str, given: str) -> object:
    try:
        return world.replica.get_local(name)["v"]
    except NotFound:
        return None


def _put_local(world: World, name: str) -> str:
    return world.replica.put_local(name, {"v": 1})


def _indexes(world: World, name: str, given: str) -> object:
    return sum(index.name == name for index in world.replica.indexes())


def _index(name: str) -> Doc:
    return {"index": {"fields": [name]}, "ddoc": name, "name": name, "type": "json"}


def _create_index(world: World, name: str) -> str:
    return str(world.replica.create_index(_index(name))["result"])


def _database(world: World, name: str, given: str) -> object:
    return name in world.server.names()


def _create_database(world: World, name: str) -> str:
    world.server.create(name).close()
    return name


def _security(name: str) -> Doc:
    return {"admins": {"names": [name], "roles": ["_admin"]}, "members": {"roles": ["_admin"]}}


_PUT: list[object] = [(1, False, 1, {})]
_ATTACHED = {"a.png": len(PNG)}

WRITES: dict[str, Write] = {
    "put": Write(
        lambda c, name, _: c.replica.put({"_id": name, "v": 1}),
        _tree,
        after=_PUT,
        right=_is_the_leaf,
    ),
    "edit": Write(
        lambda c, name, rev: c.replica.bulk_docs([{"_id": name, "_rev": rev, "v": 2}]),
        _tree,
        prepare=_put,
        before=_PUT,
        after=[(2, False, 2, {})],
        right=_is_the_leaf,
    ),
    "bulk_docs": Write(
        lambda c, name, _: c.replica.bulk_docs(
            [{"_id": name, "v": 1}, {"_id": f"{name}-2", "v": 2}]
        ),
        _trees,
        after=(_PUT, [(1, False, 2, {})]),
        right=_is_the_leaf,
    ),
    "bulk_docs, no id": Write(
        lambda c, name, _: c.replica.bulk_docs([{"v": name}]), _with_v, before=0, after=1
    ),
    "bulk_docs, attachments": Write(
        lambda c, name, _: c.replica.bulk_docs([{"_id": name, "v": 1, **_attachment()}]),
        _tree,
        after=[(1, False, 1, _ATTACHED)],
        right=_is_the_leaf,
    ),
    "new_edits=False": Write(
        lambda c, name, _: c.replica.bulk_docs(
            [
                chained(name, "2-bb", "1-aa", v=1),
                chained(name, "2-cc", "1-aa", v=2),
                chained(f"{name}-2", "1-aa", v=3),
            ],
            new_edits=False,
        ),
        _trees,
        after=([(2, False, 1, {}), (2, False, 2, {})], [(1, False, 3, {})]),
        right=lambda world, name, result: result == [],
        repeatable=True,
    ),
    "new_edits=False, attachments": Write(
        lambda c, name, _: c.replica.bulk_docs(
            [chained(name, "2-bb", "1-aa", v=1, **_attachment([PNG[:100], PNG[100:]]))],
            new_edits=False,
        ),
        _tree,
        after=[(2, False, 1, _ATTACHED)],
        right=lambda world, name, result: result == [],
        repeatable=True,
    ),
    "delete": Write(
        lambda c, name, rev: c.replica.delete(name, rev),
        _tree,
        prepare=_put,
        before=_PUT,
        after=[(2, True, None, {})],
        right=_is_the_leaf,
    ),
    "put_attachment": Write(
        lambda c, name, rev: c.replica.put_attachment(name, "a.png", PNG, "image/png", rev=rev),
        _tree,
        prepare=_put,
        before=_PUT,
        after=[(2, False, 1, _ATTACHED)],
        right=_is_the_leaf,
    ),
    "put_attachment, chunks": Write(
        lambda c, name, rev: c.replica.put_attachment(
            name, "a.png", iter([PNG[:100], PNG[100:]]), "image/png", rev=rev
        ),
        _tree,
        resendable=False,
        prepare=_put,
        before=_PUT,
        after=[(2, False, 1, _ATTACHED)],
        right=_is_the_leaf,
    ),
    "put_attachment, new": Write(
        lambda c, name, _: c.replica.put_attachment(name, "a.png", PNG, "image/png"),
        _tree,
        after=[(1, False, None, _ATTACHED)],
        right=_is_the_leaf,
    ),
    "delete_attachment": Write(
        lambda c, name, rev: c.replica.delete_attachment(name, "a.png", rev),
        _tree,
        prepare=_put_with_attachment,
        before=[(1, False, 1, _ATTACHED)],
        after=[(2, False, 1, {})],
        right=_is_the_leaf,
    ),
    "put_local": Write(
        lambda c, name, _: c.replica.put_local(name, {"v": 1}), _local, after=1, repeatable=True
    ),
    "delete_local": Write(
        lambda c, name, _: c.replica.delete_local(name),
        _local,
        prepare=_put_local,
        before=1,
        after=None,
    ),
    "set_security": Write(
        lambda c, name, _: c.replica.set_security(_security(name)),
        lambda world, name, _: world.replica.security() == _security(name),
        before=False,
        after=True,
        repeatable=True,
    ),
    "set_revs_limit": Write(
        lambda c, name, limit: c.replica.set_revs_limit(int(limit)),
        lambda world, name, limit: world.replica.revs_limit() == int(limit),
        prepare=lambda world, name: str(world.replica.revs_limit() + 1),
        before=False,
        after=True,
        repeatable=True,
    ),
    "compact": Write(
        lambda c, name, _: c.replica.compact(),
        lambda world, name, _: None,
        after=None,
        repeatable=True,
    ),
    "purge": Write(
        lambda c, name, rev: c.replica.purge({name: [rev]}),
        _tree,
        prepare=_put,
        before=_PUT,
        after=None,
        right=lambda world, name, result: len(dict(result)[name]) == 1,  # type: ignore[call-overload]
    ),
    "create_index": Write(
        lambda c, name, _: c.replica.create_index(_index(name)), _indexes, before=0, after=1
    ),
    "delete_index": Write(
        lambda c, name, _: c.replica.delete_index(name, name),
        _indexes,
        prepare=_create_index,
        before=1,
        after=0,
    ),
    "create a database": Write(
        lambda c, name, _: c.server.create(name).close(), _database, before=False, after=True
    ),
    "delete a database": Write(
        lambda c, name, _: c.server.delete(name),
        _database,
        prepare=_create_database,
        before=True,
        after=False,
    ),
}
