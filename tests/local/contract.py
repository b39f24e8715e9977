"""Schemathesis against openapi.yaml and the function: what the one promises, the other keeps."""

import os
import sys

import schemathesis
from schemathesis.cli import schemathesis as run_cli

import dev
import stack

SCRATCH = stack.ROOT / "target" / "schemathesis"


@schemathesis.hook
def filter_case(_context, case):
    """Leaves out bodies that are not UTF-8.

    `cargo lambda watch` answers them with a 500 of its own, where API Gateway would send base64 to
    the function. What the function says to that is tested in src/request.rs.
    """
    body = case.body
    return not isinstance(body, bytes) or body.decode(errors="ignore").encode() == body


def main():
    """Runs the function and a fake Cognito, and Schemathesis with the demo user's token."""
    print(f"What the function and the fake print goes to {SCRATCH}.", flush=True)
    SCRATCH.mkdir(parents=True, exist_ok=True)
    os.chdir(SCRATCH)  # Where Schemathesis keeps files of its own too.
    ports = stack.free_port(), stack.free_port()
    with open("function.log", "w") as log, dev.both(*ports, output=log) as (url, cognito, _):
        token = dev.access_token(dev.sign_in(cognito))
        config = stack.ROOT / "tests" / "local" / "schemathesis.toml"
        command = ["--config-file", config, "run", stack.ROOT / "openapi.yaml", "--url", url]
        run_cli([*map(str, command), "-H", f"Authorization: Bearer {token}"])


if __name__ == "__main__":
    stack.interrupt_on_signals()
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
