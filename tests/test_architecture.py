"""Holds the picture of the house: who may import whom, and how large a module may be.

Imports are read from the source, those inside functions and under TYPE_CHECKING included.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
PACKAGE = "couchmend"

# A layer may import itself and the layers it names; what is not listed here belongs to none.
LAYERS: dict[str, set[str]] = {
    "errors": set(),
    "events": {"errors"},
    "functions": {"errors"},
    "core": {"errors", "events"},
    "settings": {"errors", "events"},
    "replica": {"core", "errors", "events", "settings"},
    "journal": {"core", "errors", "events", "settings"},
}
for layer, below in (
    ("policies", ["core", "functions"]),
    ("configuration", ["policies"]),
    ("reloading", ["configuration"]),
    ("schemas", ["core"]),
    ("engine", ["reloading", "journal", "replica"]),
    ("operations", ["engine"]),
    ("observe", ["operations"]),
    ("service", ["observe"]),
    ("workers", ["observe"]),
    ("cli", ["service", "workers"]),
):
    LAYERS[layer] = {"errors", "events", "settings"}.union(*({b} | LAYERS[b] for b in below))

# The package itself is what a user imports: replicas, and the engine.
LAYERS[""] = LAYERS["engine"] | {"engine"}
LAYERS["cli"] |= {"", "schemas"}
LAYERS["__main__"] = {"cli"}

# The core knows no file, socket, clock, log, chance or process.
KEPT_FROM_CORE = {
    "asyncio", "concurrent", "datetime", "io", "logging", "multiprocessing", "os", "pathlib",
    "random", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess",
    "tempfile", "threading", "time", "urllib", "uuid", "warnings",
}  # fmt: skip
LIBRARIES_OF_CORE = {"orjson"}

LONGEST_MODULE = 400
LONGER_MODULES = {
    "couchmend.replica.base",  # declarations only: the whole contract on one page
}


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((SOURCE / PACKAGE).rglob("*.py"))}


def imports(name: str) -> Iterator[tuple[str, int]]:
    """The modules that a module imports, with the line."""
    path = MODULES[name]
    for node in ast.walk(ast.parse(path.read_text(), path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: import by the full name"
            assert node.module is not None
            for alias in node.names:
                if (node.module, alias.name) == (PACKAGE, "__version__"):
                    continue  # a fact, open to every layer
                whole = f"{node.module}.{alias.name}"
                yield (whole if whole in MODULES else node.module), node.lineno


def layer_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_its_layer_and_those_below(name: str) -> None:
    layer = layer_of(name)
    assert layer in LAYERS, f"{name}: draw the new layer into this test and docs/architecture.md"
    for target, line in imports(name):
        if target.split(".")[0] == PACKAGE:
            other = layer_of(target)
            assert other == layer or other in LAYERS[layer], f"{name}:{line} imports {target}"


@pytest.mark.parametrize("name", [name for name in MODULES if layer_of(name) == "core"])
def test_the_core_is_pure(name: str) -> None:
    for target, line in imports(name):
        top = target.split(".")[0]
        if top == PACKAGE:
            assert layer_of(target) in {"core", "errors", "events"}, f"{name}:{line} {target}"
        else:
            assert top in LIBRARIES_OF_CORE or (
                top in sys.stdlib_module_names and top not in KEPT_FROM_CORE
            ), f"{name}:{line} imports {target}"


# Of the rooms of a layer, each knows those to its left.
ROOMS: dict[str, tuple[str, ...]] = {
    "core": ("sequences", "policy", "merging", "conflicts", "plans"),
    "engine": ("finding", "carrying", "sweeping", "deciding", "doctor", "studying"),
}
# What stands in no room is what the rooms rest on, but for these, which rest on the rooms.
OVER_THE_ROOMS = {
    "couchmend.engine.decisions",
    "couchmend.engine.engine",
    "couchmend.engine.hooks",
    "couchmend.engine.opened",
    "couchmend.engine.putting_back",
}


def room_of(name: str) -> int:
    """Which room of its layer a module is in."""
    rooms = ROOMS[layer_of(name)]
    if name in OVER_THE_ROOMS:
        return len(rooms)
    room = name.split(".")[2:3]
    return rooms.index(room[0]) if room and room[0] in rooms else -1


@pytest.mark.parametrize("name", [name for name in MODULES if layer_of(name) in ROOMS])
def test_a_room_knows_those_to_its_left(name: str) -> None:
    for target, line in imports(name):
        if target in MODULES and layer_of(target) == layer_of(name):
            assert room_of(target) <= room_of(name), f"{name}:{line} imports {target}"


def test_the_picture_has_every_room() -> None:
    drawn = (SOURCE.parent / "docs/architecture.md").read_text()
    for layer, rooms in ROOMS.items():
        assert re.search(r" +◄─ +".join(rooms), drawn), f"{layer}: draw its rooms, in their order"
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    for package in packages - {PACKAGE}:
        _, *path = package.split(".")
        if len(path) <= 2:
            told = f"`{'/'.join(path)}/"
            assert told in drawn, f"docs/architecture.md: what is {told}` for?"


def test_no_imports_in_a_circle() -> None:
    graph = {
        name: {target for target, _ in imports(name) if target in MODULES} - {name}
        for name in MODULES
    }
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as circle:
        pytest.fail(" → ".join(circle.args[1]))
    assert set(order) >= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_one_subject(name: str) -> None:
    lines = len(MODULES[name].read_text().splitlines())
    if name in LONGER_MODULES:
        assert lines > LONGEST_MODULE, f"{name} need not be on the list any more"
    else:
        assert lines <= LONGEST_MODULE, f"{name} has {lines} lines: cut it where it has a joint"


def test_the_test_sees_imports_inside_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "hidden.py"
    hidden.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from couchmend.core import document\n"
        "def f():\n    import couchmend.errors\n    from couchmend.errors import NotFound\n"
    )
    monkeypatch.setitem(MODULES, "couchmend.hidden", hidden)
    assert [target for target, _ in imports("couchmend.hidden") if PACKAGE in target] == [
        "couchmend.core.document",
        "couchmend.errors",
        "couchmend.errors",
    ]
