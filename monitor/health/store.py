"""Edge: the SQLite file that remembers checks, standings, incidents and what is still to be told.

WAL with full synchronisation: what a transaction has committed survives SIGKILL and a power cut. File and folder are
for their owner alone.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from scoring.errors import Exit, RedlineError

FILE = "health.sqlite3"
BUSY_S = 10.0
MIGRATIONS = (
    """
    CREATE TABLE checks (
        id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, checked_s REAL NOT NULL, due_s REAL, state TEXT NOT NULL,
        reason TEXT NOT NULL, latency_ns INTEGER, took_ns INTEGER NOT NULL, is_quiet INTEGER NOT NULL, detail TEXT
    );
    CREATE INDEX checks_of_endpoint ON checks (endpoint, checked_s, state, is_quiet);
    CREATE TABLE hours (
        endpoint TEXT NOT NULL, hour INTEGER NOT NULL, state TEXT NOT NULL, is_quiet INTEGER NOT NULL,
        check_count INTEGER NOT NULL, PRIMARY KEY (endpoint, hour, state, is_quiet)
    ) WITHOUT ROWID;
    CREATE TABLE standings (subject TEXT PRIMARY KEY, standing TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE incidents (
        id TEXT PRIMARY KEY, endpoint TEXT NOT NULL, rule TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
        opened_s REAL NOT NULL, closed_s REAL
    ) WITHOUT ROWID;
    CREATE TABLE notices (
        key TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL,
        reason TEXT NOT NULL, evidence TEXT NOT NULL, opened_s REAL NOT NULL, created_s REAL NOT NULL,
        PRIMARY KEY (key, number)
    ) WITHOUT ROWID;
    CREATE TABLE deliveries (
        key TEXT NOT NULL, number INTEGER NOT NULL, channel TEXT NOT NULL, attempt_count INTEGER NOT NULL,
        next_s REAL NOT NULL, sent_s REAL, error TEXT, PRIMARY KEY (key, number, channel)
    ) WITHOUT ROWID;
    CREATE INDEX deliveries_waiting ON deliveries (channel, next_s) WHERE sent_s IS NULL;
    CREATE TABLE timers (
        endpoint TEXT PRIMARY KEY, started_s REAL NOT NULL, due_s REAL NOT NULL, missed_count INTEGER NOT NULL,
        late_count INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE gaps (from_s REAL NOT NULL, until_s REAL NOT NULL, cause TEXT NOT NULL);
    """,
)
"""What each version of the file adds; the number of those applied stands in it as user_version."""


@contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """The store of a state folder, made where there is none and brought to this version; closed when the block ends."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise RedlineError(f"the state folder {folder} cannot be used: {error.strerror}", "--state DIR") from error
    with told_as_errors(folder), closing(_connected(folder / FILE)) as connection:
        _migrate(connection, folder)
        yield connection


@contextmanager
def opened_to_read(folder: Path) -> Iterator[sqlite3.Connection]:
    """The store of a folder that a watcher has made. RedlineError where there is none."""
    if not (folder / FILE).is_file():
        raise RedlineError(f"{folder} holds no health history", "name the folder of `redline watch`: --state DIR")
    with told_as_errors(folder), closing(_connected(folder / FILE)) as connection:
        if version_of(connection) != len(MIGRATIONS):
            raise RedlineError(f"{folder / FILE} is of another version of redline", "start its `redline watch` once")
        yield connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block's changes, or none of them."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations the file has seen."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def told_as_errors(folder: Path) -> Iterator[None]:
    """What SQLite cannot do is one line: a full disk, a file that is none of ours, one that is held too long."""
    try:
        yield
    except sqlite3.Error as error:
        message = f"the health history {folder / FILE} cannot be used: {error}"
        raise RedlineError(message, f"df -h {folder}; ls -l {folder / FILE}", Exit.UNFAIR) from error


def _connected(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _migrate(connection: sqlite3.Connection, folder: Path) -> None:
    """Every migration that the file has not seen, all of them or none. Refuses a file of a later version."""
    with transaction(connection):
        seen = version_of(connection)
        if seen > len(MIGRATIONS):
            raise RedlineError(
                f"{folder / FILE} is of a later version of redline", "use that version, or another --state"
            )
        for script in MIGRATIONS[seen:]:
            for statement in filter(str.strip, script.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
