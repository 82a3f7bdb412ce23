"""A conflict of a scan, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from couchmend.cli import output
from couchmend.core.document import JSON, Doc, dumps
from couchmend.core.paths import readable
from couchmend.core.values import ABSENT, Value
from couchmend.errors import CouchmendError

if TYPE_CHECKING:
    from couchmend.engine.finding.scan import Scanned

_SHOWN_CHARACTERS = 60
_SHOWN_FIELDS = 12


def differences(one: Scanned) -> list[Doc]:
    """What was changed in a conflict, and by which version: a member that is not there is one
    that the version does not have."""
    from couchmend.core.plans.examine import examine

    try:
        decided = examine(one.doc, one.examined_by).versions.decisions
    except CouchmendError:  # what cannot be merged has no differences that could be told
        return []
    return [
        {
            "field": readable(decision.path),
            "contested": decision.contested or decision.unresolved,
            **({} if decision.base is ABSENT else {"base": decision.base}),
            "versions": {
                name: value for name, value in decision.versions.items() if value is not ABSENT
            },
        }
        for decision in decided
        if not decision.metadata and decision.aspect == "value"
    ]


def shown_sample(one: Doc) -> str:
    """It for people."""
    hidden = ", hidden" if one["hidden"] else ""
    plain = output.plain
    lines = [
        f"{plain(one['id'])}  {one['type']}, {one['severity']}{hidden}",
        f"  {plain(one['reason'])}",
    ]
    shown = one["differences"][:_SHOWN_FIELDS]
    width = max((len(plain(part["field"])) for part in shown), default=0)
    for part in shown:
        before = _short(part.get("base", ABSENT))
        after = "  |  ".join(_short(value) for value in part["versions"].values())
        mark = "*" if part["contested"] else " "
        lines.append(f"  {mark} {plain(part['field']):{width}}  {before}  →  {after or '–'}")
    left = len(one["differences"]) - len(shown)
    if left:
        lines.append(f"    and {left} more")
    return "\n".join([*lines, "", ""])


def _short(value: Value | JSON) -> str:
    if value is ABSENT:
        return "–"
    text = output.plain(dumps(value).decode())
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
