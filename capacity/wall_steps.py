"""What to do about a wall, on each hosting."""

from __future__ import annotations

from scoring.endpoint import Hosting

_STEPS: dict[str, dict[Hosting | None, str]] = {
    "server_concurrency": {
        Hosting.MANAGED: "raise instance_count, or max_concurrent_requests_per_instance where the CPU has room",
        Hosting.KUBERNETES: "raise min_instances, or max_concurrent_requests_per_instance where the CPU has room",
        Hosting.AKS: "raise autoscale_min_replicas or num_replicas",
        None: "add instances, or let each take more at once where its CPU has room",
    },
    "cpu": {None: "give each instance more CPU or fewer requests at once, or add instances"},
    "queue": {
        Hosting.ACI: "ACI has one container: move to a managed endpoint to have more than one",
        Hosting.LOCAL: "start more workers (WORKER_COUNT), up to the number of free cores",
        None: "add instances or workers (WORKER_COUNT): requests wait for their turn, not for the model",
    },
    "quota": {None: "ask Microsoft for a higher quota, or share the load over several endpoints"},
    "autoscaler": {None: "raise the least number of replicas to what the load needs: scaling comes after the load"},
    "timeout": {
        Hosting.AKS: "add replicas, or raise scoring_timeout_ms where answers may take that long",
        None: "add instances, or raise request_timeout_ms where answers may take that long",
    },
    "client": {None: "use `--processes 2`, more workers or a machine with free cores, and measure again"},
    "network": {None: "measure from a machine nearer to the endpoint, and with smaller answers"},
    "not_reached": {None: "raise --max-users, or --max-rps with --open, to find the limit"},
    "unknown": {None: "read the endpoint's CPU and memory metrics over the time of the run"},
}


def next_step(kind: str, hosting: Hosting | None) -> str:
    """The step for the hosting; the general one where it has none of its own."""
    steps = _STEPS[kind]
    return steps.get(hosting, steps[None])
