"""Runs the queries of docs/audit-event.md on its sample lines, translated into SQL for SQLite.

A command that matches no form in `COMMANDS` is an error, and so is an unknown field.
"""

import json
import re
import sqlite3
import unittest

import stack

PAGE = (stack.ROOT / "docs" / "audit-event.md").read_text()

NAME, VALUE = r"[a-z_]+", r'(?:\d+|"[^"]*")'
COMPARISON = rf"{NAME} (?:(?:=|>=) {VALUE}|in \[{VALUE}(?:, {VALUE})*\])"
CONDITION = rf"(?:{COMPARISON}|ispresent\({NAME}\))"
GROUP, ORDER = rf"(?:bin\(1h\)|{NAME})", rf"{NAME} (?:asc|desc)"
# Maps each form of a command to the SQL for its result, and to the columns that it selects, if any.
COMMANDS = {
    rf"fields ({NAME}(?:, {NAME})*)": (r"SELECT * FROM input", r"\1"),
    rf"fields jsonParse\(@message\) as ({NAME})": (r"SELECT *, line AS \1 FROM input", ""),
    rf"filter ({CONDITION}(?: and {CONDITION})*)": (r"SELECT * FROM input WHERE \1", ""),
    rf"unnest ({NAME})\.({NAME}) into ({NAME})": (
        r"SELECT input.*, value AS \3 FROM input, json_each(\1, '$.\2')",
        "",
    ),
    rf"stats count\(\*\) as ({NAME}) by ({GROUP}(?:, {GROUP})*)": (
        r"SELECT \2, count(*) AS \1 FROM input GROUP BY \2",
        r"\2, \1",
    ),
    rf"sort ({ORDER}(?:, {ORDER})*)": (r"SELECT * FROM input ORDER BY \1", ""),
}


def samples():
    """Returns the events of the sample lines."""
    [block] = re.findall(r"^```jsonl\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [json.loads(line) for line in block.splitlines()]


def queries():
    """Yields each query with its title and the table that follows it."""
    section = r"^### ([^\n]+)\n(?:(?!^###).)*?^```sql\n(.*?)^```\n+((?:\|[^\n]*\n)*)"
    for title, query, table in re.findall(section, PAGE, re.MULTILINE | re.DOTALL):
        rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]
        yield title, query, rows[:1] + rows[2:]


def database(events):
    """Returns a database with a view of the events that has a column for each field."""
    names = dict.fromkeys(name for event in events for name in event)
    fields = [f"json_extract(line, '$.{name}') AS {name}" for name in names]
    # In the format of Logs Insights.
    fields.append("strftime('%Y-%m-%d %H:00:00.000', json_extract(line, '$.timestamp')) AS hour")
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE log (line)")
    connection.executemany("INSERT INTO log VALUES (?)", [[json.dumps(event)] for event in events])
    connection.execute(f"CREATE VIEW event AS SELECT line, {', '.join(fields)} FROM log")
    return connection


def sql(text):
    """Translates a part of a command into SQL; they differ mostly in punctuation."""
    for ours, theirs in {'"': "'", "[": "(", "]": ")", "bin(1h)": "hour"}.items():
        text = text.replace(ours, theirs)
    return re.sub(rf"\bispresent(\({NAME}\))", r"\1 IS NOT NULL", text)


def result(query, events):
    """Returns the result of a query as a table with a header."""
    table, columns = "event", ""
    for command in re.split(r"\s*\|\s*", query.strip()):
        for form, (statement, chosen) in COMMANDS.items():
            if found := re.fullmatch(form, command):
                break
        else:
            raise ValueError(f"unknown syntax: {command}")
        statement = sql(found.expand(statement))
        table = f"({statement.replace('FROM input', f'FROM {table} AS input')})"
        columns = found.expand(chosen) or columns
    if not columns:
        raise ValueError("a query needs fields or stats")
    rows = database(events).execute(f"SELECT {sql(columns)} FROM {table}")
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    return [columns.split(", "), *cells]


class Queries(unittest.TestCase):
    """The queries of the page."""

    maxDiff = None

    def test_each_query_returns_the_table_that_follows_it(self):
        found = list(queries())
        self.assertEqual(len(found), PAGE.count("```sql"))
        self.assertGreaterEqual(len(found), 6)
        for title, query, table in found:
            with self.subTest(title):
                self.assertEqual(result(query, samples()), table)
                self.assertGreater(len(table), 1)

    def test_unknown_commands_and_fields_are_errors(self):
        for query in (
            "fields code | dedup code",
            'fields code | filter code != "ok"',
            'fields code | filter code = "ok" or status = 200',
            "stats avg(status) as mean by code",
            "fields code | filter code = ok",
            "fields code | sort code",
            'filter code = "ok"',
            "fields `code`",
            "fields cod",
            'fields code | filter cod = "ok"',
            "fields code | filter ispresent(cod)",
            "fields code | filter not ispresent(code)",
        ):
            with self.subTest(query), self.assertRaises((ValueError, sqlite3.OperationalError)):
                result(query, samples())


if __name__ == "__main__":
    unittest.main()
