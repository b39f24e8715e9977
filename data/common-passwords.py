#!/usr/bin/env python3
"""Generates common-passwords.txt from the two packages that README.md lists, both in this folder.

    npm pack @zxcvbn-ts/language-common@4.1.3
    pip download --no-deps Django==5.2.19
    ./common-passwords.py > common-passwords.txt
"""

import gzip
import itertools
import json
import tarfile
import zipfile

MIN_LENGTH = 4  # README.md gives the reason,
SHORT = {"may"}  # and the reason for this exception.
MOJIBAKE = "пїѕ"  # U+FFFE encoded as UTF-8 and decoded as Windows-1251: nobody typed it.

with tarfile.open("zxcvbn-ts-language-common-4.1.3.tgz") as package:
    zxcvbn = json.load(package.extractfile("package/src/passwords.json"))
with zipfile.ZipFile("django-5.2.19-py3-none-any.whl") as package:
    django = gzip.decompress(package.read("django/contrib/auth/common-passwords.txt.gz")).decode().split()

# Each source is sorted by frequency. Interleaving them and keeping the first of equal entries, as a
# dict does, gives each entry the higher of its two ranks.
ranked = itertools.chain.from_iterable(itertools.zip_longest(zxcvbn, django, fillvalue=""))
for password in dict.fromkeys(entry.strip().lower() for entry in ranked):
    if (len(password) >= MIN_LENGTH or password in SHORT) and MOJIBAKE not in password:
        print(password)
