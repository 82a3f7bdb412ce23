"""How many requests a server gets."""

from __future__ import annotations

import threading
import time
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


def test_after_a_pause_requests_are_spread_too() -> None:
    throttle = Throttle(50)
    begun: list[float] = []

    def wait() -> None:
        throttle.wait(time.sleep)
        begun.append(time.monotonic())

    threads = [threading.Thread(target=wait) for _ in range(10)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    held_until = time.monotonic() + 0.3
    before = len(begun)
    throttle.hold(0.3)
    for thread in threads:
        thread.join()
    after = sorted(begun)[before:]
    assert len(after) > 2
    for number, moment in enumerate(after):
        assert moment >= held_until + number / 50 - 0.01
    assert after[-1] < held_until + 1  # and nobody is forgotten


def test_no_pause_is_no_pause() -> None:
    time = Time()
    throttle = Throttle(1, clock=time.clock)
    for _ in range(3):
        throttle.wait(time.sleep)
        throttle.hold(0)
    assert time.now == 2
