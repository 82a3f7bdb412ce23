"""Why a conflict is, or is not, resolved without a person: the checks, and what would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from couchmend.cli.drawing.marked import FAINT
from couchmend.cli.drawing.safe import visible
from couchmend.core.conflicts.eligibility import Check

PASSED: Final = "✓"
FAILED: Final = "✗"

ADVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mode": 'set mode = "auto" for the database in couchmend.toml',
        "paused": "couchmend resume",
        "design": "resolve it by hand: couchmend conflicts resolve",
        "resolved": "decide the fields by hand, or give them rules in the policy"
        " ([policies.NAME.fields]) or the type another strategy (auto.strategy)",
        "severity": "raise auto.max_severity in the policy, or class the field lower (severity)",
        "timestamps": "decide by hand, or name the right timestamp_fields in the policy",
        "base": "decide by hand: nobody can tell any more what was changed."
        "  Sweep more often than the database compacts",
        "dead leaves": "decide by hand: an earlier resolution left a branch that may count",
        "containment": "decide by hand, or set no_ancestor in the policy",
        "attachments": 'decide by hand, or set attachments = "keep-both" in the policy',
        "leaves": "decide by hand; then look for what makes so many versions",
        "size": "decide by hand: couchmend conflicts resolve",
        "loop": "find out which other program writes the document; couchmend history shows when",
        "rollout": "raise rollout for the database in couchmend.toml",
        "snoozed": "couchmend conflicts snooze --wake",
        "excluded": "decide by hand: it was taken back, or excluded by a person",
    }
)
"""By the name of a check, what helps where it is not met."""


def checks(every: Sequence[Check], *, number: int | None = None) -> RenderableType:
    """The checks as a list, each with a sign, its sentence and what would help.

    number: of the conflict, for the commands that help.
    """
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for check in every:
        if check.passed:
            row = Text(PASSED, "green"), Text(check.name), Text(visible(check.sentence), FAINT)
        else:
            told = Text(visible(check.sentence))
            told.append(f"\n→ {advice(check, number)}", "cyan")
            row = Text(FAILED, "bold red"), Text(check.name, "bold"), told
        grid.add_row(*row)
    return grid


def advice(check: Check, number: int | None = None) -> str:
    """What to do about a check that is not met."""
    told = ADVICE.get(check.name, "decide by hand: couchmend conflicts resolve")
    if number is not None:
        for command in ("conflicts resolve", "conflicts snooze"):
            told = told.replace(f"couchmend {command}", f"couchmend {command} {number}")
    return told


def verdict(every: Sequence[Check]) -> Text:
    """All checks in a sentence."""
    failed = sum(not check.passed for check in every)
    if not failed:
        return Text("All checks are met: the next sweep resolves it by itself.", "green")
    which = "1 check is" if failed == 1 else f"{failed} checks are"
    return Text(f"It waits for a person: {which} not met.", "bold")


def explained(every: Sequence[Check], *, number: int | None = None) -> RenderableType:
    """The sentence, and the list with what is not met first."""
    ordered = sorted(every, key=lambda check: check.passed)
    return Group(verdict(every), "", checks(ordered, number=number))
