"""Tests the function with third-party emulators: moto for Cognito, cargo-lambda for Lambda.

moto's errors differ from Cognito's (a wrong previous password has no error of its own), so these
tests assert the status and which password signs in. tests/function asserts the codes.
"""

import contextlib
import json
import re
import secrets
import shlex
import string
import subprocess
import unittest

import boto3
from botocore.exceptions import ClientError

import dev
import stack

# For an unsigned GlobalSignOut, moto looks for the pool in this region only.
REGION = "us-east-1"
SCRATCH = stack.scratch("e2e")
FUNCTION_LOG = "function.log"


class World:
    """A pool in moto, the function that uses it, and every secret that the tests have used."""

    def __init__(self, cognito_url, log):
        self.cognito_url, self.log = cognito_url, log
        self.cognito = boto3.client(
            "cognito-idp",
            REGION,
            endpoint_url=cognito_url,
            aws_access_key_id="unused",
            aws_secret_access_key="unused",
        )
        self.pool = self.cognito.create_user_pool(
            PoolName="e2e", Policies={"PasswordPolicy": stack.POOL_POLICY}
        )["UserPool"]["Id"]
        client = self.cognito.create_user_pool_client(
            UserPoolId=self.pool,
            ClientName="e2e",
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        )
        self.client = client["UserPoolClient"]["ClientId"]
        self.url = None
        self.secrets = set()

    @contextlib.contextmanager
    def function(self, start=stack.gateway, **settings):
        """Runs the function for this pool with the most detailed log."""
        port = stack.free_port()
        before, self.url = self.url, f"http://{stack.HOST}:{port}"
        settings = {
            "AWS_ENDPOINT_URL": self.cognito_url,
            "AWS_REGION": REGION,
            "AWS_LAMBDA_LOG_LEVEL": "TRACE",
            "USER_POOL_ID": self.pool,
            "USER_POOL_CLIENT_IDS": self.client,
            **settings,
        }
        with start(port, output=self.log, **settings) as process:
            stack.wait_for(f"{self.url}/password-policy", process)
            yield
        self.url = before

    def password(self):
        """Returns a new password that satisfies the policy."""
        return self.secret("Aa1!" + secrets.token_urlsafe(12))

    def secret(self, value):
        """Returns the value, and records that it must not appear in the log."""
        self.secrets.add(value)
        return value

    def add_user(self, password):
        """Creates a user with this password and returns the user's name."""
        name = f"user-{secrets.token_hex(4)}"
        self.cognito.admin_create_user(UserPoolId=self.pool, Username=name)
        self.cognito.admin_set_user_password(
            UserPoolId=self.pool, Username=name, Password=password, Permanent=True
        )
        return name

    def sign_in(self, name, password):
        """Signs the user in and returns the tokens."""
        return self.authenticate("USER_PASSWORD_AUTH", USERNAME=name, PASSWORD=password)

    def refresh(self, token):
        """Returns new tokens for the session of this refresh token."""
        return self.authenticate("REFRESH_TOKEN_AUTH", REFRESH_TOKEN=token)

    def authenticate(self, flow, **parameters):
        """Returns Cognito's tokens for these parameters."""
        tokens = self.cognito.initiate_auth(
            ClientId=self.client, AuthFlow=flow, AuthParameters=parameters
        )["AuthenticationResult"]
        for kind in ("AccessToken", "IdToken", "RefreshToken"):
            if kind in tokens:
                self.secret(tokens[kind])
        return tokens

    def change(self, token, previous, proposed, **more):
        """Sends a change to the function and returns the response."""
        body = {"previousPassword": previous, "proposedPassword": proposed, **more}
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return stack.http("POST", f"{self.url}/change-password", headers, json.dumps(body))


class ChangePassword(unittest.TestCase):
    """The main paths, with the function under `cargo lambda watch`."""

    world: World

    def setUp(self):
        self.old, self.new = self.world.password(), self.world.password()
        self.user = self.world.add_user(self.old)
        self.tokens = self.world.sign_in(self.user, self.old)
        self.token = self.tokens["AccessToken"]

    def assert_signs_in(self, password, other):
        """Asserts that one password is in force and the other is not."""
        self.world.sign_in(self.user, password)
        self.assert_not_authorized(self.world.sign_in, self.user, other)

    def assert_not_authorized(self, call, *arguments):
        """Asserts that Cognito rejects a call."""
        with self.assertRaises(ClientError) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], "NotAuthorizedException")

    def test_the_new_password_signs_in_and_the_old_one_does_not(self):
        answer = self.world.change(self.token, self.old, self.new)
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assert_signs_in(self.new, other=self.old)

    def test_sign_out_everywhere_ends_every_session(self):
        elsewhere = self.world.sign_in(self.user, self.old)
        answer = self.world.change(self.token, self.old, self.new, signOutEverywhere=True)
        self.assertEqual(answer.status, 200)
        self.assertEqual(json.loads(answer.body), {"signedOutEverywhere": True})
        for tokens in (self.tokens, elsewhere):
            self.assert_not_authorized(self.world.refresh, tokens["RefreshToken"])
        # moto's error text is the revoked token itself, which must not reach the log.
        self.assertEqual(self.world.change(self.token, self.new, self.old).status, 403)
        self.assert_signs_in(self.new, other=self.old)

    def test_a_weak_password_is_rejected_with_every_rule_that_it_breaks(self):
        weak = self.world.secret("".join(secrets.choice(string.ascii_lowercase) for _ in range(8)))
        answer = self.world.change(self.token, self.old, weak)
        self.assertEqual(answer.status, 422)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        violations = {violation["code"] for violation in json.loads(answer.body)["violations"]}
        # Eight random letters may, very rarely, also be a common password.
        self.assertLessEqual(
            {"too_short", "missing_uppercase", "missing_digit", "missing_symbol"}, violations
        )
        self.assert_signs_in(self.old, other=weak)

    def test_a_wrong_previous_password_is_rejected(self):
        answer = self.world.change(self.token, self.world.password(), self.new)
        self.assertEqual(answer.status, 403)
        self.assert_signs_in(self.old, other=self.new)

    def test_a_request_without_a_token_is_rejected(self):
        answer = self.world.change(None, self.old, self.new)
        self.assertEqual((answer.status, answer.headers["WWW-Authenticate"]), (401, "Bearer"))
        self.assert_signs_in(self.old, other=self.new)

    def test_a_matching_etag_returns_304_without_the_policy(self):
        url = f"{self.world.url}/password-policy"
        first = stack.http("GET", url)
        self.assertEqual(first.status, 200)
        self.assertEqual(json.loads(first.body)["minLength"], 12)
        again = stack.http("GET", url, {"If-None-Match": first.headers["ETag"]})
        self.assertEqual((again.status, again.body), (304, b""))


    def test_cors_allows_a_page_of_another_origin_to_send_a_change(self):
        """The page of `make dev` requires this; page.py tests the page with the gateway."""
        origin = "http://127.0.0.1:9229"
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        answer = stack.http("OPTIONS", f"{self.world.url}/change-password", headers)
        self.assertEqual(answer.status, 200)
        self.assertIn(answer.headers["Access-Control-Allow-Origin"], ("*", origin))
        self.assertIn("authorization", answer.headers["Access-Control-Allow-Headers"])

    def test_the_command_in_contributing_invokes_the_function(self):
        page = (stack.ROOT / "CONTRIBUTING.md").read_text()
        [line] = re.findall(r"^\.venv/bin/cargo-lambda .*", page, re.MULTILINE)
        ports = stack.free_port(), stack.free_port()
        with dev.both(*ports, stack.watch, output=self.world.log) as (_, cognito, _):
            dev.sign_samples(cognito)
            command = [*shlex.split(line), "--invoke-port", str(ports[0])]
            done = subprocess.run(command, cwd=stack.ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        answer = json.loads(done.stdout)
        self.assertEqual(answer["statusCode"], 422)
        self.assertEqual(json.loads(answer["body"])["code"], "password_policy_violation")


class Policies(unittest.TestCase):
    """Policies other than the built-in one."""

    world: World

    def test_each_profile_allows_a_good_password_and_rejects_a_short_one(self):
        for profile in ("nist-800-63b-4", "asvs-5", "cognito-default"):
            policy = SCRATCH / f"{profile}.toml"
            policy.write_text(f'profile = "{profile}"\n')
            with self.subTest(profile), self.world.function(PASSWORD_POLICY_FILE=str(policy)):
                old, new = self.world.password(), self.world.password()
                user = self.world.add_user(old)
                token = self.world.sign_in(user, old)["AccessToken"]
                self.assertEqual(self.world.change(token, old, "Short1!").status, 422)
                self.assertEqual(self.world.change(token, old, new).status, 204)
                self.world.sign_in(user, new)


class Log(unittest.TestCase):
    """The log after the tests above."""

    world: World

    def test_the_log_has_outcomes_but_no_password_and_no_token(self):
        log = (SCRATCH / FUNCTION_LOG).read_text()
        self.assertIn("outcome", log)
        # Not assertNotIn, which would print both.
        leaked = sum(secret in log for secret in self.world.secrets)
        self.assertEqual(leaked, 0, f"of {len(self.world.secrets)} secrets are in the log")


def main():
    """Starts moto and the function, and runs the tests in this order."""
    stack.build()
    stack.build_watched()
    port = stack.free_port()
    url = f"http://{stack.HOST}:{port}"
    moto = (stack.TOOLS / "moto_server", "--host", stack.HOST, "--port", port)
    with (
        stack.log(SCRATCH, "moto.log") as moto_log,
        stack.log(SCRATCH, FUNCTION_LOG) as function_log,
        stack.running(*moto, output=moto_log) as process,
    ):
        stack.wait_for(f"{url}/moto-api/", process)
        world = ChangePassword.world = Policies.world = Log.world = World(url, function_log)
        with world.function(stack.watch):
            return stack.test(ChangePassword, Policies, Log)


if __name__ == "__main__":
    stack.run(main)
