"""What a doctor finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from couchmend.cli import tree
from couchmend.cli.drawing.marked import FAINT
from couchmend.cli.drawing.safe import name, visible
from couchmend.cli.drawing.times import ago

if TYPE_CHECKING:
    from couchmend.engine.doctor.diagnosis import Diagnosis, DocumentDiagnosis, Fact

_SIGNS: Final = {"problem": ("✗", "bold red"), "notice": ("•", "yellow"), "ok": ("✓", "green")}


def show(found: Diagnosis, where: Console, now: int) -> None:
    """All facts, and of a document its tree."""
    where.print(_head(found, now))
    if found.document is not None and found.document.doc is not None:
        where.print()
        for line in _tree(found.document, where.width - 2):
            where.print(Text("  ") + line, no_wrap=True, crop=False, overflow="ignore")
    where.print()
    where.print(facts(found.facts))


def _head(found: Diagnosis, now: int) -> Text:
    told = Text()
    if found.document is not None:
        told = Text.assemble((name(found.document.id), "bold"), ("  in ", FAINT))
    told.append(name(found.target.name), "" if found.document else "bold")
    rest = [f"mode {found.target.mode}"]
    if found.info is not None:
        rest.append(f"{found.info.documents} documents")
    if found.database is not None and found.database.swept_at is not None:
        rest.append(f"swept {ago(found.database.swept_at, now)}")
    told.append(f"  {' · '.join(rest)}", FAINT)
    return told


def _tree(about: DocumentDiagnosis, width: int) -> list[Text]:
    doc = about.doc
    assert doc is not None
    notes = dict.fromkeys(about.possible, "may be a deletion by a person")
    notes.update((rev, "cannot be read") for rev in doc.unreadable)
    notes.update((rev, "set aside") for rev in doc.acknowledged if doc.tree.is_leaf(rev))
    return tree.draw(doc.tree, width=width, notes=notes)


def facts(every: tuple[Fact, ...]) -> Table:
    """Facts as a list, with what to do about each."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for fact in every:
        sign, style = _SIGNS[fact.weight]
        sentence = visible(fact.sentence)
        told = Text(f"{sentence[:1].upper()}{sentence[1:]}.")
        if fact.hint:
            told.append(f"\n→ {visible(fact.hint)}", "cyan")
        grid.add_row(Text(sign, style), told)
    return grid
