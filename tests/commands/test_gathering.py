"""What a report asks its sources for, and what it does when one gives nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from capacity.plan import Plan
from capacity.runfolder import ATTEMPTS, Anchor, create
from commands.gathering import Sources, gathered, has_arrived, since_instant
from scoring.account import Account, Cell
from scoring.attempt import Attempt, to_record
from scoring.endpoint import Endpoint, Hosting
from scoring.errors import RedlineError
from scoring.served import Source
from scoring.told import Told
from scoring.units import MS, S

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ENDPOINT = Endpoint("churn", "http://127.0.0.1:9/score", Hosting.AKS)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("2026-11-21T03:04Z", datetime(2026, 11, 21, 3, 4, tzinfo=UTC)),
        ("2026-11-21T05:04+02:00", datetime(2026, 11, 21, 3, 4, tzinfo=UTC)),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
    ],
)
def test_since_is_how_far_back_or_from_when(text: str, at: datetime) -> None:
    """A duration counts from now; an instant without a zone is UTC."""
    assert since_instant(text, NOW) == at


@pytest.mark.parametrize("text", ["yesterday", "2027-01-01", "1999-12-31", "999999999d", ""])
def test_a_since_that_means_nothing_is_told(text: str) -> None:
    """One line with the value, and what may be typed."""
    with pytest.raises(RedlineError, match="--since"):
        since_instant(text, NOW)


def account(complete_until: datetime | None) -> Account:
    return Account(Source.APP_INSIGHTS, (Cell(NOW, "200", 1),), complete_until=complete_until)


def test_telemetry_has_arrived_when_it_is_complete_to_the_end_of_the_run() -> None:
    """A watermark before the last request is worth waiting for."""
    client = Told(ENDPOINT, NOW, NOW, accounts=(replace(account(None), source=Source.CLIENT, last_at=NOW),))
    assert not has_arrived(Told(ENDPOINT, NOW, NOW, accounts=(account(NOW - timedelta(seconds=1)),)), client)
    assert has_arrived(Told(ENDPOINT, NOW, NOW, accounts=(account(NOW),)), client)
    assert not has_arrived(Told(ENDPOINT, NOW, NOW), client)


def test_a_credential_that_is_gone_leaves_the_client_s_account(tmp_path: Path) -> None:
    """A run is reported although its endpoint's token file is not there any more; the problem is told."""
    endpoint = replace(ENDPOINT, workspace_id="w", azure_token_file=str(tmp_path / "gone"))
    plan = Plan(command="load", endpoint=endpoint, users=1)
    run = create(tmp_path, plan, versions={}, anchor=Anchor(NOW, S))
    (run / ATTEMPTS).write_bytes(to_record(Attempt("ab" * 16, S, S, S + 1, S + 20 * MS, 200, None)))
    told = gathered(Sources(run=run, quiet=True))
    assert [account.requests for account in told.accounts] == [1]
    assert [problem.outcome for problem in told.problems] == ["no_credential"]


def test_nothing_named_is_nothing_to_report_on() -> None:
    """The command line must name a source."""
    with pytest.raises(RedlineError, match="nothing to report on"):
        gathered(Sources())
