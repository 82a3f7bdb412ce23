"""What a shell sees: exit codes, one line for an error, Ctrl-C, a closed pipe, completion."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from couchmend import errors
from couchmend.cli.exit_codes import exit_code
from tests.cli.running import COMMAND, couchmend, couchmend_here, environment


def test_help_and_version() -> None:
    helped = couchmend("--help")
    assert helped.returncode == 0
    assert "replica" in helped.stdout
    assert couchmend("replica", "get", "-h").returncode == 0
    assert couchmend("--version").stdout.startswith("couchmend 0.")


@pytest.mark.parametrize("arguments", [(), ("replica",)])
def test_nothing_to_do_is_answered_with_help(arguments: tuple[str, ...]) -> None:
    done = couchmend(*arguments)
    assert done.returncode == 2
    assert "Commands:" in done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sound database and files that are none."""
    folder = tmp_path_factory.mktemp("databases")
    docs = '{"_id":"a"}\n{"_id":"gone","_deleted":true}\n'
    assert couchmend("replica", "put", "file:notes.couch", stdin=docs, cwd=folder).returncode == 0
    (folder / "damaged.couch").write_bytes(b"this is no database at all" * 100)
    (folder / "phone.couch").touch()
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["unheard-of"], 2, "No such command 'unheard-of'"),
        (["replica", "get", "file:x"], 2, "(see couchmend replica get --help)"),
        (["replica", "get", "file:x", "a", "--frobnicate"], 2, "--frobnicate"),
        (["replica", "changes", "file:x", "--style", "none"], 2, "'main_only', 'all_docs'"),
        (["replica", "info", "notes.couch"], 2, "say file:notes.couch"),
        (["replica", "info", "."], 2, "say dir:."),
        (["replica", "get", "file:notes.couch", "\udcff"], 2, "'\\udcff' is no text in UTF-8"),
        (["scan", "http://127.0.0.1:1/\udcff"], 2, "is no text in UTF-8"),
        (["replica", "info", "ftp:x"], 2, "`ftp:` is no kind of database"),
        (["replica", "info", ":memory:"], 2, "gone when the command ends"),
        (["replica", "info", "file:"], 2, "file:"),
        (["replica", "get", "dir:.", "a"], 2, "NAME.couch for one of them"),
        (["replica", "get", "file:x", "a", "--tree", "--all-leaves"], 2, "do not go together"),
        (["replica", "put", "file:new.couch", "none.json"], 2, "none.json: no such file"),
        (["replica", "info", "file:none.couch"], 3, "Database does not exist"),
        (["replica", "info", "dir:none"], 3, "there is no such folder"),
        (["replica", "get", "file:damaged.couch", "a"], 3, "damaged.couch"),
        (["replica", "get", "file:notes.couch", "none"], 1, "none"),
        (["replica", "get", "file:notes.couch", "a", "--rev", "x"], 2, "Invalid rev format"),
        (["replica", "get", "file:notes.couch", "gone"], 1, "--all-leaves shows the tombstone"),
        (["replica", "changes", "file:notes.couch", "--since", "x"], 2, "since"),
        (["demo", "--dir", "."], 2, "something else is there already"),
    ],
)
def test_an_error_is_one_line_with_a_hint(
    arguments: list[str], code: int, said: str, folder: Path
) -> None:
    done = couchmend(*arguments, cwd=folder)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("couchmend: ")
    assert "Traceback" not in line


@pytest.mark.parametrize(
    "address",
    [
        "htp://jo:secret@host/db", "jo:secret@host:5984/db", "u:secret@host", "http:/jo:secret@h/d",
        "http:jo:secret@host/db", "http://jo:sec/ret@host/db", "secret@host/db",
        "http://jo:secret@127.0.0.1:1/db",
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", [["info"], ["get"], ["changes"]])
def test_no_password_of_a_misspelt_address_is_shown(
    address: str, command: list[str], folder: Path
) -> None:
    done = couchmend_here(
        "replica", *command, address, *(["a"] if command == ["get"] else []), cwd=folder
    )
    assert done.returncode in {2, 3}
    assert "sec" not in done.stderr


def test_a_traceback_only_when_asked_for() -> None:
    done = couchmend("-vv", "replica", "info", "file:none.couch")
    assert done.returncode == 3
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("couchmend: file:none.couch")


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (errors.UsageError("x"), 2),
        (errors.BadRequest("x"), 2),
        (errors.DocumentInvalid("x"), 2),
        (errors.Unsupported("x"), 2),
        (errors.Unauthorized("x"), 4),
        (errors.Forbidden("x"), 4),
        (errors.NotFound("x"), 1),
        (errors.Conflict(), 1),
        (errors.PreconditionFailed("x"), 1),
        (errors.TooLarge("x"), 1),
        (errors.DatabaseNotFound("x"), 3),
        (errors.Unavailable("x"), 3),
        (errors.ReplicaError("x"), 3),
        (errors.CouchmendError("x"), 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_has_an_exit_code(problem: errors.CouchmendError, code: int) -> None:
    assert exit_code(problem) == code


def test_interrupted(tmp_path: Path) -> None:
    couchmend("replica", "put", "file:notes.couch", stdin='{"_id":"a"}', cwd=tmp_path)
    process = subprocess.Popen(
        [*COMMAND, "replica", "changes", "file:notes.couch", "--follow"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    assert process.stdout is not None
    assert '"id":"a"' in process.stdout.readline()  # it has begun to wait for more
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (out, err) == ("", "couchmend: interrupted\n")


def heed_interrupts() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_reader_that_has_enough(tmp_path: Path) -> None:
    docs = "".join(f'{{"_id":"document-{n}"}}\n' for n in range(5000))
    couchmend("replica", "put", "file:notes.couch", stdin=docs, cwd=tmp_path)
    process = subprocess.Popen(
        [*COMMAND, "replica", "changes", "file:notes.couch"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=30) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_shell_completes_commands() -> None:
    done = couchmend(
        _COUCHMEND_COMPLETE="complete_bash", COMP_WORDS="couchmend replica ch", COMP_CWORD="2"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["changes", "check"]


def test_help_waits_for_nothing_that_it_does_not_need() -> None:
    listing = (
        "import sys\n"
        "from couchmend.cli import run\n"
        "assert run(['--help']) == 0\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", listing],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stderr.split())
    heavy = {
        "argon2", "asyncio", "httptools", "pydantic", "rich", "sqlite3", "ssl",
        "starlette", "tomllib", "urllib3", "uvicorn", "uvloop",
    }  # fmt: skip
    assert "typer" in loaded
    assert not loaded & heavy


def test_the_whole_environment_reaches_the_command() -> None:
    assert environment(COUCHMEND_X="1")["COUCHMEND_X"] == "1"
    assert environment()["PATH"] == os.environ["PATH"]
