"""The settings of finding and resolving conflicts."""

# ruff: noqa: RUF009  # `setting` is dataclasses.field

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from couchmend.errors import UsageError
from couchmend.settings.fields import required, setting
from couchmend.settings.forms import (
    as_database_url,
    as_function,
    as_journal_url,
    as_level,
    as_name,
)

PROFILES = ("development", "production", "testing")


@dataclass(frozen=True, slots=True, kw_only=True)
class General:
    """Above all sections: what the rest starts from."""

    profile: str = setting(
        "development",
        "Changes defaults.  production keeps the journal in /var/lib/couchmend and logs as JSON;"
        " testing keeps the journal in memory and logs warnings only.",
        choices=PROFILES,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """`[journal]`: where couchmend keeps what it found and did, and every version it replaced."""

    url: str = setting(
        "sqlite:///~/.local/state/couchmend/journal.db",
        "A file (sqlite:////absolute/path, or sqlite:///name.db beside this file), or"
        " postgresql://user@host/database, without a password.",
        placed=as_journal_url,
    )
    password_file: Path | None = setting(
        None,
        "A file that holds PostgreSQL's password alone.  Without it PGPASSWORD and ~/.pgpass are"
        " looked at.",
        example="journal-password",
    )

    def address(self) -> str:
        """Where the journal is, as it is opened: of a file the whole path, of PostgreSQL with the
        password from its file.  Show it to nobody.

        Raises:
            UsageError: the file of the password cannot be read.
        """
        url = as_journal_url(self.url, None)
        if url.startswith("sqlite:///~"):
            url = f"sqlite:///{Path(url.removeprefix('sqlite:///')).expanduser()}"
        if self.password_file is None:
            return url
        try:
            password = self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as problem:
            raise UsageError(
                f"the password cannot be read: {getattr(problem, 'strerror', problem)}",
                operation="journal",
                target=str(self.password_file),
                hint="journal.password_file names it",
            ) from problem
        parts = urlsplit(url)
        user, _, host = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """`[[databases]]`: which databases are watched, and what may be done there."""

    url: str = required(
        "http(s)://host/name is one database, http(s)://host/team-* those of a pattern,"
        " http(s)://host all of a server but the system's; file:PATH is an embedded one, dir:PATH"
        " a folder of them.  Names and passwords stand in [[servers]].",
        placed=as_database_url,
        example="https://couch.example.org/team-*",
    )
    name: str | None = setting(
        None,
        "What the journal, the logs and the commands call it, also after it has moved; by default"
        " its address.  Only for a single database.",
        form=as_name,
        example="notes",
    )
    mode: str = setting(
        "observe",
        "observe finds and explains, and never writes; suggest also lets people decide; auto also"
        " resolves by itself what is eligible.",
        choices=("observe", "suggest", "auto"),
    )
    policy: tuple[str, ...] = setting(
        (),
        "The policy, or several of which the first that matches a document holds.  By default all"
        " that say what they match.",
        or_one=True,
        example="tasks",
    )
    rollout: float = setting(
        100.0,
        "The percentage of documents that are resolved automatically.  More only adds documents.",
        least=0,
        most=100,
    )
    exclude: tuple[str, ...] = setting(
        (),
        "Databases of a server or folder that are left out, by name; * stands for any letters.",
        or_one=True,
        example=["*-archive"],
    )
    only_us: bool = setting(
        False,
        "Nobody else resolves conflicts of these databases or of their replicas.  Then a version"
        " that the journal does not know as a merge counts as a person's edit, and more is"
        " resolved automatically.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """`[engine]`: in which portions the work is done, and how long a part of it may take."""

    concurrency: int = setting(
        4, "How many databases are worked on at the same time.", least=1, most=256
    )
    poll_seconds: float = setting(
        5.0,
        "How often databases are asked for changes where they cannot be listened to.",
        least=0.1,
        most=86_400,
    )
    refresh_seconds: float = setting(
        60.0,
        "How often a server is asked which databases it has.",
        least=1,
        most=86_400,
    )
    page_rows: int = setting(2000, "How many changes are read at a time.", least=1, most=100_000)
    batch_documents: int = setting(
        200, "How many documents in conflict are read or resolved at a time.", least=1, most=10_000
    )
    batch_bytes: int = setting(
        16 << 20, "About how much of them is held at a time.", least=1024, most=1 << 30
    )
    lease_seconds: float = setting(
        30.0,
        "How long a process that stopped answering keeps others from a database.",
        least=2,
        most=3600,
    )
    step_timeout_seconds: float = setting(
        300.0,
        "How long one step of a resolution may take before it is given up.",
        least=1,
        most=86_400,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """`[logs]`: what is written down of what happens; never a document's content."""

    level: str = setting(
        "info",
        "The least important that is logged.  LOG_LEVEL in the environment sets it too.",
        choices=("debug", "info", "warning", "error"),
        form=as_level,
    )
    format: str = setting(
        "auto",
        "json is one object a line, human is for reading; auto is human on a terminal, else json.",
        choices=("auto", "json", "human"),
    )
    file: Path | None = setting(
        None,
        "A file to log to as well, always as json.  It is opened again when it was moved.",
        example="/var/log/couchmend/conflict.log",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """`[metrics]`: what is measured."""

    max_databases: int = setting(
        100,
        "How many databases have figures of their own; the rest are summed up as other.",
        least=1,
        most=10_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """`[hooks]`: functions of one's own that are called, in this order, after those installed.

    Each is module:function: an installed module, or module.py beside the configuration file.
    """

    on_conflict: tuple[str, ...] = setting(
        (), "Called for each conflict that is found.", example="mine:found",
        form=as_function, or_one=True, in_file_only=True,
    )  # fmt: skip
    on_plan: tuple[str, ...] = setting(
        (),
        "Called before a plan is carried out; what it returns but None is the reason why not.",
        example="mine:check",
        form=as_function,
        or_one=True,
        in_file_only=True,
    )
    on_resolved: tuple[str, ...] = setting(
        (),
        "Called after a resolution.",
        example="mine:resolved",
        form=as_function,
        or_one=True,
        in_file_only=True,
    )
    on_undone: tuple[str, ...] = setting(
        (), "Called after a resolution was taken back.", example="mine:undone",
        form=as_function, or_one=True, in_file_only=True,
    )  # fmt: skip
