"""What was done about conflicts, and what taking it back would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from couchmend.cli.drawing.comparison import path_of
from couchmend.cli.drawing.conflict import what_would_be_done
from couchmend.cli.drawing.marked import FAINT
from couchmend.cli.drawing.roles import shortened
from couchmend.cli.drawing.safe import name, visible
from couchmend.cli.drawing.times import length, moment
from couchmend.core.plans.planned import Plan
from couchmend.errors import CouchmendError

if TYPE_CHECKING:
    from couchmend.engine.deciding.undo import Undone
    from couchmend.journal.resolutions import Resolution

_WIDE: Final = 120
_NARROW: Final = 100
_STYLES: Final = {"done": "green", "failed": "bold red", "abandoned": FAINT}


def history(found: Sequence[Resolution], where: Console, now: int) -> Table:
    """Resolutions and undos, a line each."""
    wide, narrow = where.width >= _WIDE, where.width < _NARROW
    several = len({one.database for one in found}) > 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, border_style=FAINT, header_style=FAINT)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("when", no_wrap=True)
    table.add_column("document", overflow="fold", min_width=12)
    if wide or several:
        table.add_column("database", overflow="fold")
    table.add_column("what", overflow="fold", no_wrap=narrow)
    table.add_column("by", overflow="fold")
    if wide:
        table.add_column("took", justify="right", no_wrap=True)
        table.add_column("written", no_wrap=True)
    table.add_column("outcome", overflow="fold")
    for one in found:
        when = moment(one.started_at, brief=narrow)
        cells = [Text(str(one.id)), Text(when), Text(name(one.document, 40))]
        if wide or several:
            cells.append(Text(name(one.database, 40)))
        cells += [_what(one), Text(name(one.by, 24))]
        if wide:
            elapsed = one.elapsed
            cells.append(Text("–" if elapsed is None else length(elapsed), FAINT))
            written = "–" if one.written is None else shortened(one.written)
            cells.append(Text(written, "" if one.written else FAINT))
        cells.append(_outcome(one))
        table.add_row(*cells)
    return table


def _what(one: Resolution) -> Text:
    if one.kind == "undo":
        told = (
            "archive restore" if one.undo_of is None else f"undo of {one.undo_of}, {one.strategy}"
        )
        return Text(told, "magenta")
    return Text(one.strategy)


def _outcome(one: Resolution) -> Text:
    if one.undone_by is not None:
        return Text(f"taken back by {one.undone_by}", "magenta")
    if one.state in ("archived", "written"):
        return Text("under way", "cyan")
    told = Text(one.state, _STYLES.get(one.state, ""))
    why = one.error or ("" if one.outcome == one.state else one.outcome)
    if why and one.state != "done":
        told.append(f": {name(why, 80)}")
    if one.accepted:
        told.append(", without a quorum", "yellow")
    return told


def undos(plans: Sequence[tuple[Resolution, Undone | CouchmendError]]) -> RenderableType:
    """What taking resolutions back would do, and what cannot be taken back."""
    parts: list[RenderableType] = []
    for one, found in plans:
        head = Text.assemble(
            (f"{one.id}  ", "bold"), (name(one.document, 44), "bold"),
            (f"  {one.strategy} by {name(one.by, 24)}, {moment(one.started_at)}", FAINT),
        )  # fmt: skip
        parts += [head, Padding(_undo(found), (0, 0, 0, 2))]
    return Group(*parts)


def _undo(found: Undone | CouchmendError) -> RenderableType:
    if isinstance(found, CouchmendError):
        return Text(visible(str(found)), "red")
    plan = found.plan
    if isinstance(plan, Plan):  # what was reopened is resolved again
        return what_would_be_done(plan)
    sentence = visible(plan.sentence)
    told = Text(f"{sentence[:1].upper()}{sentence[1:]}.")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for write in plan.writes:
        words = f"{shortened(write.expected)} over {shortened(write.parent)}"
        grid.add_row(Text("write", "green"), Text(words))
    for decision in plan.irreversible:
        why = "was changed again since, and stays as it is"
        grid.add_row(Text("cannot", "bold yellow"), Text(f"{path_of(decision)} {why}"))
    return Group(told, grid)
