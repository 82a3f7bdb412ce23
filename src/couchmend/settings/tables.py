"""Tables that may stand in the configuration file any number of times: `[[servers]]`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from couchmend.settings.checking import checked, place, shown, unknown_key
from couchmend.settings.effects import without_effect
from couchmend.settings.fields import fields_of
from couchmend.settings.sections import TABLES


def entries(
    table: str, given: Any, file: Path | None, text: str, problems: list[str]
) -> tuple[Any, ...]:
    """The entries of a table, each an object of its class, in the file's order.

    What is wrong with them is added to `problems`, each with where it stands.
    """
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        where = place(file, text, table)
        problems.append(
            f"{where}: {table} = {shown(given)} is not allowed: each entry begins with [[{table}]]"
        )
        return ()
    before = len(problems)
    found = [
        _fields(table, entry, number, file, text, problems) for number, entry in enumerate(given)
    ]
    for number, name, why in without_effect(table, found):
        where = place(file, text, table, name, number)
        key = f"{table}[{number}].{name}"
        problems.append(f"{where}: {key} = {shown(str(found[number][name]))} has no effect: {why}")
    if len(problems) > before:
        return ()
    return tuple(TABLES[table](**fields) for fields in found)


def _fields(
    table: str,
    entry: dict[str, Any],
    number: int,
    file: Path | None,
    text: str,
    problems: list[str],
) -> dict[str, Any]:
    kind = TABLES[table]
    fields: dict[str, Any] = {}
    for name, value in entry.items():
        where = place(file, text, table, name, number)
        key = f"{table}[{number}].{name}"
        if name not in fields_of(kind):
            why = unknown_key(kind, name, f"[[{table}]]", str)
            problems.append(f"{where}: there is no setting {key}{why}")
            continue
        try:
            fields[name] = checked(kind, name, value, strict=True, file=file)
        except ValueError as problem:
            problems.append(f"{where}: {key} = {shown(value)} is not allowed: {problem}")
    problems.extend(
        f"{place(file, text, table, None, number)}: {table}[{number}] has no {field.name}"
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.name not in entry
    )
    return fields
