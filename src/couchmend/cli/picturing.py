"""From what the engine tells of a conflict to its picture."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from couchmend.cli.drawing.conflict import Picture
from couchmend.cli.drawing.marked import FAINT
from couchmend.cli.drawing.safe import visible
from couchmend.cli.drawing.times import ago, moment
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.paths import readable
from couchmend.core.plans.planned import Plan

if TYPE_CHECKING:
    from couchmend.engine.deciding.views import View
    from couchmend.engine.engine import Engine


def picture_of(
    view: View,
    plan: Plan,
    now: int,
    *,
    sizes: Mapping[str, int] | None = None,
    everything: bool = False,
) -> Picture:
    """A conflict with a plan for it."""
    found = view.assessment
    assert found is not None
    return Picture(
        found.examined,
        found.kind,
        plan,
        number=view.conflict.id,
        facts=_facts(view, now),
        sizes=sizes or {},
        everything=everything,
    )


def _facts(view: View, now: int) -> dict[str, str]:
    one = view.conflict
    facts = {"state": one.state, "age": f"found {ago(one.first_seen, now)}"}
    if one.version > 1:
        facts["version"] = f"version {one.version}"
    if one.snoozed_until is not None and one.state == "snoozed":
        facts["snoozed"] = f"until {moment(one.snoozed_until)}"
    if one.excluded:
        facts["excluded"] = "excluded"
    if one.last_error:
        facts["error"] = f"failed {one.attempts} times: {one.last_error}"
    facts["policy"] = f"policy {one.policy}"
    return facts


def sizes_of(engine: Engine, doc: ConflictedDocument) -> dict[str, int]:
    """The sizes of a document's attachments in bytes, by digest, as far as its database tells."""
    if not any(MEMBER in doc.bodies[rev] for rev in doc.live):
        return {}
    replica = engine.replica(doc.database)
    sizes: dict[str, int] = {}
    for rev in doc.live:
        if MEMBER in doc.bodies[rev]:
            stubs = replica.get(doc.id, rev=str(rev)).get(MEMBER, {})
            sizes.update(
                (stub["digest"], stub["length"])
                for stub in stubs.values()
                if "digest" in stub and "length" in stub
            )
    return sizes


def commands(view: View, plan: Plan, where: Console) -> None:
    """What a person may do next."""
    number = view.conflict.id
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    resolve = f"couchmend conflicts resolve {number}"
    if plan.ready:
        grid.add_row(resolve, Text("do that", FAINT))
    for decision in plan.unresolved[:1]:
        choice = shlex.quote(visible(f"{readable(decision.path)}=other"))
        grid.add_row(f"{resolve} --take {choice}", Text("decide a field", FAINT))
    if any(one.contested for one in plan.decisions) and plan.ready:
        grid.add_row(f"{resolve} --strategy keep-other", Text("or another way", FAINT))
    if plan.acknowledge:
        grid.add_row(f"{resolve} --strategy delete", Text("confirm the deletion instead", FAINT))
    grid.add_row(f"couchmend conflicts explain {number}", Text("why it waits", FAINT))
    where.print()
    where.print(Text("Next", "bold"))
    where.print(grid)
