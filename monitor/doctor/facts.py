"""What the checks rest on, each fact or the reason why it is not known. Texts in it are harmless and redacted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from scoring.attempt import Failure
from scoring.controlplane.deployed import Deployed, DiagnosticSetting, Permission
from scoring.endpoint import Endpoint

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gap:
    """A fact that is not known. `is_error`: it was asked for and refused, which is a finding of its own."""

    why: str
    fix: str | None = None
    is_error: bool = False


Known: TypeAlias = T | Gap


@dataclass(frozen=True, slots=True)
class Address:
    """One address that the host's name stands for."""

    text: str
    is_ipv6: bool

    @property
    def family(self) -> str:
        return "IPv6" if self.is_ipv6 else "IPv4"


@dataclass(frozen=True, slots=True)
class Connected:
    """What came of a connection to one address."""

    address: Address
    connect_ms: float | None  # None: there is no connection
    failure: Failure | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate that the host shows, whether it is trusted or not. Instants are seconds since 1970."""

    names: tuple[str, ...]
    issuer: str
    starts_s: float
    expires_s: float


@dataclass(frozen=True, slots=True)
class Handshake:
    """What came of TLS. `failure` is None where the certificate is trusted for this host name."""

    failure: Failure | None
    detail: str
    protocol: str | None  # "TLSv1.3"
    certificate: Certificate | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the endpoint answered to one scoring request."""

    status: int | None
    failure: Failure | None  # None: a good answer
    detail: str
    request_id: str
    is_of_model: bool = False  # the model server wrote it: the request was let in
    reason: str | None = None  # ms-azureml-model-error-reason
    deployment: str | None = None  # the deployment that says it answered
    payload: str = ""
    phases_ms: tuple[tuple[str, float], ...] = ()
    date_skew_s: float | None = None  # its clock minus ours, by a header in whole seconds
    sent_at_s: float = 0.0  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Credential:
    """The scoring credential that was had, without its value. Instants are seconds since 1970."""

    source: str
    has_spare: bool = False
    renew_from_s: float | None = None
    expires_s: float | None = None
    is_first_refused: bool = False  # and the second one was taken


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who is signed in to Azure."""

    used: str
    others: tuple[str, ...] = ()
    principal_id: str | None = None  # object id of who is signed in
    not_before_s: float | None = None  # of the token that was just issued
    expires_s: float | None = None
    signed_at_s: float = 0.0  # by our clock, when that token came


@dataclass(frozen=True, slots=True)
class Arrival:
    """Our own request, as the telemetry tells it."""

    delay_s: float | None  # from the request to its row; None where the row does not say
    status: str | None


@dataclass(frozen=True, slots=True)
class NotSeen:
    """Our own request was looked for all the time, and is not there."""

    waited_s: float
    place: str


@dataclass(frozen=True, slots=True)
class Rights:
    """What the signed-in principal may do at one scope, one entry for each role that holds there."""

    scope: str
    roles: tuple[Permission, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was found out, each fact once."""

    endpoint: Endpoint
    config: str  # where the endpoint is described
    now_s: float
    addresses: Known[tuple[Address, ...]]
    connected: Known[tuple[Connected, ...]]
    shaken: Known[Handshake | None]  # None: no TLS is spoken
    without_key: Known[Seen]
    wrong_key: Known[Seen]
    credential: Known[Credential | None]  # None: none is needed
    scored: Known[Seen]
    sign_in: Known[SignIn]
    deployed: Known[Deployed]
    rights_endpoint: Known[Rights]
    rights_logs: Known[Rights]
    rights_metrics: Known[Rights]
    arrival: Known[Arrival | NotSeen]
    diagnostics: Known[tuple[DiagnosticSetting, ...]]
    metrics: Known[int]  # series that were read
    swagger: Known[str]  # the version that the document says
