"""Checks that each row of docs/asvs.md names a test, a document or an owner."""

import re
import unittest

import stack

PAGE = stack.ROOT / "docs" / "asvs.md"
OWNERS = {"Cognito", "API Gateway", "CloudWatch Logs", "Lambda", "Rust", "app", "operator"}
# The requirements on passwords in V6 of ASVS 5.0.
PASSWORDS = {f"6.2.{number}" for number in range(1, 13)}


def rows():
    """Yields the requirements, the status and the evidence of each row."""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.match(r"\d+\.\d+\.\d+", cells[0]):
            requirements, _, status, evidence = cells
            yield requirements, status, evidence


def tests():
    """Returns the names of all functions that may be tests."""
    found = set()
    for folder in ("src", "tests", "tools"):
        for path in (stack.ROOT / folder).rglob("*.rs"):
            found |= set(re.findall(r"\bfn (\w+)\(", path.read_text()))
        for path in (stack.ROOT / folder).rglob("*.py"):
            found |= set(re.findall(r"\bdef (test_\w+)\(", path.read_text()))
    return found


class Claims(unittest.TestCase):
    """The rows of the page."""

    def test_each_row_is_met_or_partly_met_or_has_an_owner(self):
        for requirement, status, _ in rows():
            self.assertIn(status, ("met", "partly", "owner"), requirement)

    def test_each_met_requirement_names_an_existing_test_or_document(self):
        known = tests()
        for requirement, status, evidence in rows():
            names = re.findall(r"`((?:[a-z0-9]+_){3,}[a-z0-9]+)`", evidence)
            files = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", evidence)]
            for name in names:
                self.assertTrue(name in known, f"{requirement}: no test {name}")
            for file in files:
                self.assertTrue((PAGE.parent / file).is_file(), f"{requirement}: no {file}")
            if status == "met":
                self.assertTrue(names or files, f"{requirement} is met, but has no test or document")

    def test_each_requirement_that_is_not_met_names_an_owner(self):
        for requirement, status, evidence in rows():
            if status != "met":
                named = any(re.search(rf"\b{owner}\b", evidence) for owner in OWNERS)
                self.assertTrue(named, f"{requirement} has no owner")

    def test_every_requirement_on_passwords_is_listed(self):
        listed = set(re.findall(r"\d+\.\d+\.\d+", " ".join(requirement for requirement, *_ in rows())))
        self.assertLessEqual(PASSWORDS, listed)


if __name__ == "__main__":
    stack.run(lambda: stack.test(Claims))
