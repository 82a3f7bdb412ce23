"""What the journal keeps of a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from couchmend.cli.drawing.comparison import Sight, fields
from couchmend.cli.drawing.marked import FAINT
from couchmend.cli.drawing.roles import Role, shortened
from couchmend.cli.drawing.safe import name, visible
from couchmend.cli.drawing.values import spaced
from couchmend.cli.render import size
from couchmend.core.document import Doc, dumps
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.merging.decisions import Decision
from couchmend.core.revtree import Rev
from couchmend.core.values import ABSENT, same

if TYPE_CHECKING:
    from couchmend.journal.archive import Archived, KeptAttachment

_SHOWN: Final = 72


def show(
    database: str,
    document: str,
    kept: Mapping[Rev, Archived],
    attachments: Sequence[KeptAttachment],
    where: Console,
) -> None:
    """The versions, and the attachments with their contents."""
    where.print(Text.assemble((name(document), "bold"), ("  in ", FAINT), name(database)))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, border_style=FAINT, header_style=FAINT)
    table.expand = True
    table.add_column("version", no_wrap=True, min_width=12)
    table.add_column("size", justify="right", no_wrap=True, min_width=9)
    table.add_column("says", overflow="ellipsis", no_wrap=True, ratio=1)
    for rev, one in kept.items():
        table.add_row(Text(shortened(rev, 8)), _size(one), _says(one))
    where.print(table)
    if attachments:
        files = Table(box=box.SIMPLE_HEAD, pad_edge=False, border_style=FAINT, header_style=FAINT)
        files.add_column("attachment", overflow="fold")
        files.add_column("type", overflow="fold")
        files.add_column("size", justify="right", no_wrap=True)
        files.add_column("of", no_wrap=True)
        for file in attachments:
            length = Text(size(file.content.length))
            cells = Text(name(file.name, 40)), Text(name(file.content_type, 32)), length
            files.add_row(*cells, Text(shortened(file.rev, 8)))
        where.print(files)


def _size(one: Archived) -> Text:
    return Text("–", FAINT) if not one.body else Text(size(len(dumps(one.body))))


def _says(one: Archived) -> Text:
    if one.deleted:
        return Text("deleted", "red")
    if one.body is None:
        return Text("only its name is known", FAINT)
    body = {key: value for key, value in one.body.items() if key != MEMBER}
    return Text(visible(spaced(body)[: _SHOWN * 3]))


def restoring(
    document: str, present: str, now: Doc | None, rev: Rev, body: Doc, where: Console
) -> None:
    """What putting a version back changes.

    present: the revision that is there now, empty where there is none; now: what it says.
    """
    where.print(Text(name(document), "bold"))
    if now is None:
        where.print(Text(f"There is no such document now: {shortened(rev)} makes it again."))
        return
    changed = [
        Decision((key,), "other", {str(rev): body.get(key, ABSENT)}, now.get(key, ABSENT),
                 body.get(key, ABSENT))
        for key in dict.fromkeys([*now, *body])
        if not same(now.get(key, ABSENT), body.get(key, ABSENT))
    ]  # fmt: skip
    if not changed:
        where.print(Text("It says the same now: there is nothing to put back."))
        return
    over = shortened(Rev.parse(present))
    where.print(Text(f"{shortened(rev)} is written over {over}, which is there now:", FAINT))
    where.print()
    role = Role(rev, "becomes", "bold cyan")
    where.print(fields(changed, [role], Sight.of(where), where.width))
