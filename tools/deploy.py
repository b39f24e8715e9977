"""Deploys the function with AWS SAM, after checking everything that can be checked without AWS.

    make deploy                          # production: the template's defaults
    make deploy STAGE=trial              # a separate stack, deployed at once, with a detailed log
    make deploy POLICY=my-policy.toml    # with your own password policy
    make deploy DRY_RUN=1                # every step except the deployment itself

It asks for the user pool and its app clients once, and writes them to `deploy-STAGE.toml`. That file
may set any other parameter of `template.yaml` too. CloudFormation keeps the previous value of each
parameter that is no longer set.

It exits with 2 if a parameter or the policy is wrong, before it builds anything.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[1]
# Where SAM finds cargo-lambda.
TOOLS = Path(sys.prefix) / "bin"
PARAMETERS = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
# The values of each stage that differ from the template's defaults.
STAGES = {
    "production": {},
    "trial": {"DeploymentType": "AllAtOnce", "LogLevel": "DEBUG", "LogRetentionDays": "7"},
}
QUESTIONS = {
    "UserPoolId": "User pool id, such as eu-west-1_Ab12Cd34E",
    "UserPoolClientIds": "Ids of the app clients whose tokens are accepted, separated by commas",
}
# A new version of the function is published only if its description changes, which does not contain these.
UNPUBLISHED = ("PasswordPolicy", "OriginSecrets")
SUGGESTIONS = """
# Worth setting in production; template.yaml describes every parameter.
# AlarmTopicArn = "arn:aws:sns:eu-west-1:123456789012:alarms"  # without it, alarms notify nobody
# ReservedConcurrency = "300"
# PasswordChangedEvents = "true"
"""


class Refused(Exception):
    """A setting cannot be deployed; the message names it and the reason."""


def text(value):
    """Returns a parameter's value as CloudFormation reads it."""
    if isinstance(value, list):
        return ",".join(map(text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def check(name, value):
    """Raises `Refused` unless the template accepts this value for this parameter."""
    parameter = PARAMETERS.get(name)
    if parameter is None:
        raise Refused(f"{name} is no parameter of template.yaml.")
    is_list = parameter["Type"] == "CommaDelimitedList"
    shown = "a secret" if parameter.get("NoEcho") else repr(value)
    expected = parameter.get("ConstraintDescription", parameter["Description"])
    refused = Refused(f"{name} is {shown}, which template.yaml does not accept: {expected}")
    for member in value.split(",") if is_list else [value]:
        if not re.fullmatch(parameter.get("AllowedPattern", "(?s:.*)"), member):
            raise refused
    if value not in map(text, parameter.get("AllowedValues", [value])):
        raise refused
    if parameter["Type"] == "Number":
        least, most = parameter.get("MinValue", 0), parameter.get("MaxValue", float("inf"))
        if not value.isdecimal() or not least <= int(value) <= most:
            raise refused
    if len(value.encode()) > parameter.get("MaxLength", 4096):
        raise Refused(f"{name} has {len(value.encode())} bytes; at most {parameter['MaxLength']} fit.")


def read_parameters(file):
    """Returns the parameters in a stage's file, as text; none if there is no file."""
    if not file.exists():
        return {}
    try:
        found = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{file.name} is not TOML: {error}") from error
    return {name: text(value) for name, value in found.items()}


def ask(file, known):
    """Asks for each parameter that the template requires, and adds the answers to the stage's file."""
    missing = {name: question for name, question in QUESTIONS.items() if name not in known}
    if missing and not sys.stdin.isatty():
        raise Refused(f"{file.name} must set {' and '.join(missing)}.")
    answers = {}
    for name, question in missing.items():
        while name not in answers:
            answer = input(f"{question}: ").replace(" ", "")
            try:
                check(name, answer)
                answers[name] = answer
            except Refused as refused:
                print(refused)
    if answers:
        lines = "".join(f"{name} = {json.dumps(answer)}\n" for name, answer in answers.items())
        old = file.read_text() if file.exists() else ""
        file.touch(mode=0o600)  # It may contain OriginSecrets later.
        file.write_text(lines + (old or SUGGESTIONS))
        print(f"Written to {file.name}, which may set other parameters too.")
    return answers


def read_policy(file):
    """Returns the policy without its comments, for which the parameter has no room."""
    try:
        policy = file.read_text()
        lines = [line.rstrip() for line in policy.splitlines()]
        short = "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))
        # A line of a multi-line string may look like a comment.
        if tomllib.loads(short) != tomllib.loads(policy):
            short = policy
    except OSError as error:
        raise Refused(f"POLICY is {str(file)!r}, which cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"POLICY is {str(file)!r}, which is not TOML: {error}") from error
    # SAM removes these backslashes from a parameter's value.
    if re.search(r"""\\["' ]""", short):
        raise Refused(f"{file} escapes a quote. Write the string in single quotes instead: '…'")
    return short


def settings_version(parameters):
    """Returns a text that changes with each parameter whose change would publish no new version."""
    given = [parameters[name] for name in UNPUBLISHED if name in parameters]
    return hashlib.sha256("\0".join(given).encode()).hexdigest()[:12] if given else None


def step(title, *command, **settings):
    """Runs a command in the foreground, and exits if it fails."""
    print(f"\n== {title}: {' '.join(map(str, command))}", flush=True)
    done = subprocess.run(list(map(str, command)), cwd=ROOT, env=os.environ | settings)
    if done.returncode != 0:
        sys.exit(done.returncode)


def lint(policy):
    """Reads the policy as the function does when it starts."""
    step(
        "Policy",
        *("cargo", "run", "--quiet", "--locked", "--package", "check-policy", "--", "--lint"),
        PASSWORD_POLICY=policy,
        PASSWORD_POLICY_FILE="",
    )


def deploy(stage, parameters, is_dry_run):
    """Builds the function and deploys it, or stops before the deployment."""
    sam, region = TOOLS / "sam", parameters["UserPoolId"].split("_")[0]
    architecture = parameters.get("Architecture", PARAMETERS["Architecture"]["Default"])
    step("Build", sam, "build", "--parameter-overrides", f"Architecture={architecture}")
    step("Translate and lint", sam, "validate", "--lint", "--region", region)
    if is_dry_run:
        print(f"\nNothing was deployed. The stack would be change-password-{stage} in {region}, with:")
        for name, value in parameters.items():
            is_secret = PARAMETERS[name].get("NoEcho")
            print(f"  {name} = {'(a secret)' if is_secret else json.dumps(value)}")
        return
    # A file, because a policy has more than one line; JSON is YAML too. It is removed afterwards, because
    # it may contain OriginSecrets.
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(parameters, file)
        file.flush()
        step(
            "Deploy",
            *(sam, "deploy", "--stack-name", f"change-password-{stage}", "--region", region),
            *("--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset"),
            "--confirm-changeset" if sys.stdin.isatty() else "--no-confirm-changeset",
            *("--parameter-overrides", f"file://{file.name}"),
        )


def main():
    """Checks everything, then deploys."""
    stage, policy = os.environ.get("STAGE") or "production", os.environ.get("POLICY")
    if stage not in STAGES:
        raise Refused(f"STAGE is {stage!r}; it must be {' or '.join(STAGES)}.")
    file = ROOT / f"deploy-{stage}.toml"
    known = read_parameters(file)
    parameters = STAGES[stage] | known | ask(file, known)
    if policy:
        parameters["PasswordPolicy"] = read_policy(Path(policy))
    if version := settings_version(parameters):
        parameters.setdefault("SettingsVersion", version)
    for name, value in parameters.items():
        check(name, value)
    # Where SAM looks for cargo-lambda, and cargo-lambda for the compiler's linker.
    os.environ["PATH"] = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    os.environ.setdefault("SAM_CLI_TELEMETRY", "0")
    if parameters.get("PasswordPolicy"):
        lint(parameters["PasswordPolicy"])
    deploy(stage, parameters, bool(os.environ.get("DRY_RUN")))


if __name__ == "__main__":
    try:
        main()
    except Refused as refused:
        print(refused, file=sys.stderr)
        sys.exit(2)
    except (EOFError, KeyboardInterrupt):
        sys.exit(130)
