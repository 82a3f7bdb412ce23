"""`couchmend demo`: how a conflict comes about, on two devices that edit offline."""

from __future__ import annotations

import shlex
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from couchmend.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from couchmend.core.document import Doc
    from couchmend.core.revtree import Rev
    from couchmend.replica.base import Replica

EQUAL_AT_FIRST: tuple[Doc, ...] = (
    {"_id": "call-anna", "title": "Call Anna", "done": False},
    {"_id": "groceries", "title": "Groceries", "items": ["bread", "milk"], "due": "Friday"},
    {"_id": "holiday", "title": "Book the train", "when": "July"},
    {"_id": "rent", "title": "Pay the rent", "amount": 820},
)


def demo(
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Leave the two databases in this folder."),
    ] = None,
) -> None:
    """Two devices edit offline, and a conflict is drawn."""
    with ExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="couchmend-")))
        else:
            folder = _new_folder(keep)
        from couchmend.cli import render
        from couchmend.replica.embedded.database import EmbeddedReplica

        phone = stack.enter_context(EmbeddedReplica.open(folder / "phone.couch"))
        laptop = stack.enter_context(EmbeddedReplica.open(folder / "laptop.couch"))
        where = render.console()
        _start_equal(phone, laptop, where)
        authors = _edit_offline(phone, laptop, where)
        _exchange(phone, laptop, where)
        _show(phone, laptop, authors, where)
        _say_more(keep, where)


def _new_folder(keep: Path) -> Path:
    keep.mkdir(parents=True, exist_ok=True)
    for name in ("phone.couch", "laptop.couch"):
        if (keep / name).exists():
            raise UsageError(
                "a database is here already", target=str(keep / name), hint="name an empty folder"
            )
    return keep


def _step(where: Console, number: int, title: str) -> None:
    where.print(f"\n{number}. {title}", style="bold")


def _start_equal(phone: Replica, laptop: Replica, where: Console) -> None:
    from couchmend.replica.replicate import replicate

    _step(where, 1, "A phone and a laptop start with the same four documents.")
    phone.bulk_docs(EQUAL_AT_FIRST)
    replicate(phone, laptop)
    for replica in (phone, laptop):
        info = replica.info()
        where.print(f"   {replica.name:<8}{info.documents} documents")


def _edit_offline(phone: Replica, laptop: Replica, where: Console) -> dict[Rev, str]:
    """The edits; returns who made which revision."""
    from couchmend.core.revtree import Rev

    _step(where, 2, "Both go offline, and people go on working.")
    made: dict[Rev, str] = {}

    def edit(replica: Replica, id: str, said: str, **fields: object) -> None:
        made[Rev.parse(replica.put({**replica.get(id), **fields}))] = f"{replica.name}: {said}"
        where.print(f"   {replica.name:<8}{id:<11}{said}")

    edit(phone, "call-anna", "is done", done=True)
    edit(laptop, "rent", "went up", amount=860)
    edit(phone, "groceries", "oat milk instead of milk", items=["bread", "oat milk"])
    edit(phone, "groceries", "and coffee", items=["bread", "oat milk", "coffee"])
    edit(laptop, "groceries", "due on Thursday already", due="Thursday")
    made[Rev.parse(phone.delete("holiday", phone.get("holiday")["_rev"]))] = "phone: deleted"
    where.print(f"   {phone.name:<8}{'holiday':<11}deleted")
    edit(laptop, "holiday", "moved to August", when="August")
    return made


def _exchange(phone: Replica, laptop: Replica, where: Console) -> None:
    from couchmend.cli.reading import leaves_of
    from couchmend.replica.replicate import replicate

    _step(where, 3, "They meet again and replicate, both ways.")
    for source, target in ((phone, laptop), (laptop, phone)):
        replicate(source, target)
        where.print(f"   {source.name} → {target.name}")
    same = all(
        leaves_of(phone, doc["_id"], {}) == leaves_of(laptop, doc["_id"], {})
        for doc in EQUAL_AT_FIRST
    )
    where.print(f"   every revision is on both: {'yes' if same else 'no'}")
    where.print("   call-anna and rent: one edit each, on one device, so both simply arrived")


def _show(phone: Replica, laptop: Replica, authors: dict[Rev, str], where: Console) -> None:
    from couchmend.cli import render
    from couchmend.cli.reading import leaves_of, tree_of

    _step(where, 4, "groceries was edited on both: a conflict.")
    where.print("   Both versions are kept as leaves of the revision tree.  Every replica shows")
    where.print("   the same winner; the other version is there, and nobody is told.\n")
    docs = leaves_of(phone, "groceries", {"revs": True})
    render.history(tree_of(docs), notes=authors, to=where)
    where.print()
    headings = [
        f"{place} {doc['_rev'][:8]}" for place, doc in zip(("winner", "other"), docs, strict=True)
    ]
    render.side_by_side(docs, headings, to=where)
    _step(where, 5, "holiday was deleted on one and edited on the other: a hidden conflict.")
    where.print("   A deletion never wins against an edit, so the document is back on the phone,")
    where.print(
        f"   with `when` = {phone.get('holiday')['when']}.  CouchDB's _conflicts is silent:"
    )
    where.print(f"   {laptop.get('holiday', conflicts=True).get('_conflicts', [])}\n")
    render.history(tree_of(leaves_of(laptop, "holiday", {"revs": True})), notes=authors, to=where)


def _say_more(keep: Path | None, where: Console) -> None:
    where.print()
    if keep is None:
        where.print("To look further: couchmend demo --keep demo, then")
    else:
        where.print("To look further:")
    address = shlex.quote(f"file:{keep or 'demo'}/phone.couch")
    for what in ("get {} groceries --tree", "get {} holiday --all-leaves", "changes {}"):
        where.print(f"   couchmend replica {what.format(address)}", soft_wrap=True)
