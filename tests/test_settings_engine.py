"""Where the journal is, which databases, hours, profiles: forms of single settings."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.errors import UsageError
from couchmend.settings import Journal, Settings, load
from couchmend.settings.effects import names_several
from couchmend.settings.hours import is_quiet


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/srv/ann")
    return tmp_path


def read(here: Path, text: str, **environment: str) -> Settings:
    (here / "conf").mkdir(exist_ok=True)
    file = here / "conf" / "couchmend.toml"
    file.write_text(text)
    return load(config=file, environment=environment)


def told(here: Path, text: str, **environment: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(here, text, **environment)
    return str(caught.value)


# --- the journal


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("sqlite:////abs/journal.db", "sqlite:////abs/journal.db"),
        ("sqlite:///var/lib/couchmend/journal.db", "sqlite:////var/lib/couchmend/journal.db"),
        ("sqlite:///journal.db", "sqlite:///{here}/conf/journal.db"),
        ("sqlite:///./data/journal.db", "sqlite:///{here}/conf/data/journal.db"),
        ("sqlite:///../journal.db", "sqlite:///{here}/journal.db"),
        ("sqlite:///~/journal.db", "sqlite:////srv/ann/journal.db"),
        ("sqlite://", "sqlite://"),
        ("postgresql://db/couchmend", "postgresql://db/couchmend"),
        ("postgres://ann@db:5433/couchmend?sslmode=require",
         "postgresql://ann@db:5433/couchmend?sslmode=require"),
        ("postgresql:///couchmend", "postgresql:///couchmend"),
    ],
)  # fmt: skip
def test_where_the_journal_is(here: Path, url: str, address: str) -> None:
    settings = read(here, f'[journal]\nurl = "{url}"\n')
    assert settings.journal.address() == address.format(here=here)


def test_by_default_it_is_in_the_state_folder(here: Path) -> None:
    for journal in (Journal(), load(environment={}).journal):
        assert journal.address() == "sqlite:////srv/ann/.local/state/couchmend/journal.db"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://db/x", "a journal is sqlite:////absolute/path"),
        ("journal.db", "a journal is sqlite:////absolute/path"),
        ("sqlite:///", "a journal is sqlite:////absolute/path"),
        ("sqlite:journal.db", "a journal is sqlite:////absolute/path"),
        ("sqlite:///a.db?mode=ro", "a journal is sqlite:////absolute/path"),
        ("postgresql://db", "it is postgresql://"),
        ("postgresql://db:99999/x", "it is postgresql://"),
        ("postgresql://ann:s3cret@db/x", "use password_file, PGPASSWORD"),
        ("postgresql://db/x?password=s3cret", "use password_file, PGPASSWORD"),
        ("postgresql://db/x?sslpassword=s3cret", "use password_file, PGPASSWORD"),
    ],
)
def test_what_is_no_journal(here: Path, url: str, said: str) -> None:
    message = told(here, f'[journal]\nurl = "{url}"\n')
    assert "couchmend.toml:2: journal.url" in message
    assert said in message
    assert "s3cret" not in message


def test_its_password_is_in_a_file(here: Path) -> None:
    settings = read(here, '[journal]\nurl = "postgresql://ann@db/x"\npassword_file = "password"\n')
    with pytest.raises(UsageError, match=r"journal\.password_file names it"):
        settings.journal.address()
    (here / "conf" / "password").write_text("p@ss/wörd\n")
    assert settings.journal.address() == "postgresql://ann:p%40ss%2Fw%C3%B6rd@db/x"
    assert "p@ss" not in repr(settings)
    message = told(here, '[journal]\nurl = "sqlite:///x.db"\npassword_file = "password"\n')
    assert "couchmend.toml:3: journal.password_file" in message
    assert "has no effect" in message


# --- profiles and levels


def test_a_profile_changes_defaults_and_nothing_that_is_given(here: Path) -> None:
    production = read(here, 'profile = "production"\n')
    assert production.profile == "production"
    assert production.journal.address() == "sqlite:////var/lib/couchmend/journal.db"
    assert production.logs.format == "json"
    given = read(here, 'profile = "production"\n[logs]\nformat = "human"\n')
    assert given.logs.format == "human"
    testing = read(here, 'profile = "production"\n', COUCHMEND_PROFILE="testing")
    assert (testing.journal.address(), testing.logs.level) == ("sqlite://", "warning")
    assert load({"profile": "testing"}, environment={}).profile == "testing"
    assert "did you mean testing?" in told(here, "", COUCHMEND_PROFILE="testin")


@pytest.mark.parametrize(
    ("given", "level"),
    [("WARN", "warning"), ("Info", "info"), ("trace", "debug"), ("fatal", "error")],
)
def test_the_level_of_other_programs(here: Path, given: str, level: str) -> None:
    assert read(here, "[logs]\nlevel = 'info'\n", LOG_LEVEL=given).logs.level == level


def test_our_own_variable_is_nearer(here: Path) -> None:
    both = {"LOG_LEVEL": "debug", "COUCHMEND_LOGS__LEVEL": "error"}
    assert read(here, "", **both).logs.level == "error"
    assert read(here, "", LOG_LEVEL="").logs.level == "info"
    assert "environment variable LOG_LEVEL: logs.level" in told(here, "", LOG_LEVEL="loud")


# --- databases


@pytest.mark.parametrize(
    ("url", "form", "several"),
    [
        ("http://h/notes", "http://h/notes", False),
        ("http://h/a%2Fb/", "http://h/a%2Fb", False),
        ("https://h:6984", "https://h:6984", True),
        ("https://h/*", "https://h/*", True),
        ("https://h/team-*", "https://h/team-*", True),
        ("file:notes.couch", "file:{here}/conf/notes.couch", False),
        ("file:/data/notes.couch", "file:/data/notes.couch", False),
        ("dir:~/databases", "dir:/srv/ann/databases", True),
    ],
)
def test_databases(here: Path, url: str, form: str, several: bool) -> None:
    (database,) = read(here, f'[[databases]]\nurl = "{url}"\n').databases
    assert database.url == form.format(here=here)
    assert names_several(database.url) is several


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("url = 'h/notes'", "2: databases[0].url = 'h/notes' is not allowed: a database is http"),
        ("url = 'http://ann:s3cret@h/x'", "a password has no place in this file"),
        ("url = 'file:'", "a database is http"),
        ("url = 'http://h/x?y'", "a database is http"),
        ("mode = 'auto'", "databases[0] has no url"),
        ("url = 'http://h/*'\nname = 'all'", "3: databases[0].name = 'all' has no effect"),
        ("url = 'http://h/a'\nexclude = 'b'", "3: databases[0].exclude"),
        ("url = 'http://h/a'\nname = ' a'", "a name is a text without spaces around it"),
        ("url = 'http://h/a'\nname = '*'", "* stands for all of them"),
        ("url = 'http://h/a'\n[[databases]]\nurl = 'http://h/a/'",
         "4: databases[1].url = 'http://h/a' has no effect: databases[0] has it already"),
        ("url = 'http://h/a'\nname = 'n'\n[[databases]]\nurl = 'http://h/b'\nname = 'n'",
         "6: databases[1].name = 'n' has no effect"),
        ("url = 'http://h/a'\nrollout = 101", "3: databases[0].rollout"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_database(here: Path, text: str, said: str) -> None:
    message = told(here, f"[[databases]]\n{text}\n")
    assert said in message
    assert "s3cret" not in message


# --- hours


def test_hours_are_written_in_one_form(here: Path) -> None:
    (server,) = read(
        here, "[[servers]]\nurl = 'http://h'\nquiet_hours = ['22:00 - 06:00', '12:00-13:30']\n"
    ).servers
    assert server.quiet_hours == ("22:00-06:00", "12:00-13:30")
    for wrong in ("24:00-01:00", "22-6", "22:00-22:00", "22:00"):
        message = told(here, f"[[servers]]\nurl = 'http://h'\nquiet_hours = '{wrong}'\n")
        assert "hours are written like" in message
    message = told(here, "[[servers]]\nurl = 'http://h'\ntime_zone = 'Europe/Berlin'\n")
    assert "there are no quiet_hours" in message


def instant(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("clock", "quiet"),
    [("21:59:59", False), ("22:00:00", True), ("00:00:00", True), ("05:59:59", True),
     ("06:00:00", False), ("12:15:00", True), ("13:30:00", False)],
)  # fmt: skip
def test_when_it_is_quiet(clock: str, quiet: bool) -> None:
    hours = ("22:00-06:00", "12:00-13:30")
    assert is_quiet(hours, "UTC", instant(f"2026-03-01T{clock}")) is quiet
    assert not is_quiet((), "UTC", instant(f"2026-03-01T{clock}"))


def test_hours_go_by_the_clock_of_the_place() -> None:
    # In Berlin, clocks went from 2 to 3 that night.
    for before in ("2026-03-28T22:30", "2026-03-29T05:30"):
        assert is_quiet(("22:00-06:00",), "Europe/Berlin", instant(before, "Europe/Berlin"))
    at = instant("2026-07-01T20:30")
    assert is_quiet(("22:00-06:00",), "Europe/Berlin", at)
    assert not is_quiet(("22:00-06:00",), "UTC", at)


@given(st.integers(0, 4_000_000_000), st.times(), st.times())
def test_a_span_and_the_rest_of_the_day_are_a_day(seconds: int, start: object, end: object) -> None:
    one, other = f"{start:%H:%M}", f"{end:%H:%M}"
    if one != other:
        at = seconds * 1_000_000
        assert is_quiet((f"{one}-{other}",), "UTC", at) != is_quiet((f"{other}-{one}",), "UTC", at)
        clock = f"{datetime.fromtimestamp(seconds, UTC):%H:%M}"
        if one < other:
            assert is_quiet((f"{one}-{other}",), "UTC", at) == (one <= clock < other)
