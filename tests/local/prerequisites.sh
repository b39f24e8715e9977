#!/bin/sh
# Checks for the tools that the Makefile requires and does not install itself:
#
#     tests/local/prerequisites.sh PYTHON
#
# It fails with one line for each tool that is missing or too old.

cd "$(dirname "$0")/../.." || exit
python=${1:-python3}
failed=0

complain() {
  echo "$1" >&2
  failed=1
}

# Succeeds if version $1, such as 1.95.0, is at least version $2, such as 1.95.
at_least() {
  awk -v have="$1" -v need="$2" 'BEGIN {
    split(have, h, "."); split(need, n, ".")
    exit !(h[1] > n[1] + 0 || h[1] == n[1] + 0 && h[2] >= n[2] + 0)
  }'
}

get_python="Install it from https://www.python.org and name it: make PYTHON=python3.12"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null)
if [ -z "$version" ]; then
  complain "Python 3.11 or later is required, and $python does not run. $get_python"
elif ! at_least "$version" 3.11; then
  complain "Python 3.11 or later is required, and $python is $version. $get_python"
elif ! "$python" -c 'import ensurepip, venv' > /dev/null 2>&1; then
  complain "$python has no venv module. On Debian and Ubuntu, install python$version-venv."
fi

needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
version=$(cargo --version 2> /dev/null | awk '{ print $2 }')
if [ -z "$version" ]; then
  complain "Rust $needed or later is required, and cargo does not run. Install it from https://rustup.rs"
elif ! at_least "$version" "$needed"; then
  complain "Rust $needed or later is required, and cargo is $version. To update: rustup update"
fi

if ! command -v "${CC:-cc}" > /dev/null; then
  complain "A C compiler is required, and ${CC:-cc} is not found. On Debian and Ubuntu, install gcc."
fi

exit "$failed"
