"""What others hang in: functions that are called when something is found, planned, done, undone.

They come from entry points of the group `couchmend.hooks`, each named like what it is called for
(`on_conflict`, or `on_conflict.anything` where there are several), from the configuration file, or
are passed to the engine.  A
hook that raises is told of, and what it was called for goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Final, TypeAlias

from couchmend.engine.carrying import Order
from couchmend.errors import UsageError
from couchmend.events import (
    ConflictDetected,
    Event,
    Events,
    HookFailed,
    ResolutionResolved,
    ResolutionUndone,
)

GROUP: Final = "couchmend.hooks"


OnConflict: TypeAlias = Callable[[ConflictDetected], object]
OnPlan: TypeAlias = Callable[[Order], str | None]
OnResolved: TypeAlias = Callable[[ResolutionResolved], object]
OnUndone: TypeAlias = Callable[[ResolutionUndone], object]


@dataclass(frozen=True, slots=True)
class Hooks:
    """Functions by what they are called for.

    on_plan: may veto: it returns why the plan is not to be carried out, or None.  One that fails
        vetoes nothing.
    """

    on_conflict: tuple[OnConflict, ...] = ()
    on_plan: tuple[OnPlan, ...] = ()
    on_resolved: tuple[OnResolved, ...] = ()
    on_undone: tuple[OnUndone, ...] = ()

    def and_then(self, others: Mapping[str, tuple[Callable[[Any], Any], ...]]) -> Hooks:
        """These, and others after them, by what they are called for."""
        return Hooks(**{name: getattr(self, name) + others.get(name, ()) for name in _KINDS})

    def listen_to(self, events: Events) -> Callable[[], None]:
        """Call the hooks that events are for; what is returned ends that."""

        def listener(event: Event) -> None:
            called: tuple[Callable[[Any], object], ...] = ()
            match event:
                case ConflictDetected():
                    called = self.on_conflict
                case ResolutionResolved():
                    called = self.on_resolved
                case ResolutionUndone():
                    called = self.on_undone
            for hook in called:
                try:
                    hook(event)
                except Exception as problem:  # noqa: BLE001  # anyone's code; it is told of
                    events.emit(_failed(hook, problem, event.at))

        return events.subscribe(listener)

    def veto(self, order: Order, events: Events, now: int) -> str | None:
        """Why a plan is not to be carried out, as the first hook says that has something to say."""
        for hook in self.on_plan:
            try:
                why = hook(order)
            except Exception as problem:  # noqa: BLE001  # anyone's code; it is told of
                events.emit(_failed(hook, problem, now))
                continue
            if why is not None:
                return str(why)
        return None


_KINDS: Final = tuple(Hooks.__dataclass_fields__)


def _failed(hook: object, problem: Exception, at: int) -> HookFailed:
    named = getattr(hook, "__qualname__", type(hook).__qualname__)
    return HookFailed(at=at, hook=named, error=type(problem).__name__)


def installed() -> Hooks:
    """The hooks of all packages that are installed.

    Raises:
        UsageError: one cannot be loaded, or is called like nothing that there are hooks for.
    """
    found: dict[str, list[Any]] = {name: [] for name in _KINDS}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        kind = point.name.partition(".")[0]
        if kind not in found:
            raise UsageError(
                f"there is no hook {kind!r}",
                operation="hooks",
                target=f"{point.name} = {point.value}",
                hint=f"there are {', '.join(found)}",
            )
        try:
            hook = point.load()
        except Exception as problem:
            raise UsageError(
                f"the hook cannot be loaded: {type(problem).__name__}: {problem}",
                operation="hooks",
                target=f"{point.name} = {point.value}",
                hint=f"it is installed as an entry point of {GROUP}",
            ) from problem
        found[kind].append(hook)
    return Hooks(**{name: tuple(hooks) for name, hooks in found.items()})
