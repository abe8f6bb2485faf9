"""How many answers are worth one independent one: batches, clusters, slices of a trial."""

from __future__ import annotations

import numpy as np
import pytest

from capacity import stats


@pytest.mark.parametrize(
    ("bad", "total", "expected", "why"),
    [
        ([], [], 1.0, "no batches"),
        ([3], [10], 1.0, "one batch says nothing of the spread between batches"),
        ([0, 0], [10, 10], 1.0, "no bad answer"),
        ([10, 10], [10, 10], 1.0, "no good answer"),
        ([1, 1, 1], [10, 10, 10], 1.0, "less spread than chance is still 1"),
        ([0, 10], [10, 10], 4.8, "p = 1/2, X2 = 2 * 25/2.5 = 20: (4 + 20)/(4 + 1)"),
        ([0, 0, 10], [10, 0, 10], 4.8, "the empty batch does not count"),
        ([0, 10] * 8, [10] * 16, (4 + 160) / (4 + 15), "more batches shrink less: raw 160/15"),
    ],
)
def test_overdispersion_by_hand(bad, total, expected, why):
    """(4 + X2) / (4 + k - 1), at least 1."""
    assert stats.overdispersion(bad, total) == pytest.approx(expected), why


def test_independent_answers_are_hardly_overdispersed_and_clustered_ones_are():
    """Over 200 seeds, batches of independent answers average below 1.3; bad answers in runs of 5 give about 5."""
    independent, clustered = [], []
    for seed in range(200):
        random = np.random.default_rng(seed)
        independent.append(stats.overdispersion(random.binomial(100, 0.05, 30).tolist(), [100] * 30))
        clustered.append(stats.overdispersion((5 * random.binomial(20, 0.05, 30)).tolist(), [100] * 30))
    assert np.mean(independent) < 1.3
    assert 4.0 < np.mean(clustered) < 5.5


def test_answers_that_are_bad_by_chance_are_not_clustered() -> None:
    """One in twenty of 20,000 at even distances, drawn by a fixed seed."""
    chance = np.random.default_rng(4)
    assert stats.clustering(np.arange(20_000) / 100, chance.random(20_000) < 0.05, 0.1) < 1.5


def test_bad_answers_that_come_in_bunches_are_one_piece_of_news_each() -> None:
    """Five bunches of forty, twenty seconds apart, at 100 answers a second."""
    bad = np.zeros(10_000, dtype=bool)
    for start in range(500, 10_000, 2000):
        bad[start : start + 40] = True
    assert stats.clustering(np.arange(10_000) / 100, bad, 0.1) >= 30


def test_a_slow_swing_is_seen_by_long_batches() -> None:
    """Ten seconds with every second answer bad, ten without, in turn: far longer than a batch."""
    seconds = np.arange(20_000) / 100
    bad = (seconds % 20 < 10) & (np.arange(20_000) % 2 == 0)
    assert stats.clustering(seconds, bad, 0.1) > 100


@pytest.mark.parametrize("bad", [[], [False, False], [True, True]])
def test_answers_that_are_all_alike_show_no_clusters(bad: list[bool]) -> None:
    """Nothing to tell apart."""
    assert stats.clustering(np.arange(len(bad), dtype=float), np.array(bad, dtype=bool), 0.1) == 1.0


def test_slices_that_differ_by_chance_alone_are_worth_their_count() -> None:
    """1, 3, 1, 3 bad of 10 each: p = 1/5, squares 4, times 4/3 over 40 p (1 - p) = 6.4; pairs of 4 and 4 show none."""
    told, count = stats.sliced_dispersion([((1, 10), (3, 10), (1, 10), (3, 10))])
    assert told == 0.0
    assert count == 1


def test_what_grows_with_longer_slices_is_taken_to_grow_once_more() -> None:
    """6, 6, 2, 2 bad of 10 each: p = 2/5, so 16 * 4/3 / 9.6 = 20/9 by slices, and 32 * 2 / 9.6 = 20/3 by pairs."""
    told, count = stats.sliced_dispersion([((6, 10), (6, 10), (2, 10), (2, 10))])
    assert told == pytest.approx(20 / 3 + (20 / 3 - 20 / 9))
    assert count == 1


def test_trials_without_a_bad_answer_tell_nothing_of_slices() -> None:
    """No difference was seen, and none counts."""
    assert stats.sliced_dispersion([((0, 10),) * 4]) == (1.0, 0)
    assert stats.sliced_dispersion([]) == (1.0, 0)


def test_slices_see_the_memory_of_a_queue() -> None:
    """Bad answers in runs of 20 among 100 of a slice: about 20 answers are one piece of news."""
    random = np.random.default_rng(1)
    trials = [[(int(20 * bad), 100) for bad in random.binomial(5, 0.1, 8)] for _ in range(60)]
    told, _ = stats.sliced_dispersion(trials)
    assert 14 < told < 27
