"""Reading the configuration again: validated whole, then applied or refused whole."""

from __future__ import annotations

import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from couchmend.configuration import Configuration
from couchmend.errors import CouchmendError
from couchmend.events import ConfigChanged, Events
from couchmend.policies import Policies
from couchmend.settings import ConfigurationError, Settings
from couchmend.settings.checking import shown
from couchmend.settings.sections import ATTRIBUTES, SECTIONS, TABLES, key_of

Keep: TypeAlias = Callable[[int, str, Sequence[str], str], object]
"""Takes when, who, the differences, and why they were refused, or ""."""

AT_START_ONLY = (("journal", "url"),)
"""Settings that a running process cannot take."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of it: the differences in sentences, and why they were refused, or ""."""

    changes: tuple[str, ...]
    refused: str = ""


class Reloading:
    """Holds the configuration in force, and replaces it.

    load: reads the configuration; raises what is wrong with it.
    apply: makes it count; it may refuse by raising, and then the former stays.
    now: microseconds since 1970.
    keep: is told of each change and each refusal, so that they are recorded.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        load: Callable[[], Configuration],
        apply: Callable[[Configuration], object],
        events: Events,
        now: Callable[[], int],
        keep: Keep = lambda at, by, changes, refused: None,
    ) -> None:
        self.configuration = configuration
        self._load = load
        self._apply = apply
        self._events = events
        self._now = now
        self._keep = keep
        self._lock = threading.Lock()

    def reload(self, by: str) -> Reloaded:
        """Read the configuration, and put it in force if all of it is right.

        by: who asked: `file`, `signal`, or a user's name.
        """
        with self._lock:
            found = self._reloaded()
            if found.changes or found.refused:
                at = self._now()
                self._keep(at, by, found.changes, found.refused)
                self._events.emit(
                    ConfigChanged(at=at, changes=found.changes, refused=found.refused)
                )
            return found

    def _reloaded(self) -> Reloaded:
        try:
            new = self._load()
        except ConfigurationError as problem:
            return Reloaded((), "; ".join(problem.problems))
        except CouchmendError as problem:
            return Reloaded((), str(problem))
        changes = tuple(differences(self.configuration, new))
        if not changes:
            self.configuration = new
            return Reloaded(())
        for section, name in AT_START_ONLY:
            if _value(self.configuration.settings, section, name) != _value(
                new.settings, section, name
            ):
                return Reloaded(changes, f"{key_of(section, name)} can only change at a start")
        try:
            self._apply(new)
        except CouchmendError as problem:
            return Reloaded(changes, str(problem))
        self.configuration = new
        return Reloaded(changes)


def differences(before: Configuration, after: Configuration) -> Iterator[str]:
    """What is another, each in a sentence.  Secrets are in no configuration, and in no sentence."""
    yield from _of_sections(before.settings, after.settings)
    for table in TABLES:
        yield from _of_table(table, before.settings, after.settings)
    yield from _of_policies(before.policies, after.policies)


def _of_sections(before: Settings, after: Settings) -> Iterator[str]:
    for section, kind in SECTIONS.items():
        for entry in dataclasses.fields(kind):
            was, now = (_value(one, section, entry.name) for one in (before, after))
            if was != now:
                yield _changed(key_of(section, entry.name), was, now)


def _value(settings: Settings, section: str, name: str) -> Any:
    return getattr(getattr(settings, ATTRIBUTES.get(section, section)), name)


def _of_table(table: str, before: Settings, after: Settings) -> Iterator[str]:
    was = {entry.url: entry for entry in getattr(before, table)}
    now = {entry.url: entry for entry in getattr(after, table)}
    for url in was:
        if url not in now:
            yield f"{table}: {url} was removed"
    for url, entry in now.items():
        if url not in was:
            yield f"{table}: {url} was added"
            continue
        for each in dataclasses.fields(TABLES[table]):
            one, other = getattr(was[url], each.name), getattr(entry, each.name)
            if one != other:
                yield _changed(f"{table}: {url}: {each.name}", one, other)
    if was.keys() == now.keys() and [*was] != [*now]:
        yield f"{table}: the order is another"


def _of_policies(before: Policies, after: Policies) -> Iterator[str]:
    was = {policy.name: policy for policy in before}
    now = {policy.name: policy for policy in after}
    yield from (f"policies.{name} was removed" for name in was if name not in now)
    for name, policy in now.items():
        if name not in was:
            yield f"policies.{name} was added"
        elif policy != was[name]:
            one, other = was[name].to_data(), policy.to_data()
            keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
            yield f"policies.{name} changed" + (f": {', '.join(keys)}" if keys else "")
    if was.keys() == now.keys() and [*was] != [*now]:
        yield "policies: the order is another"


def _changed(key: str, before: object, after: object) -> str:
    return f"{key} was {_told(before)}, is {_told(after)}"


def _told(value: object) -> str:
    if value is None or value == ():
        return "not given"
    return shown(str(value) if hasattr(value, "__fspath__") else value)


class Watch:
    """Reloads when the file changes, and when it is asked to.

    seconds: how often the file is looked at.
    """

    def __init__(self, reloading: Reloading, *, seconds: float = 1.0) -> None:
        self._reloading = reloading
        self._seconds = seconds
        self._asked = False
        self._seen = self._state()

    def ask(self) -> None:
        """Reload soon.  May be called by a signal's handler: it takes no lock."""
        self._asked = True

    def on_hangup(self) -> None:
        """Reload at SIGHUP; to be called in the main thread."""
        signal.signal(signal.SIGHUP, lambda number, frame: self.ask())

    def run(self, stop: threading.Event) -> None:
        """Watch until told to stop."""
        before = self._seen
        while not stop.wait(self._seconds):
            now = self._state()
            # One that is being written is left alone until it has been still for a moment.
            if now != self._seen and now == before:
                self._seen = now
                self._reloading.reload("file")
            elif self._asked:
                self._asked = False
                self._seen = now
                self._reloading.reload("signal")
            before = now

    def _state(self) -> tuple[int, ...] | None:
        file = self._reloading.configuration.settings.file
        if file is None:
            return None
        try:
            about = file.stat()
        except OSError:
            return None
        return about.st_mtime_ns, about.st_size, about.st_ino
