"""Checks the client listed in docs/clients/typescript.md.

`tsc` checks its types, and `clients/typescript.test.mjs` runs it against the function and the fake
Cognito.
"""

import os
import shutil
import subprocess
import sys

import dev
import stack

HERE = stack.ROOT / "tests" / "local" / "clients"
SCRATCH = stack.scratch("clients")
PAGE = stack.ROOT / "docs" / "clients" / "typescript.md"

# `--lib` has the APIs of browsers and React Native, and none of Node.js.
TSC_FLAGS = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom,dom.iterable"]
# Every rule that a client can check, except same_as_previous, which min_distance replaces.
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


def listing():
    """The client: the code block under its heading."""
    _, section = PAGE.read_text().split("\n## The client\n", 1)
    return section.split("```typescript\n", 1)[1].split("\n```\n", 1)[0] + "\n"


def install():
    """Installs the TypeScript compiler into the scratch folder, unless the lock file's is there."""
    lock = (HERE / "package-lock.json").read_text()
    marker = SCRATCH / "installed"
    if marker.exists() and marker.read_text() == lock:
        return
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, SCRATCH)
    npm = [stack.TOOLS / "npm", "ci", "--silent", "--no-audit", "--no-fund"]
    if subprocess.run(npm, cwd=SCRATCH).returncode != 0:
        sys.exit("The TypeScript compiler cannot be installed.")
    marker.write_text(lock)


def main():
    """Checks the client, then runs its tests; returns their exit status."""
    stack.build()
    # npm and tsc start the node that they find on the PATH.
    os.environ["PATH"] = f"{stack.TOOLS}{os.pathsep}{os.environ['PATH']}"
    install()
    client = SCRATCH / "change-password.ts"
    client.write_text(listing())
    tsc = [SCRATCH / "node_modules" / ".bin" / "tsc", *TSC_FLAGS, client]
    if subprocess.run(tsc).returncode != 0:
        return "The client in docs/clients/typescript.md is not valid TypeScript."
    print("tsc accepts the client.")

    policy = SCRATCH / "policy.toml"
    policy.write_text(POLICY)
    # The test listens here, between the function and the fake Cognito, to cut the connection.
    way = stack.free_port()
    settings = {
        "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": f"http://{stack.HOST}:{way}",
        "PASSWORD_POLICY_FILE": str(policy),
    }
    ports = stack.free_port(), stack.free_port()
    with (
        stack.log(SCRATCH) as log,
        dev.both(*ports, output=log, **settings) as (url, cognito, _),
    ):
        variables = {
            "CLIENT": client.as_uri(),
            "FUNCTION": url,
            "COGNITO": cognito,
            "WAY": str(way),
            "CLIENT_ID": dev.CLIENT,
            "USERNAME": dev.USER,
            "PASSWORD": dev.PASSWORD,
            "NEW_PASSWORD": dev.NEW_PASSWORD,
        }
        test = [stack.TOOLS / "node", "--test", "--test-reporter=spec"]
        test.append(HERE / "typescript.test.mjs")
        return subprocess.run(test, env=os.environ | variables, cwd=SCRATCH).returncode


if __name__ == "__main__":
    stack.run(main)
