"""The settings of databases that we serve, and of servers that we talk to."""

# ruff: noqa: RUF009  # `setting` is dataclasses.field

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from couchmend.settings.fields import required, setting
from couchmend.settings.forms import (
    as_host,
    as_host_and_port,
    as_hours,
    as_origin,
    as_server_url,
    as_time_zone,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaServer:
    """`[replica_server]`: embedded databases served to others over HTTP."""

    host: str = setting(
        "127.0.0.1",
        "The address to listen on.  Anything beyond loopback needs at least one user.",
        form=as_host,
    )
    port: int = setting(5985, "The port to listen on; 0 takes a free one.", least=0, most=65535)
    allowed_hosts: tuple[str, ...] = setting(
        (),
        "Names by which clients may call the server, beside loopback names and the address that"
        " it listens on.  Other names are refused, since a web page can make its own name"
        " point here (DNS rebinding).",
        form=as_host,
    )
    cors_origins: tuple[str, ...] = setting(
        (),
        "Origins (scheme://host[:port]) whose web pages may use the server.  With * any page"
        " may, but never with a session cookie and never without users.",
        form=as_origin,
    )
    cors_credentials: bool = setting(
        True,
        "Whether pages of the listed origins may send credentials, as PouchDB does; with * they"
        " never may.",
    )
    replicate_hosts: tuple[str, ...] = setting(
        (),
        "Hosts, as host or host:port, that _replicate may talk to, beside this server itself.",
        form=as_host_and_port,
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
        form=as_server_url,
        example="https://couch.example.org",
    )
    user: str | None = setting(None, "The user's name.", example="ann")
    password_file: Path | None = setting(
        None, "A file that holds the password alone.", example="couch-password"
    )
    token_file: Path | None = setting(
        None,
        "A file that holds a bearer token alone (IAM, JWT).  It is read again when it changes.",
        example="couch-token",
    )
    authentication: str | None = setting(
        None,
        "How to sign in.  By default with the token where there is one, else by sending name"
        " and password with every request; cookie sends them once.",
        choices=("basic", "cookie", "bearer"),
        example="cookie",
    )
    ca_file: Path | None = setting(
        None,
        "Certificates to trust instead of the system's: a PEM file, or a folder of them.",
        example="our-authority.pem",
    )
    client_certificate: Path | None = setting(
        None,
        "Our own certificate (PEM), for servers and proxies that ask for one.",
        example="client.pem",
    )
    client_key: Path | None = setting(
        None,
        "The key of our certificate (PEM, without password), if it is not in the same file.",
        example="client-key.pem",
    )
    max_requests_per_second: float | None = setting(
        None,
        "No more requests than this, all databases of the server together.",
        least=0.01,
        example=50.0,
    )
    concurrency: int = setting(
        4, "How many databases of the server are worked on at the same time.", least=1, most=256
    )
    quiet_hours: tuple[str, ...] = setting(
        (),
        "When nothing is found or resolved there, such as 22:00-06:00 (begins on any day, ends"
        " before the second time).",
        form=as_hours,
        or_one=True,
        example=["22:00-06:00"],
    )
    time_zone: str = setting(
        "UTC", "Whose clock quiet_hours go by.", form=as_time_zone, example="Europe/Berlin"
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
