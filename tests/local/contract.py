"""Tests with Schemathesis that the function conforms to openapi.yaml."""

import os

from schemathesis.cli import schemathesis

import dev
import stack


def main():
    """Runs the function, a fake Cognito, and Schemathesis with the demo user's token."""
    stack.build()
    folder = stack.scratch("schemathesis")
    os.chdir(folder)  # Schemathesis writes files to the current folder.
    # Without a page, the well-known URL returns 404.
    page = {"CHANGE_PASSWORD_URL": "https://app.example.com/password"}
    ports = stack.free_port(), stack.free_port()
    with stack.log(folder) as log, dev.both(*ports, output=log, **page) as (url, cognito, _):
        token = dev.access_token(dev.sign_in(cognito))
        config = stack.ROOT / "tests" / "local" / "schemathesis.toml"
        command = ["--config-file", config, "run", stack.ROOT / "openapi.yaml", "--url", url]
        # This exits with Schemathesis' status.
        schemathesis([*map(str, command), "-H", f"Authorization: Bearer {token}"])


if __name__ == "__main__":
    stack.run(main)
