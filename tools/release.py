"""Makes the files of a release: for each processor a zip, two templates and an SBOM, and their checksums.

    release.py                     builds everything into target/dist
    release.py --templates FOLDER  writes the templates alone, which takes no compiler

Two builds of one commit with the same tools give the same bytes in any folder: no path of the machine is
in them, and their times are the commit's. docs/releases.md describes the files.
"""

import copy
import datetime
import hashlib
import json
import logging
import os
import re
import subprocess
import sys
import textwrap
import tomllib
import zipfile
from pathlib import Path

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "target" / "dist"
NAME = "change-password"
# What stands for the checkout in the files.
ANY_ROOT = f"/{NAME}"
# Lambda's name of each processor, and the compiler's.
ARCHITECTURES = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
# The minor version of glibc 2 in the runtime provided.al2023, which is that of Amazon Linux 2023 (its
# user guide). cargo-lambda links for an older one.
MAX_GLIBC = 34
# What the release's templates have in place of lines of template.yaml.
REPLACED = {
    "CodeUri: .\n": "CodeUri: {zip}\n",
    "CodeUri: user-mail\n": "InlineCode: |\n{user_mail}",
    "Handler: user_mail.handler\n": "Handler: index.handler\n",
    "    Default: arm64\n    AllowedValues: [arm64, x86_64]\n": (
        "    Default: {architecture}\n    AllowedValues: [{architecture}]\n"
    ),
    "The processor. Give sam build and sam deploy the same one.": (
        "The processor that the code is built for."
    ),
}
# Where AWS CloudFormation finds the zip, which SAM uploads itself.
CODE_PARAMETERS = {
    "CodeBucket": {
        "Type": "String",
        "Description": "The S3 bucket, in the region of this stack, to which the zip was uploaded.",
        "AllowedPattern": "[a-z0-9.-]{3,63}",
    },
    "CodePrefix": {
        "Type": "String",
        "Description": "What precedes the zip's file name in its S3 key, such as releases/. Empty for nothing.",
        "Default": "",
        "AllowedPattern": "([^ ]+/)?",
    },
}


def stem(architecture):
    """The names of the files for a processor, without their ends.

    A zip's name is its S3 key too, and to CloudFormation code is new only under another key. So the
    version is in it.
    """
    return f"{NAME}-{VERSION}-{architecture}"


def sam_template(architecture):
    """template.yaml with the zip beside it as the function's code, as text."""
    text = (ROOT / "template.yaml").read_text()
    values = {
        "architecture": architecture,
        "zip": f"{stem(architecture)}.zip",
        "user_mail": textwrap.indent(user_mail(), " " * 8),
    }
    for old, new in REPLACED.items():
        if text.count(old) != 1:
            sys.exit(f"template.yaml has {old!r} {text.count(old)} times and not once.")
        text = text.replace(old, new.format(**values))
    return text


def user_mail():
    """The code of the function that mails users, in ASCII: CloudFormation may return other letters as `?`.

    Inline, it needs no zip of its own. Its texts are string literals, in which an escape is the same letter.
    """
    code = (ROOT / "user-mail" / "user_mail.py").read_text()
    return code.encode("ascii", "backslashreplace").decode()


def cloudformation_template(architecture):
    """What SAM makes of the template, with every parameter left to CloudFormation."""
    template = yaml_parse(sam_template(architecture))
    template["Parameters"] = CODE_PARAMETERS | template["Parameters"]
    code = {"Bucket": {"Ref": "CodeBucket"}, "Key": {"Fn::Sub": f"${{CodePrefix}}{stem(architecture)}.zip"}}
    template["Resources"]["ChangePassword"]["Properties"]["CodeUri"] = code

    # SAM puts a value in place of a reference wherever it knows one. Without defaults it knows none.
    without_defaults = copy.deepcopy(template)
    for parameter in without_defaults["Parameters"].values():
        parameter.pop("Default", None)
    # It warns about a feature toggle that exists only at AWS.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    session = boto3.Session(region_name="eu-west-1")
    made = Translator({}, Parser(), boto_session=session).translate(without_defaults, {})
    made["Parameters"] = template["Parameters"]

    # SAM knows only the values of DeploymentType by their names in CodeDeploy, not the reference.
    resources = made["Resources"]
    group = resources["ChangePasswordDeploymentGroup"]["Properties"]
    if group["DeploymentConfigName"] != {"Ref": "DeploymentType"}:
        sys.exit("SAM makes something else of DeploymentType than it did.")
    group["DeploymentConfigName"] = {"Fn::Sub": "CodeDeployDefault.Lambda${DeploymentType}"}
    made["Resources"] = in_any_partition(resources)
    return made


def in_any_partition(value, is_substituted=False):
    """The value with ${AWS::Partition} in its ARNs: SAM knows the region, and writes its partition."""
    if isinstance(value, dict):
        return {key: in_any_partition(item, key == "Fn::Sub") for key, item in value.items()}
    if isinstance(value, list):
        return [in_any_partition(item, is_substituted) for item in value]
    if not isinstance(value, str) or not value.startswith("arn:aws:"):
        return value
    arn = value.replace("arn:aws:", "arn:${AWS::Partition}:", 1)
    return arn if is_substituted else {"Fn::Sub": arn}


def write_templates(folder):
    """Writes the templates into the folder, which it empties, and yields their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for architecture in ARCHITECTURES:
        sam = folder / f"{stem(architecture)}.sam.yaml"
        sam.write_text(sam_template(architecture))
        plain = folder / f"{stem(architecture)}.cloudformation.json"
        plain.write_text(json.dumps(cloudformation_template(architecture), indent=1) + "\n")
        yield from (sam, plain)


def run(*command, **environment):
    """Runs a program in the checkout; its failure is ours."""
    if status := subprocess.run(command, cwd=ROOT, env=os.environ | environment).returncode:
        sys.exit(status)


def binary(architecture):
    """The function, compiled with the list of its crates in it, for scanners of what is deployed."""
    cargo_home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    # The compiler takes the last that matches. The folder of a registry is named after its address,
    # which is that of a mirror on some machines.
    paths = {cargo_home: "/cargo"}
    paths |= dict.fromkeys(sorted(cargo_home.glob("registry/src/*")), "/cargo/registry/src")
    paths[ROOT] = ANY_ROOT
    flags = " ".join(f"--remap-path-prefix={path}={name}" for path, name in paths.items())
    target, folder = ARCHITECTURES[architecture], ROOT / "target" / "lambda" / architecture
    run("cargo", "fetch", "--quiet", "--locked", "--target", target)
    run(
        *("cargo", "auditable", "lambda", "build", "--release", "--locked", "--bin", NAME),
        *("--target", target, "--lambda-dir", str(folder)),
        RUSTFLAGS=flags,
    )
    bootstrap = (folder / NAME / "bootstrap").read_bytes()
    newest = max(map(int, re.findall(rb"GLIBC_2\.(\d+)", bootstrap)))
    if newest > MAX_GLIBC:
        sys.exit(f"The function for {architecture} needs glibc 2.{newest}; Lambda has 2.{MAX_GLIBC}.")
    return bootstrap


def pack(bootstrap, path, time):
    """Writes a zip whose bytes depend on nothing but the function and the time."""
    entry = zipfile.ZipInfo("bootstrap", time.timetuple()[:6])
    entry.create_system = 3  # Unix, where the upper half of the attributes is the file's mode.
    entry.external_attr = 0o100755 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, bootstrap, zipfile.ZIP_DEFLATED, 9)


def write_sbom(architecture, path):
    """Writes the list of the function's crates, in CycloneDX."""
    run(
        *("cargo", "cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5"),
        *("--target", ARCHITECTURES[architecture], "--describe", "binaries"),
    )
    # It writes one beside the manifest of each package of the workspace.
    text = (ROOT / f"{NAME}_bin.cdx.json").read_text()
    path.write_text(text.replace(f"file://{ROOT}#", f"file://{ANY_ROOT}#"))
    for manifest in [ROOT / "Cargo.toml", *ROOT.glob("*/*/Cargo.toml")]:
        for list_of_package in manifest.parent.glob("*_bin.cdx.json"):
            list_of_package.unlink()


def main():
    """Writes the templates alone, or all files of the release."""
    if sys.argv[1:2] == ["--templates"]:
        list(write_templates(Path(sys.argv[2])))
        return
    commit_time = subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT, text=True).strip()
    # For the SBOM.
    os.environ["SOURCE_DATE_EPOCH"] = commit_time
    paths = list(write_templates(DIST))
    for architecture in ARCHITECTURES:
        archive, sbom = (DIST / f"{stem(architecture)}.{end}" for end in ("zip", "cdx.json"))
        pack(binary(architecture), archive, datetime.datetime.fromtimestamp(int(commit_time), datetime.UTC))
        write_sbom(architecture, sbom)
        paths += [archive, sbom]
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(paths)]
    (DIST / "SHA256SUMS").write_text("".join(sums))
    print("".join(sums), end="")


if __name__ == "__main__":
    main()
