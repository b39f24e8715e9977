"""Tests tools/deploy.py: what `make deploy` asks, what it refuses, and what it hands to AWS SAM."""

import json
import os
import pty
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path
from unittest import mock

from samcli.cli.types import CfnParameterOverridesType

import stack  # First: it makes tools/ importable.
import deploy

SCRATCH = stack.scratch("deploy")
POOL = {"UserPoolId": "eu-west-1_Ab12Cd34E", "UserPoolClientIds": "1example23456789"}
SECRET = "sentinel-" * 4


class Run(unittest.TestCase):
    """`make deploy` with a stage's file of its own and with SAM and cargo replaced."""

    def setUp(self):
        self.root = Path(self.enterContext(tempfile.TemporaryDirectory(dir=SCRATCH)))
        self.steps = []
        self.overrides = None
        self.enterContext(mock.patch.object(deploy, "ROOT", self.root))
        self.enterContext(mock.patch.object(deploy, "step", self.step))
        self.enterContext(mock.patch("builtins.print"))
        self.enterContext(mock.patch.dict(os.environ))
        for name in ("STAGE", "POLICY", "DRY_RUN"):
            os.environ.pop(name, None)

    def step(self, title, *command, **settings):
        """Records a step, and reads the parameters with SAM's own parser."""
        command = [str(part) for part in command]
        self.steps.append((title, command, settings))
        if "--parameter-overrides" in command and title == "Deploy":
            value = command[command.index("--parameter-overrides") + 1]
            self.overrides = CfnParameterOverridesType().convert((value,), None, None)

    def deploy(self, answers=None, file=None, **settings):
        """Runs it with these answers at a terminal, or without a terminal."""
        stage = settings.get("STAGE", "production")
        if file is not None:
            (self.root / f"deploy-{stage}.toml").write_text(file)
        os.environ.update(settings)
        with (
            mock.patch("sys.stdin.isatty", return_value=answers is not None),
            mock.patch("builtins.input", side_effect=answers or []),
        ):
            deploy.main()

    @property
    def chosen(self):
        """The parameters that CloudFormation gets with other values than the template's defaults."""
        self.assertEqual(self.overrides.keys(), deploy.DEFAULTS.keys())
        found = {name: value for name, value in self.overrides.items() if value != deploy.DEFAULTS[name]}
        found.pop("SettingsVersion")
        return found

    def command(self, title):
        """The command of a step."""
        [found] = [command for name, command, _ in self.steps if name == title]
        return found

    def policy(self, text):
        """A file with this policy."""
        file = self.root / "my-policy.toml"
        file.write_text(text)
        return str(file)

    def assert_refused(self, *parts, **arguments):
        """Asserts that it refuses before the first step, in words that hold these parts."""
        with self.assertRaises(deploy.Refused) as caught:
            self.deploy(**arguments)
        for part in parts:
            self.assertIn(part, str(caught.exception))
        self.assertEqual(self.steps, [])
        return str(caught.exception)

    def test_two_answers_are_enough_and_are_not_asked_for_again(self):
        self.deploy(answers=[POOL["UserPoolId"], "1aaa, 2bbb"])
        self.assertEqual(self.chosen, POOL | {"UserPoolClientIds": "1aaa,2bbb"})
        self.steps.clear()
        self.deploy()
        self.assertEqual([title for title, *_ in self.steps], ["Build", "Translate and lint", "Deploy"])
        self.assertEqual(self.overrides["UserPoolClientIds"], "1aaa,2bbb")
        mode = (self.root / "deploy-production.toml").stat().st_mode
        self.assertEqual(mode & 0o077, 0)

    def test_a_wrong_answer_is_asked_for_again(self):
        self.deploy(answers=["eu-west-1_REPLACE00", "pool", *POOL.values()])
        self.assertEqual(self.chosen, POOL)

    def test_without_a_terminal_missing_parameters_are_named(self):
        self.assert_refused("deploy-production.toml", "UserPoolId", "UserPoolClientIds")
        self.assert_refused("deploy-production.toml", "UserPoolClientIds", file=f'UserPoolId = "{POOL["UserPoolId"]}"')

    def test_a_value_that_the_template_does_not_accept_is_refused_by_its_name(self):
        for name, value in [
            ("UserPoolId", '"eu-west-1_REPLACE00"'),
            ("UserPoolClientIds", '"REPLACEwithclientid"'),
            ("LogLevel", '"WARN"'),
            ("CognitoCallTimeoutMs", "5401"),
            ("MemorySize", "64"),
            ("UserPool", '"eu-west-1_Ab12Cd34E"'),
            ("PasswordPolicyFile", '"my-policy.toml"'),
            ("DomainName", json.dumps("a" * 4097)),
            ("SettingsVersion", '"1"'),
        ]:
            given = {key: json.dumps(text) for key, text in POOL.items()} | {name: value}
            file = "".join(f"{key} = {text}\n" for key, text in given.items())
            self.assert_refused(name, file=file)

    def test_a_wrong_secret_is_not_repeated(self):
        file = "".join(f'{k} = "{v}"\n' for k, v in POOL.items()) + f'OriginSecrets = "{SECRET[:31]}"'
        self.assertNotIn("sentinel", self.assert_refused("OriginSecrets", file=file))

    def test_an_unknown_stage_and_a_file_that_is_not_toml_are_refused(self):
        self.assert_refused("STAGE", "production or trial", STAGE="prod")
        self.assert_refused("deploy-trial.toml", "not TOML", file="UserPoolId: x", STAGE="trial")

    def test_values_of_toml_reach_cloudformation_as_its_texts(self):
        self.deploy(
            file='UserPoolId = "eu-west-1_Ab12Cd34E"\nUserPoolClientIds = ["1a", "2b"]\n'
            "PasswordChangedEvents = true\nMemorySize = 512"
        )
        expected = {"UserPoolClientIds": "1a,2b", "PasswordChangedEvents": "true", "MemorySize": "512"}
        self.assertLessEqual(expected.items(), self.chosen.items())

    def test_a_parameter_that_the_file_no_longer_sets_gets_its_default_again(self):
        pool = "".join(f'{name} = "{value}"\n' for name, value in POOL.items())
        self.deploy(file=pool + 'DeploymentType = "AllAtOnce"\n')
        self.assertEqual(self.chosen["DeploymentType"], "AllAtOnce")
        self.deploy(file=pool)
        self.assertEqual(self.overrides["DeploymentType"], "Canary10Percent5Minutes")

    def test_a_parameter_without_the_one_that_it_needs_is_refused_with_the_templates_text(self):
        pool = "".join(f'{name} = "{value}"\n' for name, value in POOL.items())
        for line, part in [
            ('SecurityEmail = "security@example.com"', "SecurityEmail needs PasswordChangedEvents"),
            ('DomainName = "password.example.com"', "DomainName needs CertificateArn"),
            ('PasswordPolicyFile = "/opt/p.toml"', "PasswordPolicyFile needs LayerArns"),
            ('SubnetIds = ["subnet-01"]', "SubnetIds needs SecurityGroupIds"),
            ('DirectChanges = "block"', "DirectChanges needs FunctionAddresses"),
        ]:
            self.assert_refused(part, file=pool + line)

    def test_a_trial_is_a_stack_of_its_own_and_its_file_overrides_its_defaults(self):
        self.deploy(answers=list(POOL.values()), STAGE="trial")
        self.assertIn("change-password-trial", self.command("Deploy"))
        self.assertEqual(self.overrides["LogLevel"], "DEBUG")
        file = self.root / "deploy-trial.toml"
        file.write_text(file.read_text() + 'LogLevel = "INFO"\n')
        self.deploy(STAGE="trial")
        self.assertEqual(self.overrides["LogLevel"], "INFO")

    def test_production_changes_none_of_the_templates_defaults(self):
        self.deploy(answers=list(POOL.values()))
        self.assertEqual(self.chosen, POOL)
        self.assertIn("change-password-production", self.command("Deploy"))
        self.assertIn("--confirm-changeset", self.command("Deploy"))

    def test_the_region_is_the_pools(self):
        self.deploy(answers=["us-gov-west-1_Ab12Cd34E", "1a"])
        command = self.command("Deploy")
        self.assertEqual(command[command.index("--region") + 1], "us-gov-west-1")

    def test_a_dry_run_deploys_nothing(self):
        self.deploy(answers=list(POOL.values()), DRY_RUN="1")
        self.assertEqual([title for title, *_ in self.steps], ["Build", "Translate and lint"])
        self.deploy(DRY_RUN="0")
        self.assertEqual([title for title, *_ in self.steps][-1], "Deploy")

    def test_a_policy_is_checked_first_and_reaches_cloudformation_whole(self):
        for text in [
            (stack.ROOT / "password-policy.toml").read_text(),
            "[length]\nmin = 15 # at least\n\n[words]\nbanned = [\"contoso\", \"it's\"]\n",
            "profile = 'asvs-5'\n[words]\nbanned = ['a \"quoted\" word', 'ä\\ö']\n",
            'profile = "asvs-5"\n[words]\nbanned = ["""\n# no comment\n"""]\n',
            '"profile" = "asvs-5"',
            "\ufeffprofile = 'asvs-5' # \U0001f511 \u2028 \\\\" + "\r\n[words]\r\n",
        ]:
            self.steps.clear()
            self.deploy(answers=list(POOL.values()), POLICY=self.policy(text))
            title, _, settings = self.steps[0]
            self.assertEqual(title, "Policy")
            self.assertEqual(settings["PASSWORD_POLICY"], self.overrides["PasswordPolicy"])
            expected = tomllib.loads(text.removeprefix("\ufeff"))
            self.assertEqual(tomllib.loads(self.overrides["PasswordPolicy"]), expected)

    def test_the_policy_is_remembered_and_replaced_by_another(self):
        first, second = self.root / "first.toml", self.root / "second.toml"
        first.write_text('profile = "asvs-5"\n')
        second.write_text('profile = "nist-800-63b-4"\n')
        self.deploy(answers=list(POOL.values()), POLICY=str(first))
        del os.environ["POLICY"]
        self.deploy()
        self.assertEqual(self.overrides["PasswordPolicy"], first.read_text())
        self.deploy(POLICY=str(second))
        del os.environ["POLICY"]
        self.deploy()
        self.assertEqual(self.overrides["PasswordPolicy"], second.read_text())
        file = self.root / "deploy-production.toml"
        lines = file.read_text().splitlines()
        self.assertEqual([line for line in lines if line.startswith("POLICY")], [f'POLICY = "{second}"'])
        self.deploy(file=file.read_text().replace(f'POLICY = "{second}"', 'POLICY = ""'))
        self.assertEqual(self.overrides["PasswordPolicy"], "")

    def test_a_policy_that_cannot_be_deployed_is_refused(self):
        answers = list(POOL.values())
        self.assert_refused("POLICY", "/no/such.toml", answers=answers, POLICY="/no/such.toml")
        for text, part in [
            ("[length", "not TOML"),
            ("# nothing but a comment\n", "contains no policy"),
            ('[words]\nbanned = ["a\\"b"]', "single quotes"),
            ("[words]\nbanned = [" + '"contoso", ' * 400 + "]", "PasswordPolicyFile"),
        ]:
            self.assert_refused(part, answers=answers, POLICY=self.policy(text))

    def test_a_version_is_published_exactly_if_a_setting_changed_that_needs_it(self):
        def version(**settings):
            settings = POOL | settings
            self.deploy(file="".join(f'{name} = "{value}"\n' for name, value in settings.items()))
            return self.overrides["SettingsVersion"]

        first = version()
        self.assertEqual(version(), first)
        # An alarm is no part of a version, and the memory is in its description.
        self.assertEqual(version(AlarmTopicArn="arn:aws:sns:eu-west-1:1:a", MemorySize="512"), first)
        changed = [
            version(UserPoolClientIds="2aaa"),
            version(PasswordPolicy="profile = 'asvs-5'"),
            version(OriginSecrets=SECRET),
            version(OriginSecrets=SECRET[::-1]),
            version(ChangePasswordUrl="https://app.example.com"),
        ]
        self.assertEqual(len({first, *changed}), 6)


class Program(unittest.TestCase):
    """The program as make runs it."""

    def run_it(self, **settings):
        """The exit status and the output of a run without a terminal."""
        command = [sys.executable, stack.ROOT / "tools" / "deploy.py"]
        done = subprocess.run(
            command,
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    def test_a_wrong_setting_exits_with_2_and_without_a_trace(self):
        status, output = self.run_it(STAGE="staging")
        self.assertEqual((status, output), (2, "STAGE is 'staging'; it must be production or trial.\n"))

    def test_an_interrupted_question_writes_nothing(self):
        file = stack.ROOT / "deploy-trial.toml"
        if file.exists():
            self.skipTest(f"{file.name} is there, and would be used.")
        parent, child = pty.openpty()
        command = [sys.executable, stack.ROOT / "tools" / "deploy.py"]
        with subprocess.Popen(command, env=os.environ | {"STAGE": "trial"}, stdin=child) as process:
            os.write(parent, b"\x04")  # The end of input.
            self.assertEqual(process.wait(timeout=60), 130)
        os.close(child)
        os.close(parent)
        self.assertFalse(file.exists())

    def test_the_policy_is_linted_by_the_functions_own_reader(self):
        with mock.patch("builtins.print"), self.assertRaises(SystemExit) as caught:
            deploy.lint("[length]\nmin = 12\nminimum = 3\n")
        self.assertEqual(caught.exception.code, 1)


if __name__ == "__main__":
    stack.run(lambda: stack.test(Run, Program))
