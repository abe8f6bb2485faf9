"""What telemetry makes people hear: its own incidents, never twice what the checks tell, and nothing delayed by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from monitor.health import history
from monitor.health.checking import Subject
from monitor.health.lease import leased
from monitor.health.store import opened
from monitor.health.telemetry_judging import Asked
from monitor.health.timetable import Clock
from monitor.health.watching import Orders, Watcher
from scoring.alertplan import AlertPlan
from scoring.checkplan import CheckPlan
from scoring.endpoint import Endpoint
from scoring.health import CheckResult, Health, Incident
from scoring.scenario import Payload, Scenario
from scoring.telemetrygoals import parse_telemetry_goal
from scoring.units import MIN
from tests.cli.watching import switched
from tests.monitor.azure import canned
from tests.monitor.health.worlds import World
from tests.scoring.fault_server import answering, good, serving

GOAL = "failed_ratio(15m)<=1%"
PLAN = CheckPlan(every_ns=MIN, telemetry=(parse_telemetry_goal(GOAL),))
TURNS = 400


def world(folder: Path, plan: CheckPlan = PLAN) -> World:
    return World(folder, {"churn": plan})


def ask(world: World, outcome: Health, reason: str, after_s: float = 300.0) -> None:
    """Azure Monitor is asked and says so."""
    world.now_s += after_s
    asked = Asked((CheckResult(GOAL, outcome, reason, "made up"),))
    world.keeper.observe_telemetry("churn", asked, world.now_s)


def incidents(world: World) -> list[Incident]:
    return history.incidents(world.connection)


def test_failures_in_the_telemetry_are_an_incident_of_their_own(tmp_path: Path) -> None:
    """Two readings open it, two good ones close it; the counts of checks know nothing of it."""
    one = world(tmp_path)
    ask(one, Health.FAILED, "failed_ratio_high")
    assert incidents(one) == []
    ask(one, Health.FAILED, "failed_ratio_high")
    (incident,) = incidents(one)
    assert (incident.endpoint, incident.rule, incident.reason) == ("churn", "telemetry", "failed_ratio_high")
    ask(one, Health.OK, "ok")
    ask(one, Health.OK, "ok")
    assert incidents(one)[0].closed_s == one.now_s
    assert history.counts_of_hours(one.connection, "churn", 0.0) == {}
    assert history.timers(one.connection) == {}
    one.stop()


def test_what_the_checks_have_told_is_not_told_again_by_the_telemetry(tmp_path: Path) -> None:
    """During an outage and for one window after it nothing opens; failures that go on after that do."""
    one = world(tmp_path)
    for _ in range(3):
        one.check("churn", Health.FAILED)
    ask(one, Health.FAILED, "failed_ratio_high", 10.0)
    ask(one, Health.FAILED, "failed_ratio_high", 10.0)
    one.check("churn", Health.OK)
    one.check("churn", Health.OK)
    for _ in range(2):
        ask(one, Health.FAILED, "failed_ratio_high")
    assert [incident.rule for incident in incidents(one)] == ["checks"]
    ask(one, Health.FAILED, "failed_ratio_high")
    assert [incident.rule for incident in incidents(one)] == ["checks", "telemetry"]
    one.stop()


def test_one_failed_request_at_night_tells_nobody(tmp_path: Path) -> None:
    """A window of 15 minutes asked about every 5 shows it four times; a fifth and sixth time it is more than that."""
    one = world(tmp_path)
    for _ in range(4):
        ask(one, Health.DEGRADED, "failed_ratio_high")
    ask(one, Health.OK, "ok")
    assert incidents(one) == []
    for _ in range(5):
        ask(one, Health.DEGRADED, "failed_ratio_high")
    assert [incident.state for incident in incidents(one)] == [Health.DEGRADED]
    one.stop()


def test_an_outage_of_the_workspace_is_unknown(tmp_path: Path) -> None:
    """After five readings people are told that nothing is known; the endpoint's own checks stay OK."""
    one = world(tmp_path)
    for _ in range(5):
        ask(one, Health.UNKNOWN, "telemetry_unreachable")
        one.check("churn", Health.OK)
    assert [(incident.rule, incident.state) for incident in incidents(one)] == [("telemetry", Health.UNKNOWN)]
    assert one.keeper.standings["churn"].state is Health.OK
    shown = history.shown(one.keeper.standings, "churn")
    assert shown is not None
    assert (shown.state, shown.reason) == (Health.UNKNOWN, "telemetry_unreachable")
    one.stop()


def test_an_outage_of_a_workspace_that_is_shared_is_told_once(tmp_path: Path) -> None:
    """Six endpoints, one workspace: one incident; when it is back none of the others opens one late."""
    names = [f"e{number}" for number in range(6)]
    one = World(tmp_path, dict.fromkeys(names, PLAN), sources=dict.fromkeys(names, "w"))
    silent = Asked((CheckResult(GOAL, Health.UNKNOWN, "telemetry_unreachable", "made up"),))
    fine = Asked((CheckResult(GOAL, Health.OK, "ok", "made up"),))
    for asked in [silent] * 8 + [fine] * 3:
        one.now_s += 290.0
        for name in names:
            one.now_s += 1.0
            one.keeper.tick(one.now_s)
            one.keeper.observe_telemetry(name, asked, one.now_s)
    assert [(incident.endpoint, incident.closed_s is None) for incident in incidents(one)] == [("e0", False)]
    one.stop()


def test_an_endpoint_without_traffic_hides_no_other(tmp_path: Path) -> None:
    """No traffic is of one endpoint: both of a workspace are told."""
    names = ("e0", "e1")
    one = World(tmp_path, dict.fromkeys(names, PLAN), sources=dict.fromkeys(names, "w"))
    asked = Asked((CheckResult(GOAL, Health.UNKNOWN, "no_traffic", "made up"),))
    for _ in range(6):
        one.now_s += 300.0
        for name in names:
            one.keeper.observe_telemetry(name, asked, one.now_s)
    assert {incident.endpoint for incident in incidents(one)} == {"e0", "e1"}
    one.stop()


def test_goals_that_left_the_file_end_their_incident(tmp_path: Path) -> None:
    """A restart without them closes it as not watched."""
    one = world(tmp_path)
    ask(one, Health.FAILED, "failed_ratio_high")
    ask(one, Health.FAILED, "failed_ratio_high")
    one.plans = {"churn": CheckPlan(every_ns=MIN)}
    one.restart()
    one.wait(60.0)
    assert incidents(one)[0].closed_s is not None
    assert set(one.keeper.standings) == set()
    one.stop()


class Watched:
    """A watcher whose clock the test moves, on one endpoint that is well and has its telemetry at `logs_url`."""

    def __init__(self, folder: Path, port: int, logs_url: str, stack: ExitStack) -> None:
        token = folder / "token"
        token.write_text("a-token")
        ids = {"workspace_id": canned.WORKSPACE_ID, "logs_url": logs_url, "azure_token_file": str(token)}
        endpoint = Endpoint("churn", f"http://127.0.0.1:{port}/score", **ids)  # type: ignore[arg-type]
        subject = Subject(endpoint, Scenario("plain", (Payload("one", b"{}"),)), PLAN, {})
        self.clock = Clock(1_000.0, 1_700_000_000.0)
        state = folder / "state"
        orders = Orders([subject], AlertPlan(), [], state, {}, lambda _: None, lambda: self.clock)
        self.connection = stack.enter_context(opened(state))
        self.watcher = Watcher(orders, self.connection, stack.enter_context(leased(state)))

    def until_checked(self, count: int) -> None:
        """Returns once so many checks stand in the store."""
        for _ in range(TURNS):
            if self.connection.execute("SELECT count(*) FROM checks").fetchone()[0] >= count:
                return
            self.watcher.turn()
        raise AssertionError(f"no check number {count}")

    def until_told(self) -> None:
        """Returns once Azure Monitor has answered."""
        for _ in range(TURNS):
            if "churn:telemetry" in self.watcher.keeper.standings:
                return
            self.watcher.turn()
        raise AssertionError("no answer")


@contextmanager
def watched(folder: Path, logs_url: str) -> Iterator[Watched]:
    with serving(answering(good())) as port, ExitStack() as stack:
        yield Watched(folder, port, logs_url, stack)


def test_a_workspace_that_hangs_delays_no_check(tmp_path: Path) -> None:
    """It takes the question and never answers: five checks, a minute apart, are made meanwhile, and none is missed."""
    with switched("") as hung, watched(tmp_path, hung.uri) as one:
        hung.goes_on.clear()
        for number in range(1, 6):
            one.until_checked(number)
            one.clock = Clock(one.clock.steady_s + 60.0, one.clock.wall_s + 60.0)
        assert one.watcher.schedules["churn"].missed_count == 0
        assert one.watcher.keeper.standings["churn"].state is Health.OK
        assert "churn:telemetry" not in one.watcher.keeper.standings


def test_a_workspace_that_asks_for_silence_gets_it(tmp_path: Path) -> None:
    """Retry-After of 20 minutes puts the next question off by as much, and makes the row of readings no gap."""
    busy = canned.error(429, "TooManyRequests", Retry_After="1200")
    with canned.serving({"*": busy}) as azure, watched(tmp_path, azure.url) as one:
        one.until_told()
        assert one.watcher.questions["churn"].due_steady_s - one.clock.steady_s == 1200.0
        standing = one.watcher.keeper.standings["churn:telemetry"]
        assert (standing.reason, standing.silence_s) == ("telemetry_throttled", 1200.0)


def test_telemetry_is_shown_in_the_state_of_the_endpoint(tmp_path: Path) -> None:
    """/metrics has the worse of both once it is proved."""
    refused = canned.error(403, "InsufficientAccessError")
    with canned.serving({"*": refused}) as azure, watched(tmp_path, azure.url) as one:
        one.until_checked(1)
        one.until_told()
        for _ in range(4):
            asked = Asked((CheckResult(GOAL, Health.UNKNOWN, "telemetry_forbidden", "made up"),))
            one.watcher.keeper.observe_telemetry("churn", asked, one.clock.wall_s)
        assert one.watcher.readings().states == {"churn": Health.UNKNOWN}
