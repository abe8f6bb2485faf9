"""The one place that knows DuckDB and duckdb-kql: tables filled in bulk, KQL answered over them.

Both are loaded with the first query. Queries run side by side, each in a cursor of its own whose temporary views hide
what lies outside its time span and what has not been ingested yet. Nothing in a query reaches files or the network.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import duckdb_kql
import numpy as np
from duckdb_kql.translate.functions import AGGREGATE_FUNCTIONS, AggregateSpec
from duckdb_kql.types import kusto_type

from localazure.telemetry.kqltext import is_command, names_in, position, with_ingestion_column
from localazure.telemetry.queries import QueryError, QueryTimeoutError, Result, Span
from localazure.telemetry.tables import INGESTED, STORED, View, sql_type

_FROM = re.compile(r'(?:FROM|JOIN) "((?:[^"]|"")+)"')
_QUOTED = re.compile(r'(AS )?"((?:[^"]|"")+)"')
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_NO_TABLE = re.compile(r"Table with name (\S+) does not exist")
_NO_COLUMN = re.compile(r'Referenced column "([^"]+)" not found')
_OPERATOR = re.compile(r"\|\s*([A-Za-z_]\w*)")
_HIDDEN = re.compile(re.escape(INGESTED) + r"\d*")
_MEMORY_LIMIT = "2GB"
_WEIGHTED = (
    "list_aggregate(flatten(list(list_transform(range(CAST({1} AS BIGINT)), lambda each: {0})) "
    "FILTER ({0} IS NOT NULL AND {1} > 0)), 'quantile_disc', {2} / 100.0)"
)
"""Nearest rank among the values, each repeated as often as it weighs."""
AGGREGATE_FUNCTIONS.setdefault("percentilew", AggregateSpec("percentilew", _WEIGHTED, (3,)))  # duckdb-kql ==1.1.2


class Engine:
    """Owns the database, which lives in memory. `constants` fill the placeholders of the views."""

    def __init__(self, views: Mapping[str, View], constants: Mapping[str, str]) -> None:
        self._views = views
        self._constants = dict(constants)
        self._database = duckdb.connect(config={"enable_external_access": "false", "memory_limit": _MEMORY_LIMIT})
        self._database.execute("SET pandas_analyze_sample = 0")  # object columns are texts
        self._database.execute("SET python_enable_replacements = false")  # a name is never a variable of ours
        self._database.execute("SET TimeZone = 'UTC'")
        self._database.execute("CREATE SCHEMA stored")
        for table, columns in STORED.items():
            fields = ", ".join(f'"{name}" {sql_type(kind)}' for name, kind in columns.items())
            self._database.execute(f"CREATE TABLE stored.{table} ({fields})")

    def load(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """The rows are in the table. Times are microseconds since the epoch; missing columns are null."""
        batch: dict[str, Any] = {}
        fields = []
        for number, (name, kind) in enumerate(STORED[table].items()):
            values = [row.get(name) for row in rows]
            field = f"c{number}"
            if kind == "datetime":
                batch[field] = np.array(values, dtype=np.int64)
                fields.append(f"make_timestamp({field})")
            else:
                batch[field] = _texts(values)
                fields.append(field if kind in ("string", "dynamic") else f"TRY_CAST({field} AS {sql_type(kind)})")
        cursor = self._database.cursor()
        cursor.register("batch", batch)
        cursor.execute(f"INSERT INTO stored.{table} SELECT {', '.join(fields)} FROM batch")  # noqa: S608
        cursor.unregister("batch")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The answer to our own SQL over the stored tables."""
        return self._database.cursor().execute(sql, list(parameters)).fetchall()

    def query(self, kql: str, span: Span, *, max_rows: int, wait_s: float) -> Result:
        """Raises QueryError and QueryTimeoutError."""
        if is_command(kql):
            raise QueryError("SYN0001", "Control commands are not taken by this service", 1, 1)
        wants_ingestion = "ingestion_time" in names_in(kql)
        text = with_ingestion_column(kql, INGESTED) if wants_ingestion else kql
        cursor = self._database.cursor()
        clock = threading.Timer(wait_s, cursor.interrupt)
        clock.daemon = True
        clock.start()
        try:
            self._show(cursor, kql, span, wants_ingestion=wants_ingestion)
            return self._answer(cursor, kql, text, span, max_rows)
        except duckdb.InterruptException as error:
            raise QueryTimeoutError(f"the query ran longer than {wait_s:g} s") from error
        except duckdb.Error as error:
            raise _from_database(kql, str(error)) from error
        finally:
            clock.cancel()
            cursor.close()

    def _show(self, cursor: Any, kql: str, span: Span, *, wants_ingestion: bool) -> None:
        """The tables that the query may name stand as views of this cursor."""
        named = names_in(kql)
        folded = {name.lower() for name in named}
        for view in self._views.values():
            if view.name.lower() in folded:
                cursor.execute(self._view_sql(view, span, wants_ingestion=wants_ingestion))

    def _view_sql(self, view: View, span: Span, *, wants_ingestion: bool) -> str:
        columns = [f'{_filled(sql, self._constants)} AS "{name}"' for name, sql in view.columns]
        if wants_ingestion:
            columns.append(f'ingested AS "{INGESTED}"')
        conditions = [f"ingested <= make_timestamp({span.now_us})"]
        if span.start_us is not None:
            conditions.append(f"{view.time} >= make_timestamp({span.start_us})")
        if span.end_us is not None:
            conditions.append(f"{view.time} < make_timestamp({span.end_us})")
        return (
            f'CREATE TEMP VIEW "{view.name}" AS SELECT {", ".join(columns)} '  # noqa: S608
            f"FROM stored.{view.stored} WHERE {' AND '.join(conditions)}"
        )

    def _answer(self, cursor: Any, kql: str, text: str, span: Span, max_rows: int) -> Result:
        extra = [INGESTED] if text != kql else []
        schema = {view.name: [*(name for name, _ in view.columns), *extra] for view in self._views.values()}
        now = datetime.fromtimestamp(span.now_us // 1_000_000, UTC) + timedelta(microseconds=span.now_us % 1_000_000)
        try:
            translated = duckdb_kql.to_sql(text, schema=schema, allow_write=False, query_now=now)
        except duckdb_kql.KqlSyntaxError as error:
            raise _from_syntax(kql, error) from error
        except duckdb_kql.KqlSchemaError as error:
            raise _from_schema(kql, error) from error
        except duckdb_kql.KqlUnsupportedError as error:
            raise _unsupported(kql, error) from error
        except duckdb_kql.KqlError as error:
            raise QueryError("SEM0001", str(error)) from error
        if translated.unbound:
            raise QueryError("SEM0001", f"No value for the query parameter {', '.join(translated.unbound)}")
        self._check_names(kql, str(translated))
        cursor.execute(str(translated), translated.parameters or None)
        columns = [(field[0], field[1]) for field in cursor.description]
        rows = cursor.fetchmany(max_rows + 1)
        shown = [number for number, (name, _) in enumerate(columns) if not _HIDDEN.fullmatch(name)]
        if len(shown) < len(columns):
            rows = [tuple(row[number] for number in shown) for row in rows]
        typed = [(columns[number][0].replace(INGESTED, ""), kusto_type(columns[number][1])) for number in shown]
        return Result(typed, rows[:max_rows], len(rows) > max_rows)

    def _check_names(self, kql: str, sql: str) -> None:
        """Raises QueryError for a table that is none of ours, as DuckDB's own are, and for a name in the wrong case.

        KQL tells upper from lower case, DuckDB does not.
        """
        sql = _LITERAL.sub("''", sql)
        tables = set(_FROM.findall(sql))
        for name in tables - set(self._views):
            if f'"{name}" AS (' not in sql:  # no table of the query's own
                raise _unresolved(kql, name)
        columns = {name for table in tables if table in self._views for name, _ in self._views[table].columns}
        folded = {name.lower() for name in columns}
        quoted = _QUOTED.findall(sql)
        made = {name for alias, name in quoted if alias}
        for _, name in quoted:
            if name.lower() in folded and name not in columns | made | tables:
                raise _unresolved(kql, name, "column or scalar expression")


def _filled(sql: str, constants: Mapping[str, str]) -> str:
    for name, value in constants.items():
        sql = sql.replace(f"{{{name}}}", value.replace("'", "''"))
    return sql


def _texts(values: list[Any]) -> Any:
    """Texts, or null; a lone half of a surrogate pair, which UTF-8 has no form for, becomes a question mark."""
    texts = [value if value is None or isinstance(value, str) else repr(value) for value in values]
    try:
        for value in texts:
            if value is not None and not value.isascii():
                value.encode()
    except UnicodeEncodeError:
        texts = [None if value is None else value.encode("utf-8", "replace").decode() for value in texts]
    column = np.empty(len(texts), dtype=object)
    column[:] = texts
    return column


def _from_syntax(kql: str, error: duckdb_kql.KqlSyntaxError) -> QueryError:
    if not error.diagnostics:
        return QueryError("SYN0002", "Query could not be parsed")
    span = error.diagnostics[0].span
    lines = kql.splitlines() or [""]
    rest = lines[span.line - 1][span.column :] if span.line <= len(lines) else ""
    operator = _OPERATOR.match(rest)  # Kusto points at an operator that it does not know, and not at the bar before it
    column = span.column + 1 + (operator.start(1) if operator else 0)
    token = operator[1] if operator else rest[:20].partition(" ")[0]
    message = f"Query could not be parsed at '{token}' on line [{span.line},{column}]"
    return QueryError("SYN0002", message, span.line, column)


def _from_schema(kql: str, error: duckdb_kql.KqlSchemaError) -> QueryError:
    if (error.hint or "").startswith("unknown"):
        return _unresolved(kql, error.name)
    line, at = position(kql, error.name) or (None, None)
    reason = (error.hint or str(error)).partition(". ")[0]
    return QueryError("LOCAL0001", f"The local engine refuses '{error.name}', which Azure may not: {reason}", line, at)


def _unresolved(kql: str, name: str, kind: str = "table or column expression") -> QueryError:
    line, at = position(kql, name) or (None, None)
    return QueryError("SEM0100", f"Failed to resolve {kind} named '{name}'", line, at)


def _unsupported(kql: str, error: duckdb_kql.KqlUnsupportedError) -> QueryError:
    kind, _, name = error.construct.partition(":")
    if kind in ("function", "aggregate") and name:
        line, at = position(kql, name) or (None, None)
        return QueryError("SEM0260", f"Unknown function: '{name}' (as far as the local engine knows)", line, at)
    span = error.span
    message = f"The local engine does not know '{error.construct}', which Azure may"
    return QueryError("LOCAL0001", message, span and span.line, span and span.column + 1)


def _from_database(kql: str, message: str) -> QueryError:
    table, column = _NO_TABLE.search(message), _NO_COLUMN.search(message)
    if table:
        return _unresolved(kql, table[1].strip('"'))
    if column:
        return _unresolved(kql, column[1], "column or scalar expression")
    return QueryError("SEM0001", message.partition("\n")[0].partition(": ")[2] or message.partition("\n")[0])
