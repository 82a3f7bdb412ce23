"""The table of settings: each a field of its section, with type, default, help and bounds.

A section stands in the file once, as `[name]`; a table any number of times, as `[[name]]`.
Help, documentation and validation all come from here.
"""

# ruff: noqa: RUF009  # `setting` is dataclasses.field

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

PREFIX = "COUCHMEND_"


def setting(
    default: T,
    help: str,
    *,
    least: float | None = None,
    most: float | None = None,
    form: Callable[[str], str] | None = None,
    choices: tuple[str, ...] = (),
) -> T:
    """A field of a section or a table.

    `least` and `most` bound a number, `choices` are the texts that are allowed.  `form` puts
    a text, or each text of a list, into its one form, or raises `ValueError` saying what is
    allowed.
    """
    metadata = {"help": help, "least": least, "most": most, "form": form, "choices": choices}
    made: T = field(default=default, metadata=metadata)
    return made


def required(help: str, *, form: Callable[[str], str]) -> str:
    """A text that every entry of a table must have."""
    made: str = setting(typing.cast(str, dataclasses.MISSING), help, form=form)
    return made


def _origin(text: str) -> str:
    scheme, separator, host = text.partition("://")
    if text == "*" or (separator and scheme and host and not set(host) & set("/?#@* \t")):
        return text.lower()
    raise ValueError("an origin is scheme://host or scheme://host:port without a path, or *")


def _host(text: str) -> str:
    name = text.lower().rstrip(".")
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    is_address = name.count(":") > 1 and set(name) <= set("0123456789abcdef:.")
    if not name or set(name) & set("*/?#@[] \t") or (":" in name and not is_address):
        raise ValueError("a host is a name or an address without scheme, port and path")
    return name


def _host_and_port(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdigit() and (":" not in host or host.endswith("]")):
        if not 0 < int(port) <= 65535:
            raise ValueError("a port is a number from 1 to 65535")
        name = _host(host)
        return f"[{name}]:{int(port)}" if ":" in name else f"{name}:{int(port)}"
    return _host(text)


def _server_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if "@" in text:
        raise ValueError("a password has no place in this file: use user and password_file")
    if not sound or parts.query or parts.fragment:
        raise ValueError("a server is http(s)://host[:port][/path]")
    return text.rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaServer:
    """`[replica_server]`: embedded databases served to others over HTTP."""

    host: str = setting(
        "127.0.0.1",
        "The address to listen on.  Anything beyond loopback needs at least one user.",
        form=_host,
    )
    port: int = setting(5985, "The port to listen on; 0 takes a free one.", least=0, most=65535)
    allowed_hosts: tuple[str, ...] = setting(
        (),
        "Names by which clients may call the server, beside loopback names and the address that"
        " it listens on.  Other names are refused, since a web page can make its own name"
        " point here (DNS rebinding).",
        form=_host,
    )
    cors_origins: tuple[str, ...] = setting(
        (),
        "Origins (scheme://host[:port]) whose web pages may use the server.  With * any page"
        " may, but never with a session cookie and never without users.",
        form=_origin,
    )
    cors_credentials: bool = setting(
        True,
        "Whether pages of the listed origins may send credentials, as PouchDB does; with * they"
        " never may.",
    )
    replicate_hosts: tuple[str, ...] = setting(
        (),
        "Hosts, as host or host:port, that _replicate may talk to, beside this server itself.",
        form=_host_and_port,
    )
    max_request_bytes: int = setting(
        256 << 20,
        "The largest body of a request; larger ones are refused with 413.  Attachments that are"
        " sent by themselves have their own limit.",
        least=1024,
    )
    session_timeout_seconds: int = setting(
        600, "How long a sign-in lasts when nothing is requested.", least=10
    )
    credential_cache_seconds: float = setting(
        60.0,
        "How long a name and password that were right are taken without computing the"
        " password's hash again.",
        least=0,
        most=3600,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaLimits:
    """`[replica]`: how large things may be in an embedded database."""

    max_document_bytes: int = setting(
        8_000_000, "A document's own fields as JSON, without attachments.", least=1
    )
    max_depth: int = setting(
        500, "Levels of lists and objects in a document.", least=1, most=10_000
    )
    max_attachment_bytes: int = setting(1 << 30, "One attachment.", least=0)
    max_id_bytes: int = setting(4096, "A document's id in UTF-8.", least=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """`[[servers]]`: how to talk to one server; the entry whose address fits best holds."""

    url: str = required(
        "Which server: http(s)://host[:port], and a path where only what is beneath it is meant.",
        form=_server_url,
    )
    user: str | None = setting(None, "The user's name.")
    password_file: Path | None = setting(None, "A file that holds the password alone.")
    token_file: Path | None = setting(
        None,
        "A file that holds a bearer token alone (IAM, JWT).  It is read again when it changes.",
    )
    authentication: str | None = setting(
        None,
        "How to sign in.  By default with the token where there is one, else by sending name"
        " and password with every request; cookie sends them once.",
        choices=("basic", "cookie", "bearer"),
    )
    ca_file: Path | None = setting(
        None,
        "Certificates to trust instead of the system's: a PEM file, or a folder of them.",
    )
    client_certificate: Path | None = setting(
        None, "Our own certificate (PEM), for servers and proxies that ask for one."
    )
    client_key: Path | None = setting(
        None, "The key of our certificate (PEM, without password), if it is not in the same file."
    )
    max_requests_per_second: float | None = setting(
        None, "No more requests than this, all databases of the server together.", least=0.01
    )
    connections: int = setting(16, "Connections to keep open for reuse.", least=1, most=1000)
    connect_timeout_seconds: float = setting(
        10.0, "How long connecting may take.", least=0.1, most=3600
    )
    read_timeout_seconds: float = setting(
        300.0,
        "How long the server may be silent within an answer, or take nothing of what is sent.",
        least=0.1,
        most=86_400,
    )
    answer_timeout_seconds: float = setting(
        1800.0,
        "How long a request and its whole answer may take.  Feeds and attachments are not bounded"
        " by it: of an upload, only the answer is.",
        least=0.1,
        most=86_400,
    )
    attempts: int = setting(
        6,
        "How often a request is sent that failed for a while, the first time included; 1 never"
        " tries again.",
        least=1,
        most=1000,
    )
    retry_seconds: float = setting(
        300.0, "How long a request is tried again, all attempts together.", least=0, most=86_400
    )
    longest_wait_seconds: float = setting(
        120.0,
        "The longest pause that the server may ask for (Retry-After); when it asks for more, that"
        " is the error.",
        least=0,
        most=86_400,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings.  `file` is the configuration file that was read, if any."""

    replica_server: ReplicaServer = field(default_factory=ReplicaServer)
    replica: ReplicaLimits = field(default_factory=ReplicaLimits)
    servers: tuple[Server, ...] = ()
    file: Path | None = None


SECTIONS: Mapping[str, type] = {"replica_server": ReplicaServer, "replica": ReplicaLimits}
TABLES: Mapping[str, type] = {"servers": Server}


@dataclass(frozen=True, slots=True)
class Row:
    """One setting as help and documentation show it."""

    key: str
    type: str
    default: Any
    help: str
    env: str


def describe() -> tuple[Row, ...]:
    """Every setting, section by section, in the order in which they are declared."""
    return tuple(
        _row(section, kind, entry, variable(section, entry.name))
        for section, kind in SECTIONS.items()
        for entry in dataclasses.fields(kind)
    )


def describe_tables() -> tuple[Row, ...]:
    """Every key of the tables; they stand in the file only, and `env` is empty.  What has no
    default has None."""
    return tuple(
        _row(table, kind, entry, "")
        for table, kind in TABLES.items()
        for entry in dataclasses.fields(kind)
    )


def _row(section: str, kind: type, entry: dataclasses.Field[Any], env: str) -> Row:
    default = None if entry.default is dataclasses.MISSING else entry.default
    return Row(
        key=f"{section}.{entry.name}",
        type=in_words(kind, entry.name),
        default=list(default) if isinstance(default, tuple) else default,
        help=entry.metadata["help"],
        env=env,
    )


def variable(section: str, name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{section.upper()}__{name.upper()}"


@functools.cache
def types_of(kind: type) -> Mapping[str, Any]:
    """The fields of a section and their types; that one may be left out is not part of it."""
    return {name: _given(hint) for name, hint in typing.get_type_hints(kind).items()}


def _given(hint: Any) -> Any:
    if typing.get_origin(hint) is not types.UnionType:
        return hint
    (given,) = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
    return given


@functools.cache
def fields_of(kind: type) -> Mapping[str, Mapping[str, Any]]:
    """The fields of a section and what `setting` was told of them."""
    return {entry.name: entry.metadata for entry in dataclasses.fields(kind)}


_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
    tuple[str, ...]: "a list of texts",
}


def in_words(kind: type, name: str) -> str:
    """What is allowed for a setting, as a person says it."""
    about = fields_of(kind)[name]
    least, most = about["least"], about["most"]
    if about["choices"]:
        *others, last = (f'"{choice}"' for choice in about["choices"])
        return f"{', '.join(others)} or {last}"
    words = _WORDS[types_of(kind)[name]]
    if least is not None and most is not None:
        return f"{words} from {least} to {most}"
    return words if least is None else f"{words}, at least {least}"
