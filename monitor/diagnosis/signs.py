"""Signs that several rules share, and who sees them."""

from __future__ import annotations

from collections.abc import Callable

from monitor.diagnosis.facts import Facts
from monitor.diagnosis.ids import ABSENT, PRESENT
from monitor.diagnosis.rule import NOBODY, Need, Sign, Witnesses
from monitor.diagnosis.setting import Setting
from scoring.endpoint import Hosting
from scoring.served import EventKind, Source

ROUTED = (Hosting.AKS, Hosting.KUBERNETES)
TELEMETRY = frozenset({"App Insights"})
FRONT = frozenset({"traffic log"})


def told_first(holds: Callable[[Facts], object]) -> Callable[[Facts, Setting], Witnesses]:
    """Seen by the source that tells of the request first."""
    return lambda facts, _: frozenset({facts.source}) if holds(facts) else NOBODY


def with_clue(*clues: str, text: str) -> Sign:
    """The answer's own text or reason header says so."""
    return Sign(text, told_first(lambda facts: facts.clue in clues))


def around(*kinds: EventKind, text: str) -> Sign:
    """An event of that kind around the request, seen by whoever recorded it."""
    return Sign(text, lambda facts, _: facts.near(*kinds))


def server_row(text: str, holds: Callable[[Facts], object]) -> Sign:
    """The model server's own row of the request, where another source told of it first or this one did."""
    return Sign(
        text,
        lambda facts, _: frozenset({facts.server_by}) if facts.server_by is not None and holds(facts) else NOBODY,
    )


def by_the_front_end(status: int) -> Sign:
    """The answer does not come out of `run()`: no row of the model's server has it, and the answer itself is known."""
    return Sign(
        f"answered {status} by what stands before the script",
        told_first(lambda facts: facts.status == status and facts.has_detail and facts.server != PRESENT),
    )


def in_traffic_log(text: str = "the traffic log has the same answer") -> Sign:
    """The front end wrote the answer down itself, so that nothing between it and the caller made it."""
    return Sign(f"where {text}", lambda facts, _: FRONT if facts.front == PRESENT else NOBODY)


NO_SERVER_ROW = Sign(
    "without a row of the model's server, whose telemetry of that time has arrived",
    lambda facts, _: TELEMETRY if facts.server == ABSENT else NOBODY,
)
SERVER_ANSWERED = Sign(
    "where the model's server says that it answered 200",
    lambda facts, _: (
        frozenset({facts.server_by})
        if facts.server_by and facts.server_status is not None and facts.server_status < 300
        else NOBODY
    ),
)

NEEDS_TELEMETRY = Need(
    lambda facts, _: facts.server not in (PRESENT, ABSENT),
    lambda setting: f"whether the model's server saw the request: {switch_on_telemetry(setting)}",
)
NEEDS_LOG = Need(
    lambda _, setting: not setting.has(Source.SERVICE_LOG, Source.CONSOLE_LOG),
    lambda setting: f"what the server's process printed: {read_logs(setting)}, and give the file with --service-log",
)
NEEDS_EVENTS = Need(
    lambda _, setting: not setting.has(Source.EVENT_LOG, Source.CONSOLE_LOG, Source.SERVICE_LOG),
    lambda setting: f"whether a container was killed or not ready: {read_events(setting)}",
)
NEEDS_TRAFFIC_LOG = Need(
    lambda facts, setting: setting.hosting is Hosting.MANAGED and facts.front not in (PRESENT, ABSENT),
    lambda _: (
        "the reason that the front end wrote down: switch on AmlOnlineEndpointTrafficLog in the endpoint's "
        "diagnostic settings"
    ),
)
NEEDS_SETTINGS = Need(
    lambda _, setting: setting.served_at_once is None,
    lambda _: "the endpoint's size: set `instances` and `max_concurrent` in redline.toml",
)


def switch_on_telemetry(setting: Setting) -> str:
    """How telemetry of the model's server is had on this hosting."""
    if setting.has(Source.APP_INSIGHTS):
        return "ask again with --wait 5m: rows of App Insights take minutes to arrive"
    if setting.hosting in (Hosting.MANAGED, Hosting.KUBERNETES):
        return "set app_insights_enabled: true in the deployment, and app_insights_id in redline.toml"
    if setting.hosting in (Hosting.ACI, Hosting.AKS):
        return "run `service.update(enable_app_insights=True)`, and set app_insights_id in redline.toml"
    return "set AML_APP_INSIGHTS_ENABLED=true and AML_APP_INSIGHTS_KEY for the server"


def read_logs(setting: Setting) -> str:
    """A command that shows the service's log on this hosting."""
    commands = {
        Hosting.MANAGED: f"`az ml online-deployment get-logs -e {setting.name} -n {setting.deployment} --lines 5000`",
        Hosting.KUBERNETES: f"`kubectl logs -l ml.azure.com/deployment-name={setting.deployment} --tail 5000`",
        Hosting.AKS: f"`Webservice(ws, '{setting.name}').get_logs(num_lines=5000)`",
        Hosting.ACI: f"`Webservice(ws, '{setting.name}').get_logs(num_lines=5000)`",
        Hosting.LOCAL: f"`docker logs {setting.name}`, or the server's own output",
    }
    return f"read {commands[setting.hosting]}" if setting.hosting in commands else "read the service's log"


def read_events(setting: Setting) -> str:
    """A command that shows kills, restarts and failed probes on this hosting."""
    if setting.has(Source.EVENT_LOG):
        return "read the event log around the first of these times"
    commands: dict[Hosting | None, str] = {
        Hosting.MANAGED: "switch on AmlOnlineEndpointEventLog in the endpoint's diagnostic settings",
        Hosting.KUBERNETES: "run `kubectl get events --sort-by=.lastTimestamp`",
        Hosting.AKS: "run `kubectl get events --sort-by=.lastTimestamp` in the service's namespace",
        Hosting.ACI: f"run `az container show -n {setting.name} -g RESOURCE_GROUP --query containers[0].instanceView`",
        Hosting.LOCAL: "run `docker inspect --format '{{.State.OOMKilled}}' CONTAINER`, or `dmesg | grep -i oom`",
    }
    return commands.get(setting.hosting, "look at the container's events")
