"""Pictures of conflicts as text, for tests."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from couchmend.cli.drawing.conflict import Picture, show
from couchmend.core.conflicts.classify import classify
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.plans.examine import examine
from couchmend.core.plans.plan import plan_for
from couchmend.core.policy.policy import Policy


def console(width: int = 80, *, color: bool = False) -> Console:
    """One that writes into memory."""
    return Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        color_system="truecolor" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
        no_color=not color,
    )


def text_of(where: Console) -> str:
    """What was drawn, without the spaces at the ends of lines."""
    assert isinstance(where.file, io.StringIO)
    return "\n".join(line.rstrip() for line in where.file.getvalue().splitlines())


def picture(
    doc: ConflictedDocument,
    strategy: str = "merge",
    policy: Policy | None = None,
    **more: Any,
) -> Picture:
    """The picture of a conflict with the plan by a strategy."""
    found = examine(doc, policy or Policy())
    kind = classify(doc, found.versions.folded, found.policy)
    return Picture(found, kind, plan_for(found, strategy), number=12, **more)


def drawn(
    doc: ConflictedDocument,
    strategy: str = "merge",
    *,
    width: int = 80,
    color: bool = False,
    policy: Policy | None = None,
    facts: Mapping[str, str] | None = None,
    **more: Any,
) -> str:
    """It as text."""
    where = console(width, color=color)
    show(picture(doc, strategy, policy, facts=facts or {"state": "pending"}, **more), where)
    return text_of(where)
