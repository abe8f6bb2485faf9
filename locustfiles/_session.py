"""Edge: ties a locustfile to Locust's events: options, the station or crew of this process, the controller, the end.

A locustfile calls `attach` once. Locust then runs it headless, in its web page, with --processes, or as master and
workers; what differs is only which of station, crew and worker half this process has.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from locust import events
from locust.runners import MasterRunner, WorkerRunner

from capacity.plan import Plan
from locustfiles import _handover, _options, _progress
from locustfiles._crew import SPAWNED_AT_ONCE, Crew, LocalCrew, users_to_spawn
from locustfiles._elsewhere import watch_others
from locustfiles._health import parent_is_gone
from locustfiles._renewal import Keeper
from locustfiles._station import Station
from locustfiles._user import ScoringUser
from locustfiles._workers import MasterCrew, WorkerHalf
from scoring.errors import Exit, RedlineError
from scoring.scenariofile import read_scenario

PARENT_VARIABLE = "REDLINE_PARENT"
PARENT_LOOK_S = 1.0
CONTROLLER_WITHIN_S = 5.0
Controller = Callable[[Crew, Plan, Path | None], int]
"""Decides about levels; returns the exit code of the process."""

logger = logging.getLogger("redline")


def attach(command: str, controller: Controller, *, also_without_run_folder: bool) -> None:
    """Locust runs `controller` to decide about levels; without it users send from their start to the end of the run."""

    def on_init(environment: Any, **_: Any) -> None:
        Session(environment, command, controller, also_without_run_folder)

    _handover.taken()
    events.init_command_line_parser.add_listener(_options.add_arguments)
    events.init.add_listener(on_init)


class Session:
    """One Locust process, from its start to its end; in Locust's web page several runs follow each other in it."""

    def __init__(self, environment: Any, command: str, controller: Controller, also_without_run_folder: bool) -> None:
        self.environment = environment
        self._command = command
        self._controller = controller
        self._runner = environment.runner
        self._always = also_without_run_folder
        self._station: Station | None = None
        self._keeper: Keeper | None = None  # of a run that has not started yet
        self._running: Any = None  # the controller's greenlet
        self._master = MasterCrew(self._runner) if isinstance(self._runner, MasterRunner) else None
        self._half = WorkerHalf(self._runner) if isinstance(self._runner, WorkerRunner) else None
        environment.redline_plan = None
        environment.redline = None  # the station, once there is one
        for name in ("test_start", "test_stopping", "test_stop", "quit"):
            getattr(environment.events, name).add_listener(getattr(self, f"_on_{name}"))
        if self._half is None:
            self._plan_ahead()
            gevent.spawn(self._watch_parent)
        gevent.signal_handler(signal.SIGINT, self._on_interrupt)
        gevent.get_hub().loop.update_now()  # imports took a while, and Locust's --run-time counts from this clock

    @property
    def _is_controlled(self) -> bool:
        return self._always or _options.run_folder_of(self.environment.parsed_options) is not None

    def _plan_ahead(self) -> None:
        """A headless run knows its plan before it starts, and its users are spawned at once where the plan says so."""
        options = self.environment.parsed_options
        if not options.headless and not _options.run_folder_of(options):
            return
        try:
            plan = self._plan()
            if self._master is None:
                self._keeper = self._made_keeper(plan)
        except RedlineError as error:
            _say(error)
            sys.exit(error.exit_code)
        if self._is_controlled:
            workers = options.expect_workers if self._master is not None else 1
            options.num_users = users_to_spawn(plan, workers)
            options.spawn_rate = max(options.num_users, SPAWNED_AT_ONCE)

    def _plan(self) -> Plan:
        options = self.environment.parsed_options
        if self._half is None:
            options.redline_plan = None  # only a worker is told its plan
        plan = _options.plan_of(options, self.environment.host, self._command)
        if plan.is_open and not self._is_controlled:
            raise RedlineError("--rps is of an open loop, and this file is a closed one", "locust -f open_loop.py")
        self.environment.redline_plan = plan
        self.environment.host = plan.endpoint.scoring_uri
        if self._master is not None:
            _options.send_along(options, plan)
        return plan

    def _on_test_start(self, **_: Any) -> None:
        try:
            plan = self._plan()
            crew = self._crew(plan)
        except RedlineError as error:
            self._give_up(error)
            return
        watch_others(self.environment, plan.endpoint.scoring_uri, ScoringUser)
        if self._is_controlled and crew is not None:
            self._running = gevent.spawn(self._control, crew, plan)

    def _give_up(self, error: RedlineError) -> None:
        """The run ends before it has begun; a master knows from its worker why."""
        _say(error)
        if self._half is not None:
            self._half.cannot_begin(str(error))
        self.environment.process_exit_code = int(error.exit_code)
        gevent.spawn(self._runner.quit)

    def _crew(self, plan: Plan) -> Crew | None:
        """The crew that this process commands; None on a worker, which only gets its station."""
        if self._master is not None:
            self._master.is_stopping, self._master.lost = False, None
            return self._master
        self._station = station = self._made_station(plan)
        self.environment.redline = station
        if self._half is not None:
            self._half.station = station
        if not self._is_controlled:
            station.open_to_all()
            station.on_credential = self._end_when_lost
        if self._half is not None:
            return None
        return LocalCrew(station)

    def _end_when_lost(self) -> None:
        """A run without a controller ends when it can send nothing any more."""
        lost = self._station.lost if self._station is not None else None
        if lost is not None:
            self._give_up(RedlineError(f"the credential could not be renewed: {lost}", "redline doctor", Exit.NO_ENTRY))

    def _made_station(self, plan: Plan) -> Station:
        scenario = read_scenario(
            plan.scenario_path,
            payload=plan.payload,
            headers=plan.headers,
            expect_json=None if plan.expect_json else False,
            deadline_ns=plan.deadline_ns,
        )
        keeper, self._keeper = self._keeper or self._made_keeper(plan), None
        folder = _options.run_folder_of(self.environment.parsed_options)
        suffix = ""
        if self._half is not None:
            suffix = f"-{self._runner.worker_index}-{self._runner.client_id[-8:]}"
        return Station(self.environment, plan, scenario, keeper, folder=folder, suffix=suffix)

    def _made_keeper(self, plan: Plan) -> Keeper:
        """One that has a credential. Processes of one run renew theirs at different times."""
        handed = _handover.taken()
        spread = random.Random(f"{plan.seed} {os.getpid()}")  # noqa: S311
        keeper = Keeper(plan.endpoint, handed.environ, spread_ratio=spread.random())
        keeper.start(handed.grant, has_first=handed.has_grant)
        return keeper

    def _control(self, crew: Crew, plan: Plan) -> None:
        """The controller has decided; the run ends, and Locust with it unless its web page is open."""
        code = int(Exit.UNFAIR)  # stands when the controller dies
        try:
            code = self._controller(crew, plan, _options.run_folder_of(self.environment.parsed_options))
        except RedlineError as error:
            _say(error)
            code = int(error.exit_code)
        finally:
            self.environment.process_exit_code = code
            if self.environment.parsed_options.headless:
                self._runner.quit()
            else:
                self._runner.stop()

    def _on_test_stopping(self, **_: Any) -> None:
        if self._station is not None:
            self._station.stop()
        if self._master is not None:
            self._master.stop()

    def _on_test_stop(self, **_: Any) -> None:
        if self._station is not None:
            self._station.close()
        if self._running is not None and self._running is not gevent.getcurrent():
            self._running.join(CONTROLLER_WITHIN_S)

    def _on_quit(self, **_: Any) -> None:
        if self._station is not None:
            self._station.recorder.close()

    def _on_interrupt(self) -> None:
        """Locust ends as after any Ctrl-C; without this handler it would strike a user in the middle of an attempt."""
        if self._half is not None:
            self._half.finish(self.environment)
        gevent.get_hub().handle_system_error(KeyboardInterrupt, KeyboardInterrupt())

    def _watch_parent(self) -> None:
        """A run whose starter has gone ends itself: nobody could stop it any more."""
        text = os.environ.get(PARENT_VARIABLE, "")
        if not text.isdigit():
            return
        parent, was_direct = int(text), os.getppid() == int(text)
        while not parent_is_gone(parent, was_direct):
            gevent.sleep(PARENT_LOOK_S)
        logger.warning("the process that started this run has ended; so does the run")
        self._runner.quit()


def _say(error: RedlineError) -> None:
    """The error as a person reads it, on stderr and to the process that started the run."""
    hint = f"\n\nhint: {error.hint}" if error.hint else ""
    _progress.say(f"error: {error}{hint}\n")
    _progress.send("note", text=f"{error}" + (f"; {error.hint}" if error.hint else ""))
