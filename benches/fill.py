#!/usr/bin/env python3
"""Fills a SQLite database that has the demo, for the figures of docs/sizing.md: copies its conversations and one of its
keys until there are 1,000,000 and 100,000. The values of the copied keys are random, so that nobody has them.

    agent-studio demo && python3 benches/fill.py data/agent-studio.db
"""

import sqlite3
import sys

CONVERSATIONS = 1_000_000
KEYS = 100_000

database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA synchronous = OFF")


def copy(table, number, changes, condition="TRUE"):
    """Copies rows of a table until it has this number. `changes` are columns that differ, in SQL; `n.n` counts."""
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    there = database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
    originals = database.execute(f"SELECT COUNT(*) FROM {table} WHERE {condition}").fetchone()[0]
    values = ", ".join(changes.get(column, column) for column in columns)
    database.execute(
        f"""WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
        INSERT INTO {table} ({", ".join(columns)})
        SELECT {values} FROM n, (SELECT * FROM {table} WHERE {condition})""",
        [(number - there) // originals],
    )
    print(table, database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


database.execute("BEGIN")
copy("conversations", CONVERSATIONS, {"id": "id || '-' || n.n", "started_at": "started_at - n.n * 1000003"})
key = {"id": "'key-' || lower(hex(randomblob(12)))", "hash": "randomblob(32)", "old_hash": "NULL"}
names = {"name": "name || ' ' || n.n", "name_key": "name_key || ' ' || n.n"}
copy("api_keys", KEYS, key | names, "name = 'CRM sync'")
database.execute("DELETE FROM gate_changes")
database.execute("COMMIT")
