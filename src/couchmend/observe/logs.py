"""The log: one JSON object a line, or lines for people; to a stream, to a file, or both."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, TextIO

from couchmend.core.document import JSON
from couchmend.events import Event
from couchmend.observe.log_file import LogFile
from couchmend.observe.log_lines import LEVELS, line_of
from couchmend.settings import Logs as LogSettings

_COLOURS: Final = {"debug": "2", "info": "32", "warning": "33", "error": "31"}
_SHOWN_APART: Final = ("timestamp", "level", "event", "message", "database", "documentId")


class Logs:
    """Writes events down; `listen` is what `Events.subscribe` takes.

    settings: the level, the form and the file.
    stream: where lines go beside the file, such as standard output; None for nowhere.
    """

    def __init__(self, settings: LogSettings, *, stream: TextIO | None = None) -> None:
        # Reading settings and starting a command should not wait for it.
        import structlog

        self._stream = stream
        self._file = None if settings.file is None else LogFile(settings.file, self._complain)
        is_terminal = stream is not None and stream.isatty()
        self._for_people = settings.format == "human" or (settings.format == "auto" and is_terminal)
        self._in_colour = is_terminal and not os.environ.get("NO_COLOR")
        self._least = LEVELS.index(settings.level)
        self._logger = structlog.wrap_logger(
            self,
            processors=[structlog.contextvars.merge_contextvars, self._passed_on],
            wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        )

    # --- what is logged

    def listen(self, event: Event) -> None:
        """Log an event."""
        line = line_of(event)
        if LEVELS.index(line.level) >= self._least:
            self.log(line.level, line.event, line.message, line.fields, at=line.at)

    def log(
        self,
        level: str,
        event: str,
        message: str,
        fields: Mapping[str, JSON],
        *,
        at: int | None = None,
    ) -> None:
        """Log something that is no event.

        level: `debug`, `info`, `warning` or `error`.
        event: its stable name.
        fields: more of it; never anything that a document says.
        at: when, in microseconds since 1970; by default now.
        """
        when = datetime.now(UTC) if at is None else _EPOCH + timedelta(microseconds=at)
        stamp = when.isoformat(timespec="microseconds").replace("+00:00", "Z")
        getattr(self._logger, level)(event, message=message, timestamp=stamp, **fields)

    def _passed_on(
        self, logger: Any, method: str, said: MutableMapping[str, Any]
    ) -> tuple[tuple[dict[str, Any]], dict[str, Any]]:
        level = "warning" if method == "warn" else method
        first = {"timestamp": said.pop("timestamp"), "level": level}
        line = {**first, "event": said.pop("event"), "message": said.pop("message"), **said}
        return (line,), {}

    # --- where structlog ends

    def debug(self, line: dict[str, Any]) -> None:
        """Write a line."""
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str)
        if self._file is not None:
            self._file.write(text)
        if self._stream is not None:
            self._to_stream(human(line, self._in_colour) if self._for_people else text)

    info = warning = error = debug

    def _to_stream(self, text: str) -> None:
        stream = self._stream
        if stream is None:
            return
        try:
            stream.write(text.encode("utf-8", "replace").decode() + "\n")
            stream.flush()
        except (OSError, ValueError, UnicodeEncodeError):
            # Whoever read it is gone; the file, if any, is written on.
            self._stream = None

    def _complain(self, words: str) -> None:
        sys.stderr.write(f"couchmend: {words}\n")

    # --- its end

    def reopen(self) -> None:
        """Open the file anew, as after it was moved."""
        if self._file is not None:
            self._file.reopen()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Logs:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def human(line: Mapping[str, Any], in_colour: bool) -> str:
    """A line as a person reads it; nothing in it moves a terminal's cursor."""
    level = line["level"]
    shown = f"{level:7}"
    if in_colour:
        shown = f"\x1b[{_COLOURS[level]}m{shown}\x1b[0m"
    where = " ".join(_plain(line[key]) for key in ("database", "documentId") if key in line)
    rest = " ".join(
        f"{name}={_plain(value)}" for name, value in line.items() if name not in _SHOWN_APART
    )
    parts = (line["timestamp"][11:23], shown, _plain(line["message"]), where, rest)
    return " ".join(part for part in parts if part)


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
