"""Checks the features of dependencies with `cargo tree`.

The AWS SDK and its dependencies must have the same features in every build, so that Cargo compiles them
once; add a missing feature to `tests/workspace-hack`. The function must ship without the features that only
tests need.
"""

import re
import subprocess
import sys

import stack

# Features of the function's dependencies that only tests and tools need.
NOT_SHIPPED = {"hyper": {"server"}, "tokio": {"process", "signal", "test-util"}}
FUNCTION = ("--package", "change-password")
BUILT = ("--edges", "normal,no-proc-macro")
TESTED = ("--edges", "normal,dev,no-proc-macro")
LINE = re.compile(r"(\S+ v\S+)(?: \([^)]*\))? \[(.*?)\]")


def features(*arguments):
    """Returns each crate of a dependency tree with its features."""
    command = ["cargo", "tree", "--locked", "--prefix", "none", "--format", "{p} [{f}]", *arguments]
    done = subprocess.run(command, cwd=stack.ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed.")
    found = {}
    for crate, names in LINE.findall(done.stdout):
        found.setdefault(crate, set()).update(filter(None, names.split(",")))
    return found


def differences():
    """Yields a line for each crate that a build compiles with fewer features than the whole workspace."""
    whole = features("--workspace", *TESTED)
    parts = {
        "cargo build --workspace": ("--workspace", *BUILT),
        # The packages that depend on the SDK.
        "cargo test": (*FUNCTION, *TESTED),
        "cargo test --package check-policy": ("--package", "check-policy", *TESTED),
        "cargo run --package check-policy": ("--package", "check-policy", *BUILT),
        "cargo lambda watch": (*FUNCTION, "--features", stack.FEATURE, *BUILT),
    }
    for command, arguments in parts.items():
        for crate, found in features(*arguments).items():
            if lacking := whole[crate] - found:
                yield f"{command} compiles {crate} without {sorted(lacking)}"


def shipped_in_excess():
    """Yields a line for each crate or feature of the release build that only tests and tools need."""
    shipped = features(*FUNCTION, *BUILT)
    for crate, found in shipped.items():
        name = crate.partition(" ")[0]
        if excess := found & ({"test-util"} | NOT_SHIPPED.get(name, set())):
            yield f"the function ships {crate} with {sorted(excess)}"
        if name in {"aws-config", stack.FEATURE}:
            yield f"the function ships {name}"


def main():
    """Prints the differences, and returns 1 if there are any."""
    found = [*differences(), *shipped_in_excess()]
    print("\n".join(found) or "The SDK has one set of features, and the function ships no test features.")
    return 1 if found else 0


if __name__ == "__main__":
    stack.run(main)
