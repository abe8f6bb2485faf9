"""The flags of `redline serve`: their one definition, and the checked values behind them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from localazure import flagvalues as of
from localazure.answers import HOSTINGS
from localazure.identity.roles import ROLES
from localazure.model import MS, S, Truth
from localazure.telemetry.settings import FORMATS, SOURCES

LOCAL_TIMEOUT_NS = 3_600 * S  # SCORING_TIMEOUT_MS of the inference server, where no front end stands before it
EXAMPLE = """example:
  %(prog)s --hosting aks --instances 4 --max-concurrent 2 --service-time 20ms --for 5m
    a service that admits 8 requests at a time and answers 503 to the ninth
  %(prog)s --hosting managed --entry-script score.py --server-python .venv-azureml/bin/python --reload
    your own score.py in Microsoft's inference server, behind the limits of a managed endpoint"""


class OptionError(Exception):
    """A command line that cannot be served. `hint` is something to type."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What is sent about the requests, and what befalls it. Times in nanoseconds."""

    is_on: bool = True
    format: str = "otel"
    flush_ns: int = S
    delay_ns: int = 0
    sampling_ratio: float = 1.0
    duplicate_ratio: float = 0.0
    dropped: tuple[str, ...] = ()
    max_items_per_s: int | None = None
    max_rows: int = 500_000
    max_answer_bytes: int = 100 * 2**20


@dataclass(frozen=True, slots=True)
class Control:
    """Who may do what, and what the control plane says of the endpoint. Times in nanoseconds."""

    is_on: bool = True
    token_life_ns: int = 3_600 * S
    rotate_every_ns: int | None = None  # None: keys stay
    roles: tuple[str, ...] = ("data-scientist", "monitoring-reader")
    has_app_insights: bool = True
    has_diagnostics: bool = True
    worker_count: int = 1  # WORKER_COUNT of the deployment
    client_certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What to serve. Times in nanoseconds; None where the flag was not given and has no default."""

    hosting: str
    name: str
    deployment: str
    instances: int
    max_concurrent: int
    queue_wait_ns: int
    queue_length: int | None
    request_timeout_ns: int
    routing: str
    rate_limit_rps: int | None
    retry_after_s: float | None
    cold_start_ns: int
    truth: Truth
    seed: int
    entry_script: str | None
    server_python: str | None
    reload: bool
    key_env: str | None
    port: int
    ready_file: str | None
    run_for_ns: int
    stop_with_parent: bool
    log_file: str | None
    log_format: str
    telemetry: Telemetry = Telemetry()
    control: Control = Control()

    @property
    def places_per_worker(self) -> int | None:
        """Requests admitted per worker: 1 (aks, kubernetes), 2 (managed), no bound (aci, local)."""
        return {"aks": 1, "kubernetes": 1, "managed": 2}.get(self.hosting)

    @property
    def is_cold(self) -> bool:
        """No replica is ready at the start."""
        return bool(self.cold_start_ns and not self.truth.cold_ns)

    @property
    def scoring_path(self) -> str:
        return self.path_of(self.name)

    def path_of(self, name: str) -> str:
        """The scoring path of an endpoint of this name."""
        return f"/api/v1/service/{name}/score" if self.hosting in ("aks", "kubernetes") else "/score"

    @property
    def admitted_count(self) -> int | None:
        """Requests admitted at a time; None: no bound."""
        per_worker = self.places_per_worker
        return None if per_worker is None else per_worker * self.instances * self.max_concurrent


def parse(argv: Sequence[str], prog: str) -> Options:
    """The options of a command line. Raises OptionError; `--help` prints and raises SystemExit(0)."""
    given = _parser(prog).parse_args(list(argv))
    _check(given)
    return Options(
        hosting=given.hosting,
        name=given.name,
        deployment=given.deployment,
        instances=given.instances,
        max_concurrent=given.max_concurrent,
        queue_wait_ns=given.queue_wait,
        queue_length=given.queue_length,
        request_timeout_ns=given.request_timeout or (LOCAL_TIMEOUT_NS if given.hosting == "local" else 5 * S),
        routing=given.routing,
        rate_limit_rps=given.rate_limit,
        retry_after_s=None if given.retry_after is None else given.retry_after / S,
        cold_start_ns=given.cold_start,
        truth=_truth(given),
        seed=given.seed,
        entry_script=given.entry_script,
        server_python=given.server_python,
        reload=given.reload,
        key_env=given.key_env,
        port=given.port,
        ready_file=given.ready_file,
        run_for_ns=given.run_for,
        stop_with_parent=given.stop_with_parent,
        log_file=given.log_file,
        log_format=given.log_format,
        telemetry=_telemetry(given),
        control=_control(given),
    )


def unused(options: Options) -> list[str]:
    """One line for each flag that changes nothing under the chosen hosting."""
    lines = []
    if options.hosting not in ("aks", "kubernetes"):
        waits = (("--queue-wait", options.queue_wait_ns), ("--queue-length", options.queue_length))
        lines += [f"{flag} changes nothing on {options.hosting}" for flag, value in waits if value]
    if options.hosting != "managed" and not options.control.has_diagnostics:
        lines.append(f"--diagnostic-settings off changes nothing on {options.hosting}, which has none")
    if options.hosting != "managed" and options.rate_limit_rps is not None:
        lines.append(f"--rate-limit is a quota of managed endpoints; {options.hosting} has none on Azure")
    if options.entry_script is not None and options.telemetry.format != "otel":
        lines.append(f"--telemetry-format {options.telemetry.format} changes nothing: the inference server has its own")
    if options.entry_script is not None and options.log_format == "legacy":
        lines.append("--log-format legacy changes nothing: the inference server writes its own log")
    if options.hosting in ("aci", "local") and options.retry_after_s is not None and options.rate_limit_rps is None:
        lines.append(f"--retry-after changes nothing on {options.hosting}, which rejects nothing")
    return lines


def _truth(given: argparse.Namespace) -> Truth:
    return Truth(
        service_ns=given.service_time,
        spread=given.service_spread,
        leak_ns_per_request=given.leak / 1000,
        thrash_factor=given.thrash,
        cold_factor=given.cold_slowdown or 1.0,
        cold_ns=given.cold_start if given.cold_slowdown else 0,
        stall_every_ns=given.stall_every,
        stall_ns=given.stall_for if given.stall_every else 0,
        crash_ratio=given.crash_ratio,
        error_ratio=given.error_ratio,
        wrong_ratio=given.wrong_ratio,
        rubbish_ratio=given.rubbish_ratio,
    )


def _telemetry(given: argparse.Namespace) -> Telemetry:
    return Telemetry(
        is_on=not given.no_telemetry,
        format=given.telemetry_format,
        flush_ns=given.telemetry_flush,
        delay_ns=given.ingestion_delay,
        sampling_ratio=given.sampling,
        duplicate_ratio=given.duplicate,
        dropped=tuple(sorted(set(given.drop_source))),
        max_items_per_s=given.ingestion_limit,
        max_rows=given.query_max_rows,
        max_answer_bytes=given.query_max_bytes,
    )


def _control(given: argparse.Namespace) -> Control:
    return Control(
        is_on=not given.no_identity,
        token_life_ns=given.token_life,
        rotate_every_ns=given.rotate_keys_every,
        roles=tuple(dict.fromkeys(given.role)) or Control().roles,
        has_app_insights=given.app_insights == "on",
        has_diagnostics=given.diagnostic_settings == "on",
        worker_count=given.worker_count or given.max_concurrent,
        client_certificate=given.client_certificate,
    )


def _check(given: argparse.Namespace) -> None:
    faults = [given.crash_ratio, given.error_ratio, given.wrong_ratio, given.rubbish_ratio]
    if sum(faults) > 1:
        raise OptionError(
            f"the fault ratios add up to {sum(faults):g}, more than every request",
            "--error-ratio 1% --crash-ratio 1%",
        )
    if given.stall_every and given.stall_for >= given.stall_every:
        raise OptionError("--stall-for is not shorter than --stall-every", "--stall-every 10s --stall-for 1s")
    if given.cold_slowdown and not given.cold_start:
        raise OptionError("--cold-slowdown without --cold-start has no duration", "--cold-start 10s --cold-slowdown 5")
    if given.entry_script is None and (given.reload or given.server_python):
        flag = "--reload" if given.reload else "--server-python"
        raise OptionError(f"{flag} without --entry-script has nothing to run", f"--entry-script score.py {flag}")
    if given.entry_script is not None and given.server_python is None:
        raise OptionError(
            "--entry-script needs --server-python, the Python that has azureml-inference-server-http",
            "make azureml-server, then --server-python .venv-azureml/bin/python",
        )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise OptionError(message, f"{self.prog} --help")


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=prog,
        usage="%(prog)s [flags]",
        description="Serve a scoring endpoint on 127.0.0.1 that answers and rejects as the Azure hosting does.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_hosting(parser.add_argument_group("hosting"))
    _add_model(parser.add_argument_group("built-in model (its true limit is known)"))
    _add_faults(parser.add_argument_group("faults of the built-in model"))
    _add_script(parser.add_argument_group("your own model"))
    _add_telemetry(parser.add_argument_group("telemetry (App Insights, logs, metrics; needs redline[local])"))
    _add_identity(parser.add_argument_group("identity and control plane (needs redline[local])"))
    _add_process(parser.add_argument_group("process"))
    return parser


def _add_hosting(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--hosting", choices=HOSTINGS, default="aks", help="whose limits, texts and headers (default: %(default)s)")
    add("--instances", type=of.count, default=1, metavar="I", help="replicas (default: %(default)s)")
    add("--max-concurrent", type=of.count, default=1, metavar="M", help="requests at a time per replica (default: 1)")
    add(
        "--queue-wait", type=of.duration, default=0, metavar="T", help="wait for a free place, aks and kubernetes (0ms)"
    )
    add("--queue-length", type=of.count, metavar="N", help="requests that may wait for a place (no bound)")
    add(
        "--request-timeout",
        type=of.positive_duration,
        metavar="T",
        help="504, or 408 on managed, after this time since admission (5s; local: 500 after 1h of run())",
    )
    add("--routing", choices=("shared", "random"), default="shared", help="any free replica, or one drawn at random")
    add("--rate-limit", type=of.count, metavar="RPS", help="429 above this many requests in one second")
    add("--retry-after", type=of.duration, metavar="T", help="add Retry-After to 429 and 503")
    add("--name", type=of.name, default="local", help="service name in paths and texts (default: %(default)s)")
    add("--deployment", type=of.name, default="blue", help="deployment name, managed (default: %(default)s)")


def _add_model(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--service-time", type=of.duration, default=20 * MS, metavar="T", help="mean time of one request (20ms)")
    add(
        "--service-spread", type=of.number, default=0.3, metavar="CV", help="coefficient of variation, log-normal (0.3)"
    )
    add("--leak", type=of.duration, default=0, metavar="T", help="service time grows by T per 1,000 requests")
    add(
        "--thrash",
        type=of.factor,
        default=1.0,
        metavar="F",
        help="service time times F while more callers than workers",
    )
    add("--stall-every", type=of.duration, default=0, metavar="T", help="all workers stand still every T …")
    add("--stall-for", type=of.duration, default=S, metavar="T", help="… for this long (1s)")
    add(
        "--cold-start",
        type=of.duration,
        default=0,
        metavar="T",
        help="not ready for the first T, then all replicas are",
    )
    add("--cold-slowdown", type=of.factor, metavar="F", help="during --cold-start answer, F times slower")
    add("--seed", type=int, default=1, help="of service times, faults and random routing (default: %(default)s)")


def _add_faults(group: argparse._ArgumentGroup) -> None:
    helps = {
        "--error-ratio": "the script raises: 500, or 424 on managed",
        "--crash-ratio": "the worker dies: 502, or 424 on managed, or a closed connection on local",
        "--wrong-ratio": 'the script answers 200 with {"error": …}',
        "--rubbish-ratio": "200 with JSON that is cut in the middle",
    }
    for flag, text in helps.items():
        group.add_argument(flag, type=of.ratio, default=0.0, metavar="R", help=text.replace("%", "%%"))


def _add_script(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--entry-script", metavar="FILE", help="score.py with init() and run(), in Microsoft's inference server")
    add("--server-python", metavar="PATH", help="the Python that has azureml-inference-server-http")
    add("--reload", action="store_true", help="start anew when a .py file beside the entry script changes")


def _add_telemetry(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--no-telemetry", action="store_true", help="keep none, and answer no queries")
    add(
        "--telemetry-format", choices=FORMATS, default="otel", help="of server 1.5 and newer, 0.5 to 1.4, or 0.4 (otel)"
    )
    add("--telemetry-flush", type=of.positive_duration, default=S, metavar="T", help="a worker sends what it has (1s)")
    add(
        "--ingestion-delay", type=of.duration, default=0, metavar="T", help="rows are found T after they were sent (0s)"
    )
    add("--ingestion-limit", type=of.count, metavar="N", help="429 above this many items per second (no bound)")
    add("--sampling", type=of.share, default=1.0, metavar="R", help="keep this share; itemCount makes up for the rest")
    add("--duplicate", type=of.ratio, default=0.0, metavar="R", help="this share of the rows is stored twice")
    add("--drop-source", action="append", choices=SOURCES, default=[], help="lose this source; may be repeated")
    add("--query-max-rows", type=of.limit, default=500_000, metavar="N", help="rows of one answer (500000)")
    add("--query-max-bytes", type=of.limit, default=100 * 2**20, metavar="N", help="bytes of one answer (104857600)")


def _add_identity(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    life, often = of.positive_duration, of.positive_duration
    add("--no-identity", action="store_true", help="no token issuer, no ARM, no other endpoints than the one")
    add("--token-life", type=life, default=3_600 * S, metavar="T", help="of every token (1h)")
    add("--rotate-keys-every", type=often, metavar="T", help="make the primary key anew, T later the secondary …")
    add("--role", action="append", choices=tuple(ROLES), default=[], help="what principals may; may be repeated")
    add("--app-insights", choices=("on", "off"), default="on", help="of the deployment; off: it sends nothing")
    add("--diagnostic-settings", choices=("on", "off"), default="on", help="whether the endpoint's logs are kept")
    add("--worker-count", type=of.count, metavar="N", help="WORKER_COUNT of the deployment in ARM (M)")
    add("--client-certificate", metavar="F", help="PEM of a certificate that proves the service principal")


def _add_process(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--key-env", metavar="VAR", help="environment variable with the key (else: a random key; aci, local: no key)")
    add("--port", type=of.port, default=0, help="port on 127.0.0.1 (0: a free one)")
    add("--ready-file", metavar="F", help="JSON with scoring_uri, key, pid, config …, once requests are accepted")
    add("--for", dest="run_for", type=of.positive_duration, default=600 * S, metavar="T", help="stop after this (10m)")
    add("--stop-with-parent", action="store_true", help="stop when the process that started this one ends")
    add("--log-file", metavar="F", help="service log of the model server; never holds the key")
    add("--log-format", choices=("azmlinfsrv", "legacy"), default="azmlinfsrv", help="0.8 and newer, or 0.7 and older")
