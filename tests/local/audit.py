"""docs/audit-event.md, held to its own words: its queries are run on its sample lines.

moto leaves out of a CloudWatch Logs Insights query what it does not know, filters among it, so the
few commands that the page uses are interpreted here; any other syntax is an error.
"""

import json
import re
import unittest
from collections import Counter
from datetime import datetime

import stack

PAGE = (stack.ROOT / "docs" / "audit-event.md").read_text()
TOKEN = re.compile(r'\s*("[^"]*"|[0-9]+|@?[A-Za-z_][\w.]*|>=|[=\[\](),*])')
TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
# What Insights adds to each event, of which the page uses this.
SYSTEM_FIELDS = {"@message"}


def samples():
    """The sample lines."""
    return [json.loads(line) for line in blocks("jsonl")[0].splitlines()]


def schema():
    """The fields of the table, by name; a placeholder in a name stands for whatever is there."""
    rows = re.findall(r"^\| `([\w<>]+)` \| ([^|]+) \| ([^|]+) \|", PAGE, re.MULTILINE)
    return {name: (kind.strip(), presence.strip()) for name, kind, presence in rows}


def blocks(language):
    """The fenced blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def queries():
    """Each query with its title, and the rows of the table that follows it."""
    section = r"^### ([^\n]+)\n(?:(?!^###).)*?^```sql\n(.*?)^```\n+((?:\|[^\n]*\n)+)"
    sections = re.findall(section, PAGE, re.MULTILINE | re.DOTALL)
    for title, query, table in sections:
        rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]
        yield title, query, [rows[0], *rows[2:]]


class Unknown(Exception):
    """Syntax that this interpreter does not know."""


class Tokens:
    """The words of one command, taken one by one."""

    def __init__(self, text):
        self.words, end = [], 0
        text = text.strip()
        while end < len(text):
            match = TOKEN.match(text, end)
            if not match:
                raise Unknown(text[end:])
            self.words.append(match[1])
            end = match.end()

    def peek(self):
        return self.words[0] if self.words else None

    def take(self, *expected):
        """The next word, which must be one of these if any are named."""
        word = self.peek()
        if word is None or (expected and word not in expected):
            raise Unknown(f"{word} instead of {expected or 'a word'}")
        return self.words.pop(0)

    def skip(self, word):
        """Takes the next word if it is this one."""
        return self.peek() == word and bool(self.words.pop(0))

    def name(self):
        word = self.take()
        if not re.fullmatch(r"@?[A-Za-z_][\w.]*", word):
            raise Unknown(f"{word} instead of a name")
        return word

    def value(self):
        word = self.take()
        if word.startswith('"'):
            return word.strip('"')
        if not word.isdigit():
            raise Unknown(f"{word} instead of a value")
        return int(word)

    def list(self, item):
        items = [item()]
        while self.skip(","):
            items.append(item())
        return items


def get(row, name):
    """A field of a row, or of a JSON object in one."""
    if name in row:
        return row[name]
    head, _, rest = name.partition(".")
    return get(row[head], rest) if rest and isinstance(row.get(head), dict) else None


class Query:
    """A query, run on the samples; it notes the fields that it reads of an event."""

    def __init__(self, text):
        self.commands = text.split("|")  # No string of the page has one.
        self.read, self.made, self.columns = set(), set(), None

    def run(self, events):
        rows = [event | {"@message": json.dumps(event)} for event in events]
        for command in self.commands:
            tokens = Tokens(command)
            verb = tokens.take("fields", "filter", "unnest", "stats", "sort")
            rows = getattr(self, verb)(tokens, rows)
            if tokens.peek() is not None:
                raise Unknown(tokens.peek())
        if self.columns is None:
            raise Unknown("a query without fields or stats")
        return [self.columns, *([shown(get(row, name)) for name in self.columns] for row in rows)]

    def field(self, tokens):
        name = tokens.name()
        if name.partition(".")[0] not in self.made:
            self.read.add(name)
        return name

    def fields(self, tokens, rows):
        def column():
            if tokens.peek() != "jsonParse":
                return self.field(tokens)
            for word in ("jsonParse", "("):
                tokens.take(word)
            source = self.field(tokens)
            for word in (")", "as"):
                tokens.take(word)
            name = tokens.name()
            self.made.add(name)
            for row in rows:
                row[name] = json.loads(row[source])
            return name

        self.columns = tokens.list(column)
        return rows

    def filter(self, tokens, rows):
        conditions = [self.condition(tokens)]
        while tokens.skip("and"):
            conditions.append(self.condition(tokens))
        return [row for row in rows if all(condition(row) for condition in conditions)]

    def condition(self, tokens):
        name = self.field(tokens)
        operator = tokens.take("=", ">=", "in")
        if operator == "in":
            tokens.take("[")
            values = tokens.list(tokens.value)
            tokens.take("]")
            return lambda row: get(row, name) in values
        value = tokens.value()
        if operator == "=":
            return lambda row: get(row, name) == value
        return lambda row: get(row, name) is not None and get(row, name) >= value

    def unnest(self, tokens, rows):
        name = self.field(tokens)
        tokens.take("into")
        into = tokens.name()
        self.made.add(into)
        return [row | {into: item} for row in rows for item in get(row, name) or []]

    def stats(self, tokens, rows):
        def group():
            if tokens.peek() != "bin":
                return self.field(tokens)
            for word in ("bin", "(", "1", "h", ")"):
                tokens.take(word)
            return "bin(1h)"

        for word in ("count", "(", "*", ")", "as"):
            tokens.take(word)
        name = tokens.name()
        tokens.take("by")
        keys = tokens.list(group)
        counts = Counter()
        for row in rows:
            # The clock hour of the event's own time, as Insights prints it.
            row["bin(1h)"] = row["timestamp"][:13].replace("T", " ") + ":00:00.000"
            counts[tuple(get(row, key) for key in keys)] += 1
        self.columns = [*keys, name]
        self.made |= set(self.columns)
        return [dict(zip(self.columns, [*key, count])) for key, count in counts.items()]

    def sort(self, tokens, rows):
        def order():
            return self.field(tokens), tokens.take("asc", "desc") == "desc"

        for name, reverse in reversed(tokens.list(order)):
            rows = sorted(rows, key=lambda row: get(row, name), reverse=reverse)
        return rows


def shown(value):
    """A value as the page shows it."""
    return "" if value is None else str(value)


class Page(unittest.TestCase):
    """What the page says of itself."""

    maxDiff = None

    def test_each_query_gives_the_result_beside_it(self):
        found = list(queries())
        self.assertEqual(len(found), len(blocks("sql")), "a query has no result beside it")
        self.assertGreaterEqual(len(found), 6)
        for title, text, expected in found:
            with self.subTest(title):
                query = Query(text)
                self.assertEqual(query.run(samples()), expected)
                self.assertGreater(len(expected), 1)
                names = {name for name in query.read if name not in SYSTEM_FIELDS}
                self.assertLessEqual(names, set(schema()))

    def test_every_sample_is_of_the_schema(self):
        fields = schema()
        for sample in samples():
            with self.subTest(sample["request_id"]):
                for name, value in sample.items():
                    name = "violation_<code>" if name.startswith("violation_") else name
                    kind, _ = fields[name]
                    self.assertIsInstance(value, TYPES[kind], name)
                always = {name for name, (_, presence) in fields.items() if presence == "always"}
                self.assertLessEqual(always, set(sample))

    def test_every_sample_is_consistent_in_itself(self):
        for sample in samples():
            with self.subTest(sample["request_id"]):
                time = datetime.fromisoformat(sample["timestamp"].replace("Z", "+00:00"))
                self.assertEqual(round(time.timestamp() * 1000), sample["_aws"]["Timestamp"])
                level = "WARN" if sample["code"] == "not_authorized" else "INFO"
                self.assertEqual(sample["level"], "ERROR" if sample["status"] >= 500 else level)
                self.assertEqual(sample["status"] < 400, sample["code"] == "ok")
                counted = [f"violation_{code}" for code in sample.get("violations", [])]
                found = [name for name in sample if name.startswith("violation_")]
                self.assertEqual(found, counted)
                for directive in sample["_aws"]["CloudWatchMetrics"]:
                    used = [name for names in directive["Dimensions"] for name in names]
                    used += [metric["Name"] for metric in directive["Metrics"]]
                    self.assertLessEqual(set(used), set(sample))


class Interpreter(unittest.TestCase):
    """What keeps a wrong query from passing."""

    def test_unknown_syntax_is_an_error(self):
        for text in (
            "fields code | dedup code",
            'fields code | filter code != "ok"',
            'fields code | filter code = "ok" or status = 200',
            "stats avg(status) as mean by code",
            "fields code | filter code = ok",
            "fields code | sort code",
            'filter code = "ok"',
            "fields `code`",
        ):
            with self.subTest(text), self.assertRaises(Unknown):
                Query(text).run(samples())


if __name__ == "__main__":
    unittest.main()
