"""Runs one query in DuckDB on a Parquet file: `duckdb_once.py FILE SQL`, the file being the table `readings`.

Two threads, as many as the zone has. Prints wall and CPU milliseconds of the query alone, and its rows.
"""

import json
import sys
import time

import duckdb

file, sql = sys.argv[1:]
connection = duckdb.connect(config={"threads": 2})
connection.execute(f"CREATE VIEW readings AS SELECT * FROM read_parquet('{file}')")
wall, cpu = time.perf_counter(), time.process_time()
rows = connection.execute(sql).fetchall()
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({"wall": wall * 1000, "cpu": cpu * 1000, "rows": [[str(cell) for cell in row] for row in rows]}))
