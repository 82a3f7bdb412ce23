"""The commands of "Getting started" do what the page says, one after the other."""

from __future__ import annotations

import json
import re
import secrets
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from couchmend.replica.base import Server
from couchmend.replica.embedded import Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.replica.opening import open_server
from couchmend.settings import ReplicaServer
from tests.cli.running import couchmend
from tests.contract.backends import COUCHDB_URL
from tests.docs.a_database import fill, signed_out

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "guide" / "getting-started.md"
SAID = "https://couch.example.org/tasks"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps(page: Path = PAGE) -> list[tuple[str, list[str]]]:
    """Each command of a page with the lines that it shows of its output."""
    found: list[tuple[str, list[str]]] = []
    for block in BLOCK.finditer(page.read_text()):
        for line in block[1].splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            else:
                found[-1][1].append(line)
    return [(command, shown) for command, shown in found if command.startswith("couchmend ")]


@contextmanager
def server(kind: str, folder: Path) -> Iterator[tuple[Server, str, dict[str, str]]]:
    """A server, its address without credentials, and the variables that have them."""
    if kind == "couchdb":
        address, variables = signed_out(COUCHDB_URL)
        opened = open_server(COUCHDB_URL)
        yield opened, address, variables
        opened.close()
        return
    databases = Folder(folder / "databases")
    with BackgroundServer(databases, ReplicaServer(port=0)) as served:
        opened = open_server(served.url)
        yield opened, served.url, {}
        opened.close()
    databases.close()


def numbers(folder: Path, variables: dict[str, str]) -> dict[str, str]:
    """For the numbers of conflicts that the page has those that they have here: which one a
    conflict gets depends on what arrived first."""
    told = couchmend(
        "conflicts", "list", "--json", cwd=folder, HOME=str(folder), **variables
    ).stdout
    found = [json.loads(line) for line in told.splitlines()]
    each = {one["document"]: str(one["id"]) for one in found}
    return {"4": each["holiday"], "5": each["kitchen"]}


@pytest.mark.parametrize(
    "kind",
    [
        "served",
        pytest.param(
            "couchdb",
            marks=pytest.mark.skipif(
                not COUCHDB_URL, reason="COUCHMEND_TEST_COUCHDB_URL names no CouchDB"
            ),
        ),
    ],
)
@pytest.mark.timeout(300)
def test_its_commands_do_what_it_says(kind: str, tmp_path: Path) -> None:
    commands = steps()
    assert len(commands) >= 8
    with server(kind, tmp_path) as (opened, address, variables):
        name = f"couchmend-test-tasks-{secrets.token_hex(3)}" if kind == "couchdb" else "tasks"
        try:
            with opened.create(name) as database:
                fill(database, tmp_path)
            meant = {"tasks": name}
            for command, shown in commands:
                if command.startswith("couchmend conflicts resolve") and len(meant) == 1:
                    meant |= numbers(tmp_path, variables)
                words = [
                    meant.get(word, word)
                    for word in shlex.split(command.replace(SAID, f"{address}/{name}"))
                ]
                done = couchmend(*words[1:], cwd=tmp_path, HOME=str(tmp_path), **variables)
                assert done.returncode in (0, 1), f"{command}: {done.stderr}"
                told = done.stdout.replace(name, "tasks")
                for line in shown:
                    assert line.rstrip("… ") in told, f"{command}: {line!r} is not in\n{told}"
            with opened.open(name) as database:
                kitchen = database.get("kitchen", conflicts=True)
                assert len(kitchen["_conflicts"]) == 1  # all of it was reopened
        finally:
            opened.delete(name)


def test_the_front_page_has_the_same_commands() -> None:
    front = [command for command, _ in steps(ROOT / "README.md")]
    every = [command for command, _ in steps()]
    assert len(front) == 4
    assert [command for command in every if command in front] == front


@pytest.mark.timeout(300)
def test_what_pages_say_of_the_demo_works(tmp_path: Path) -> None:
    played = couchmend("demo", "--once", cwd=tmp_path)
    assert played.returncode == 0
    for page in ("docs/concepts/conflicts.md", "docs/concepts/policies.md"):
        commands = [
            step
            for step in steps(ROOT / page)
            if "file:demo/" in step[0] or step[0].endswith(" policies.toml")
        ]
        assert len(commands) >= 3
        for command, shown in commands:
            done = couchmend(*shlex.split(command)[1:], cwd=tmp_path)
            assert done.returncode in (0, 1), f"{command}: {done.stderr}"
            assert done.stdout
            for line in shown:
                assert line in done.stdout
