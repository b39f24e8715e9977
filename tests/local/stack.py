"""Shared by the local checks: building and running programs, HTTP requests, and exit statuses."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import NamedTuple

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.prefix) / "bin"
# For the checks of tools/*.py.
sys.path.append(str(ROOT / "tools"))
DEBUG = ROOT / "target" / "debug"
# Gives the function's dependencies the same features as in the tests, so that Cargo compiles them once:
# see tests/workspace-hack.
FEATURE = "workspace-hack"
# The policy that the Cognito console suggests for a new pool.
POOL_POLICY = {
    "MinimumLength": 8,
    "RequireLowercase": True,
    "RequireUppercase": True,
    "RequireNumbers": True,
    "RequireSymbols": True,
}
# The exit status of a check that this machine cannot run, as in Automake.
NOT_CHECKED = 77


def bypass_proxy(host):
    """Makes every program started from here connect to this host directly."""
    direct = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    os.environ["no_proxy"] = f"{direct},{host}" if direct else host


# A profile, region or endpoint from this shell could point to a real account.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
bypass_proxy(HOST)


def run(main):
    """Runs a script's main function and exits with the status or message that it returns."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_number, _frame):
        for number in signals:  # A second signal must not interrupt the clean-up.
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, interrupt)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)


def not_checked(reason):
    """Ends a check that this machine cannot run."""
    print(f"not checked: {reason}")
    sys.exit(NOT_CHECKED)


def test(*cases):
    """Runs test cases in this order and returns the exit status."""
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    suite = unittest.TestSuite(map(load, cases))
    passed = unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful()
    return 0 if passed else 1


def scratch(check):
    """Returns the folder for a check's files, and creates it if necessary."""
    folder = ROOT / "target" / check
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def log(folder, name="programs.log"):
    """Opens a file for the output of the programs that a check starts."""
    print(f"The output of the programs goes to {folder / name}.", flush=True)
    return open(folder / name, "w")


def cargo(*arguments):
    """Runs cargo in the foreground, so that its errors show and no time limit applies."""
    if subprocess.run(["cargo", *arguments], cwd=ROOT).returncode != 0:
        sys.exit("Compilation failed.")


def build():
    """Compiles every program of the workspace into `DEBUG`."""
    cargo("build", "--workspace", "--bins", "--locked")


def build_watched():
    """Compiles the programs that `make dev` runs: the function, as in `watch`, and the fake Cognito."""
    packages = ("--package", "change-password", "--package", "fake-cognito")
    cargo("build", *packages, "--features", f"change-password/{FEATURE}", "--bins", "--locked")


@contextlib.contextmanager
def running(*argv, output=None, **settings):
    """Runs a program with these settings in its environment until the `with` block ends."""
    process = subprocess.Popen(
        [str(argument) for argument in argv],
        cwd=ROOT,
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        # Ctrl-C does not reach the programs, so they end in the order in which this script stops them.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        # SIGTERM first: `cargo lambda watch` runs the function in a separate session, and stops it only
        # if it can clean up.
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=60)


def gateway(port, host=HOST, **options):
    """Runs the function behind our own HTTP gateway; see `build`."""
    command = [DEBUG / "gateway", DEBUG / "change-password", "--host", host, "--port", port]
    return running(*command, **options)


def watch(port, host=HOST, reload=False, **options):
    """Runs the function under `cargo lambda watch`; see `build_watched`."""
    command = [TOOLS / "cargo-lambda", "lambda", "watch", "--bin", "change-password"]
    command += ["--features", FEATURE, "--invoke-address", host, "--invoke-port", port]
    if not reload:
        command.append("--ignore-changes")
    return running(*command, **options)


def free_port():
    """Returns a port that no program listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Answer(NamedTuple):
    """An HTTP response of any status."""

    status: int
    headers: Message
    body: bytes


def http(method, url, headers=None, body=None):
    """Sends one request."""
    data = body.encode() if body is not None else None
    request = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        response = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return Answer(response.status, response.headers, response.read())


def wait_for(url, process):
    """Waits until a newly started program returns 200 at this URL."""
    deadline = time.monotonic() + 300  # Only a program that hangs takes this long.
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if http("GET", url).status == 200:
                return
        time.sleep(0.1)
    sys.exit(f"Nothing answers at {url}; the output above should show why.")
