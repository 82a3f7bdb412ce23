"""What the demo shows."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from couchmend.cli import render
from couchmend.cli.demonstration.acts import Afterwards, Exchanged, Found, Swept
from couchmend.cli.demonstration.devices import Edit
from couchmend.core.document import Doc, dumps
from couchmend.core.merging.telling import label, listed
from couchmend.core.paths import from_pointer, readable
from couchmend.core.revtree import Rev
from couchmend.engine.finding.scan import Scanned
from couchmend.journal.resolutions import Resolution

_SEVERITIES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "green"}
_DEVICES = {"phone": "cyan", "laptop": "magenta", "tablet": "blue"}
_INDENT = (0, 0, 0, 3)


class Teller:
    """Shows act after act.

    authors: by revision, which device made it, filled as it comes about.
    """

    def __init__(self, where: Console) -> None:
        self.where = where
        self.authors: dict[Rev, str] = {}
        self._number = 0

    def act(self, title: str) -> None:
        """The next act begins."""
        self._number += 1
        self.where.print()
        head = Text(f"{self._number}  {title} ", "bold")
        self.where.print(Rule(head, align="left", style="dim", characters="─"))

    def say(self, *parts: str | Text | tuple[str, str]) -> None:
        """A sentence."""
        self.where.print(Text.assemble("   ", *parts), soft_wrap=not self.where.is_terminal)

    # --- the acts

    def begins(self, url: str, devices: Sequence[str], documents: int) -> None:
        """What there is."""
        self.act("A server, and three devices with the same list of tasks")
        self.say(("server  ", "bold"), (url, "underline"))
        self.say(("devices ", "bold"), Text(", ").join(map(_device, devices)),
                 f", {documents} documents each")  # fmt: skip

    def edits(self, done: Sequence[Edit]) -> None:
        """What people did."""
        self.act("All three go offline, and people go on working")
        grid = _grid(3)
        by_id: dict[str, list[Edit]] = {}
        for one in done:
            by_id.setdefault(one.id, []).append(one)
        for id, each in by_id.items():
            for place, one in enumerate(each):
                said = Text(one.said, "red" if one.make is None else "")
                grid.add_row(Text("" if place else id, "bold"), _device(one.device), said)
        self.where.print(Padding(grid, _INDENT))

    def exchanged(self, each: Sequence[Exchanged]) -> None:
        """What went to the server and came from it."""
        self.act("They are online again and sync over HTTP, as PouchDB does")
        for one in each:
            self.say(_device(one.device), " " * (7 - len(one.device)),
                     f"{one.up:>3} versions up, {one.down:>3} down")  # fmt: skip

    def found(self, found: Found, tree: Scanned) -> None:
        """Which conflicts there are."""
        count = len(found.each)
        self.act(f"couchmend scan: {count} documents are in conflict")
        self.say("Every device shows one version and is silent about the others. CouchDB tells of "
                 f"{found.listed} in _conflicts;")  # fmt: skip
        hidden = [one.document for one in found.each if one.hidden]
        if hidden:
            are = "is" if len(hidden) == 1 else "are"
            self.say(f"{listed(hidden)} {are} hidden even there: one live version, and a deletion "
                     "that was made beside it.")  # fmt: skip
        grid = _grid(4)
        for one in sorted(found.each, key=_order):
            grid.add_row(
                Text(one.document, "bold"), one.type, _severity(one.severity),
                Text(self._named(one.sentence)),
            )  # fmt: skip
        self.where.print()
        self.where.print(Padding(grid, _INDENT))
        self.where.print()
        self.say(f"The history of {tree.document}:")
        self.where.print()
        notes = {rev: name for rev, name in self.authors.items() if rev in tree.doc.tree}
        render.history(tree.doc.tree, notes=notes, to=self.where)

    def swept(self, swept: Swept) -> None:
        """What was resolved, and what waits."""
        seconds = swept.report.elapsed / 1_000_000
        self.act(f"couchmend sweep, in mode {swept.report.mode}: {len(swept.resolved)} conflicts "
                 f"are resolved, {len(swept.waiting)} wait")  # fmt: skip
        self.say(f"First {swept.kept} of {swept.versions} versions went to the archive, then the "
                 f"merges were written; {seconds:.1f} seconds in all.")  # fmt: skip
        self.where.print()
        grid = _grid(3)
        for one in swept.resolved:
            for place, line in enumerate(self._why(one)):
                grid.add_row(
                    Text("" if place else f"✓ {one.document}", "bold green"),
                    "" if place else one.strategy, Text(line),
                )  # fmt: skip
        self.where.print(Padding(grid, _INDENT))
        self.where.print()
        grid = _grid(4)
        for waiting in swept.waiting:
            number = Text(f"? {waiting.document}", "bold yellow")
            kind = Text(f"#{waiting.id}")
            grid.add_row(number, kind, _severity(waiting.severity), Text(waiting.reason))
        self.where.print(Padding(grid, _INDENT))

    def afterwards(self, after: Afterwards) -> None:
        """How things are in the end."""
        self.act("The devices sync once more")
        down = ", ".join(f"{one.device} {one.down}" for one in after.exchanged)
        self.say(f"versions down: {down}")
        same = "the same version of every document" if after.same else "not all the same"
        self.say(f"The server and all devices show {same}; {after.conflicts} conflicts are left.")

    def goes_on(self, configuration: Path, waiting: Sequence[int], resolved: Sequence[int]) -> None:
        """What to type next."""
        self.act("Go on from here")
        for command, what in _commands(configuration, waiting, resolved):
            line = Text("   ").append(f"{command:<62}", "bold cyan").append(what, "dim")
            self.where.print(line, soft_wrap=True)

    def stays(self, url: str) -> None:
        """That the server answers, for how long."""
        self.where.print()
        link, key = (url, "underline"), ("Ctrl-C", "bold")
        self.say("PouchDB on Node.js syncs with ", link, ", too. ", key, " ends the server.")

    # --- in words

    def _why(self, one: Resolution) -> list[str]:
        """What came together in a resolution, path by path."""
        plan: Doc = one.plan or {}
        lines = [
            self._named(f"{readable(from_pointer(decision['path']))}: {_became(decision)}")
            for decision in plan.get("decisions", ())
            if not decision.get("metadata")
        ]
        return lines or [self._named(plan.get("sentence", ""))]

    def _named(self, sentence: str) -> str:
        """A sentence with the devices in place of their revisions."""
        for rev, device in self.authors.items():
            name = device.partition(":")[0]
            sentence = sentence.replace(f"of {label(rev)}", f"of the {name}'s version")
            sentence = sentence.replace(label(rev), f"the {name}")
        return sentence


def _became(decision: Doc) -> str:
    """Why a value was taken; of what was made of several, also which it is."""
    if decision["kind"] != "combined":
        return str(decision["reason"])
    before, taken = (_value(decision[name]) for name in ("base", "taken"))
    return f"{before} became {taken}; {decision['reason']}"


def _value(said: Doc) -> str:
    return dumps(said["value"]).decode() if "value" in said else "nothing"


def _commands(
    configuration: Path, waiting: Sequence[int], resolved: Sequence[int]
) -> Iterable[tuple[str, str]]:
    if not shutil.which("couchmend"):
        yield f'export PATH="{Path(sys.executable).parent}:$PATH"', ""
    yield f"export COUCHMEND_CONFIG={shlex.quote(str(configuration))}", ""
    yield "couchmend conflicts list", "what waits"
    if waiting:
        yield f"couchmend conflicts show {waiting[0]}", "its tree, its versions, word by word"
        yield f"couchmend conflicts explain {waiting[0]}", "why it was not resolved"
        yield (
            f"couchmend conflicts resolve {waiting[0]} --strategy suggested --preview",
            "what would be done",
        )
    yield "couchmend history", "what was resolved, and how"
    if resolved:
        yield f"couchmend undo {resolved[0]} --reopen --preview", "take one back, as it was"
    yield "couchmend stats", "how many, how fast"


def _device(name: str) -> Text:
    return Text(name, _DEVICES.get(name, ""))


def _severity(name: str) -> Text:
    return Text(name, _SEVERITIES.get(name, ""))


def _order(one: Scanned) -> tuple[str, str]:
    return one.type, one.document


def _grid(columns: int) -> Table:
    grid = Table(box=box.SIMPLE, show_header=False, show_edge=False, pad_edge=False,
                 padding=_INDENT)  # fmt: skip
    for place in range(columns):
        grid.add_column(no_wrap=place < columns - 1, overflow="fold")
    return grid
