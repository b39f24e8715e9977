"""The function and a fake Cognito on this machine, with commands to try them.

`--check` tries those commands itself, then stops.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from typing import NamedTuple

import stack

POOL = "eu-west-1_LocalDev0"
CLIENT = "4localdevclient0000000000"
USER = "demo"
PASSWORD = "Correct-Horse-7-Battery"
NEW_PASSWORD = "Purple-Monkey-8-Dishwasher"


class Step(NamedTuple):
    """A request to try, and the status that it must have."""

    comment: str
    status: int
    url: str
    headers: tuple = ()  # $TOKEN in them stands for the access token.
    data: dict | None = None

    def curl(self, options="-sSi -w '\\n'"):
        """The request as a shell command."""
        parts = [f"curl {options} {self.url}"]
        parts += [f'-H "{header}"' for header in self.headers]
        if self.data is not None:
            parts.append(f"-d {shlex.quote(json.dumps(self.data))}")
        return " \\\n  ".join(parts)

    def send(self, token=""):
        """The answer, without a shell."""
        headers = dict(header.replace("$TOKEN", token).split(": ") for header in self.headers)
        if self.data is None:
            return stack.http("GET", self.url, headers)
        return stack.http("POST", self.url, headers, json.dumps(self.data))


def change(url, comment, status, previous, proposed):
    """A request to change the demo user's password."""
    headers = ("Authorization: Bearer $TOKEN", "Content-Type: application/json")
    data = {"previousPassword": previous, "proposedPassword": proposed}
    return Step(comment, status, f"{url}/change-password", headers, data)


def tour(url, cognito):
    """What to try, in this order."""
    fault = {"operation": "ChangePassword", "fault": "LimitExceededException"}
    return [
        Step("The rules for a new password", 200, f"{url}/password-policy"),
        change(url, "A password that breaks them", 422, PASSWORD, "password"),
        change(url, "A wrong previous password", 403, "Wrong-Horse-7-Battery", NEW_PASSWORD),
        change(url, "A change that works", 204, PASSWORD, NEW_PASSWORD),
        Step("Make Cognito fail once", 204, f"{cognito}/_fake/faults", data=fault),
        change(url, "What a client then sees", 429, NEW_PASSWORD, PASSWORD),
        Step("Start over, with the first password", 204, f"{cognito}/_fake/reset", data={}),
    ]


def sign_in(cognito):
    """The request for the demo user's tokens."""
    headers = (
        "X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth",
        "Content-Type: application/x-amz-json-1.1",
    )
    data = {
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": CLIENT,
        "AuthParameters": {"USERNAME": USER, "PASSWORD": PASSWORD},
    }
    return Step("Another token, good for an hour", 200, cognito, headers, data)


def access_token(entry):
    """Signs the demo user in."""
    return json.loads(entry.send().body)["AuthenticationResult"]["AccessToken"]


def as_shell(token, steps, entry):
    """The tour as lines to paste, from one token to the next."""
    lines = ["# Your access token", f"TOKEN={token}", ""]
    for step in steps:
        # No quotes or parentheses: zsh takes comments that are typed for commands.
        lines += [f"# {step.comment}: {step.status}", step.curl(), ""]
    only_token = """sed 's/.*"AccessToken": *"\\([^"]*\\)".*/\\1/'"""
    lines += [f"# {entry.comment}", f"TOKEN=$({entry.curl('-sS')} | {only_token})", ""]
    return "\n".join(lines)


def check(token, steps, entry):
    """Takes the tour as printed, and changes the password once more with the token it ends with."""
    again = next(step for step in steps if step.status == 204)
    if shutil.which("curl"):
        script = as_shell(token, steps, entry) + again.curl()
        output = subprocess.run(["sh"], input=script, stdout=subprocess.PIPE, text=True).stdout
        found = [int(status) for status in re.findall(r"HTTP/1\.1 (\d{3})", output)]
    else:
        print("There is no curl here, so urllib sends the same requests.")
        found = [step.send(token).status for step in steps]
        found.append(again.send(access_token(entry)).status)
    expected = [step.status for step in (*steps, again)]
    if found != expected:
        sys.exit(f"The printed commands answer {found} instead of {expected}.")
    print(f"The {len(expected)} commands answer as printed.")


def port(variable, default):
    """The port that a variable names, or else the default one, unless somebody listens there."""
    number = os.environ.get(variable) or default
    with contextlib.suppress(OSError), socket.create_connection((stack.HOST, number)):
        sys.exit(f"Port {number} is taken. Choose another: make dev {variable}=<port>")
    return number


@contextlib.contextmanager
def both(function_port, cognito_port, output=None, **settings):
    """Runs the function, with these settings too, and a fake Cognito until the `with` block ends."""
    url = f"http://{stack.HOST}:{function_port}"
    cognito = f"http://{stack.HOST}:{cognito_port}"
    # One at a time, as they will be run: together they would share features and compile again.
    stack.cargo("build", "--bin", "change-password")
    stack.cargo("build", "--package", "fake-cognito")
    fake = ["cargo", "run", "--quiet", "--package", "fake-cognito", "--"]
    fake += ["--port", str(cognito_port), "--pool-id", POOL, "--client-id", CLIENT]
    fake += ["--password", PASSWORD, "--function-url", url]
    settings = {
        "USER_POOL_ID": POOL,
        "USER_POOL_CLIENT_IDS": CLIENT,
        "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": cognito,
        **settings,
    }
    with (
        stack.running(*fake, output=output) as cognito_process,
        stack.function(function_port, output=output, **settings) as function_process,
    ):
        stack.wait_for(f"{cognito}/{POOL}/.well-known/jwks.json", cognito_process)
        stack.wait_for(f"{url}/password-policy", function_process)
        yield url, cognito, (cognito_process, function_process)


def main():
    """Runs both until told to stop."""
    checking = sys.argv[1:] == ["--check"]
    if checking:  # Beside a `make dev` that may be running.
        function_port, cognito_port = stack.free_port(), stack.free_port()
    else:
        function_port, cognito_port = port("PORT", "9000"), port("COGNITO_PORT", "9229")
    with both(function_port, cognito_port) as (url, cognito, processes):
        steps, entry = tour(url, cognito), sign_in(cognito)
        token = access_token(entry)
        if checking:
            return check(token, steps, entry)
        print(f"\nTo try it in a browser: {cognito}/")
        print(f"The function is at {url}, and compiled again when a file changes.")
        print(f"The fake Cognito is at {cognito}; its faults: tests/fake-cognito/src/lib.rs.")
        print("Ctrl-C stops both. To try them in a shell, paste in this order:\n")
        print(as_shell(token, steps, entry), flush=True)
        while all(process.poll() is None for process in processes):
            time.sleep(0.5)
        sys.exit("One of the two has ended; see its output.")


if __name__ == "__main__":
    stack.interrupt_on_signals()
    try:
        main()
    except KeyboardInterrupt:
        # To stop is how `make dev` ends; a check that was stopped has not passed.
        sys.exit(130 if sys.argv[1:] else 0)
