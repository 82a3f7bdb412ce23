"""Whether a name and a password belong together: what is remembered, refused and computed."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import argon2
import pytest

from couchmend.errors import Forbidden, Unauthorized, Unavailable
from couchmend.replica.http_face.guards.credentials import LOCKED, WRONG, Credentials
from couchmend.replica.http_face.guards.throttle import Throttle, network_of
from couchmend.replica.http_face.guards.users import User, Users
from tests.replica.http_face.calling import ELSEWHERE, LOCAL


class Hasher(argon2.PasswordHasher):
    """Cheap; remembers against which hashes it verified, and can be held up."""

    def __init__(self, time_cost: int = 1, memory_cost: int = 8) -> None:
        super().__init__(time_cost=time_cost, memory_cost=memory_cost, parallelism=1)
        self.verified: list[str] = []
        self.before: Callable[[], object] = lambda: None

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.verified.append(str(hash))
        self.before()
        return super().verify(hash, password)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hasher() -> Hasher:
    return Hasher()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def users(tmp_path: Path, hasher: Hasher) -> Users:
    users = Users(tmp_path, hasher=hasher)
    users.add("ann", "right", ["r"])
    users.add("bob", "right")
    return users


@pytest.fixture
def credentials(users: Users, clock: Clock) -> Credentials:
    return Credentials(users, clock=clock)


def run(what: Awaitable[User]) -> User:
    async def main() -> User:
        return await what

    return asyncio.run(main())


def refused(credentials: Credentials, name: str, password: str, address: str = LOCAL) -> str:
    """The words of the refusal."""
    with pytest.raises((Unauthorized, Forbidden)) as caught:
        run(credentials.verify(name, password, address))
    return caught.value.reason


def test_right_and_wrong(credentials: Credentials) -> None:
    assert run(credentials.verify("ann", "right", LOCAL)).roles == ("r",)
    for name, password in (("ann", "wrong"), ("ann", ""), ("nobody", "right"), ("", ""),
                           ("ANN", "right"), ("ann", "x" * 1_000_000)):  # fmt: skip
        assert refused(credentials, name, password) == WRONG


def test_what_was_right_is_not_computed_again_for_a_while(
    credentials: Credentials, hasher: Hasher, clock: Clock
) -> None:
    for _ in range(3):
        run(credentials.verify("ann", "right", LOCAL))
        run(credentials.verify("ann", "right", ELSEWHERE))
    assert len(hasher.verified) == 1
    clock.now += 59
    run(credentials.verify("ann", "right", LOCAL))
    assert len(hasher.verified) == 1
    clock.now += 2
    run(credentials.verify("ann", "right", LOCAL))
    assert len(hasher.verified) == 2


def test_what_is_remembered_is_that_name_with_that_password(
    credentials: Credentials, hasher: Hasher
) -> None:
    run(credentials.verify("ann", "right", LOCAL))
    assert refused(credentials, "an", "nright") == WRONG
    assert refused(credentials, "ann", "wrong") == WRONG
    run(credentials.verify("bob", "right", LOCAL))
    assert len(hasher.verified) == 4


def test_nothing_is_remembered_when_the_cache_is_off(users: Users, hasher: Hasher) -> None:
    credentials = Credentials(users, cache_seconds=0)
    run(credentials.verify("ann", "right", LOCAL))
    run(credentials.verify("ann", "right", LOCAL))
    assert len(hasher.verified) == 2


def test_the_cache_forgets_the_oldest(users: Users, hasher: Hasher) -> None:
    users.add("cleo", "right")
    credentials = Credentials(users, cache_size=2)
    for name in ("ann", "bob", "cleo", "cleo", "bob", "ann"):
        run(credentials.verify(name, "right", LOCAL))
    assert len(hasher.verified) == 4


def test_a_change_of_the_users_ends_what_was_remembered(
    credentials: Credentials, users: Users, hasher: Hasher
) -> None:
    run(credentials.verify("ann", "right", LOCAL))
    users.set_password("ann", "new")
    assert refused(credentials, "ann", "right") == WRONG
    assert run(credentials.verify("ann", "new", LOCAL)).name == "ann"
    users.remove("ann")
    assert refused(credentials, "ann", "new") == WRONG


def test_a_password_that_changes_while_the_old_one_is_verified_is_not_let_in(
    credentials: Credentials, users: Users, hasher: Hasher
) -> None:
    hasher.before = lambda: users.set_password("ann", "new")
    assert refused(credentials, "ann", "right") == WRONG
    hasher.before = lambda: None
    assert refused(credentials, "ann", "right") == WRONG


def test_a_name_that_does_not_exist_costs_the_same_computation(
    credentials: Credentials, users: Users, hasher: Hasher
) -> None:
    refused(credentials, "ann", "wrong")
    refused(credentials, "nobody", "wrong")
    ann, nobody = hasher.verified
    assert ann == users.require("ann").password_hash
    assert argon2.extract_parameters(ann) == argon2.extract_parameters(nobody)


def test_even_the_password_of_nobody_lets_nobody_in(credentials: Credentials) -> None:
    assert refused(credentials, "nobody", "") == WRONG


def test_a_name_that_does_not_exist_takes_as_long(tmp_path: Path) -> None:
    hasher = Hasher(time_cost=2, memory_cost=4096)
    users = Users(tmp_path, hasher=hasher)
    users.add("ann", "right")
    credentials = Credentials(users, throttle=Throttle(most=1000))
    refused(credentials, "warm", "up")

    def seconds(name: str) -> float:
        start = time.perf_counter()
        refused(credentials, name, "wrong")
        return time.perf_counter() - start

    pairs = [(seconds("ann"), seconds("nobody")) for _ in range(15)]
    ratio = statistics.median(known / unknown for known, unknown in pairs)
    assert 0.5 < ratio < 2


def test_the_same_question_asked_at_once_is_computed_once(
    credentials: Credentials, hasher: Hasher
) -> None:
    async def main() -> list[User]:
        return await asyncio.gather(*(credentials.verify("ann", "right", LOCAL) for _ in range(50)))

    assert {user.name for user in asyncio.run(main())} == {"ann"}
    assert len(hasher.verified) == 1


def test_wrong_guesses_at_once_count_once_for_each_password(
    credentials: Credentials, hasher: Hasher
) -> None:
    async def main(passwords: list[str]) -> list[object]:
        tries = (credentials.verify("ann", password, LOCAL) for password in passwords)
        return list(await asyncio.gather(*tries, return_exceptions=True))

    assert {str(r) for r in asyncio.run(main(["wrong"] * 50))} == {WRONG}
    assert len(hasher.verified) == 1
    told = [str(r) for r in asyncio.run(main([f"guess {n}" for n in range(50)]))]
    assert sorted(set(told)) == [LOCKED, WRONG]
    assert len(hasher.verified) == 5


def test_whoever_hangs_up_does_not_take_the_others_along(
    credentials: Credentials, hasher: Hasher
) -> None:
    held = threading.Event()
    hasher.before = lambda: held.wait(10)

    async def main() -> User:
        first = asyncio.create_task(credentials.verify("ann", "right", LOCAL))
        while not hasher.verified:
            await asyncio.sleep(0.001)
        second = asyncio.create_task(credentials.verify("ann", "right", LOCAL))
        await asyncio.sleep(0.02)
        first.cancel()
        held.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second

    assert asyncio.run(main()).name == "ann"


def test_hanging_up_does_not_buy_more_guesses(credentials: Credentials, hasher: Hasher) -> None:
    held = threading.Event()
    hasher.before = lambda: held.wait(10)

    async def main() -> None:
        for number in range(5):
            held.clear()
            attempt = asyncio.create_task(credentials.verify("ann", f"guess {number}", LOCAL))
            while len(hasher.verified) <= number:
                await asyncio.sleep(0.001)
            attempt.cancel()
            await asyncio.sleep(0)
            held.set()
            with pytest.raises(asyncio.CancelledError):
                await attempt

    asyncio.run(main())
    assert refused(credentials, "ann", "right") == LOCKED


def test_when_too_many_wait_the_rest_is_turned_away(users: Users, hasher: Hasher) -> None:
    credentials = Credentials(users, threads=1, waiting=2, throttle=Throttle(most=1000))
    held = threading.Event()
    hasher.before = lambda: held.wait(10)

    async def main() -> None:
        waiting = []
        for number in range(3):
            attempt = credentials.verify("ann", f"guess {number}", LOCAL)
            waiting.append(asyncio.create_task(attempt))
            await asyncio.sleep(0.02)
        with pytest.raises(Unavailable, match="Too many sign-ins"):
            await credentials.verify("ann", "right", LOCAL)
        held.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {str(result) for result in results} == {WRONG}
        await credentials.verify("ann", "right", LOCAL)

    asyncio.run(main())


def test_five_wrong_passwords_lock_a_name_for_its_address(
    credentials: Credentials, users: Users, clock: Clock
) -> None:
    for number in range(5):
        assert refused(credentials, "ann", f"guess {number}") == WRONG
    assert refused(credentials, "ann", "right") == LOCKED
    assert run(credentials.verify("bob", "right", LOCAL)).name == "bob"
    assert run(credentials.verify("ann", "right", ELSEWHERE)).name == "ann"
    assert refused(credentials, "ann", "right") == LOCKED  # though it is remembered as right
    clock.now += 299
    assert refused(credentials, "ann", "right") == LOCKED
    clock.now += 1
    assert run(credentials.verify("ann", "right", LOCAL)).name == "ann"


def test_names_that_do_not_exist_are_locked_too(credentials: Credentials) -> None:
    for number in range(5):
        assert refused(credentials, "nobody", f"guess {number}") == WRONG
    assert refused(credentials, "nobody", "guess") == LOCKED


def test_guessing_the_password_of_nobody_is_a_failure_too(credentials: Credentials) -> None:
    assert {refused(credentials, "nobody", "") for _ in range(5)} == {WRONG}
    assert refused(credentials, "nobody", "") == LOCKED


def test_a_new_password_unlocks(credentials: Credentials, users: Users) -> None:
    for number in range(5):
        refused(credentials, "ann", f"guess {number}")
    users.set_password("ann", "new")
    assert run(credentials.verify("ann", "new", LOCAL)).name == "ann"


def test_signing_in_rightly_does_not_reset_the_count(credentials: Credentials) -> None:
    for number in range(4):
        refused(credentials, "ann", f"guess {number}")
        run(credentials.verify("ann", "right", LOCAL))
    refused(credentials, "ann", "guess 4")
    assert refused(credentials, "ann", "right") == LOCKED


def test_the_table_of_failures_is_bounded() -> None:
    throttle = Throttle(size=100)
    for number in range(1000):
        throttle.begin((f"name{number}", LOCAL, ""))
    assert len(throttle) == 100
    throttle.begin(("name999", LOCAL, ""))
    throttle.succeed(("name999", LOCAL, ""))
    throttle.succeed(("name999", LOCAL, ""))
    throttle.succeed(("unheard of", LOCAL, ""))
    assert len(throttle) == 99


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a socket", "a socket"),
        (None, ""),
    ],
)
def test_one_client_has_one_network(address: str | None, network: str) -> None:
    assert network_of(address) == network
