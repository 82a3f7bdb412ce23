"""What would happen to many conflicts, in a few lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from couchmend.cli.drawing.conflict import SEVERITY
from couchmend.cli.drawing.marked import FAINT
from couchmend.cli.drawing.safe import name, visible

if TYPE_CHECKING:
    from couchmend.engine.deciding.views import Preview


def examples(previews: Sequence[Preview]) -> Table:
    """Conflicts with what their plans do, a line each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, border_style=FAINT, header_style=FAINT)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("document", overflow="fold", min_width=12)
    table.add_column("what would be done", overflow="fold")
    for one in previews:
        severity = one.view.conflict.severity
        told = Text(visible(one.plan.sentence), "" if one.plan.ready else "yellow")
        document = Text(name(one.view.doc.id, 40))
        number = Text(str(one.view.conflict.id))
        table.add_row(number, Text(severity, SEVERITY.get(severity, "")), document, told)
    return table


def summary(
    total: int, looked_at: int, ready: Mapping[str, int], waiting: int, problems: int
) -> Text:
    """How many would be resolved, and by which strategies."""
    count = "1 conflict" if total == 1 else f"{total} conflicts"
    told = Text(count, "bold")
    if looked_at < total:
        told.append(f", of which the first {looked_at} were looked at", FAINT)
    parts = [f"{number} by {strategy}" for strategy, number in sorted(ready.items())]
    parts += [f"{waiting} that a person must decide"] if waiting else []
    parts += [f"{problems} that cannot be read"] if problems else []
    told.append(f": {', '.join(parts)}.")
    return told
