"""What trials may have shown, as values: for tests of what is concluded from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from capacity.evidence import PAUSE
from capacity.search import Asked, Pause, Trial, next_step, spent_s
from capacity.summary import Evidence, Seen
from capacity.validity import Health
from capacity.verdict import Verdict


def shown(
    level: int,
    purpose: str = "grow",
    *,
    ended_by: str = "pass",
    bad: int | Sequence[int] = 0,
    total: int = 1000,
    rejected: int = 0,
    dispersion: float = 1.0,
    latency_s: float = 0.02,
    number: int = 1,
    started_s: float = 0.0,
    seconds: float = 2.0,
    transient_s: float = 0.0,
    invalid: tuple[str, ...] = (),
    client: Health | None = None,
    labels: dict[str, int] | None = None,
    transient: dict[str, int] | None = None,
) -> Seen:
    """A trial with `total` answers; `bad` of them are bad for each goal in turn (one number: for the only goal).

    `labels` takes the place of the answers that are counted, `transient` are those that came before.
    """
    bads = [bad] if isinstance(bad, int) else list(bad)
    told = labels if labels is not None else {"200": total - rejected, "503": rejected}
    good = told.get("200", 0)
    measured_s = max(seconds - transient_s, 0.0)
    return Seen(
        number=number,
        level=level,
        purpose=purpose,
        started_s=started_s,
        seconds=seconds,
        measured_s=measured_s,
        attempt_count=sum(told.values()),
        good_count=good,
        completed_count=good,
        labels=dict(+Counter(told)),
        labels_all=dict(Counter(told) + Counter(transient)),
        rejected_count=rejected,
        has_rejections=told.get("429", 0) + told.get("503", 0) > 0,
        evidence=tuple(Evidence(count, total, dispersion if count else 1.0) for count in bads),
        latency_ns=np.full(good, round(latency_s * 1e9), dtype=np.int64),
        in_flight_mean=good * latency_s / measured_s if measured_s else None,
        ended_by=ended_by,
        invalid=invalid,
        client=client,
    )


def paused(pause: Pause, *, number: int = 1, started_s: float = 0.0) -> Seen:
    """A pause as it stands in a history."""
    return Seen(number, 0, PAUSE, started_s, pause.seconds, 0.0, 0, 0, 0, {}, {}, 0, ())


def in_order(*trials: Seen) -> list[Seen]:
    """The trials as one history: numbered from 1, each beginning when the one before has ended."""
    history: list[Seen] = []
    for trial in trials:
        history.append(replace(trial, number=len(history) + 1, started_s=spent_s(history)))
    return history


def searched(
    asked: Asked, answer: Callable[[Trial], Seen], most_steps: int = 3000
) -> tuple[Verdict, list[Seen], list[Trial | Pause]]:
    """The search to its end, each trial answered by `answer`: the verdict, the history and what was asked."""
    history: list[Seen] = []
    steps: list[Trial | Pause] = []
    while len(steps) < most_steps:
        step = next_step(asked, history)
        if isinstance(step, Verdict):
            return step, history, steps
        steps.append(step)
        result = answer(step) if isinstance(step, Trial) else paused(step)
        history.append(replace(result, number=len(history) + 1, started_s=spent_s(history)))
    raise AssertionError(f"no verdict after {most_steps} steps")


def held(trial: Trial, outcome: str, share: float = 0.5) -> Seen:
    """What a trial shows that ends that way; `share` places rejections and time between their bounds."""
    goals, rule = trial.rule.goals, trial.rule
    longest_s = trial.transient_s + rule.max_s
    shortest_s = min(trial.transient_s + rule.min_s, longest_s)
    seconds = shortest_s + share * (longest_s - shortest_s)
    rejected = max(1, round(share * trial.allowance))
    allowed = max(goal.allowed_ratio for goal in goals)
    slow = tuple(max(6, int(3 * allowed * 400)) if goal.allowed_ratio == allowed else 0 for goal in goals)
    plain = {"level": trial.level, "purpose": trial.purpose, "transient_s": trial.transient_s, "total": 400}
    changes: dict[str, dict[str, object]] = {
        "pass": {"ended_by": "pass", "bad": (0,) * len(goals), "seconds": seconds},
        "slow": {"ended_by": "fail", "bad": slow, "seconds": min(trial.transient_s + 3 * rule.batch_s, longest_s)},
        "rejects": {
            "ended_by": "fail",
            "bad": (rejected,) * len(goals),
            "rejected": rejected,
            "total": rejected + 20,
            "seconds": trial.transient_s + 0.05,
        },
        "allowance": {
            "ended_by": "allowance",
            "bad": (trial.allowance,) * len(goals),
            "rejected": trial.allowance,
            "total": trial.allowance + 5,
            "seconds": 0.05,
        },
        "undecided": {"ended_by": "max_s", "bad": tuple(count // 3 for count in slow), "seconds": longest_s},
        "bursts": {"ended_by": "max_s", "bad": slow, "seconds": longest_s, "dispersion": 20.0},
        "silent": {"ended_by": "max_s", "bad": (0,) * len(goals), "total": 0, "seconds": longest_s},
        "unfair": {"bad": (0,) * len(goals), "invalid": ("the generator was busy",), "seconds": seconds},
        "502": {"ended_by": "not_load", "bad": (0,) * len(goals), "labels": {"200": 392, "502": 8}},
    }
    return shown(**{**plain, **changes[outcome]})  # type: ignore[arg-type]


def cliff(users: int) -> Callable[[Trial], Seen]:
    """An endpoint that rejects above `users`, and is asked to take its time for neither."""
    return lambda trial: held(trial, "pass" if trial.level <= users else "rejects", 0.3)
