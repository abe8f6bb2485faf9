"""Locust's FastHttpUser with the request of the benchmark."""

from __future__ import annotations

import os
from pathlib import Path

from locust import FastHttpUser, task

BODY = Path(os.environ["BENCH_BODY"]).read_bytes()
HEADERS = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['BENCH_KEY']}"}


class Scorer(FastHttpUser):
    @task
    def score(self) -> None:
        self.client.post("/score", data=BODY, headers=HEADERS)
