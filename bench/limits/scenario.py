"""What one row of the bench is: an endpoint, goals, and which answers are right."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.limits.endpoint import Endpoint, Service


@dataclass(frozen=True, slots=True)
class Scenario:
    """`truth` is the endpoint as it is in the long run: warm, scaled out. `kinds` are the verdicts that are right."""

    name: str
    service: Service
    goals: tuple[str, ...]
    mode: str = "closed"
    kinds: tuple[str, ...] = ("FOUND",)
    max_level: int = 512
    group: str = "smooth"  # "cliff", "smooth" or "verdict": which scores it takes part in
    steady: Service | None = None
    long: int = 300_000  # requests at a level from which the truth is taken

    def endpoint(self, seed: int) -> Endpoint:
        """A fresh prober."""
        return Endpoint(self.service, seed, open_loop=self.mode == "open")

    def long_run(self, seed: int) -> Endpoint:
        """The endpoint as it is once it has settled."""
        settled = self.steady or replace(self.service, cold_s=0.0, unready_s=0.0)
        return Endpoint(settled, seed, open_loop=self.mode == "open")
