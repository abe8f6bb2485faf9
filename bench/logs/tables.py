"""Per minute: requests by status and latency percentiles, as one would write it by hand with each library."""

from __future__ import annotations

import sys

MULTI = r"^(\S{10} \S{5}):\S+ I \[\d+\] azmlinfsrv - POST \S+ (\d{3}) (\d+\.\d+)ms"
ACCESS = r'\[(\S{17}):\d\d \S+\] "POST \S+ HTTP/1\.1" (\d{3}) \d+ "[^"]*" "[^"]*" (\d+\.\d+)'


def with_pandas(path: str, kind: str) -> None:
    import pandas as pd

    with open(path, encoding="utf-8") as file:
        lines = pd.Series(file.read().splitlines())
    found = lines.str.extract(MULTI if kind == "multi" else ACCESS).dropna()
    found[2] = found[2].astype(float)
    print(found.groupby([0, 1]).size().sum(), len(found.groupby(0)[2].quantile([0.5, 0.95, 0.99])))


def with_duckdb(path: str, kind: str) -> None:
    import duckdb

    regex = (MULTI if kind == "multi" else ACCESS).replace("'", "''")
    query = f"""
        with lines as (select * from read_csv('{path}', delim='\x01', quote='', escape='', header=false,
                       columns={{'line': 'varchar'}}, auto_detect=false)),
        found as (select regexp_extract(line, '{regex}', ['minute', 'status', 'took']) as part from lines
                  where regexp_matches(line, '{regex}'))
        select part.minute, part.status, count(*), quantile_disc(part.took::double, [0.5, 0.95, 0.99])
        from found group by all
    """  # noqa: S608 - the path is our own temporary file
    print(len(duckdb.sql(query).fetchall()))


if __name__ == "__main__":
    {"pandas": with_pandas, "duckdb": with_duckdb}[sys.argv[1]](*sys.argv[2:4])
