"""Runs the function and a fake Cognito on this machine, and prints commands that call them.

With `--check`, it runs these commands itself and exits.
"""

import contextlib
import functools
import ipaddress
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
WIRE_PROTOCOL = {"COGNITO_WIRE_PROTOCOL": "true"}
SAMPLES = stack.ROOT / "target" / "dev" / "events"


class Step(NamedTuple):
    """A request, and the status of its response."""

    comment: str
    status: int
    url: str
    headers: tuple = ()  # With $TOKEN in place of the access token.
    data: dict | None = None

    def curl(self, options="-sSi -w '\\n'"):
        """Returns the request as a shell command."""
        parts = [f"curl {options} {self.url}"]
        parts += [f'-H "{header}"' for header in self.headers]
        if self.data is not None:
            parts.append(f"-d {shlex.quote(json.dumps(self.data))}")
        return " \\\n  ".join(parts)

    def send(self, token=""):
        """Sends the request without a shell and returns the response."""
        headers = dict(header.replace("$TOKEN", token).split(": ") for header in self.headers)
        if self.data is None:
            return stack.http("GET", self.url, headers)
        return stack.http("POST", self.url, headers, json.dumps(self.data))


def change(url, comment, status, previous, proposed):
    """Returns a request to change the demo user's password."""
    headers = ("Authorization: Bearer $TOKEN", "Content-Type: application/json")
    data = {"previousPassword": previous, "proposedPassword": proposed}
    return Step(comment, status, f"{url}/change-password", headers, data)


def tour(url, cognito):
    """Returns the requests in order."""
    fault = {"operation": "ChangePassword", "fault": "LimitExceededException"}
    return [
        Step("The rules for a new password", 200, f"{url}/password-policy"),
        change(url, "A password that breaks these rules", 422, PASSWORD, "password"),
        change(url, "A wrong previous password", 403, "Wrong-Horse-7-Battery", NEW_PASSWORD),
        change(url, "A successful change", 204, PASSWORD, NEW_PASSWORD),
        Step("Make Cognito fail once", 204, f"{cognito}/_fake/faults", data=fault),
        change(url, "The response to a client in this case", 429, NEW_PASSWORD, PASSWORD),
        Step("Start over with the initial password", 204, f"{cognito}/_fake/reset", data={}),
    ]


def aws(url):
    """Returns a shell command for a change with the AWS CLI, which prints nothing if it succeeds."""
    parts = [".venv/bin/aws cognito-idp change-password"]
    parts.append(f"--endpoint-url {url} --region {POOL.split('_')[0]}")
    parts.append('--access-token "$TOKEN"')
    parts.append(f"--previous-password {PASSWORD} --proposed-password {NEW_PASSWORD}")
    return " \\\n  ".join(parts)


def sign_in(cognito, password=PASSWORD):
    """Returns the request for the demo user's tokens."""
    headers = (
        "X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth",
        "Content-Type: application/x-amz-json-1.1",
    )
    data = {
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": CLIENT,
        "AuthParameters": {"USERNAME": USER, "PASSWORD": password},
    }
    return Step("Another token, valid for an hour", 200, cognito, headers, data)


def access_token(entry):
    """Signs in and returns the access token."""
    return json.loads(entry.send().body)["AuthenticationResult"]["AccessToken"]


def sign_samples(cognito):
    """Copies the samples of `events/` to `SAMPLES`, each with its token signed by the fake."""
    SAMPLES.mkdir(parents=True, exist_ok=True)
    for event in (stack.ROOT / "events").glob("*.json"):
        signed = stack.http("POST", f"{cognito}/_fake/sign", {}, event.read_text())
        (SAMPLES / event.name).write_bytes(signed.body)


def as_shell(token, steps, entry):
    """Returns the steps as shell commands, between an access token and the request for a new one."""
    lines = ["# Your access token", f"TOKEN={token}", ""]
    for step in steps:
        # No quotes or parentheses in comments, because an interactive zsh runs them as commands.
        lines += [f"# {step.comment}: {step.status}", step.curl(), ""]
    only_token = """sed 's/.*"AccessToken": *"\\([^"]*\\)".*/\\1/'"""
    lines += [f"# {entry.comment}", f"TOKEN=$({entry.curl('-sS')} | {only_token})", ""]
    return "\n".join(lines)


def try_commands(token, steps, entry):
    """Runs the printed commands, and then one more change with the token from the last one."""
    again = next(step for step in steps if step.status == 204)
    if shutil.which("curl"):
        script = as_shell(token, steps, entry) + again.curl()
        output = subprocess.run(["sh"], input=script, stdout=subprocess.PIPE, text=True).stdout
        found = [int(status) for status in re.findall(r"HTTP/1\.1 (\d{3})", output)]
    else:
        print("curl is not installed, so urllib sends the same requests.")
        found = [step.send(token).status for step in steps]
        found.append(again.send(access_token(entry)).status)
    expected = [step.status for step in (*steps, again)]
    if found != expected:
        sys.exit(f"The printed commands return {found} instead of {expected}.")
    print(f"The {len(expected)} commands return the printed statuses.")


def try_aws(url, cognito):
    """Runs the printed AWS CLI command, and signs in with the new password."""
    stack.http("POST", f"{cognito}/_fake/reset")
    token = access_token(sign_in(cognito))
    settings = os.environ | {"TOKEN": token}
    run = subprocess.run(["sh"], input=aws(url), text=True, cwd=stack.ROOT, env=settings)
    if run.returncode != 0 or sign_in(cognito, NEW_PASSWORD).send().status != 200:
        sys.exit("The printed AWS CLI command does not change the password.")
    print("The printed AWS CLI command changes the password.")


def listen_address():
    """Returns the address to listen on, from the variable HOST, and the host name for URLs."""
    name = os.environ.get("HOST") or stack.HOST
    try:
        address = socket.gethostbyname(name)
        with socket.socket() as probe:
            probe.bind((address, 0))
    except OSError:
        sys.exit(f"HOST={name} is not an address of this machine. HOST=0.0.0.0 means all of them.")
    return address, lan_address() if address == "0.0.0.0" else name


def lan_address():
    """Returns this machine's address on its network, or its name if there is no network."""
    with contextlib.suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # Sends nothing, but selects the source address.
        return probe.getsockname()[0]
    return socket.gethostname()


def port(variable, default, address):
    """Returns the port in a variable, or the default one. Exits if a program listens on it."""
    number = os.environ.get(variable) or default
    with contextlib.suppress(OSError), socket.create_connection((address, number)):
        sys.exit(f"Port {number} is in use. Choose another: make dev {variable}=<port>")
    return number


@contextlib.contextmanager
def both(
    function_port,
    cognito_port,
    function=stack.gateway,
    address=stack.HOST,
    host=stack.HOST,
    output=None,
    **settings,
):
    """Runs the function and a fake Cognito until the `with` block ends.

    `function` is `stack.gateway` or `stack.watch`; the settings are environment variables.
    """
    url = f"http://{host}:{function_port}"
    cognito = f"http://{host}:{cognito_port}"
    fake = [stack.DEBUG / "fake-cognito", "--host", address, "--port", cognito_port]
    fake += ["--pool-id", POOL, "--client-id", CLIENT, "--password", PASSWORD]
    fake += ["--function-url", url]
    settings = {
        "USER_POOL_ID": POOL,
        "USER_POOL_CLIENT_IDS": CLIENT,
        "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": cognito,
        **settings,
    }
    with stack.running(*fake, output=output) as cognito_process:
        stack.wait_for(f"{cognito}/{POOL}/.well-known/jwks.json", cognito_process)
        run = function(function_port, host=address, output=output, **settings)
        with run as function_process:
            stack.wait_for(f"{url}/password-policy", function_process)
            yield url, cognito, (cognito_process, function_process)


def check():
    """Runs the printed commands. A `make dev` may be running at the same time."""
    stack.build()
    ports = stack.free_port(), stack.free_port()
    log = stack.log(stack.scratch("dev-check"))
    with log, both(*ports, output=log, **WIRE_PROTOCOL) as (url, cognito, _):
        steps, entry = tour(url, cognito), sign_in(cognito)
        try_commands(access_token(entry), steps, entry)
        try_aws(url, cognito)


def serve():
    """Runs both programs until one of them exits."""
    address, host = listen_address()
    stack.bypass_proxy(host)
    ports = port("PORT", "9000", address), port("COGNITO_PORT", "9229", address)
    stack.build_watched()
    watch = functools.partial(stack.watch, reload=True)
    # Except on loopback, the function refuses to send passwords to a URL without TLS.
    settings = {"ALLOW_INSECURE_ENDPOINT": "true", **WIRE_PROTOCOL}
    with both(*ports, watch, address, host, **settings) as (url, cognito, processes):
        steps, entry = tour(url, cognito), sign_in(cognito)
        token = access_token(entry)
        sign_samples(cognito)
        print(f"\nThe function is at {url} and is recompiled when a file changes.")
        print(f"The fake Cognito is at {cognito}. For its faults, see tests/fake-cognito/src/lib.rs.")
        if not ipaddress.ip_address(address).is_loopback:
            print("Everyone on the network can use both of them.")
        print("Ctrl-C stops both. To try them in a shell, paste these lines in order:\n")
        print(as_shell(token, steps, entry))
        print(f"# A change with the AWS CLI, which prints nothing on success\n{aws(url)}\n")
        samples = SAMPLES.relative_to(stack.ROOT)
        print(f"Events with signed tokens, for `cargo lambda invoke`, are in {samples}.")
        print(f"To try them in a browser: {cognito}/", flush=True)
        while all(process.poll() is None for process in processes):
            time.sleep(0.5)
        sys.exit("One of the two has exited. The output above should show why.")


def main():
    """Runs the commands with `--check`, and otherwise serves until Ctrl-C."""
    if sys.argv[1:] == ["--check"]:
        return check()
    with contextlib.suppress(KeyboardInterrupt):
        serve()


if __name__ == "__main__":
    stack.run(main)
