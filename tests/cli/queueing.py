"""A database with conflicts, swept into a journal, as commands find it."""

from __future__ import annotations

import functools
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import couchmend
from couchmend import settings
from couchmend.engine.engine import Engine
from couchmend.replica.base import Replica
from couchmend.replica.replicate import replicate
from tests.cli.running import couchmend_here

CONFIG = """
[journal]
url = "sqlite:///journal.db"

[[databases]]
url = "file:notes.couch"
name = "notes"
mode = "{mode}"
"""

TASK: dict[str, Any] = {
    "title": "Call Anna",
    "status": "todo",
    "tags": ["home"],
    "estimate": 3,
    "deviceId": "server",
    "updatedAt": "2026-11-24T10:00:00Z",
}


@dataclass
class Site:
    """A folder with a database `notes` of some conflicts, and a configuration.

    `open`: both changed the title, the one the tags, the other the estimate.
    `merging`: the one changed the tags, the other the estimate.
    `hidden`: the one deleted it, the other edited it.
    """

    folder: Path

    def run(self, *arguments: str, stdin: str = "") -> CompletedProcess[str]:
        """Run `couchmend` there."""
        return couchmend_here(*arguments, stdin=stdin, cwd=self.folder)

    def told(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        """What it prints, when it ends with a code."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stdout if code in (0, 1) and not done.stderr else done.stdout + done.stderr

    def lines(self, *arguments: str, code: int = 0) -> list[Any]:
        """What it tells programs."""
        done = self.run(*arguments, "--json")
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def number(self, document: str) -> str:
        """The number of a document's conflict."""
        (found,) = [
            one for one in self.lines("conflicts", "list", "--state", "any")
            if one["document"] == document
        ]  # fmt: skip
        return str(found["id"])

    def notes(self) -> Replica:
        """The database; close it."""
        return couchmend.open_replica(f"file:{self.folder / 'notes.couch'}", create=False)

    def doc(self, id: str) -> dict[str, Any]:
        """What the database has of a document."""
        with self.notes() as notes:
            return notes.get(id, conflicts=True)

    def sweep(self) -> None:
        """Sweep it once more."""
        with Engine(settings.load(config=self.folder / "couchmend.toml")) as engine:
            engine.sweep()


def site(folder: Path, *, mode: str = "suggest", more: dict[str, Any] | None = None) -> Site:
    """A new one; `more` are further documents, with two edits each."""
    made = Site(folder)
    for name, content in _files(json.dumps(more or {})).items():
        (folder / name).write_bytes(content)
    (folder / "couchmend.toml").write_text(CONFIG.format(mode=mode))
    return made


@functools.cache
def _files(more: str) -> dict[str, bytes]:
    """The files of one, made once: sweeping takes longer than copying."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "couchmend.toml").write_text(CONFIG.format(mode="suggest"))
        _fill(folder, json.loads(more))
        Site(folder).sweep()
        return {file.name: file.read_bytes() for file in folder.iterdir()}


def _fill(folder: Path, more: dict[str, Any]) -> None:
    edits: dict[str, tuple[dict[str, Any] | None, dict[str, Any]]] = {
        "open": (
            {"title": "Call Anna today", "tags": ["home", "urgent"]},
            {"title": "Call Bob", "estimate": 5},
        ),
        "merging": ({"tags": ["home", "urgent"]}, {"estimate": 8}),
        "hidden": (None, {"status": "done"}),
        **more,
    }
    with (
        couchmend.open_replica(f"file:{folder / 'notes.couch'}") as notes,
        couchmend.open_replica(":memory:") as phone,
    ):
        notes.bulk_docs([{"_id": id, **TASK} for id in edits])
        replicate(notes, phone)
        for id, (there, here) in edits.items():
            old = phone.get(id)
            if there is None:
                phone.delete(id, old["_rev"])
            else:
                stamp = {"deviceId": "phone", "updatedAt": "2026-11-24T11:00:00Z"}
                phone.put({**old, **stamp, **there})
            stamp = {"deviceId": "laptop", "updatedAt": "2026-11-24T12:00:00Z"}
            notes.put({**notes.get(id), **stamp, **here})
        replicate(phone, notes)
