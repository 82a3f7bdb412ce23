"""`couchmend config`: the configuration written, checked, shown and explained."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from couchmend.cli import output
from couchmend.cli.database import AsJson, Config
from couchmend.errors import UsageError

if TYPE_CHECKING:
    from couchmend.configuration import Configuration
    from couchmend.core.document import JSON

config_app = typer.Typer(rich_markup_mode=None)

File = Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")]


@config_app.callback(invoke_without_command=True)
def config_command(context: typer.Context) -> None:
    """The configuration: write one, check it, see what holds."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


@config_app.command()
def init(
    file: File = Path("couchmend.toml"),
    profile: Annotated[
        str,
        typer.Option(metavar="PROFILE", help="development, production or testing."),
    ] = "development",
) -> None:
    """Write a commented example of a configuration.  A file that is there is left alone."""
    from couchmend.settings.engine import PROFILES
    from couchmend.settings.reference import example

    if profile not in PROFILES:
        raise UsageError(
            f"there is no profile {profile!r}",
            operation="config init",
            hint=f"there are {', '.join(PROFILES)}",
        )
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(example(profile))
    except FileExistsError as problem:
        raise UsageError(
            "the file is there already",
            operation="config init",
            target=str(file),
            hint="name another, or move it away",
        ) from problem
    output.text(f"{file} is written: every setting is in it, commented out")
    output.text("next: name your databases in it, then `couchmend config check`")


@config_app.command()
def check(config: Config = None, as_json: AsJson = False) -> None:
    """Find all that is wrong with it: settings, policies, hooks."""
    from couchmend.configuration import load_all

    try:
        found = load_all(config=config)
    except UsageError as problem:
        _tell_mistakes(problem.mistakes, as_json)
        raise typer.Exit(2) from None
    file = found.settings.file
    if as_json:
        output.line({"file": None if file is None else str(file), "ok": True, "problems": []})
    elif file is None:
        output.text("there is no configuration file, all is as by default")
        output.text("next: `couchmend config init` writes an example")
    else:
        parts = (
            _counted(len(found.settings.databases), "database", "databases"),
            _counted(len(found.policies), "policy", "policies"),
            f"profile {found.settings.profile}",
        )
        output.text(f"{file} is right: {', '.join(parts)}")
        if not found.settings.databases:
            output.text("next: name your databases in [[databases]]")


def _tell_mistakes(mistakes: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        output.line({"ok": False, "problems": list(mistakes)})
        return
    for mistake in mistakes:
        output.complain(mistake)
    if len(mistakes) > 1:
        output.complain(f"{len(mistakes)} mistakes")


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


@config_app.command()
def show(config: Config = None, as_json: AsJson = False) -> None:
    """Print what holds, and where each value comes from.  Secrets are in files, and not shown."""
    from couchmend.configuration import load_all
    from couchmend.settings.reference import toml, toml_key

    found = load_all(config=config)
    shown = _shown(found)
    if as_json:
        output.pretty({"file": _plain(found.settings.file), **shown})
        return
    output.text(f"# {found.settings.file or 'there is no configuration file'}")
    for name, about in shown["settings"].items():
        value = "(not given)" if about["value"] is None else toml(about["value"])
        output.text(f"{name} = {value}  # {about['from']}")
    for table in ("databases", "servers"):
        for entry in shown[table]:
            output.text("")
            output.text(f"[[{table}]]")
            for name, value in entry.items():
                if value is not None:
                    output.text(f"{name} = {toml(value)}")
    for name, policy in shown["policies"].items():
        output.text("")
        output.text(f"[policies.{toml_key(name)}]")
        for key, value in policy.items():
            output.text(f"{key} = {toml(value)}")


def _shown(found: Configuration) -> dict[str, Any]:
    from couchmend.settings.sections import (
        ATTRIBUTES,
        PROFILE_DEFAULTS,
        SECTIONS,
        TABLES,
        key_of,
    )

    settings = found.settings
    by_profile = PROFILE_DEFAULTS[settings.profile]
    values: dict[str, Any] = {}
    for section, kind in SECTIONS.items():
        of_section = getattr(settings, ATTRIBUTES.get(section, section))
        for entry in dataclasses.fields(kind):
            key = key_of(section, entry.name)
            is_profile = (section, entry.name) in by_profile
            default = f"profile {settings.profile}" if is_profile else "default"
            values[key] = {
                "value": _plain(getattr(of_section, entry.name)),
                "from": found.origins.get(key, default),
            }
    tables = {
        table: [
            {entry.name: _plain(getattr(row, entry.name)) for entry in dataclasses.fields(row)}
            for row in getattr(settings, table)
        ]
        for table in TABLES
    }
    policies = {policy.name: policy.to_data() for policy in found.policies}
    return {"settings": values, **tables, "policies": policies}


def _plain(value: Any) -> JSON:
    """A value as JSON and TOML have it."""
    if isinstance(value, Path):
        return str(value)
    plain: JSON = list(value) if isinstance(value, tuple) else value
    return plain


@config_app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    from couchmend.schemas import configuration_schema

    output.pretty(configuration_schema())


@config_app.command()
def docs() -> None:
    """Print every setting, with type, default and meaning, as Markdown."""
    from couchmend.settings.reference import markdown

    output.raw("# Configuration\n\n" + "\n".join(markdown()) + "\n")
