"""Many conflicts resolved at once: first what would happen, then doing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from couchmend.cli import output
from couchmend.cli.deciding import Decided
from couchmend.cli.opened import confirmed, who
from couchmend.errors import CouchmendError

if TYPE_CHECKING:
    from couchmend.engine.deciding.views import Preview
    from couchmend.engine.engine import Engine

EXAMPLES: Final = 10
_PAGE: Final = 500
_SHOWN_PROBLEMS: Final = 10


def waiting(engine: Engine, filters: Mapping[str, Any]) -> list[int]:
    """The numbers of the conflicts that wait and that filters name, in the order of the queue."""
    from couchmend.cli.filters import wanted
    from couchmend.journal.listing import listed

    numbers: list[int] = []
    with engine.journal.read() as tx:
        for state in ("pending", "failed"):
            chosen = wanted(tx, state=state, **filters)
            after = None
            while True:
                page = listed(tx, chosen, _PAGE, after)
                numbers += [one.id for one in page.conflicts]
                after = page.cursor
                if after is None:
                    break
    return numbers


@dataclass(slots=True)
class Outlook:
    """What would happen to some conflicts.

    looked_at: how many of them were planned.
    ready: by strategy, how many plans can be carried out; waiting: how many cannot.
    examples: the first of them; problems: what went wrong with others, by number.
    """

    looked_at: int = 0
    ready: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    examples: list[Preview] = field(default_factory=list)
    problems: dict[int, CouchmendError] = field(default_factory=dict)


def many(
    engine: Engine,
    numbers: Sequence[int],
    chosen: Decided,
    *,
    preview: bool,
    yes: bool,
    as_json: bool,
) -> bool:
    """Show what would be done, ask, and do it; whether all is well."""
    if not numbers:
        if as_json:
            output.line({"conflicts": 0})
        else:
            output.text("no conflict waits that is so")
        return True
    if preview:
        found = outlook(engine, numbers, chosen, as_json=as_json)
        _show(found, len(numbers), as_json=as_json)
        return not (found.waiting or found.problems)
    if not yes and not as_json:
        few = outlook(engine, numbers[:EXAMPLES], chosen, as_json=True)
        _show(few, len(numbers), as_json=False)
    question = f"Resolve {len(numbers)} conflicts, {_how(chosen)}?"
    if not confirmed(question, yes=yes):
        output.complain("nothing was done")
        return False
    return _do(engine, numbers, chosen, as_json=as_json)


def _how(chosen: Decided) -> str:
    return "each as suggested" if chosen.strategy == "suggested" else f"by {chosen.strategy}"


def outlook(
    engine: Engine, numbers: Sequence[int], chosen: Decided, *, as_json: bool = False
) -> Outlook:
    """What would happen to conflicts; nothing is written."""
    from couchmend.cli import render

    found = Outlook()
    with render.progress("planning", None if as_json else len(numbers)) as advance:
        for number, one in engine.preview_many(numbers, chosen.strategy):
            found.looked_at += 1
            if isinstance(one, CouchmendError):
                found.problems[number] = one
            else:
                if one.plan.ready:
                    found.ready[one.plan.strategy] += 1
                else:
                    found.waiting += 1
                if len(found.examples) < EXAMPLES:
                    found.examples.append(one)
            advance(1)
    return found


def _show(found: Outlook, total: int, *, as_json: bool) -> None:
    if as_json:
        output.line(
            {
                "conflicts": total,
                "looked_at": found.looked_at,
                "ready": dict(found.ready),
                "waiting": found.waiting,
                "problems": {str(one): str(problem) for one, problem in found.problems.items()},
                "examples": [
                    {
                        "conflict": one.view.conflict.id,
                        "document": one.view.doc.id,
                        "strategy": one.plan.strategy,
                        "ready": one.plan.ready,
                        "sentence": one.plan.sentence,
                    }
                    for one in found.examples
                ],
            }
        )
        return
    from rich.text import Text

    from couchmend.cli import render
    from couchmend.cli.drawing import bulk

    with render.page() as where:
        where.print(bulk.examples(found.examples))
        for number, problem in list(found.problems.items())[:_SHOWN_PROBLEMS]:
            where.print(Text.assemble((f"{number}: ", "bold"), (output.plain(str(problem)), "red")))
        where.print(bulk.summary(total, found.looked_at, found.ready, found.waiting,
                                 len(found.problems)))  # fmt: skip


def _do(engine: Engine, numbers: Sequence[int], chosen: Decided, *, as_json: bool) -> bool:
    from couchmend.cli import render
    from couchmend.cli.outcomes import is_resolved, tell, word_for

    outcomes: Counter[str] = Counter()
    well = True
    began = engine.clock.now()
    with render.progress("resolving", len(numbers)) as advance:
        for number, outcome in engine.resolve_many(numbers, chosen.strategy, by=who()):
            advance(1)
            resolved = not isinstance(outcome, CouchmendError) and is_resolved(outcome)
            outcomes[word_for(outcome)] += 1
            well = well and resolved
            if as_json or not resolved:
                tell(number, "", outcome, as_json=as_json)
    if not as_json:
        from couchmend.cli.moments import iso

        told = ", ".join(f"{count} {word}" for word, count in outcomes.most_common())
        output.text(f"{len(numbers)} conflicts: {told}")
        output.text(f"take it back: couchmend undo --since {iso(began)} --by {who()}")
    return well
