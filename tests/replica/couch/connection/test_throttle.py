"""How many requests a server gets."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from couchmend.replica.couch.connection.throttle import Throttle


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@given(
    st.floats(0.1, 100),
    st.lists(st.tuples(st.floats(0, 3), st.none() | st.floats(0, 5)), max_size=30),
)
def test_never_more_than_allowed_and_nobody_while_held(
    rate: float, events: list[tuple[float, float | None]]
) -> None:
    time = Time()
    throttle = Throttle(rate, clock=time.clock)
    begun: list[float] = []
    held_until = 0.0
    for idle, hold in events:
        time.now += idle
        if hold is not None:
            throttle.hold(hold)
            held_until = max(held_until, time.now + hold)
        throttle.wait(time.sleep)
        assert time.now >= held_until - 1e-6
        begun.append(time.now)
    for earlier, later in pairwise(begun):
        assert later - earlier >= 1 / rate - 1e-6


def test_without_a_limit_nobody_waits() -> None:
    time = Time()
    throttle = Throttle(clock=time.clock)
    for _ in range(100):
        throttle.wait(time.sleep)
    assert time.now == 0


def test_who_waits_already_is_held_too() -> None:
    time = Time()
    throttle = Throttle(1, clock=time.clock)
    throttle.wait(time.sleep)

    def sleep(seconds: float) -> None:
        if time.now < 1:
            throttle.hold(10)
        time.sleep(seconds)

    throttle.wait(sleep)
    assert time.now == 10
