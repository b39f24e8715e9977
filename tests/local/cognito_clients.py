"""Points Cognito's own clients at the function, and checks what they report to their user.

A front forwards ChangePassword to the function and all other operations to the fake Cognito, and counts
each client's requests. Another proxy counts the function's requests to Cognito.
"""

import concurrent.futures
import contextlib
import http.client
import http.server
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.parse
from typing import NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import dev
import stack

HERE = stack.ROOT / "tests" / "local" / "cognito_clients"
SCRATCH = stack.scratch("cognito-clients")
REGION = dev.POOL.split("_")[0]
CHANGE = "AWSCognitoIdentityProviderService.ChangePassword"


class Reported(NamedTuple):
    """What a client reports to its user: an exception's name and message; both None for success."""

    name: str | None
    message: str | None


class Case(NamedTuple):
    """A change, and its expected result."""

    title: str
    name: str | None  # The exception's name.
    message: str  # A regular expression to search for in the message.
    calls: int  # The function's calls of ChangePassword.
    password: str  # The password in force afterwards.
    previous: str = dev.PASSWORD
    proposed: str = dev.NEW_PASSWORD
    token: str = "access"
    faults: tuple = ()
    is_repeated: bool = False  # Whether some clients retry this error: see CLIENTS.


OLD, NEW = dev.PASSWORD, dev.NEW_PASSWORD
CASES = [
    Case(
        "a weak password",
        "InvalidPasswordException",
        r"^Password did not conform with policy: \w.* \(too_easy_to_guess\)$",
        0,
        OLD,
        proposed="Password-2026",
    ),
    Case(
        "a password that breaks several rules",
        "InvalidPasswordException",
        r"\. \(too_short, missing_uppercase, missing_digit, missing_symbol, .*personal_word\)$",
        0,
        OLD,
        proposed=dev.USER,
    ),
    Case(
        "a forged token",
        "NotAuthorizedException",
        "^Could not verify signature for Access Token$",
        0,
        OLD,
        token="forged",
    ),
    Case("an ID token", "NotAuthorizedException", "ID token", 0, OLD, token="id"),
    Case(
        "a wrong previous password",
        "NotAuthorizedException",
        "^Incorrect username or password[.]$",
        1,
        OLD,
        previous="Wrong-Horse-7-Battery",
    ),
    Case("a change", None, "", 1, NEW),
    Case("a change whose answer is lost", None, "", 3, NEW, faults=("drop-after",)),
    Case(
        "a change whose outcome stays unknown",
        "OutcomeUnknownException",
        "try to sign in with the new one",
        2,
        NEW,
        faults=("drop-after", "drop-before"),
    ),
    # Must be last, because the function remembers this limit.
    Case(
        "the attempt limit",
        "LimitExceededException",
        "^Attempt limit exceeded, please try after some time[.]$",
        1,
        OLD,
        faults=("LimitExceededException",) * 3,
        is_repeated=True,
    ),
]


class Proxy(http.server.ThreadingHTTPServer):
    """Forwards each request to the URL that `upstream` returns for its operation, and records it."""

    daemon_threads = True

    def __init__(self, upstream):
        super().__init__((stack.HOST, 0), Forward)
        self.upstream = upstream
        self.operations = []
        self.url = f"http://{stack.HOST}:{self.server_port}"

    @contextlib.contextmanager
    def running(self):
        """Serves until the `with` block ends."""
        threading.Thread(target=self.serve_forever).start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()


class Forward(http.server.BaseHTTPRequestHandler):
    """One connection to a proxy."""

    protocol_version = "HTTP/1.1"

    def forward(self):
        """Forwards a request; closes the client's connection if there is no answer."""
        operation = self.headers.get("X-Amz-Target")
        self.server.operations.append(operation)
        upstream = urllib.parse.urlsplit(self.server.upstream(operation))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        connection = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=60)
        with contextlib.closing(connection):
            try:
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                self.close_connection = True
                return
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = forward

    def log_message(self, *_):
        """Prints nothing."""


def environment(**others):
    """Returns the environment for a client; `stack` has removed AWS's variables."""
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return os.environ | nothing | {"AWS_EC2_METADATA_DISABLED": "true"} | others


def cli(endpoint, token, case):
    """Changes the password with the AWS CLI."""
    command = [stack.TOOLS / "aws", "cognito-idp", "change-password", "--region", REGION]
    command += ["--endpoint-url", endpoint, "--access-token", token]
    command += ["--previous-password", case.previous, "--proposed-password", case.proposed]
    result = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if result.returncode == 0:
        return Reported(None, None)
    pattern = r"An error occurred \((\w+)\) when calling the ChangePassword operation[^:]*: (.*)"
    found = re.search(pattern, result.stderr)
    return Reported(*found.groups()) if found else Reported("?", result.stderr)


def python(endpoint, token, case):
    """Changes the password with boto3 in its `standard` retry mode, which retries more than the default."""
    # The default session is not thread-safe.
    client = boto3.Session(region_name=REGION).client(
        "cognito-idp", endpoint_url=endpoint, config=Config(retries={"mode": "standard"})
    )
    passwords = {"PreviousPassword": case.previous, "ProposedPassword": case.proposed}
    try:
        client.change_password(AccessToken=token, **passwords)
    except ClientError as error:
        return Reported(error.response["Error"]["Code"], error.response["Error"]["Message"])
    return Reported(None, None)


def javascript(client):
    """Returns a function that changes the password with a JavaScript client; see client.mjs."""

    def run(endpoint, token, case):
        settings = {"CLIENT": client, "FRONT": endpoint, "TOKEN": token, "REGION": REGION}
        settings |= {"PREVIOUS": case.previous, "PROPOSED": case.proposed, "POOL": dev.POOL}
        settings |= {"CLIENT_ID": dev.CLIENT, "USERNAME": dev.USER, "PASSWORD": OLD}
        command = [stack.TOOLS / "node", SCRATCH / "client.mjs"]
        result = subprocess.run(command, env=environment(**settings), capture_output=True, text=True)
        if result.returncode != 0:
            return Reported("?", result.stderr)
        return Reported(**json.loads(result.stdout))

    return run


# Each client, and how often it sends a request that gets LimitExceededException.
CLIENTS = {
    "AWS CLI": (cli, 1),
    "boto3": (python, 3),
    "AWS SDK for JavaScript": (javascript("sdk"), 3),
    "amazon-cognito-identity-js": (javascript("identity"), 1),
}


def install():
    """Installs the JavaScript clients into the scratch folder, unless the locked versions are there."""
    lock = (HERE / "package-lock.json").read_text()
    marker = SCRATCH / "installed"
    for name in ("package.json", "package-lock.json", "client.mjs"):
        shutil.copy(HERE / name, SCRATCH)
    if marker.exists() and marker.read_text() == lock:
        return
    npm = [stack.TOOLS / "npm", "ci", "--silent", "--no-audit", "--no-fund"]
    if subprocess.run(npm, cwd=SCRATCH).returncode != 0:
        sys.exit("The JavaScript clients could not be installed.")
    marker.write_text(lock)


def sign_in(cognito, password):
    """Returns the demo user's tokens; None if Cognito rejects the password."""
    answer = dev.sign_in(cognito, password).send()
    return json.loads(answer.body)["AuthenticationResult"] if answer.status == 200 else None


def token(cognito, kind):
    """Returns a token of this kind."""
    tokens, others = sign_in(cognito, OLD), sign_in(cognito, OLD)
    access, other = tokens["AccessToken"], others["AccessToken"]
    forged = access.rpartition(".")[0] + "." + other.rpartition(".")[2]
    return {"access": access, "id": tokens["IdToken"], "forged": forged}[kind]


def try_case(run, attempts, case, cognito, front, way):
    """Runs a case with a client; returns the client's report, and a failure message or None."""
    stack.http("POST", f"{cognito}/_fake/reset")
    sent = token(cognito, case.token)
    for fault in case.faults:
        fault = json.dumps({"operation": "ChangePassword", "fault": fault})
        stack.http("POST", f"{cognito}/_fake/faults", {}, fault)
    front.operations.clear()
    way.operations.clear()
    reported = run(front.url, sent, case)
    found = {
        "exception": reported.name,
        "requests": front.operations.count(CHANGE),
        "calls": way.operations.count(CHANGE),
        "password": [p for p in (OLD, NEW) if sign_in(cognito, p)],
    }
    expected = {
        "exception": case.name,
        "requests": attempts if case.is_repeated else 1,
        "calls": case.calls,
        "password": [case.password],
    }
    is_right = found == expected and re.search(case.message, reported.message or "")
    return reported, None if is_right else f"{found} instead of {expected}: {reported.message}"


def try_client(name, ports, log):
    """Runs each case with a client and its own function; returns the lines to print and the failures."""
    run, attempts = CLIENTS[name]
    function, cognito = (f"http://{stack.HOST}:{port}" for port in ports)
    settings = dict(dev.WIRE_PROTOCOL)
    lines, faults = [f"\n{name}"], []
    with (
        Proxy(lambda _: cognito).running() as way,
        Proxy(lambda operation: function if operation == CHANGE else cognito).running() as front,
    ):
        settings["AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"] = way.url
        with dev.both(*ports, output=log, **settings):
            for case in CASES:
                reported, fault = try_case(run, attempts, case, cognito, front, way)
                shown = f"{reported.name}: {reported.message}" if reported.name else "success"
                lines.append(f"  {case.title}: {shown}")
                faults += [f"{name}, {case.title}: {fault}"] if fault else []
    return lines, faults


def main():
    """Runs each case with each client; returns an error message if any fails."""
    if not (stack.TOOLS / "node").exists():
        stack.not_checked("no Node.js")
    stack.build()
    # npm runs the node on the PATH.
    os.environ["PATH"] = f"{stack.TOOLS}{os.pathsep}{os.environ['PATH']}"
    install()
    os.environ.update(environment())
    ports = [(stack.free_port(), stack.free_port()) for _ in CLIENTS]
    with stack.log(SCRATCH) as log, concurrent.futures.ThreadPoolExecutor() as pool:
        found = list(pool.map(try_client, CLIENTS, ports, itertools.repeat(log)))
    for lines, _ in found:
        print("\n".join(lines))
    faults = [fault for _, of_client in found for fault in of_client]
    return "\n".join(["", *faults]) if faults else 0


if __name__ == "__main__":
    stack.run(main)
