"""Deploys the function with AWS SAM, after every check that is possible without AWS.

    make deploy                          # production: the template's defaults
    make deploy STAGE=trial              # a second stack, deployed at once, with a detailed log
    make deploy POLICY=my-policy.toml    # your own password policy
    make deploy DRY_RUN=1                # every step except the deployment

It asks for the user pool and its app clients once, and writes them to `deploy-STAGE.toml`, with the
path of the policy. That file may set any other parameter of `template.yaml`, and it is complete: a
parameter that it does not set gets the template's default.

It exits with 2 if a parameter or the policy is wrong, before it builds anything.
"""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from samcli.cli.types import CfnParameterOverridesType
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[1]
# Where SAM finds cargo-lambda.
TOOLS = Path(sys.prefix) / "bin"
TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
PARAMETERS = TEMPLATE["Parameters"]
# The differences between each stage and the template's defaults.
STAGES = {
    "production": {},
    "trial": {"DeploymentType": "AllAtOnce", "LogLevel": "DEBUG", "LogRetentionDays": "7"},
}
QUESTIONS = {
    "UserPoolId": "User pool id, such as eu-west-1_Ab12Cd34E",
    "UserPoolClientIds": "Ids of the app clients whose tokens are accepted, separated by commas",
}
# The one key of the stage's file that is not a parameter: the path of the policy.
POLICY = "POLICY"
SUGGESTIONS = """
# Worth setting in production; template.yaml describes every parameter.
# AlarmTopicArn = "arn:aws:sns:eu-west-1:123456789012:alarms"  # without it, alarms notify nobody
# ReservedConcurrency = "300"
# PasswordChangedEvents = "true"
"""


class Refused(Exception):
    """A setting that cannot be deployed; the text names it and the reason."""


def text(value):
    """Returns a value of the stage's file or of the template as CloudFormation reads it."""
    if isinstance(value, list):
        return ",".join(map(text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


DEFAULTS = {name: text(parameter.get("Default", "")) for name, parameter in PARAMETERS.items()}


def check(name, value):
    """Raises `Refused` unless the template accepts this value of this parameter."""
    parameter = PARAMETERS.get(name)
    if parameter is None:
        raise Refused(f"template.yaml has no parameter {name}.")
    shown = "a secret" if parameter.get("NoEcho") else repr(value)
    expected = parameter.get("ConstraintDescription", parameter["Description"])
    refused = Refused(f"{name} is {shown}, which template.yaml does not accept: {expected}")
    is_list = parameter["Type"] == "CommaDelimitedList"
    for member in value.split(",") if is_list else [value]:
        if not re.fullmatch(parameter.get("AllowedPattern", "(?s:.*)"), member):
            raise refused
    if value not in map(text, parameter.get("AllowedValues", [value])):
        raise refused
    if parameter["Type"] == "Number":
        least, most = parameter.get("MinValue", 0), parameter.get("MaxValue", float("inf"))
        if not value.isdecimal() or not least <= int(value) <= most:
            raise refused
    length, limit = len(value.encode()), parameter.get("MaxLength", 4096)
    if length > limit:
        longer = " A longer policy can be a file in a layer: PasswordPolicyFile."
        raise Refused(
            f"{name} has {length} bytes, and the limit is {limit}."
            + (longer if name == "PasswordPolicy" else "")
        )


def broken_rule(parameters):
    """Returns the text of the first of the template's rules that these parameters break, or None."""

    def resolved(value):
        if isinstance(value, list):
            return list(map(resolved, value))
        if not isinstance(value, dict):
            return value
        [(function, operand)] = value.items()
        operand = resolved(operand)
        match function:
            case "Ref":
                is_list = PARAMETERS[operand]["Type"] == "CommaDelimitedList"
                return parameters[operand].split(",") if is_list else parameters[operand]
            case "Fn::Not":
                return not operand[0]
            case "Fn::Equals":
                return operand[0] == operand[1]
            case "Fn::EachMemberEquals":
                return all(member == operand[1] for member in operand[0])
        raise NotImplementedError(function)

    for rule in TEMPLATE["Rules"].values():
        if resolved(rule["RuleCondition"]):
            for assertion in rule["Assertions"]:
                if not resolved(assertion["Assert"]):
                    return assertion["AssertDescription"]
    return None


def read_toml(name, path):
    """Returns the text of a TOML file and its parsed content."""
    try:
        found = path.read_text(encoding="utf-8-sig")
        return found, tomllib.loads(found)
    except OSError as error:
        raise Refused(f"{name} is {str(path)!r}, which cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{name} is {str(path)!r}, which is not TOML: {error}") from error


def ask(file, known):
    """Asks for each required parameter that the stage's file does not set, and returns the answers."""
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
    return answers


def remember(file, settings):
    """Writes these settings into the stage's file, and leaves its other lines as they are."""
    old = file.read_text(encoding="utf-8-sig") if file.exists() else SUGGESTIONS
    for name, value in settings.items():
        line = f"{name} = {json.dumps(value, ensure_ascii=False)}\n"
        old = line + re.sub(rf"(?m)^{name} *=.*\n?", "", old)
    file.touch(mode=0o600)
    file.chmod(0o600)  # It may contain OriginSecrets.
    file.write_text(old, encoding="utf-8")
    print(f"Written to {file.name}, which may set other parameters too: {', '.join(settings)}")


def read_policy(path):
    """Returns the policy without its comments, for which the parameter has no room."""
    policy, content = read_toml(POLICY, path)
    if not content:
        raise Refused(f"{POLICY} is {str(path)!r}, which contains no policy.")
    lines = [line.rstrip() for line in policy.split("\n")]
    short = "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))
    # In a multi-line string, a line may look like a comment.
    try:
        is_same = tomllib.loads(short) == content
    except tomllib.TOMLDecodeError:
        is_same = False
    # The line break at the end keeps SAM from removing quotes around the whole text.
    return (short if is_same else policy.strip()) + "\n"


def settings_version(parameters):
    """Returns a text that changes whenever a parameter changes whose description requires it."""
    by_version = [name for name in PARAMETERS if "Change SettingsVersion" in PARAMETERS[name]["Description"]]
    values = [[name, parameters[name]] for name in by_version]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]


def read_stage(stage, policy):
    """Returns the value of every parameter for this stage, after all checks."""
    file = ROOT / f"deploy-{stage}.toml"
    known = read_toml(file.name, file)[1] if file.exists() else {}
    known = {name: text(value) for name, value in known.items()}
    if not file.exists():
        print(f"There is no {file.name}: every parameter that you are not asked for gets its default.")
    news = ask(file, known)
    if policy and policy != known.get(POLICY):
        news[POLICY] = policy
    known |= news
    policy = known.pop(POLICY, None)
    if "SettingsVersion" in known:
        raise Refused(f"{file.name} must not set SettingsVersion, which follows from the others.")
    if policy:
        if known.get("PasswordPolicy"):
            raise Refused(f"{file.name} must set only one of {POLICY} and PasswordPolicy.")
        known["PasswordPolicy"] = read_policy(ROOT / policy)
    if "UserPoolClientIds" in known:
        known["UserPoolClientIds"] = known["UserPoolClientIds"].replace(" ", "")
    parameters = DEFAULTS | STAGES[stage] | known
    for name, value in parameters.items():
        check(name, value)
    if fault := broken_rule(parameters):
        raise Refused(fault)
    parameters["SettingsVersion"] = settings_version(parameters)
    if news:
        remember(file, news)
    return parameters


def write_overrides(parameters, file):
    """Writes the parameters into a file for SAM, and returns SAM's option for it.

    Raises `Refused` for a value that SAM would read differently.
    """
    # JSON is also YAML, with two exceptions: YAML reads escaped surrogates as two characters, and treats
    # three characters as line breaks.
    content = json.dumps(parameters, ensure_ascii=False)
    file.write(re.sub("[\x85\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", content))
    file.flush()
    option = f"file://{file.name}"
    read = CfnParameterOverridesType().convert((option,), None, None)
    for name, value in parameters.items():
        if read[name] != value:
            hint = "Write strings with quotes in single quotes instead of escaping them."
            raise Refused(f"AWS SAM would change {name}: it removes backslashes and quotes. {hint}")
    return option


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
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        overrides = write_overrides(parameters, file)
        if parameters["PasswordPolicy"]:
            lint(parameters["PasswordPolicy"])
        architecture = f"Architecture={parameters['Architecture']}"
        step("Build", sam, "build", "--parameter-overrides", architecture)
        step("Translate and lint", sam, "validate", "--lint", "--region", region)
        if not is_dry_run:
            step(
                "Deploy",
                *(sam, "deploy", "--stack-name", f"change-password-{stage}", "--region", region),
                *("--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-fail-on-empty-changeset"),
                "--confirm-changeset" if sys.stdin.isatty() else "--no-confirm-changeset",
                *("--parameter-overrides", overrides),
            )
            return
    print(f"\nNothing was deployed. The stack would be change-password-{stage} in {region}, with:")
    for name, value in parameters.items():
        if value != DEFAULTS[name]:
            is_secret = PARAMETERS[name].get("NoEcho")
            print(f"  {name} = {'(a secret)' if is_secret else json.dumps(value, ensure_ascii=False)}")


def main():
    """Checks everything, then deploys."""
    # These signals raise an exception, so that the file with the parameters is removed.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    stage = os.environ.get("STAGE") or "production"
    if stage not in STAGES:
        raise Refused(f"STAGE is {stage!r}; it must be {' or '.join(STAGES)}.")
    is_dry_run = os.environ.get("DRY_RUN", "").lower() not in ("", "0", "false", "no")
    parameters = read_stage(stage, os.environ.get(POLICY))
    # Where SAM looks for cargo-lambda, and cargo-lambda for the compiler's linker.
    os.environ["PATH"] = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    os.environ.setdefault("SAM_CLI_TELEMETRY", "0")
    deploy(stage, parameters, is_dry_run)


if __name__ == "__main__":
    try:
        main()
    except Refused as refused:
        print(refused, file=sys.stderr)
        sys.exit(2)
    except (EOFError, KeyboardInterrupt):
        sys.exit(130)
