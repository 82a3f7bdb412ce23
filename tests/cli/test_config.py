"""`couchmend config`: written, checked, shown, described."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from couchmend.configuration import load_all
from tests.cli.running import couchmend, couchmend_here


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of this machine reaches these tests."""
    for name in ("LOG_LEVEL", "COUCHMEND_CONFIG", "COUCHMEND_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def config(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return couchmend_here("config", *arguments, cwd=cwd)


FIVE = """\
profile = "prod"
[[databases]]
url = "couch.example.org/notes"
mode = "automatic"
[engine]
concurrency = 0
[policies.tasks.fields]
tags = "sett"
"""


@pytest.mark.parametrize("profile", ["development", "production", "testing"])
def test_an_example_is_written_that_is_right(tmp_path: Path, profile: str) -> None:
    run = config("init", "--profile", profile, cwd=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    assert "couchmend.toml is written" in run.stdout
    found = load_all(config=tmp_path / "couchmend.toml", environment={})
    assert found.settings.profile == profile
    assert config("check", cwd=tmp_path).returncode == 0
    # A second time it is left alone.
    again = config("init", cwd=tmp_path)
    assert again.returncode == 2
    assert "there already" in again.stderr
    assert f'profile = "{profile}"' in (tmp_path / "couchmend.toml").read_text()
    assert config("init", "other.toml", cwd=tmp_path).returncode == 0
    assert (tmp_path / "other.toml").exists()


def test_what_cannot_be_written(tmp_path: Path) -> None:
    run = config("init", "nowhere/couchmend.toml", cwd=tmp_path)
    assert (run.returncode, run.stderr) == (
        3,
        "couchmend: No such file or directory nowhere/couchmend.toml\n",
    )
    run = config("init", "--profile", "prod", cwd=tmp_path)
    assert run.returncode == 2
    assert "there are development, production, testing" in run.stderr


def test_a_file_without_mistakes(tmp_path: Path) -> None:
    run = config("check", cwd=tmp_path)
    assert run.returncode == 0
    assert "there is no configuration file" in run.stdout
    file = tmp_path / "couchmend.toml"
    file.write_text("[policies.a]\n")
    run = config("check", cwd=tmp_path)
    assert "0 databases, 1 policy, profile development" in run.stdout
    assert "next: name your databases" in run.stdout
    file.write_text("[[databases]]\nurl = 'http://a/b'\n")
    run = config("check", "--config", str(file), cwd=tmp_path)
    assert run.stdout == (f"{file} is right: 1 database, 0 policies, profile development\n")
    told = json.loads(config("check", "--json", cwd=tmp_path).stdout)
    assert told == {"file": "couchmend.toml", "ok": True, "problems": []}


def test_five_mistakes_are_five_lines(tmp_path: Path) -> None:
    (tmp_path / "couchmend.toml").write_text(FIVE)
    run = config("check", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (2, "")
    lines = run.stderr.splitlines()
    assert [line.partition(": ")[2].partition(" ")[0] for line in lines[:5]] == [
        f"couchmend.toml:{number}:" for number in (1, 3, 4, 6, 8)
    ]
    assert lines[5:] == ["couchmend: 5 mistakes"]
    told = json.loads(config("check", "--json", cwd=tmp_path).stdout)
    assert (told["ok"], len(told["problems"])) == (False, 5)


def test_what_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "couchmend.toml").write_text("[a\n")
    run = config("check", cwd=tmp_path)
    assert run.returncode == 2
    assert "must be TOML" in run.stderr
    run = config("check", "--json", cwd=tmp_path)
    assert run.returncode == 2
    assert json.loads(run.stdout)["ok"] is False


SHOWN = """\
profile = "production"
[journal]
password_file = "journal-password"
url = "postgresql://ann@db/couchmend"
[[databases]]
url = "https://couch.example.org/notes"
policy = "tasks"
[[servers]]
url = "https://couch.example.org"
user = "ann"
password_file = "couch-password"
[policies.tasks]
match = { type = "task" }
[policies.tasks.fields]
"settings.**" = "latest"
"""


def test_what_holds_and_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "couchmend.toml").write_text(SHOWN)
    (tmp_path / "journal-password").write_text("s3cret")
    (tmp_path / "couch-password").write_text("s3cret")
    monkeypatch.setenv("LOG_LEVEL", "warn")
    run = config("show", cwd=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    assert "s3cret" not in run.stdout
    assert 'logs.level = "warning"  # environment variable LOG_LEVEL' in run.stdout
    assert 'logs.format = "json"  # profile production' in run.stdout
    assert 'journal.url = "postgresql://ann@db/couchmend"  # couchmend.toml:4' in run.stdout
    assert "engine.concurrency = 4  # default" in run.stdout
    assert "logs.file = (not given)  # default" in run.stdout
    assert '[policies.tasks]\nmatch = { type = "task" }\n' in run.stdout
    told = json.loads(config("show", "--json", cwd=tmp_path).stdout)
    assert told["settings"]["profile"] == {"value": "production", "from": "couchmend.toml:1"}
    assert told["servers"][0]["password_file"] == str(tmp_path / "couch-password")
    assert told["databases"][0]["policy"] == ["tasks"]
    assert told["policies"]["tasks"]["fields"] == {"settings.**": "latest"}


def test_what_is_wrong_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "couchmend.toml").write_text(FIVE)
    run = config("show", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (2, "")


def test_the_reference_is_that_of_the_documentation(tmp_path: Path) -> None:
    page = Path(__file__).parent.parent.parent / "docs" / "reference" / "configuration.md"
    printed = config("docs", cwd=tmp_path).stdout
    assert printed.split("\n", 2)[2].strip() == page.read_text().split("-->\n", 1)[1].strip()


def test_the_schema_is_printed(tmp_path: Path) -> None:
    schema = json.loads(config("schema", cwd=tmp_path).stdout)
    assert schema["properties"]["journal"]["properties"]["url"]["type"] == "string"


def test_alone_it_says_what_there_is(tmp_path: Path) -> None:
    run = couchmend("config", cwd=tmp_path)
    assert run.returncode == 2
    for name in ("init", "check", "show", "schema", "docs"):
        assert name in run.stdout


def test_any_command_tells_mistakes_a_line_each(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(FIVE)
    told = couchmend_here("scan", "file:x.couch", "--config", "c.toml", cwd=tmp_path)
    assert told.returncode == 2
    lines = told.stderr.splitlines()
    assert len(lines) == 5
    assert all(line.startswith("couchmend: c.toml:") for line in lines)
