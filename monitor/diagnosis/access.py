"""Causes in the right to score and in the address: keys, tokens, paths, deployments, headers."""

from __future__ import annotations

from monitor.diagnosis.facts import Facts
from monitor.diagnosis.rule import NOBODY, Rule, Sign, Witnesses
from monitor.diagnosis.setting import Setting
from monitor.diagnosis.signs import NO_SERVER_ROW, by_the_front_end, in_traffic_log, with_clue
from scoring.endpoint import Hosting

SKEW_S = 60.0


def refusals(facts: Facts, setting: Setting) -> str | None:
    """When it was refused: "always", "from" one time on, "between" good answers; None where nothing tells."""
    spread, good, client = setting.spreads.get(facts.label), setting.good, setting.client
    if spread is None:
        return None
    if not good.count:
        return "always"
    if facts.source == "client" and client is not None and client.refused_from_at is not None:
        return "from"
    if spread.first_at is None or good.last_at is None:
        return None
    return "from" if good.last_at <= spread.first_at else "between"


def _when(holds: bool, facts: Facts) -> Witnesses:
    return frozenset({facts.source}) if holds else NOBODY


_BETWEEN = Sign(
    "in a period in which other requests were still answered after the first refusal",
    lambda facts, setting: _when(refusals(facts, setting) == "between", facts),
)


def _skew(_: Facts, setting: Setting) -> tuple[str, ...]:
    ahead_s = setting.ahead_s
    if ahead_s is None or abs(ahead_s) <= SKEW_S:
        return ()
    return (f"the server's clock is {abs(ahead_s):,.0f} s {'ahead of' if ahead_s > 0 else 'behind'} this one",)


def _credentials(setting: Setting) -> str:
    return {
        Hosting.MANAGED: f"run `az ml online-endpoint get-credentials -n {setting.name}`",
        Hosting.KUBERNETES: f"run `az ml online-endpoint get-credentials -n {setting.name}`",
        Hosting.AKS: f"take a key from `Webservice(ws, '{setting.name}').get_keys()`",
        Hosting.ACI: f"take a key from `Webservice(ws, '{setting.name}').get_keys()`",
    }.get(setting.hosting or Hosting.LOCAL, "take the key from the server's ready file") + (
        " and set the variable that key_env names"
    )


RENEWED = Rule(
    id="D41",
    when=lambda facts, _: facts.status == 401 and facts.clue == "renewed",
    cause=lambda *_: "the credential ended in the middle of the load and was renewed: no failure of the endpoint",
    next_step=lambda *_: "nothing: each of these requests was sent again with the next credential",
    signs=(with_clue("renewed", text="while the load generator renewed it"),),
)
EXPIRED = Rule(
    id="D14",
    when=lambda facts, setting: (
        facts.status == 401
        and facts.function_failed is None
        and (
            facts.clue == "expired"
            or (setting.auth != "key" and facts.clue is None and refusals(facts, setting) == "from")
        )
    ),
    cause=lambda *_: "the token expired during the period and was not renewed",
    next_step=lambda _, setting: (
        'renew tokens ahead of their expiry: auth = "entra" lets redline do it'
        if setting.hosting is Hosting.MANAGED
        else "fetch a token again and renew it ahead of refreshAfter"
    ),
    signs=(
        with_clue("expired", text="with a text that says expired"),
        Sign(
            "from one time on, while every request before it was answered",
            lambda facts, setting: _when(refusals(facts, setting) == "from", facts),
        ),
        in_traffic_log(),
    ),
    against=(_BETWEEN,),
    figures=_skew,
)


def _key_cause(facts: Facts, setting: Setting) -> str:
    if facts.clue == "no_key":
        return "no key was sent, or not in the form `Authorization: Bearer KEY`"
    if abs(setting.ahead_s or 0.0) > SKEW_S and setting.auth in ("token", "entra"):
        return "the token is not accepted: the clocks of the two sides differ by more than a minute"
    if refusals(facts, setting) == "from":
        return "the key was regenerated during the period: it was taken before, and refused from one time on"
    return "the key is wrong, of another endpoint, or has been regenerated"


KEY = Rule(
    id="D15",
    when=lambda facts, _: facts.status == 401 and facts.function_failed is None,
    cause=_key_cause,
    next_step=lambda _, setting: _credentials(setting),
    signs=(
        with_clue("wrong_key", "no_key", text="with a text that refuses the key"),
        Sign("from the first request on", lambda facts, setting: _when(refusals(facts, setting) == "always", facts)),
        Sign(
            "from one time on, while every request before it was answered",
            lambda facts, setting: _when(refusals(facts, setting) == "from" and setting.auth == "key", facts),
        ),
        in_traffic_log(),
        NO_SERVER_ROW,
    ),
    against=(_BETWEEN,),
    figures=_skew,
)
FORBIDDEN = Rule(
    id="D33",
    when=lambda facts, _: facts.status == 403 and facts.function_failed is None,
    cause=lambda *_: "the credential may not score here, or the endpoint is closed to this network",
    next_step=lambda _, setting: (
        "run `az role assignment list --all --assignee CLIENT_ID`: scoring with entra needs "
        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"
        if setting.hosting is Hosting.MANAGED
        else "run from a network that the endpoint admits, or ask for the right to score"
    ),
    signs=(by_the_front_end(403), in_traffic_log(), NO_SERVER_ROW),
    against=(_BETWEEN,),
)
NOT_FOUND = Rule(
    id="D16",
    when=lambda facts, _: facts.status == 404,
    cause=lambda facts, setting: (
        "no deployment with traffic stands behind the endpoint"
        if facts.clue == "no_deployment" or setting.hosting is Hosting.MANAGED
        else "nothing serves this path: the service is gone, or the path is not its scoring path"
    ),
    next_step=lambda _, setting: (
        f"run `az ml online-endpoint show -n {setting.name} --query traffic`, then "
        f'`az ml online-endpoint update -n {setting.name} --traffic "{setting.deployment}=100"`'
        if setting.hosting in (Hosting.MANAGED, Hosting.KUBERNETES)
        else "compare the path with the scoring URI that Azure shows"
    ),
    signs=(
        with_clue("no_deployment", text="with the text `traffic group could not be found`"),
        by_the_front_end(404),
        in_traffic_log(),
        NO_SERVER_ROW,
    ),
    key=lambda facts: facts.clue == "no_deployment",
)
OPERATION = Rule(
    id="D17",
    when=lambda facts, _: facts.status == 409 and not facts.from_model,
    cause=lambda *_: "another operation on the service was running",
    next_step=lambda _, setting: (
        f"wait until `az ml online-endpoint show -n {setting.name} --query provisioning_state` says Succeeded"
        if setting.hosting in (Hosting.MANAGED, Hosting.KUBERNETES)
        else "wait until the deployment has ended, then run again"
    ),
    signs=(by_the_front_end(409), in_traffic_log()),
)
HEADERS = Rule(
    id="D18",
    when=lambda facts, _: 431 in (facts.status, facts.model_said),
    cause=lambda *_: "an id or another header is longer than the service takes (ids: 100 characters)",
    next_step=lambda *_: "shorten the headers of the scenario; a request id of 32 characters always fits",
    signs=(
        with_clue("long_id", text="with a text about the header's length"),
        by_the_front_end(431),
        in_traffic_log(),
        NO_SERVER_ROW,
    ),
)
