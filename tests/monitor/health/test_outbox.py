"""What is sent when: pauses, order, digests, and what happens to notices whose channel is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.health.deciding import Notice
from monitor.health.outbox import Outcome, Waiting, attempted, next_batch, settled, waiting, without_channels
from scoring.health import Health, NoticeKind
from tests.monitor.health.worlds import CHANNEL, World


def one(key: str, number: int = 1, *, tried: int = 0, next_s: float = 0.0) -> Waiting:
    notice = Notice(NoticeKind.FIRE, key, number, "one", Health.FAILED, "x", "", 0.0, 0.0)
    return Waiting(notice, tried, next_s)


def keys(batch: list[Waiting]) -> list[tuple[str, int]]:
    return [(waits.notice.key, waits.notice.number) for waits in batch]


@pytest.mark.parametrize(
    ("waits", "batch"),
    [
        pytest.param([], [], id="nothing waits, nothing goes"),
        pytest.param([one("a"), one("b")], [("a", 1)], id="one at a time, the oldest first"),
        pytest.param([one("a", next_s=20.0), one("b")], [("b", 1)], id="a pause of one does not hold another"),
        pytest.param([one("a", 1, next_s=20.0), one("a", 2)], [], id="but a later notice of the same incident"),
        pytest.param([one(key) for key in "abcd"], [("a", 1)], id="many that were never tried go one by one"),
        pytest.param(
            [one("a", tried=3), *map(one, "bcd")],
            [("a", 1), ("b", 1), ("c", 1), ("d", 1)],
            id="after an outage more than three go as one digest",
        ),
        pytest.param([one("a", tried=3), one("b")], [("a", 1)], id="a few after an outage go one by one"),
        pytest.param(
            [one("a", next_s=99_999.0)], [("a", 1)], id="a pause from a clock that was set back holds nothing"
        ),
    ],
)
def test_what_goes_next(waits: list[Waiting], batch: list[tuple[str, int]]) -> None:
    """At second 10, the batch is the one expected."""
    assert keys(next_batch(waits, 10.0)) == batch


def test_a_receiver_that_is_down_is_tried_less_and_less_often(tmp_path: Path) -> None:
    """In six hours a notice is tried about thirty times: 5, 10, 20 … 640 s apart, then every quarter of an hour."""
    world = World(tmp_path)
    world.receiver.is_up = False
    world.check("parent", Health.FAILED)
    world.check("parent", Health.FAILED)
    began_s, tries = world.now_s, 0
    while world.now_s < began_s + 6 * 3600:
        tries += world.send()
        world.now_s += 1.0
    assert tries == 9 + (6 * 3600 - 5 * (2**8 - 1)) // 900
    world.stop()


def test_six_hours_of_outage_end_in_one_message(tmp_path: Path) -> None:
    """Forty incidents that came and went meanwhile arrive as digests of all their notices, none lost."""
    world = World(tmp_path)
    world.receiver.is_up = False
    for _ in range(40):
        for letter in "ffoo":
            world.check("parent", {"f": Health.FAILED, "o": Health.OK}[letter], 150.0)
            world.send()
    world.send_all()
    assert set(world.receiver.got) == {(notice.key, notice.number) for notice in world.notices()}
    assert world.receiver.message_count <= 2
    world.stop()


def test_a_refused_notice_holds_only_itself(tmp_path: Path) -> None:
    """A receiver that wants one notice not gets the next incident's at once."""
    world = World(tmp_path)
    for name in ("parent", "child"):
        world.check(name, Health.OK)
    world.receiver.is_picky = True
    for _ in range(2):
        world.check("parent", Health.FAILED)
    assert world.send()
    world.receiver.is_picky = False
    before = waiting(world.connection, CHANNEL)
    assert before[0].next_s > world.now_s
    settled(world.connection, [], CHANNEL, Outcome(), world.now_s)
    assert waiting(world.connection, CHANNEL)[0].next_s == before[0].next_s
    world.stop()


def test_the_receivers_wish_is_kept_up_to_an_hour(tmp_path: Path) -> None:
    """Retry-After of ten minutes is longer than the first pause."""
    world = World(tmp_path)
    world.check("parent", Health.FAILED)
    world.check("parent", Health.FAILED)
    batch = next_batch(waiting(world.connection, CHANNEL), world.now_s)
    attempted(world.connection, batch, CHANNEL)
    settled(world.connection, batch, CHANNEL, Outcome("answered 429", retry_after_s=600.0), world.now_s)
    assert waiting(world.connection, CHANNEL)[0].next_s == world.now_s + 600.0
    world.stop()


def test_notices_for_a_channel_that_is_gone_go_to_the_others(tmp_path: Path) -> None:
    """A change of the file loses nothing that was not delivered."""
    world = World(tmp_path)
    world.check("parent", Health.FAILED)
    world.check("parent", Health.FAILED)
    assert without_channels(world.connection, ["mail"]) == 1
    assert waiting(world.connection, CHANNEL) == []
    assert len(waiting(world.connection, "mail")) == 1
    world.stop()
