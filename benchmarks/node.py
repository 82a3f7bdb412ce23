"""The peers that run in Node.js; where it is missing their columns say so."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PEERS = Path(__file__).parent / "peers"


def missing() -> str | None:
    """What keeps the peers from running here, or None."""
    if shutil.which("node") is None:
        return "node is missing"
    if not (PEERS / "node_modules").is_dir():
        return "the peers' packages are missing: npm ci --prefix benchmarks/peers"
    return None


class PeerFailed(Exception):
    """The peer could not do what it was asked; its own words."""


class Peer:
    """A program of `peers/` that answers in lines of JSON, and ends with its input."""

    def __init__(self, program: str, *arguments: str, cwd: Path) -> None:
        self._process = subprocess.Popen(
            ["node", str(PEERS / program), *arguments],
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def listen(self) -> dict[str, Any]:
        """The next line that it says.

        Raises:
            PeerFailed: it ended, or what it was asked failed.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailed(f"the peer ended with {self._process.wait()}; see above")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerFailed(answer["error"])
        return answer

    def ask(self, command: str, **details: object) -> dict[str, Any]:
        """Have one command done; see `peers/pouch.js`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **details}, default=str) + "\n")
        self._process.stdin.flush()
        return self.listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=60)


def pouch(cwd: Path) -> Peer:
    """PouchDB on LevelDB."""
    return Peer("pouch.js", cwd=cwd)


def versions() -> dict[str, str]:
    """Node.js and what of it is measured beside us."""
    found = {"Node.js": subprocess.check_output(["node", "--version"], text=True).strip()}
    for package in (
        "pouchdb",
        "leveldown",
        "express-pouchdb",
        "express",
        "pouch-resolve-conflicts",
    ):
        description = PEERS / "node_modules" / package / "package.json"
        found[package] = json.loads(description.read_text())["version"]
    return found
