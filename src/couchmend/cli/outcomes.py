"""What came of carrying out a plan, in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from couchmend.cli import output
from couchmend.core.document import Doc
from couchmend.errors import CouchmendError

if TYPE_CHECKING:
    from couchmend.engine.carrying import Carried


def is_resolved(outcome: Carried) -> bool:
    """Whether the conflict is over."""
    from couchmend.engine.carrying import Resolved

    return isinstance(outcome, Resolved)


def word_for(outcome: Carried | CouchmendError) -> str:
    """What came of it in a word or two: `resolved`, `moved`, `deleted since`."""
    if isinstance(outcome, CouchmendError):
        return "not tried"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(outcome).__name__).lower()


def told(number: int, outcome: Carried | CouchmendError) -> Doc:
    """What came of it, for programs."""
    if isinstance(outcome, CouchmendError):
        return {"conflict": number, "outcome": "not tried", "error": str(outcome)}
    return {
        "conflict": number,
        "document": outcome.document,
        "resolution": outcome.resolution,
        "outcome": word_for(outcome).replace(" ", "_"),
        "sentence": outcome.sentence,
    }


def tell(number: int, document: str, outcome: Carried | CouchmendError, *, as_json: bool) -> None:
    """Say what came of it; what went wrong on stderr."""
    if as_json:
        output.line(told(number, outcome))
        return
    if isinstance(outcome, CouchmendError):
        output.complain(f"conflict {number}: {outcome}")
        return
    sentence = f"conflict {number}, {document or outcome.document}: {outcome.sentence}"
    if not is_resolved(outcome):
        output.complain(sentence)
        return
    output.text(sentence)
    if document and outcome.resolution is not None:
        output.text(f"take it back: couchmend undo {outcome.resolution}")
