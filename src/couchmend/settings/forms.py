"""Texts of settings put into their one form; what is none raises `ValueError` saying what is."""

from __future__ import annotations

import os.path
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_DATABASE_SCHEMES = ("http", "https", "file", "dir")
_LEVELS = {
    "trace": "debug",
    "verbose": "debug",
    "notice": "info",
    "warn": "warning",
    "critical": "error",
    "fatal": "error",
}


def as_origin(text: str) -> str:
    """An origin of web pages."""
    scheme, separator, host = text.partition("://")
    if text == "*" or (separator and scheme and host and not set(host) & set("/?#@* \t")):
        return text.lower()
    raise ValueError("an origin is scheme://host or scheme://host:port without a path, or *")


def as_host(text: str) -> str:
    """A host by itself."""
    name = text.lower().rstrip(".")
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    is_address = name.count(":") > 1 and set(name) <= set("0123456789abcdef:.")
    if not name or set(name) & set("*/?#@[] \t") or (":" in name and not is_address):
        raise ValueError("a host is a name or an address without scheme, port and path")
    return name


def as_host_and_port(text: str) -> str:
    """A host, with or without a port."""
    host, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdigit() and (":" not in host or host.endswith("]")):
        if not 0 < int(port) <= 65535:
            raise ValueError("a port is a number from 1 to 65535")
        name = as_host(host)
        return f"[{name}]:{int(port)}" if ":" in name else f"{name}:{int(port)}"
    return as_host(text)


def as_server_url(text: str) -> str:
    """The address of a server, or of a part of one."""
    sound = _is_http(text)
    if "@" in text:
        raise ValueError("a password has no place in this file: use user and password_file")
    if not sound or set(text) & set("?#"):
        raise ValueError("a server is http(s)://host[:port][/path]")
    return text.rstrip("/")


def _is_http(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def as_database_url(text: str, folder: Path | None) -> str:
    """The address of a database, of several by a pattern, or of all of a place."""
    scheme, colon, path = text.partition(":")
    scheme = scheme.lower()
    if colon and scheme in {"file", "dir"} and path:
        return f"{scheme}:{_from(folder, path)}"
    if "@" in text:
        raise ValueError(
            "a password has no place in this file: [[servers]] has user and password_file"
        )
    if not _is_http(text) or set(text) & set("?#"):
        raise ValueError(
            "a database is http(s)://host[:port]/name, a pattern of them …/team-*, a whole server"
            " http(s)://host[:port], a file file:PATH or a folder dir:PATH"
        )
    return text.rstrip("/")


def as_journal_url(text: str, folder: Path | None) -> str:
    """`sqlite:` with an absolute path or one from `~`, `sqlite://` (in memory), or
    `postgresql://…`.

    A path with several parts is absolute, one with a single part or one that begins with `./`
    or `../` counts from the folder.
    """
    scheme, _, rest = text.partition("://")
    if scheme.lower() == "sqlite" and not set(text) & set("?#"):
        if not rest:
            return "sqlite://"
        path = rest.removeprefix("/")
        if rest.startswith("/") and path.strip("/"):
            if path.startswith("~"):
                return f"sqlite:///{path}"  # whose home it is shows when it is opened
            is_relative = path.startswith(("./", "../")) or "/" not in path
            return f"sqlite:///{_from(folder, path if is_relative else '/' + path.lstrip('/'))}"
    if scheme.lower() in {"postgresql", "postgres"}:
        return _postgresql(f"postgresql://{rest}")
    raise ValueError(
        "a journal is sqlite:////absolute/path, sqlite:///beside-this-file.db or"
        " postgresql://[user@]host[:port]/database"
    )


def _postgresql(url: str) -> str:
    parts = urlsplit(url)
    try:
        has_port = parts.port != 0
    except ValueError:
        has_port = False
    secret = parts.password is not None or any(
        "password" in key.lower() for key, _ in parse_qsl(parts.query)
    )
    if secret:
        raise ValueError(
            "a password has no place in this file: use password_file, PGPASSWORD or ~/.pgpass"
        )
    if not has_port or not parts.path.strip("/"):
        raise ValueError("it is postgresql://[user@]host[:port]/database")
    return url


def _from(folder: Path | None, path: str) -> str:
    expanded = Path(path).expanduser()
    # Not resolved: a link may point elsewhere tomorrow.
    return os.path.normpath((folder or Path()).absolute() / expanded)


def as_level(text: str) -> str:
    """A log level as we call it: other programs have more of them, and capitals."""
    level = text.strip().lower()
    return _LEVELS.get(level, level)


def as_hours(text: str) -> str:
    """From when to when, each day."""
    match = _HOURS.fullmatch(text.replace(" ", ""))
    if match is None or match.group(1, 2) == match.group(3, 4):
        raise ValueError('hours are written like "22:00-06:00"')
    return match[0]


def as_time_zone(text: str) -> str:
    """The name of a time zone."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if text == "UTC":  # known without the system's list
        return text
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise ValueError("a time zone is UTC or a name like Europe/Berlin") from problem
    return text


def as_function(text: str) -> str:
    """Where a function is: `module:function`."""
    if not _FUNCTION.fullmatch(text):
        raise ValueError("a function is written like module:function")
    return text


def as_name(text: str) -> str:
    """A name of our own."""
    if not text.strip() or not text.isprintable() or text != text.strip():
        raise ValueError("a name is a text without spaces around it")
    if text == "*":
        raise ValueError("* stands for all of them")
    return text
