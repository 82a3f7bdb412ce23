"""The command line: one function a command; rendering apart from doing."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from couchmend.cli.exit_codes import DONE, INTERRUPTED, UNREACHABLE, WRONG_USAGE, exit_code
from couchmend.errors import CouchmendError, UsageError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `couchmend` with the arguments of the process, or these, and exit.

    The exit code is 0 when done, 1 when something needs attention, 2 for wrong usage or
    configuration, 3 when a database could not be reached or read, 4 when it refused, 130
    when interrupted.
    """
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: list[str]) -> int:
    """Run one command; returns the exit code.  What went wrong is a line on stderr."""
    odd = next((one for one in arguments if not _is_text(one)), None)
    if odd is not None:
        _say(f"{odd!r} is no text in UTF-8")
        return WRONG_USAGE
    # Typer alone takes as long to import as the rest of Python's start.
    import typer

    from couchmend.cli.app import COMPLETE, PROGRAM, Verbosity, build

    verbosity = Verbosity()
    completing = COMPLETE in os.environ
    app = build(verbosity, "" if completing else _command(arguments))
    if completing:
        app(prog_name=PROGRAM)  # answers the shell and exits
    command = typer.main.get_command(app)
    try:
        try:
            with command.make_context(PROGRAM, arguments) as context:
                command.invoke(context)
            sys.stdout.flush()
        except typer.Exit as stop:
            sys.stdout.flush()
            return stop.exit_code
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has enough.  What is still buffered has nowhere to go.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except typer.Abort:
        return INTERRUPTED
    except typer.TyperException as problem:
        return _wrong_usage(problem)
    except CouchmendError as problem:
        if verbosity.level >= 2:
            _trace()
        for sentence in problem.mistakes if isinstance(problem, UsageError) else (str(problem),):
            _say(sentence)
        return exit_code(problem)
    except OSError as problem:
        if verbosity.level >= 2:
            _trace()
        _say(
            " ".join(str(part) for part in (problem.strerror or problem, problem.filename) if part)
        )
        return UNREACHABLE
    return DONE


def _is_text(argument: str) -> bool:
    """Whether it came as UTF-8: nothing else can be an id, a name or a value."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _command(arguments: Sequence[str]) -> str:
    """The command that is named, as far as that can be told without knowing them."""
    return next((one for one in arguments if not one.startswith("-")), "")


def _wrong_usage(problem: Exception) -> int:
    context = getattr(problem, "ctx", None)
    message = problem.format_message() if hasattr(problem, "format_message") else str(problem)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    _say(" ".join(message.replace("Value error, ", "").split()).rstrip(".") + hint)
    return WRONG_USAGE


def _say(message: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        from couchmend.cli.output import complain

        complain(message)


def _trace() -> None:
    import traceback

    traceback.print_exc()
