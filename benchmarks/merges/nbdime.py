"""nbdime's merge of any JSON value."""

from __future__ import annotations

import importlib.util

from benchmarks.merges.cases import Triple
from couchmend.core.document import JSON


def missing() -> str | None:
    """Why it cannot run here, or None."""
    return None if importlib.util.find_spec("nbdime") else "nbdime is missing"


def merge(triple: Triple) -> tuple[JSON, bool]:
    """The result, and whether nothing is left to decide."""
    from nbdime.merging.decisions import apply_decisions
    from nbdime.merging.generic import decide_merge

    decisions = decide_merge(*triple)
    return apply_decisions(triple[0], decisions), not any(one.conflict for one in decisions)
