"""Switches Application Insights on for the deployments that answer, once it was agreed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.doctor.control import Session, deployed, session
from monitor.doctor.settings import answering, is_web_service, no_deployment
from scoring.controlplane.deployed import Deployed
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError


@dataclass(frozen=True, slots=True)
class Change:
    """What would be changed, in words, and how to do it."""

    words: str
    names: tuple[str | None, ...]  # deployments; None for the web service of SDK v1
    session: Session


def app_insights_change(endpoint: Endpoint, environ: Mapping[str, str]) -> Change | None:
    """What switches it on where it is off; None where it is on everywhere. RedlineError where Azure refuses."""
    if endpoint.arm_id is None:
        raise RedlineError(
            f"Application Insights of `{endpoint.name}` cannot be switched on: arm_id is not set",
            f"redline init --endpoint {endpoint.name} --from-config config.json --out redline.toml",
        )
    signed_in = session(endpoint, environ)
    found = deployed(signed_in, endpoint)
    reached = answering(endpoint, found)
    if not reached:
        message = f"Application Insights of `{endpoint.name}` cannot be switched on: {no_deployment(found)}"
        raise RedlineError(message, f"redline doctor {endpoint.name}")
    off = tuple(one.name for one in reached if not one.app_insights)
    return Change(_words(endpoint, found, off), off, signed_in) if off else None


def switch_on(endpoint: Endpoint, change: Change) -> None:
    """Returns when every deployment of the change has it on. RedlineError where Azure refuses."""
    from scoring.controlplane.calls import set_app_insights

    for name in change.names:
        set_app_insights(change.session.rest, endpoint, deployment=name, on=True)


def _words(endpoint: Endpoint, found: Deployed, off: tuple[str | None, ...]) -> str:
    named = ", ".join(f"`{name}`" for name in off if name is not None)
    which = f"deployment {named} of endpoint" if named else "web service"
    where = found.app_insights_id.rpartition("/")[2] if found.app_insights_id else "of the workspace"
    how = (
        "Azure updates the service in place."
        if is_web_service(found)
        else "Azure updates the deployment, which takes minutes and replaces its instances one after the other."
    )
    return (
        f"This sets appInsightsEnabled to true for {which} `{endpoint.name}`. {how}"
        f" From then on its requests and traces are sent to the component {where}, where they are kept and billed."
    )
