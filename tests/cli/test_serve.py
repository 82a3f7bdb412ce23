"""`couchmend replica serve` as a process: it answers, and ends as it is told to."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

import couchmend as library
from tests.cli.running import couchmend
from tests.cli.serving import serving


def ask(url: str, method: str = "GET", body: str | None = None) -> object:
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else body.encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_a_folder_is_made_and_served(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url):
        welcome = ask(url)
        assert isinstance(welcome, dict)
        assert welcome["couchdb"] == "Welcome"
        assert ask(f"{url}/notes", "PUT") == {"ok": True}
        ask(f"{url}/notes/a", "PUT", '{"text": "hello"}')
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    with library.open_replica(f"file:{tmp_path / 'databases' / 'notes.couch'}") as notes:
        assert notes.get("a")["text"] == "hello"


def test_ctrl_c(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr is not None
        assert process.stderr.read() == "couchmend: interrupted\n"


def test_a_file_of_configuration_and_options_above_it(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(
        '[replica_server]\nport = 1\nallowed_hosts = ["couch.example"]\n'
    )
    with serving(tmp_path, "--config", "my.toml") as (_, url):
        assert not url.endswith(":1")
        request = urllib.request.Request(url, headers={"Host": "couch.example"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["databases", "--host", "0.0.0.0"], 2, "couchmend replica users add"),
        (["databases", "--cors-origin", "example.com"], 2, "scheme://host"),
        (["databases", "--config", "none.toml"], 2, "none.toml"),
        (["databases", "--port", "77777"], 2, "port"),
        (["file:a.couch"], 2, "name the folder"),
        (["a-file"], 2, "this is no folder"),
    ],
)
def test_what_cannot_be_served(options: list[str], code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    done = couchmend("replica", "serve", *options, cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = couchmend("replica", "serve", "databases", "--port", str(port), cwd=tmp_path)
    assert done.returncode == 3
    assert "choose another one" in done.stderr
