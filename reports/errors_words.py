"""The sentences every rendering of an error report opens with: verdict, headline, remarks, three numbers."""

from __future__ import annotations

from datetime import datetime, timedelta

from reports.errors import ErrorsReport
from reports.errors_change import Change, CodeChange, TimeChange
from reports.errors_counts import Quantile
from reports.errors_sources import EMPTY
from reports.errors_trust import correction_words
from reports.numbers import Number
from reports.sarif import meaning_of
from reports.words import instant_text, instant_words, percent, sentence_case
from scoring.errors import Exit
from scoring.served import Source
from scoring.told import Finding
from scoring.units import show_count, show_ms, show_ratio, show_seconds

NOT_ENOUGH = "NOT ENOUGH DATA"
MAX_CAUSES = 5
PAYLOAD = "payload_data"


def exceeds(report: ErrorsReport) -> bool:
    """More requests failed than were allowed; False where nothing was allowed or nothing is known."""
    limit, failed, requests = report.max_failed_ratio, report.failed_count, report.requests
    return limit is not None and failed is not None and requests is not None and failed > limit * requests


def exit_code(report: ErrorsReport) -> Exit:
    """Past failures are data. MISSED when more failed than allowed, UNFAIR when that or anything cannot be told."""
    if exceeds(report):
        return Exit.MISSED
    if report.max_failed_ratio is not None and report.trust.fails:
        return Exit.UNFAIR
    empty = any(row.outcome == EMPTY and row.source is not Source.METRICS for row in report.sources)
    if report.requests is None and not empty:
        return Exit.UNFAIR
    return Exit.FINE


def verdict_word(report: ErrorsReport) -> str:
    """A decision where a limit was given, else how many failed; never more than the data allow."""
    if report.trust.fails:
        return NOT_ENOUGH
    if report.max_failed_ratio is not None:
        doubts = report.trust.warns or report.security
        return "NO-GO" if exceeds(report) else "GO WITH WARNINGS" if doubts else "GO"
    failed = report.done.failed_count
    return "NONE FAILED" if not failed else "ALL FAILED" if failed == report.done.total_count else "SOME FAILED"


def verdict_tone(report: ErrorsReport) -> str:
    """`good`, `bad` or `warn`."""
    word = verdict_word(report)
    if word == "NONE FAILED" and report.security:
        return "warn"
    return {"GO": "good", "NONE FAILED": "good", "NO-GO": "bad", "ALL FAILED": "bad"}.get(word, "warn")


def title(report: ErrorsReport) -> str:
    """The verdict in a few words, for window titles and subject lines."""
    return f"{verdict_word(report)}: {headline(report).rstrip('.')}"


def headline(report: ErrorsReport) -> str:
    """One sentence: how many requests failed, and as what."""
    if report.requests is None:
        return f"No source told of any request to {report.name}{_asked(report)}."
    failed, requests = report.done.failed_count, report.done.total_count
    if not failed:
        whole = "the one request" if requests == 1 else f"all {show_count(requests)} requests"
        return f"{'The endpoint' if report.endpoint is None else report.name} answered {whole}."
    most = next((code for code in report.codes if not code.is_good and code.count), None)
    said = f"{show_count(failed)} of {show_count(requests)} requests to {report.name} failed"
    said += f" ({show_ratio(failed, requests).partition(' (')[0]})"
    if most is None:
        return f"{said}."
    share = "all" if most.count == failed else f"{show_count(most.count)} of them"
    name = most.label if most.name == most.label else f"{most.label} {most.name}"
    return f"{said}, {share} with {name}."


def _asked(report: ErrorsReport) -> str:
    if report.since_at is None or report.until_at is None:
        return ""
    return f" between {moment(report.since_at)} and {moment(report.until_at)}"


def remarks(report: ErrorsReport) -> tuple[str, ...]:
    """Since when, why, what to do, and what caps the verdict: a sentence each."""
    said = []
    for row in report.trust.rows:
        if row.word == "fail":
            said.append(f"{row.name}: {row.evidence}.")
    if report.max_failed_ratio is not None and report.requests is not None:
        allowed = f"{100 * report.max_failed_ratio:.4g} %"
        said.append(f"{'More' if exceeds(report) else 'No more'} than the allowed {allowed} failed.")
    bad = [code for code in report.codes if not code.is_good and code.count and code.first_at is not None]
    if bad:
        first = min(code.first_at for code in bad if code.first_at)
        last = max(code.last_at for code in bad if code.last_at)
        said.append(f"Failures from {span_words(first, last)}.")
    top = next(iter(report.findings), None)
    if top is not None and top.rule != "D00":
        said.append(f"{clause(sentence_case(top.cause))} (confidence {top.confidence}).")
    if report.security:
        more = f", and {len(report.security) - 1:,} more" if len(report.security) > 1 else ""
        said.append(f"Security: {meaning_of(report.security[0].type)}{more}.")
    said += [f"{row.name}: {correction_words(row)}." for row in report.sources if row.corrected_rows]
    return tuple(said)


def next_steps(report: ErrorsReport, most: int = MAX_CAUSES) -> tuple[str, ...]:
    """What to do, the weightiest first, each once: leaks, causes, then sources that could not be read."""
    leaks = [leak.rotate for leak in report.security if leak.type != PAYLOAD]
    causes = [finding.next_step for finding in report.findings]
    sources = [step for row in report.sources for _, _, step in row.problems]
    ordered = (*causes[:3], *leaks[:2], *sources, *causes[3:])
    return tuple(dict.fromkeys(clause(step) for step in ordered if step))[:most]


def numbers(report: ErrorsReport) -> tuple[Number, Number, Number]:
    """Success rate, p95 and failures, each with its interval and the change; an en dash where it is not known."""
    return (_success(report), _p95(report), _failures(report))


def _success(report: ErrorsReport) -> Number:
    done = report.done
    if not done.total_count:
        return Number("Answered", "–", "", "no request was told of")
    value, _, unit = percent(done.good_count / done.total_count, 2).rpartition(" ")
    if done.failed_count and value == "100.00":
        value = ">99.99"
    if done.good_count and value == "0.00":
        value = "<0.01"
    note = f"{show_count(done.good_count)} of {show_count(done.total_count)}"
    if done.low_ratio is not None and done.high_ratio is not None:
        note += f"; 95 % interval {100 * done.low_ratio:.2f} to {100 * done.high_ratio:.2f} %"
    return Number("Answered", value, unit, note)


def _p95(report: ErrorsReport) -> Number:
    one = report.latency.quantile("p95")
    if one.ms is None:
        return Number("p95 latency", "–", "", "no source told durations")
    value, _, unit = show_ms(one.ms).partition(" ")
    note = interval_words(one)
    then = next((row for row in report.change.times if row.name == "p95"), None) if report.change else None
    if then is not None:
        note += f"; {time_change_words(then)}"
    return Number("p95 latency", value, unit, note)


def _failures(report: ErrorsReport) -> Number:
    if not report.done.total_count:
        return Number("Failed", "–", "", "no request was told of")
    count = report.done.failed_count
    known = len({group.fingerprint for group in report.groups}) + len(report.more_groups)
    note = "none" if not count else f"in {known:,} group{'' if known == 1 else 's'}" if known else "not grouped"
    if report.change is not None and report.change.failed is not None:
        note += f"; {code_change_words(report.change.failed)}"
    return Number("Failed", show_count(count), "request" if count == 1 else "requests", note)


def interval_words(one: Quantile) -> str:
    """The interval of a percentile in words.

    >>> interval_words(Quantile("p95", 12.0, 11.0, 14.0)), interval_words(Quantile("p95", 12.0))
    ('95 % interval 11.0 ms to 14.0 ms', 'interval not known')
    """
    if one.low_ms is None or one.high_ms is None:
        return "interval not known"
    return f"95 % interval {show_ms(one.low_ms)} to {show_ms(one.high_ms)}"


def code_change_words(one: CodeChange) -> str:
    """The plain word, with both counts and the ratio of the rates.

    >>> code_change_words(CodeChange("503", 10, 30, 3.0, 1.4273, 6.8789, "more"))
    'more than the 10 before: rate × 3.00 (1.43 to 6.88)'
    """
    earlier = show_count(one.earlier_count)
    word = (
        f"no clear change from {earlier}" if one.word == "no clear change" else f"{one.word} than the {earlier} before"
    )
    if one.rate_ratio is None:
        return word
    high = "…" if one.high_ratio is None else f"{one.high_ratio:.2f}"
    return f"{word}: rate × {one.rate_ratio:.2f} ({one.low_ratio:.2f} to {high})"


def time_change_words(one: TimeChange) -> str:
    """The plain word with the earlier value.

    >>> time_change_words(TimeChange("p95", 100.0, 150.0, "slower"))
    'slower than the 100 ms before'
    """
    earlier = show_ms(one.earlier_ms)
    if one.word in ("slower", "faster"):
        return f"{one.word} than the {earlier} before"
    return (
        f"no clear change from {earlier}"
        if one.word == "no clear change"
        else f"{earlier} before, too little is known to compare"
    )


def change_words(change: Change) -> str:
    """What the comparison is with."""
    count = "an unknown number of" if change.earlier_count is None else show_count(change.earlier_count)
    made = "" if change.earlier_at is None else f" of {instant_words(change.earlier_at)}"
    return f"Compared with the report{made} on {count} requests"


def share_words(finding: Finding, report: ErrorsReport) -> str:
    """How many failures a finding explains, of how many."""
    failed = report.done.failed_count
    return show_ratio(finding.count, failed) if failed and finding.count <= failed else show_count(finding.count)


def period_words(report: ErrorsReport) -> str:
    """From when to when the report tells, in UTC."""
    start, end = report.since_at or report.first_at, report.until_at or report.last_at
    if start is None or end is None:
        return "no period was named" if start is None and end is None else moment(start or end)
    return span_words(start, end)


def span_words(start: datetime, end: datetime) -> str:
    """Two instants in UTC, the date said once where both share it.

    >>> from datetime import UTC
    >>> span_words(datetime(2026, 1, 2, 3, 4, tzinfo=UTC), datetime(2026, 1, 2, 3, 9, tzinfo=UTC))
    '2026-01-02 03:04:00 to 03:09:00 UTC'
    """
    if end - start < timedelta(seconds=1):
        return moment(start)
    first, last = moment(start).removesuffix(" UTC"), moment(end)
    return f"{first} to {last[11:] if first[:10] == last[:10] else last}"


def moment(at: datetime | None) -> str:
    """An instant in UTC to the second; an en dash where it is not known."""
    return "–" if at is None else instant_words(instant_text(at.replace(microsecond=0)))


def length_words(report: ErrorsReport) -> str:
    """How long the period is."""
    start, end = report.since_at or report.first_at, report.until_at or report.last_at
    return "" if start is None or end is None else show_seconds((end - start).total_seconds())


def clause(sentence: str) -> str:
    """A sentence without its full stop, to stand inside another."""
    return sentence.strip().rstrip(".")
