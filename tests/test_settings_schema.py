"""The JSON Schema of the configuration against files, right ones and wrong ones; and the example
that has every setting in it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from couchmend.configuration import load_all
from couchmend.core.policy.policy import DATA_KEYS
from couchmend.schemas import configuration_schema, policy_schema
from couchmend.settings import ConfigurationError
from couchmend.settings.reference import example
from couchmend.settings.sections import SECTIONS, TABLES, fields_of

SCHEMA = configuration_schema()

RIGHT = [
    "",
    'profile = "production"\n',
    '[journal]\nurl = "postgresql://ann@db/couchmend"\npassword_file = "x"\n',
    (
        '[[databases]]\nurl = "https://h/team-*"\nmode = "auto"\npolicy = "p"\nrollout = 25\n'
        'exclude = ["*-archive"]\n[policies.p]\n'
    ),
    (
        '[[databases]]\nurl = "dir:data"\npolicy = ["p", "q"]\nonly_us = true\n'
        "[policies.p]\n[policies.q]\n"
    ),
    '[[servers]]\nurl = "http://a"\nquiet_hours = ["22:00-06:00"]\ntime_zone = "Europe/Berlin"\n',
    '[[servers]]\nurl = "http://a"\nquiet_hours = "22:00-06:00"\nmax_requests_per_second = 2\n',
    '[logs]\nlevel = "debug"\nformat = "human"\nfile = "x.log"\n[metrics]\nmax_databases = 5\n',
    "[engine]\nlease_seconds = 10\nbatch_documents = 10\n",
    (
        '[policies.p]\nmatch = { type = "task" }\nidentity_keys = ["id"]\n'
        'attachments = "keep-both"\n'
        '[policies.p.fields]\ntags = "set"\nstatus = { prefer = ["done"] }\n'
        '[policies.p.auto]\nmax_severity = { edit_edit = "low" }\n'
        'strategy = { edit_edit = "local" }\n'
        '[policies.p.checksum]\nfield = "sum"\nalgorithm = "md5"\nover = ["a", "b"]\n'
    ),
]
WRONG = [
    'profile = "prod"\n',
    "profile = 3\n",
    "[journal]\nurl = 3\n",
    "[journal]\nuri = 'sqlite:///x.db'\n",
    "[[databases]]\nmode = 'auto'\n",
    "[[databases]]\nurl = 'http://a/b'\nmode = 'automatic'\n",
    "[[databases]]\nurl = 'http://a/b'\nrollout = 101\n",
    "[[databases]]\nurl = 'http://a/b'\npolicy = 3\n",
    "[databases]\nurl = 'http://a/b'\n",
    "[[servers]]\nurl = 'http://a'\nattempts = 0\n",
    "[engine]\nconcurrency = 1.5\n",
    "[logs]\nlevel = 'loud'\n",
    "[nothing]\n",
    "[policies.p]\nattachment = 'manual'\n",
    "[policies.p]\nno_ancestor = 'maybe'\n",
    "[policies.p.fields]\na = 3\n",
    "[policies.p.auto]\nmax_severity = { edit = 'low' }\n",
    "[policies.p.checksum]\nalgorithm = 'md5'\n",
    "policies = 3\n",
]


def read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "couchmend.toml"
    file.write_text(text)
    load_all(config=file, environment={})


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_is_right_for_both(tmp_path: Path, text: str) -> None:
    jsonschema.validate(tomllib.loads(text), SCHEMA)
    read(tmp_path, text)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_wrong_for_both(tmp_path: Path, text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(text), SCHEMA)
    with pytest.raises(ConfigurationError):
        read(tmp_path, text)


def test_every_key_of_a_policy_is_in_it() -> None:
    assert set(policy_schema()["properties"]) == set(DATA_KEYS)


# --- the example

LINE = re.compile(r"^#(\w+ = .*)$", re.MULTILINE)


def settings_in(text: str) -> list[tuple[str, str]]:
    """Every setting that an example has, commented out: the header above it, and its line."""
    found = []
    header = ""
    for line in text.split("# What becomes of what two versions changed.")[0].splitlines():
        if match := re.fullmatch(r"#?(\[+\w+\]+)", line):
            header = match[1]
        elif match := LINE.fullmatch(line):
            found.append((header, match[1]))
    return found


@pytest.mark.parametrize("profile", ["development", "production", "testing"])
def test_the_example_has_every_setting(profile: str) -> None:
    found = {
        (header.strip("[]"), line.partition(" ")[0])
        for header, line in settings_in(example(profile))
    }
    assert found | {("", "profile")} == {
        (section, name)
        for section, kind in (SECTIONS | TABLES).items()  # type: ignore[operator]
        for name in fields_of(kind)
    }


def test_each_of_its_settings_is_right_when_it_is_taken(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def found(event): ...\ndef check(planned): ...\n"
        "def resolved(event): ...\ndef undone(event): ...\n"
    )
    needed = {
        "time_zone": 'quiet_hours = ["22:00-06:00"]\n',
        "client_key": 'client_certificate = "client.pem"\n',
        "name": 'url = "https://couch.example.org/notes"\n',
    }
    taken = 0
    for header, line in settings_in(example()):
        name = line.partition(" ")[0]
        url = "" if name in ("url", "name") else 'url = "https://couch.example.org"\n'
        more = needed.get(name, "")
        if header == "[journal]" and name == "password_file":
            more = 'url = "postgresql://ann@db/couchmend"\n'
        of_table = url if header.startswith("[[") else ""
        policy = "[policies.tasks]\n" if name == "policy" else ""
        read(tmp_path, f"{header}\n{of_table}{more}{line}\n{policy}")
        taken += 1
    assert taken > 50


def test_its_policy_is_right_too(tmp_path: Path) -> None:
    policy = example().split("checks it.\n")[1].replace("\n#", "\n")
    assert "[policies.tasks.fields]" in policy
    read(tmp_path, policy)
