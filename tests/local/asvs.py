"""Checks that docs/asvs.md claims nothing without a test, a document or a named owner."""

import re
import unittest

import stack

PAGE = stack.ROOT / "docs" / "asvs.md"
OWNERS = {"Cognito", "API Gateway", "CloudWatch Logs", "Lambda", "Rust", "app", "operator"}
# V6 of ASVS 5.0: the requirements on passwords.
PASSWORDS = {f"6.2.{number}" for number in range(1, 13)}


def rows():
    """The requirements, the status, and what shows it, of each row."""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.match(r"\d+\.\d+\.\d+", cells[0]):
            requirements, _, status, evidence = cells
            yield requirements, status, evidence


def tests():
    """The names of all tests of the project."""
    found = set()
    for folder in ("src", "tests", "tools"):
        for path in (stack.ROOT / folder).rglob("*.rs"):
            found |= set(re.findall(r"\bfn (\w+)\(", path.read_text()))
        for path in (stack.ROOT / folder).rglob("*.py"):
            found |= set(re.findall(r"\bdef (test_\w+)\(", path.read_text()))
    return found


class Claims(unittest.TestCase):
    """What a reader of the page may rely on."""

    def test_each_row_is_met_or_partly_met_or_has_an_owner(self):
        for requirement, status, _ in rows():
            self.assertIn(status, ("met", "partly", "owner"), requirement)

    def test_what_is_met_is_shown_by_a_test_or_a_document(self):
        known = tests()
        for requirement, status, evidence in rows():
            names = re.findall(r"`((?:[a-z0-9]+_){3,}[a-z0-9]+)`", evidence)
            files = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", evidence)]
            for name in names:
                self.assertTrue(name in known, f"{requirement}: there is no test {name}")
            for file in files:
                self.assertTrue((PAGE.parent / file).is_file(), f"{requirement}: no {file}")
            if status == "met":
                self.assertTrue(names or files, f"{requirement} is met, and nothing shows it")

    def test_what_is_not_met_here_names_who_answers_for_it(self):
        for requirement, status, evidence in rows():
            if status != "met":
                named = any(re.search(rf"\b{owner}\b", evidence) for owner in OWNERS)
                self.assertTrue(named, f"{requirement} has no owner")

    def test_every_requirement_on_passwords_is_there(self):
        listed = set(re.findall(r"\d+\.\d+\.\d+", " ".join(requirement for requirement, *_ in rows())))
        self.assertLessEqual(PASSWORDS, listed)


if __name__ == "__main__":
    stack.run(lambda: stack.test(Claims))
