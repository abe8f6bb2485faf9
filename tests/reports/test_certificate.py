"""The validity certificate: one row per condition, each with its evidence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.certificate import certificate, fairness
from reports.codes import codes_table
from reports.limit import LimitReport
from scoring.endpoint import Hosting
from tests.reports import samples


def word(report: LimitReport, name: str) -> str:
    return next(row.word for row in certificate(report) if row.name == name)


def test_a_fair_run_meets_every_condition() -> None:
    """The sample cliff is a fair measurement by every row."""
    assert {row.word for row in certificate(samples.cliff())} == {"ok"}


def test_every_row_has_evidence() -> None:
    """No word stands without what it rests on."""
    assert all(row.evidence for name in samples.ALL for row in certificate(samples.ALL[name]()))


@pytest.mark.parametrize("name", ["Client lag", "Sends on time", "Client CPU", "Wait for a CPU"])
def test_a_saturated_client_fails_each_of_its_conditions(name: str) -> None:
    """Lag, late sends, CPU and the run queue are told apart."""
    assert word(samples.client_limited(), name) == "fail"


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"lag_p99_ms": 5.1}, "Client lag"),
        ({"timely_ratio": 0.9989}, "Sends on time"),
        ({"cpu_ratio": 0.85}, "Client CPU"),
        ({"run_queue_ratio": 0.11}, "Wait for a CPU"),
    ],
)
def test_a_bound_passed_by_a_client_judged_valid_is_a_warning(changed: dict[str, float], name: str) -> None:
    """The worst trial may pass a bound although the verdict's trials are sound: that is worth a look, no failure."""
    report = samples.report(replace(samples.cliff_verdict(), client=replace(samples.FAIR, **changed)))
    assert word(report, name) == "warn"


def test_a_loose_latency_goal_allows_more_lag() -> None:
    """The bound on lag is a tenth of the strictest latency goal, at least 5 ms: 20 ms are fair for p95<=300ms."""
    verdict = replace(samples.cliff_verdict(), client=replace(samples.FAIR, lag_p99_ms=20.0))
    strict = samples.report(verdict)
    loose = samples.report(verdict, run_facts=samples.facts(goals=("p95<=300ms",)))
    assert (word(strict, "Client lag"), word(loose, "Client lag")) == ("warn", "ok")


def test_what_was_not_measured_is_unknown_rather_than_ok() -> None:
    """A missing value is no evidence for anything."""
    rows = {row.name: row for row in certificate(samples.not_a_load_problem())}
    assert rows["Client lag"].word == "unknown"
    assert rows["Little's law"].evidence == "not measured"
    assert rows["Trials"].word == "unknown"


def test_counts_that_do_not_add_up_fail() -> None:
    """A level whose codes are not all of its attempts is named."""
    verdict = samples.cliff_verdict()
    levels = (replace(verdict.levels[0], attempt_count=981), *verdict.levels[1:])
    row = next(
        row for row in certificate(samples.report(replace(verdict, levels=levels))) if row.name == "Counts add up"
    )
    assert (row.word, row.evidence) == ("fail", "codes and attempts differ at 1 users")


def test_a_lower_bound_is_no_limit_unless_the_verdict_says_so() -> None:
    """An open interval is fine for AT_LEAST and a warning elsewhere."""
    assert word(samples.at_least(), "Evidence on both sides") == "ok"
    assert word(samples.client_limited(), "Evidence on both sides") == "warn"


def test_harm_beyond_its_budget_is_a_warning() -> None:
    """More rejections than allowed do not pass unseen."""
    verdict = replace(samples.cliff_verdict(), rejected_count=301)
    assert word(samples.report(verdict), "Harm budget") == "warn"


def test_discarded_trials_are_counted() -> None:
    """Trials that were no fair measurement are told beside those used."""
    row = next(row for row in certificate(samples.client_limited()) if row.name == "Trials")
    assert row.evidence == "4 used, 1 discarded as no fair measurement"


def test_the_fairness_sentence_gives_figures_or_reasons() -> None:
    """Fair with its figures, not fair with each reason, and nothing claimed where nothing was measured."""
    assert fairness(samples.cliff()) == (
        "The measurement was fair: client CPU 41 % at most, lag p99 1.20 ms, 99.98 % of sends on time."
    )
    assert fairness(samples.client_limited()).startswith("The measurement was not fair: the generator used 97 %")
    assert fairness(samples.not_steady()) == "Nothing was measured under load, so nothing is said of it."


def test_codes_are_listed_good_first_with_their_counts_by_level() -> None:
    """Each code has its count at every level, in the order of the levels."""
    good, rejected = codes_table(samples.cliff())
    assert (good.label, good.good, good.first_users) == ("200", True, 1)
    assert (rejected.label, rejected.first_users) == ("503", 9)
    assert rejected.by_level[:6] == (0, 0, 0, 0, 0, 0)
    assert rejected.count == sum(rejected.by_level) == sum(rejected.by_level[6:])


def test_a_code_means_what_its_hosting_says() -> None:
    """The same overload is 503 on AKS and 429 on a managed endpoint, with another next step."""
    aks = codes_table(samples.cliff())[1]
    managed = codes_table(samples.managed())[1]
    assert "autoscale_min_replicas" in aks.next_step
    assert "max_concurrent_requests_per_instance" in managed.next_step


def test_a_code_seen_only_in_a_transient_is_listed_without_a_count() -> None:
    """First sight of a code counts for no level and is still told."""
    report = samples.cliff()
    verdict = replace(report.verdict, first_seen={**report.verdict.first_seen, "conn_reset": 16})
    row = codes_table(replace(report, verdict=verdict))[-1]
    assert (row.label, row.name, row.first_users, row.count) == ("conn_reset", "connection reset", 16, 0)


def test_a_label_of_another_version_is_shown_as_it_is() -> None:
    """An unknown failure class is no crash."""
    report = samples.cliff()
    verdict = replace(report.verdict, first_seen={"quantum_decoherence": 3})
    row = next(row for row in codes_table(replace(report, verdict=verdict)) if row.label == "quantum_decoherence")
    assert row.cause == "this label is not known to this version of redline"


def test_codes_without_a_known_hosting_get_the_general_meaning() -> None:
    """An endpoint whose hosting is not stated is not taken for a local one."""
    report = samples.cliff()
    unknown = codes_table(replace(report, endpoint=replace(report.endpoint, hosting=None)))[1]
    local = codes_table(replace(report, endpoint=replace(report.endpoint, hosting=Hosting.AKS)))[1]
    assert unknown.cause != local.cause
