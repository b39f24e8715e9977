"""What `dev.py` and `e2e.py` share: programs that run beside this one, and HTTP to them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import NamedTuple

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.prefix) / "bin"

# A profile, a region or an endpoint of this shell could lead to a real account, and a proxy
# elsewhere; what is started here inherits neither.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
direct = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
os.environ["no_proxy"] = f"{direct},{HOST}" if direct else HOST


def interrupt_on_signals():
    """Makes each signal to stop a KeyboardInterrupt, so that every `with` block cleans up."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_number, _frame):
        for number in signals:  # What comes after the first must not interrupt the clean-up.
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, interrupt)


def cargo(*arguments):
    """Compiles in the foreground, so that no time limit runs and errors are easy to see."""
    if subprocess.run(["cargo", *arguments], cwd=ROOT).returncode != 0:
        sys.exit("It does not compile.")


@contextlib.contextmanager
def running(*argv, output=None, **settings):
    """Runs a program with these settings in its environment until the `with` block ends."""
    process = subprocess.Popen(
        argv,
        cwd=ROOT,
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        # Ctrl-C is then for us alone, and programs end in the order in which we stop them.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        # Politely first, since `cargo lambda watch` runs the function in yet another session and
        # ends it only when it may clean up.
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=10)


def function(port, *flags, **options):
    """Runs the function under `cargo lambda watch`."""
    watch = (TOOLS / "cargo-lambda", "lambda", "watch", "--bin", "change-password")
    return running(*watch, "--invoke-address", HOST, "--invoke-port", str(port), *flags, **options)


def free_port():
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Answer(NamedTuple):
    """An HTTP answer of any status."""

    status: int
    headers: Message
    body: bytes


def http(method, url, headers=None, body=None):
    """Sends one request."""
    data = body.encode() if body is not None else None
    request = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        response = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return Answer(response.status, response.headers, response.read())


def wait_for(url, process):
    """Waits until a URL of a program that was just started answers 200."""
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if http("GET", url).status == 200:
                return
        time.sleep(0.1)
    sys.exit(f"Nothing answers at {url}; what was printed before this should tell why.")
