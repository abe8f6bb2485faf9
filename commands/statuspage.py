"""The status page: read from the store beside the watcher, written to a folder, put on the watcher's board."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from scoring.errors import RedlineError
from scoring.units import DAY, S

if TYPE_CHECKING:
    from monitor.health.listening import Board
    from monitor.health.recorded import Known
    from monitor.health.watching import Watcher
    from scoring.health import HealthRecord, Watch
    from scoring.settings import Settings

DAY_COUNT = 90
MOST_DAYS = 400
"""So long the store keeps counts by the hour."""
SOON_S = 2.0
"""A change is on the page after so long at most, and the pages of two changes are at least so far apart."""
EVERY_S = 60.0
"""Without a change the page is written anew after so long, as a sign of life."""
SHARE = 0.05
"""Of one core: a page that takes longer to make is made less often, once in EVERY_S at least."""
GRACE_S = 60.0
LEAVE_S = 5.0


def known_of(settings: Settings | None, watched: tuple[str, ...] = ()) -> Known:
    """What redline.toml says of the endpoints of a record; nothing where there is no such file."""
    from monitor.health.recorded import Known

    if settings is None:
        return Known(watched=watched)
    hosting = {name: endpoint.hosting for name, endpoint in settings.endpoints.items()}
    return Known(settings.checks, hosting, settings.maintenance, watched)


def record_in(state: Path, known: Known, since_s: float, watch: Watch | None = None) -> HealthRecord:
    """What the state folder holds now, since then. RedlineError where it holds nothing."""
    from monitor.health.lease import last_beat_s
    from monitor.health.recorded import record_of
    from monitor.health.store import opened_to_read
    from scoring.health import Watch as Watching

    watch = watch or Watching(beat_s=last_beat_s(state))
    with opened_to_read(state) as connection:
        connection.execute("PRAGMA query_only = ON")
        return record_of(connection, time.time(), known, since_s, watch)


def files_of(record: HealthRecord) -> dict[str, str]:
    """The page, its style sheet for hosts that forbid styles inside a page, and its JSON twin, each under its name."""
    from reports.health_json import health_json
    from reports.status_html import STYLESHEET, status_css, status_html

    return {
        "index.html": status_html(record, stylesheet=STYLESHEET),
        STYLESHEET: status_css(),
        "status.json": health_json(record, compact=True),
    }


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Each text stands in its file, whole or as it was before: for its owner alone, or with the mode it had."""
    name = ""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in texts.items():
            _replace(folder / name, text.encode())
    except OSError as error:
        message = f"the status page {folder / name} cannot be written: {error.strerror}"
        raise RedlineError(message, f"ls -ld {folder}; df -h {folder}") from error


def _replace(file: Path, content: bytes) -> None:
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open(beside, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if file.exists():
            beside.chmod(file.stat().st_mode & 0o777)
        beside.replace(file)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class Place:
    """Where a watcher's page comes from and where it goes; `folder` None: to the board alone."""

    state: Path
    known: Known
    folder: Path | None
    board: Board


class StatusPage:
    """Writes the page in a thread of its own whenever something has changed, one page at a time."""

    def __init__(self, place: Place, say: Callable[[str], None]) -> None:
        self._place = place
        self._say = say
        self._shown: Hashable = None
        self._began_s = -EVERY_S
        self._cost_s = 0.0
        self._thread: Thread | None = None
        self._trouble: str | None = None

    def look(self, watcher: Watcher) -> None:
        """A page is begun where one is due: for a change soon, else as a sign of life."""
        if self._thread is not None and self._thread.is_alive():
            return
        standing, since_s = _standing(watcher), watcher.now.steady_s - self._began_s
        pause_s = EVERY_S if standing == self._shown else min(max(SOON_S, self._cost_s / SHARE), EVERY_S)
        if since_s >= pause_s:
            self._shown, self._began_s = standing, watcher.now.steady_s
            self._thread = Thread(target=self._write, daemon=True)
            self._thread.start()

    def end(self) -> None:
        """The last page says that nobody watches any longer; a folder that hangs is not waited for."""
        if self._thread is not None:
            self._thread.join(LEAVE_S)
        if self._thread is None or not self._thread.is_alive():
            last = Thread(target=self._write, kwargs={"is_over": True}, daemon=True)
            last.start()
            last.join(LEAVE_S)

    def _write(self, *, is_over: bool = False) -> None:
        """The page of this moment. What hinders it is said once, and the page before it stays."""
        from monitor.health.lease import last_beat_s
        from monitor.health.recorded import since_of_days
        from scoring.health import Watch as Watching

        began_s, now_s = time.thread_time(), time.time()
        try:
            next_s = None if is_over else now_s + EVERY_S + GRACE_S
            watch = Watching(last_beat_s(self._place.state), next_s, is_over=is_over)
            record = record_in(self._place.state, self._place.known, since_of_days(now_s, DAY_COUNT), watch)
            texts = files_of(record)
            self._place.board.show(*texts.values())
            if self._place.folder is not None:
                write_files(self._place.folder, texts)
            self._trouble = None
        except RedlineError as error:
            if error.message != self._trouble:
                self._trouble = error.message
                self._say(f"no status page: {error.message}")
        self._cost_s = time.thread_time() - began_s


def status_page(
    state: Path, settings: Settings, names: tuple[str, ...], folder: Path | None, board: Board
) -> StatusPage:
    """The page of a watcher of the named endpoints. RedlineError where its folder cannot be made."""
    from commands.output import talk

    if folder is not None:
        write_files(folder, {})
    return StatusPage(Place(state, known_of(settings, names), folder, board), talk)


def _standing(watcher: Watcher) -> Hashable:
    """What a page that is soon to be written is about: states, last outcomes, incidents and their notices."""
    return tuple(
        (name, one.state, one.last, None if one.incident is None else (one.incident.id, one.incident.notice_count))
        for name, one in watcher.keeper.standings.items()
    )


def since_s_of(since: str | None, *, is_page: bool) -> float:
    """The start of the time that a report is about: 30 days ago or as said; of a page whole days, 90 without."""
    from monitor.health.recorded import since_of_days
    from scoring.units import parse_duration_ns

    span_ns = parse_duration_ns(since or (f"{DAY_COUNT}d" if is_page else "30d"))
    if not is_page:
        return time.time() - span_ns / S
    return since_of_days(time.time(), min(max(-(-span_ns // DAY), 1), MOST_DAYS))
