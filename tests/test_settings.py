"""Settings: where they come from, in which order, and what a mistake in one says."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from couchmend.errors import UsageError
from couchmend.settings import ReplicaServer, Settings, describe, describe_tables, load
from couchmend.settings.sections import SECTIONS, TABLES

FILE = """\
[replica_server]
port = 7000
host = "0.0.0.0"
cors_origins = ["http://App.example", "capacitor://localhost"]

[replica]
max_depth = 50
"""

EXAMPLES = """
[[databases]]
url = "https://couch.example.org/team-*"
policy = "tasks"
rollout = 25
[[servers]]
url = "https://couch.example.org"
password_file = "couch-password"
quiet_hours = ["22:00-06:00"]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mistake(*arguments: Any, **more: Any) -> str:
    """What is said about it."""
    with pytest.raises(UsageError) as caught:
        load(*arguments, **{"environment": {}, **more})
    return str(caught.value)


def test_nothing_given_is_the_defaults(here: Path) -> None:
    assert load(environment={}) == Settings()
    assert load(environment={}).replica_server == ReplicaServer()
    assert (ReplicaServer().host, ReplicaServer().port) == ("127.0.0.1", 5985)


def test_an_argument_beats_the_environment_and_that_the_file(here: Path) -> None:
    (here / "couchmend.toml").write_text(FILE)
    environment = {
        "COUCHMEND_REPLICA_SERVER__PORT": "7001",
        "COUCHMEND_REPLICA__MAX_DEPTH": "51",
        "COUCHMEND_CONFIG": "",
        "COUCHMEND_COUCHDB_USER": "not a setting",
        "PATH": "/bin",
    }
    arguments = {"replica_server.port": 7002, "replica_server.host": None}
    settings = load(arguments, environment=environment)
    assert settings.replica_server.port == 7002
    assert settings.replica_server.host == "0.0.0.0"
    assert settings.replica.max_depth == 51
    assert settings.replica_server.cors_origins == ("http://app.example", "capacitor://localhost")
    assert settings.replica.max_id_bytes == 4096
    assert settings.file == Path("couchmend.toml")


def test_where_the_file_is_looked_for(here: Path) -> None:
    home = here / "home"
    places = {
        "argument": here / "a.toml",
        "variable": here / "b.toml",
        "folder": here / "couchmend.toml",
        "home": home / ".config" / "couchmend" / "couchmend.toml",
    }
    places["home"].parent.mkdir(parents=True)
    for number, path in enumerate(places.values(), 1):
        path.write_text(f"[replica_server]\nport = {number}\n")
    environment = {"HOME": str(home), "COUCHMEND_CONFIG": str(places["variable"])}

    def port(config: Path | None = None) -> int:
        return load(config=config, environment=environment).replica_server.port

    assert port(places["argument"]) == 1
    assert port() == 2
    del environment["COUCHMEND_CONFIG"]
    assert port() == 3
    places["folder"].unlink()
    assert port() == 4
    places["home"].unlink()
    assert port() == 5985


def test_a_file_that_is_named_must_be_there_and_readable(here: Path) -> None:
    assert "nowhere.toml" in mistake(config="nowhere.toml")
    assert "COUCHMEND_CONFIG" in mistake(environment={"COUCHMEND_CONFIG": "nowhere.toml"})
    (here / "bad.toml").write_text("[replica_server]\nport = \n")
    assert "bad.toml" in mistake(config="bad.toml")
    assert "line 2" in mistake(config="bad.toml")
    (here / "latin.toml").write_bytes(b"# \xfc\n")
    assert "UTF-8" in mistake(config="latin.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[replica_server]\nhost = 'x'\nprot = 1", ["f.toml:3", "replica_server.prot",
                                                    "replica_server.port"]),
        ("[replica_sever]\nport = 1", ["f.toml:1", "replica_sever", "replica_server"]),
        ("[replica]\nnonsense = 1", ["f.toml:2", "max_document_bytes"]),
        ("replica = 1", ["f.toml:1", "a section"]),
        ("[replica_server]\nport = 70000", ["f.toml:2", "70000", "from 0 to 65535"]),
        ("[replica_server]\nport = '80'", ["f.toml:2", "'80'", "whole number"]),
        ("[replica_server]\nport = true", ["f.toml:2", "True", "whole number"]),
        ("[replica_server]\ncors_credentials = 1", ["f.toml:2", "true or false"]),
        ("[replica_server]\ncors_origins = 'http://a'", ["f.toml:2", "list of texts"]),
        ("[replica_server]\ncors_origins = ['http://a/b']", ["http://a/b", "without a path"]),
        ("[replica_server]\ncors_origins = ['null']", ["'null'", "scheme://host"]),
        ("[replica_server]\nallowed_hosts = ['*']", ["'*'", "a name or an address"]),
        ("[replica_server]\nallowed_hosts = ['a:80']", ["'a:80'", "without scheme, port"]),
        ("[replica_server]\nhost = 'http://a'", ["'http://a'", "without scheme"]),
        ("[replica_server]\nreplicate_hosts = ['a:0']", ["'a:0'", "from 1 to 65535"]),
        ("[replica_server]\ncredential_cache_seconds = nan", ["nan", "from 0 to 3600"]),
        ("[replica]\nmax_document_bytes = 0", ["at least 1"]),
        ("[replica]\nmax_depth = 1.0", ["1.0", "whole number"]),
        ("[[servers]]\nurl = 'http://a'\nmax_requests_per_second = 1" + "0" * 400,
         ["f.toml:3", "a number, at least 0.01"]),
        ("[engine]\npoll_seconds = inf", ["f.toml:2", "from 0.1 to 86400"]),
        ("replica.max_depht = 3", ["f.toml", "max_depth"]),
        ("[replica]\n'max_depth' = 0", ["f.toml:2", "from 1 to 10000"]),
        ("[other]\nmax_depth = 5\n[replica]\n# max_depth = 0\nmax_depth = 0", ["f.toml:5"]),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file(here: Path, text: str, said: list[str]) -> None:
    (here / "f.toml").write_text(text)
    told = mistake(config="f.toml")
    assert [part for part in said if part not in told] == []


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"COUCHMEND_REPLICA_SERVER__PROT": "1"}, ["COUCHMEND_REPLICA_SERVER__PORT"]),
        ({"COUCHMEND_REPLICASERVER__PORT": "1"}, ["COUCHMEND_REPLICA_SERVER__PORT"]),
        ({"COUCHMEND_REPLICA_SERVER__PORT": "x"}, ["COUCHMEND_REPLICA_SERVER__PORT", "'x'"]),
        ({"COUCHMEND_REPLICA_SERVER__PORT": ""}, ["''", "whole number"]),
        ({"COUCHMEND_REPLICA_SERVER__CORS_CREDENTIALS": "maybe"}, ["'maybe'", "true or false"]),
        ({"COUCHMEND_REPLICA_SERVER__ALLOWED_HOSTS": "[1]"}, ["[1]", "list of texts"]),
        ({"COUCHMEND_REPLICA_SERVER__ALLOWED_HOSTS": "[x"}, ["'[x'", "list of texts"]),
        ({"COUCHMEND_REPLICA_SERVER__ALLOWED_HOSTS": "a/b"}, ["'a/b'"]),
    ],
)
def test_a_mistake_in_the_environment(
    here: Path, environment: dict[str, str], said: list[str]
) -> None:
    told = mistake(environment=environment)
    assert "environment variable" in told
    assert [part for part in said if part not in told] == []


def test_a_mistake_in_an_argument(here: Path) -> None:
    assert "did you mean replica_server.port" in mistake({"replica_server.prt": 1})
    assert "did you mean replica_server" in mistake({"replica_servr": 1})
    assert "from 0 to 65535" in mistake({"replica_server.port": -1})
    assert "True" in mistake({"replica_server.port": True})


def test_all_mistakes_are_told_at_once(here: Path) -> None:
    (here / "couchmend.toml").write_text("[replica]\nmax_dpth = 1\nmax_id_bytes = 0\n")
    told = mistake(
        {"replica_server.port": "x"},
        environment={"COUCHMEND_REPLICA_SERVER__HSOT": "x"},
    )
    for part in ("max_dpth", "max_id_bytes", "replica_server.port", "HSOT"):
        assert part in told


def test_a_value_that_is_overridden_does_not_matter(here: Path) -> None:
    (here / "couchmend.toml").write_text("[replica_server]\nport = 70000\n")
    assert load({"replica_server.port": 1}, environment={}).replica_server.port == 1


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.example", ("a.example",)),
        ("a.example, B.example.,", ("a.example", "b.example")),
        ('["a", "[2001:db8::1]"]', ("a", "2001:db8::1")),
        ("", ()),
    ],
)
def test_lists_in_the_environment(here: Path, text: str, values: tuple[str, ...]) -> None:
    environment = {"COUCHMEND_REPLICA_SERVER__ALLOWED_HOSTS": text}
    assert load(environment=environment).replica_server.allowed_hosts == values


def test_truth_in_the_environment(here: Path) -> None:
    for text, value in (("true", True), ("1", True), ("yes", True), ("false", False), ("0", False)):
        environment = {"COUCHMEND_REPLICA_SERVER__CORS_CREDENTIALS": text}
        assert load(environment=environment).replica_server.cors_credentials is value


def test_hosts_to_replicate_with_may_have_ports(here: Path) -> None:
    hosts = ["Couch.example", "couch.example:5984", "[2001:DB8::1]:80", "2001:db8::1"]
    settings = load({"replica_server.replicate_hosts": hosts}, environment={})
    assert settings.replica_server.replicate_hosts == (
        "couch.example",
        "couch.example:5984",
        "[2001:db8::1]:80",
        "2001:db8::1",
    )


def test_every_setting_is_described(here: Path) -> None:
    rows = {row.key: row for row in describe()}
    settings = load(environment={})
    for section in SECTIONS:
        of_section = getattr(settings, section or "general")
        for field in dataclasses.fields(of_section):
            row = rows.pop(f"{section}.{field.name}" if section else field.name)
            value = getattr(of_section, field.name)
            assert row.default == (list(value) if isinstance(value, tuple) else value)
            assert row.help.endswith(".")
            assert row.type
            if row.default is None or not row.env:
                continue
            # What is described is what is read.
            text = ",".join(row.default) if isinstance(row.default, list) else str(row.default)
            assert load(environment={row.env: text}) == settings
    assert rows == {}
    assert "durab" not in " ".join(row.key for row in describe())


@pytest.mark.parametrize("text", ["", "[engine]\nconcurrency = 8\npoll_seconds = 2\n", None])
def test_pydantic_is_not_imported_for_what_is_right(here: Path, text: str | None) -> None:
    if text is not None:
        (here / "couchmend.toml").write_text(text + EXAMPLES)
    script = (
        "import sys\n"
        "from couchmend.settings import describe, load\n"
        "describe(), load(environment={'LOG_LEVEL': 'debug'})\n"
        "sys.exit('pydantic' in sys.modules)\n"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=here, check=False, timeout=60
    )
    assert run.returncode == 0


# --- tables: [[servers]]

SERVERS = """
[replica]
max_depth = 7

[[servers]]
url = "https://couch.example.org/"
user = "ann"
password_file = "secrets/password"
max_requests_per_second = 5
authentication = "cookie"

[[servers]]
url = "https://127.0.0.1:6984/couch"
ca_file = "~/ca.pem"
connections = 3
"""


def test_tables_are_read_in_order(here: Path) -> None:
    (here / "couchmend.toml").write_text(SERVERS)
    settings = load(environment={})
    one, other = settings.servers
    assert settings.replica.max_depth == 7
    assert (one.url, one.user, one.authentication) == (
        "https://couch.example.org",
        "ann",
        "cookie",
    )
    assert one.password_file == here / "secrets/password"  # beside the file that names it
    assert one.max_requests_per_second == 5.0
    assert one.read_timeout_seconds == 300.0
    assert (other.url, other.connections) == ("https://127.0.0.1:6984/couch", 3)
    assert other.ca_file == Path("~/ca.pem").expanduser()
    named = load(environment={"COUCHMEND_CONFIG": str(here / "couchmend.toml")})
    assert named.servers == settings.servers


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('pasword_file = "x"', "servers[1].pasword_file (did you mean password_file?)"),
        ("xyz = 1", "servers[1].xyz ([[servers]] has url, user,"),
        ('connections = "3"', "servers[1].connections = '3' is not allowed: it is a whole number"),
        ("connections = 0", "servers[1].connections = 0 is not allowed: it is a whole number from"),
        ("read_timeout_seconds = nan", "servers[1].read_timeout_seconds = nan is not allowed"),
        ('authentication = "oauth"', 'it is "basic", "cookie" or "bearer"'),
        ('token_file = ""', "servers[1].token_file = '' is not allowed: it is a path"),
        ("user = 7", "servers[1].user = 7 is not allowed: it is a text"),
    ],
)
def test_what_is_wrong_in_a_table_is_told_with_its_line(here: Path, line: str, told: str) -> None:
    file = here / "couchmend.toml"
    file.write_text(f'[[servers]]\nurl = "http://a"\n\n[[servers]]\nurl = "http://b"\n{line}\n')
    with pytest.raises(UsageError) as refusal:
        load(environment={})
    assert told in refusal.value.message
    assert f"{file.name}:6: " in refusal.value.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[servers]]\nuser = 'ann'", "servers[0] has no url"),
        ("[servers]\nurl = 'http://a'", "each entry begins with [[servers]]"),
        ("servers = 3", "each entry begins with [[servers]]"),
        ("servers = [1]", "each entry begins with [[servers]]"),
        ("[[servers]]\nurl = 'couch.example.org'", "a server is http(s)://host"),
        ("[[servers]]\nurl = 'http://a:99999'", "a server is http(s)://host"),
        ("[[server]]\nurl = 'http://a'", "did you mean servers?"),
    ],
)
def test_what_is_no_table(here: Path, text: str, told: str) -> None:
    (here / "couchmend.toml").write_text(text)
    with pytest.raises(UsageError) as refusal:
        load(environment={})
    assert told in refusal.value.message


def test_a_password_has_no_place_in_the_file_and_is_not_shown(here: Path) -> None:
    (here / "couchmend.toml").write_text("[[servers]]\nurl = 'http://ann:secret@host'\n")
    with pytest.raises(UsageError) as refusal:
        load(environment={})
    assert "password_file" in refusal.value.message
    assert "secret" not in str(refusal.value)


def test_tables_stand_in_the_file_only(here: Path) -> None:
    with pytest.raises(UsageError) as refusal:
        load(environment={"COUCHMEND_SERVERS__URL": "http://a"})
    assert "[[servers]]" in refusal.value.message


def test_every_key_of_a_table_is_described(here: Path) -> None:
    rows = {row.key: row for row in describe_tables()}
    assert set(rows) == {
        f"{table}.{field.name}"
        for table, kind in TABLES.items()
        for field in dataclasses.fields(kind)
    }
    for row in rows.values():
        assert row.help.endswith(".")
        assert row.type
        assert row.env == ""
    assert rows["servers.authentication"].type == '"basic", "cookie" or "bearer"'
