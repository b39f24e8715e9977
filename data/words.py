#!/usr/bin/env python3
"""Generates words/*.txt from the packages that README.md lists, all in this folder.

    npm pack @zxcvbn-ts/language-{en,pt-br}@4.1.1 @zxcvbn-ts/language-{fr,es-es}@4.1.2 \\
        @zxcvbn-ts/language-{de,it,pl}@3.0.2
    ./words.py
"""

import itertools
import json
import pathlib
import re
import tarfile
import unicodedata

HERE = pathlib.Path(__file__).parent

PACKAGES = {
    "en": "en-4.1.1",
    "de": "de-3.0.2",
    "fr": "fr-4.1.2",
    "es": "es-es-4.1.2",
    "it": "it-3.0.2",
    "pt": "pt-br-4.1.1",
    "pl": "pl-3.0.2",
}

# The maximum number of entries from each list. README.md gives the reason.
WORDS = 20_000
GIVEN_NAMES = 4_000
FAMILY_NAMES = 8_000

# Technical terms that rank high in the lists from Wikipedia.
WEB = {"doc", "https", "http", "org", "url", "wiki", "www", "html", "isbn", "curid", "wikipedia"}

# Short words occur in random text by chance, so only the most common ones are kept.
SHORTEST = {2: 30, 3: 1_000}


def folded(word):
    """Returns the spellings of a word in a to z: without accents, and with umlauts as in German."""
    word = word.lower().replace("ł", "l").replace("ø", "o").replace("đ", "d").replace("ß", "ss")
    word = word.replace("æ", "ae").replace("œ", "oe")
    plain = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    umlauts = word.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    wide = "".join(c for c in unicodedata.normalize("NFD", umlauts) if not unicodedata.combining(c))
    return [w for w in dict.fromkeys([plain, wide]) if re.fullmatch("[a-z]{2,24}", w)]


def ranked(*lists):
    """Merges lists that are sorted by frequency. A word gets the highest of its ranks."""
    return list(dict.fromkeys(w for w in itertools.chain.from_iterable(itertools.zip_longest(*lists)) if w))


def write(language, package):
    with tarfile.open(HERE / f"zxcvbn-ts-language-{package}.tgz") as tar:
        def read(name):
            member = next((m for m in tar.getmembers() if m.name == f"package/src/{name}.json"), None)
            return [w.strip() for w in json.load(tar.extractfile(member))] if member else []
        common, wikipedia = read("commonWords"), read("wikipedia")
        given = [read("firstnames"), read("femaleFirstnames"), read("maleFirstnames")]
        family = [read("lastnames"), read("femaleLastnames"), read("maleLastnames")]
    wikipedia = [w for w in wikipedia if w not in WEB]
    if language == "pl":
        known = set(common)
        # These words are cut off at accented letters, so only those in the other list are kept.
        wikipedia = [w for w in wikipedia if w in known]
    all_words = [w for w in ranked(common, wikipedia) if w.isalpha()]
    place = {w: i for i, w in enumerate(all_words)}

    def names(lists, most):
        lists = [l for l in lists if l]
        merged = ranked(*lists)
        # An alphabetical list has no frequencies, so the names are sorted by their rank as words.
        if lists[0][:200] == sorted(lists[0][:200]):
            merged.sort(key=lambda n: place.get(n.lower(), len(place)))
        # A language with feminine and masculine forms has a list for each.
        return merged[: most * len(lists)]

    sections = {
        "words": all_words[:WORDS],
        "given names": names(given, GIVEN_NAMES),
        "family names": names(family, FAMILY_NAMES),
    }
    with open(HERE / "words" / f"{language}.txt", "w") as out:
        for title, entries in sections.items():
            print(f"# {title}", file=out)
            for i, word in enumerate(dict.fromkeys(w for e in entries for w in folded(e))):
                if i < SHORTEST.get(len(word), len(entries) * 2) and (title == "words" or len(word) > 2):
                    print(word, file=out)


for language, package in PACKAGES.items():
    write(language, package)
