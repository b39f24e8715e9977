"""Follows the links of every document, and holds README.md and the version to what they promise."""

import re
import subprocess
import tomllib
import unittest
from pathlib import PurePosixPath

import stack

TRACKED = set(
    subprocess.run(
        ["git", "ls-files", "-z"], cwd=stack.ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")[:-1]
)
PAGES = sorted(name for name in TRACKED if name.endswith(".md"))
MAX_README_LINES = 130

FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.*?) *#* *$", re.MULTILINE)
HTML_ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")
# Inline links and images, definitions of references, and links in HTML.
LINK = re.compile(
    r"\]\(([^()\s]+)(?: \"[^\"]*\")?\)|^ *\[[^\]]+\]: +(\S+)|(?:href|src)=\"([^\"]+)\"", re.MULTILINE
)
# A file of this project in a comment, in prose or in a template.
MENTION = re.compile(r"(?<![\w./-])(docs/[\w./-]+\.(?:json|md|py|tf|yaml)|src/[\w./-]+\.rs)\b")
# Files of other projects that comments name as their source: this one is of the `zxcvbn` crate.
ELSEWHERE = {"src/matching/mod.rs"}


def read(name):
    """The text of a file, or nothing if it is binary."""
    try:
        return (stack.ROOT / name).read_text()
    except UnicodeDecodeError:
        return ""


def slug(heading):
    """The anchor that GitHub gives to a heading.

    GitHub takes the rendered text, changes it to lower case, removes everything but letters, digits, `_`,
    `-` and spaces, and replaces each space by a hyphen.
    """
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.replace("*", "").lower()).replace(" ", "-")


def anchors(text):
    """The anchors of a page: of its headings, numbered from the second of a name, and in HTML."""
    text = FENCE.sub("", text)
    found, seen = set(HTML_ANCHOR.findall(text)), {}
    for heading in HEADING.findall(text):
        name = slug(heading)
        number = seen[name] = seen.get(name, -1) + 1
        found.add(f"{name}-{number}" if number else name)
    return found


def links(text):
    """The targets of a page's links, without those in code."""
    return ["".join(target) for target in LINK.findall(INLINE_CODE.sub("", FENCE.sub("", text)))]


def resolve(folder, path):
    """The path from the root of the project, or None if it leads out of it."""
    parts = []
    for part in (PurePosixPath(folder) / path).parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            return None
    return "/".join(parts)


def exists(name):
    """Whether this is a tracked file, or a folder of some."""
    return name == "" or name in TRACKED or any(file.startswith(f"{name}/") for file in TRACKED)


class Links(unittest.TestCase):
    """Each reference from one file of the project to another."""

    def test_a_slug_is_githubs(self):
        for heading, expected in {
            "Web ACL before the API (AWS WAF)": "web-acl-before-the-api-aws-waf",
            "Where it differs from `zxcvbn`": "where-it-differs-from-zxcvbn",
            "At 10, 1,000 and 100,000 changes a minute": "at-10-1000-and-100000-changes-a-minute",
            "[The *session*](x.md): `a_b`?": "the-session-a_b",
            "Größe – in Code Points": "größe--in-code-points",
        }.items():
            self.assertEqual(slug(heading), expected)

    def test_anchors_are_numbered_and_links_in_code_are_none(self):
        page = '# A\n## A\n```\n# B\n[x](gone.md)\n```\n`[x](gone.md)` [`y`](here.md#a-1)\n'
        self.assertEqual(anchors(page), {"a", "a-1"})
        self.assertEqual(links(page), ["here.md#a-1"])

    def test_every_link_leads_to_a_file_and_a_heading(self):
        for page in PAGES:
            for link in links(read(page)):
                if re.match(r"[a-z]+:", link):
                    continue
                path, _, anchor = link.partition("#")
                target = resolve(PurePosixPath(page).parent, path) if path else page
                with self.subTest(page, link=link):
                    self.assertIsNotNone(target, "leads out of the project")
                    self.assertTrue(exists(target), f"there is no {target}")
                    if anchor:
                        self.assertIn(anchor, anchors(read(target)), f"no such heading in {target}")

    def test_every_file_that_is_named_exists(self):
        for name in sorted(TRACKED):
            folders = [str(folder) for folder in PurePosixPath(name).parents]
            for mention in set(MENTION.findall(read(name))) - ELSEWHERE:
                with self.subTest(name, mention=mention):
                    found = any(exists(resolve(folder, mention)) for folder in folders)
                    self.assertTrue(found, f"there is no {mention}")


class Promises(unittest.TestCase):
    """Properties of the documents that their readers rely on."""

    def test_the_readme_is_short(self):
        self.assertLessEqual(len(read("README.md").splitlines()), MAX_README_LINES)

    def test_each_page_begins_with_its_readers(self):
        for page in PAGES:
            if re.fullmatch(r"docs/[^/]+\.md", page):
                first = read(page).split("\n\n")[1]
                self.assertRegex(first, "^For ", page)

    def test_the_version_is_the_same_everywhere(self):
        cargo = tomllib.loads(read("Cargo.toml"))["workspace"]["package"]["version"]
        for name, pattern in {
            "openapi.yaml": r"^  version: (\S+)",
            "CHANGELOG.md": r"^## \[(\d[^\]]*)\]",
            "README.md": r"\bVersion (\d+\.\d+\.\d+)",
        }.items():
            with self.subTest(name):
                found = re.search(pattern, read(name), re.MULTILINE)
                self.assertIsNotNone(found, "names no version")
                self.assertEqual(found[1], cargo, "the version of Cargo.toml")


if __name__ == "__main__":
    stack.run(lambda: stack.test(Links, Promises))
