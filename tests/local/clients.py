"""Builds a client of clients/ and runs its tests against the function and the fake Cognito.

    clients.py typescript|kotlin|swift

Each client's tests run the scenarios of clients/scenarios.json through `front.py`.
"""

import os
import shutil
import subprocess
import sys

import dev
import front
import stack

CLIENTS = stack.ROOT / "clients"
# Has every rule that a client can check, except same_as_previous, which min_distance replaces.
POLICY = """
[length]
min = 12
max = 40
[characters]
lowercase = 2
uppercase = 1
digit = 1
symbol = 1
classes = 4
[patterns]
max_run = 3
max_sequence = 4
repeated_block = true
[previous]
min_distance = 4
"""


def typescript(scratch):
    """Builds the package in the scratch folder; returns the folder and its test command."""
    source, package = CLIENTS / "typescript", scratch / "typescript"
    # npm and tsc run the node on the PATH.
    os.environ["PATH"] = f"{stack.TOOLS}{os.pathsep}{os.environ['PATH']}"
    left_behind = shutil.ignore_patterns("node_modules", "dist", "out")
    shutil.copytree(source, package, dirs_exist_ok=True, ignore=left_behind)
    lock = (source / "package-lock.json").read_text()
    marker = package / "node_modules" / "installed"
    if not (marker.exists() and marker.read_text() == lock):
        npm = [stack.TOOLS / "npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        run(npm, package, "The TypeScript compiler could not be installed.")
        marker.write_text(lock)
    shutil.rmtree(package / "dist", ignore_errors=True)
    run([stack.TOOLS / "npm", "run", "--silent", "build"], package, "The package does not compile.")
    tsc = package / "node_modules" / ".bin" / "tsc"
    run([tsc, "--project", "examples"], package, "An example does not compile.")
    tests = sorted((package / "test").glob("*.test.js"))
    return package, [stack.TOOLS / "node", "--test", "--test-reporter=spec", *tests]


def kotlin(_scratch):
    """Returns the folder and the command that compiles, lints and tests the module with Maven."""
    if not (shutil.which("mvn") and shutil.which("javac")):
        stack.not_checked("no JDK or no Maven")
    # Every version is pinned, so Maven needs no registry once this folder has all packages.
    repository = stack.ROOT / "target" / "maven"
    maven = ["mvn", "--batch-mode", "--no-transfer-progress", f"-Dmaven.repo.local={repository}"]
    return CLIENTS / "kotlin", [*maven, "verify"]


def swift(scratch):
    """Returns the folder and the command that compiles and tests the package with SwiftPM."""
    if not shutil.which("swift"):
        stack.not_checked("no Swift")
    return CLIENTS / "swift", ["swift", "test", "--scratch-path", scratch / "swift"]


def run(command, folder, failure):
    """Runs a command; exits with this message if it fails."""
    if subprocess.run(command, cwd=folder).returncode != 0:
        sys.exit(failure)


def main():
    """Builds the client of this language and runs its tests; returns their exit status."""
    language = {"typescript": typescript, "kotlin": kotlin, "swift": swift}[sys.argv[1]]
    scratch = stack.scratch("clients")
    folder, tests = language(scratch)
    stack.build()
    policy = scratch / "policy.toml"
    policy.write_text(POLICY)
    ports = stack.free_port(), stack.free_port()
    with (
        stack.log(scratch, f"{sys.argv[1]}.log") as log,
        dev.both(*ports, output=log, PASSWORD_POLICY_FILE=str(policy)) as (url, cognito, _),
        front.running(url, cognito) as server,
    ):
        variables = {
            "FRONT": server,
            "COGNITO": cognito,
            "CLIENT_ID": dev.CLIENT,
            "USERNAME": dev.USER,
            "PASSWORD": dev.PASSWORD,
            "NEW_PASSWORD": dev.NEW_PASSWORD,
            "SCENARIOS": str(CLIENTS / "scenarios.json"),
        }
        return subprocess.run(tests, env=os.environ | variables, cwd=folder).returncode


if __name__ == "__main__":
    stack.run(main)
