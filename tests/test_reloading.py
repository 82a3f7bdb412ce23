"""Reading the configuration again: all or nothing, and what is told of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from couchmend.configuration import Configuration, load_all
from couchmend.errors import EngineRefused
from couchmend.events import ConfigChanged, Event, Events
from couchmend.reloading import Reloaded, Reloading, Watch

BEFORE = """\
[[databases]]
url = "http://a/notes"
[[databases]]
url = "http://a/old"
[policies.tasks]
identity_keys = ["id"]
"""
AFTER = """\
[engine]
concurrency = 8
[[databases]]
url = "http://a/notes"
mode = "auto"
policy = "tasks"
[[databases]]
url = "http://a/new"
[[servers]]
url = "http://a"
user = "ann"
password_file = "secret"
[policies.tasks]
identity_keys = ["key"]
attachments = "keep-both"
[policies.more]
"""


class Place:
    """A file, what reads it, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "couchmend.toml"
        self.file.write_text(BEFORE)
        (folder / "secret").write_text("s3cret")
        self.told: list[Event] = []
        self.kept: list[tuple[int, str, Sequence[str], str]] = []
        self.applied: list[Configuration] = []
        self.refusal: EngineRefused | None = None
        events = Events()
        events.subscribe(self.told.append)
        self.reloading = Reloading(
            self.load(),
            load=self.load,
            apply=self.apply,
            events=events,
            now=lambda: 7,
            keep=lambda *about: self.kept.append(about),
        )

    def load(self) -> Configuration:
        return load_all(config=self.file, environment={})

    def apply(self, configuration: Configuration) -> None:
        if self.refusal:
            raise self.refusal
        self.applied.append(configuration)

    def write(self, text: str) -> None:
        """As editors do: all at once."""
        beside = self.file.with_suffix(".new")
        beside.write_text(text)
        beside.replace(self.file)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_changed_is_told_kept_and_applied(place: Place) -> None:
    place.write(AFTER)
    found = place.reloading.reload("ann")
    assert found == Reloaded(
        (
            "engine.concurrency was 4, is 8",
            "databases: http://a/old was removed",
            "databases: http://a/notes: mode was 'observe', is 'auto'",
            "databases: http://a/notes: policy was not given, is ['tasks']",
            "databases: http://a/new was added",
            "servers: http://a was added",
            "policies.tasks changed: identity_keys, attachments",
            "policies.more was added",
        )
    )
    assert place.kept == [(7, "ann", found.changes, "")]
    assert place.told == [ConfigChanged(at=7, changes=found.changes)]
    assert [one.settings.engine.concurrency for one in place.applied] == [8]
    assert place.reloading.configuration is place.applied[0]
    assert "s3cret" not in repr((found, place.told))


def test_one_mistake_refuses_all_of_it(place: Place) -> None:
    before = place.reloading.configuration
    place.write(AFTER.replace("concurrency = 8", "concurency = 8").replace('"auto"', '"on"'))
    found = place.reloading.reload("ann")
    assert found.changes == ()
    assert f"{place.file}:2: there is no setting engine.concurency" in found.refused
    assert f"{place.file}:5: databases[0].mode" in found.refused
    assert place.reloading.configuration is before
    assert place.applied == []
    assert place.kept == [(7, "ann", (), found.refused)]
    assert place.told == [ConfigChanged(at=7, changes=(), refused=found.refused)]


def test_what_applies_it_may_refuse(place: Place) -> None:
    before = place.reloading.configuration
    place.refusal = EngineRefused("the databases cannot be reached")
    place.write(AFTER)
    found = place.reloading.reload("ann")
    assert found.refused == "the databases cannot be reached"
    assert len(found.changes) == 8
    assert place.reloading.configuration is before


def test_the_journal_cannot_move_under_way(place: Place) -> None:
    place.write(BEFORE + "\n[journal]\nurl = 'sqlite:///other.db'\n")
    found = place.reloading.reload("ann")
    assert found.refused == "journal.url can only change at a start"
    assert place.applied == []


def test_nothing_new_is_nothing_to_tell(place: Place) -> None:
    assert place.reloading.reload("ann") == Reloaded(())
    assert (place.kept, place.told) == ([], [])


def test_a_file_that_is_gone_changes_nothing(place: Place) -> None:
    place.file.unlink()
    assert "there is no such file" in place.reloading.reload("ann").refused
    assert len(place.reloading.configuration.settings.databases) == 2


def until(held: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not held():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def watch(place: Place) -> Watch:
    return Watch(place.reloading, seconds=0.02)


def test_a_file_that_changes_is_read(place: Place, watch: Watch) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=watch.run, args=(stop,))
    thread.start()
    try:
        place.write(AFTER)
        until(lambda: len(place.kept) == 1)
        place.write("[oops")
        until(lambda: len(place.kept) == 2)
        place.write(AFTER + "\n# nothing new\n")
        time.sleep(0.2)
    finally:
        stop.set()
        thread.join()
    assert [by for _, by, _, _ in place.kept] == ["file", "file"]
    assert place.kept[1][3]
    assert place.reloading.configuration.settings.engine.concurrency == 8


def test_a_hangup_reads_it_too(place: Place, watch: Watch) -> None:
    former = signal.getsignal(signal.SIGHUP)
    stop = threading.Event()
    thread = threading.Thread(target=watch.run, args=(stop,))
    try:
        watch.on_hangup()
        about = place.file.stat()
        thread.start()
        place.file.write_text(BEFORE.replace("old", "odd"))
        # Its size and time tell nothing.
        os.utime(place.file, ns=(about.st_atime_ns, about.st_mtime_ns))
        os.kill(os.getpid(), signal.SIGHUP)
        until(lambda: len(place.kept) == 1)
    finally:
        stop.set()
        thread.join()
        signal.signal(signal.SIGHUP, former)
    assert place.kept[0][1] == "signal"
    assert place.kept[0][2] == (
        "databases: http://a/old was removed",
        "databases: http://a/odd was added",
    )
