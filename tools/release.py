"""Makes the files of a release: for each processor a zip, two templates and an SBOM, and their checksums.

    release.py                     builds everything into target/dist
    release.py --templates FOLDER  writes only the templates, which needs no compiler

Two builds of one commit with the same tools produce the same bytes in any folder: they contain no path of
the machine, and their times are the commit's. docs/releases.md describes the files.
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
# The name of the checkout in the files, instead of its path.
ANY_ROOT = f"/{NAME}"
# Lambda's name of each processor, and the compiler's.
ARCHITECTURES = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
# The minor version of glibc 2 in the runtime provided.al2023: that of Amazon Linux 2023, according to its
# user guide. cargo-lambda links for an older one.
MAX_GLIBC = 34
# The lines of template.yaml that differ in the release's templates.
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
# The location of the zip for AWS CloudFormation. SAM uploads the zip itself.
CODE_PARAMETERS = {
    "CodeBucket": {
        "Type": "String",
        "Description": "The S3 bucket, in the region of this stack, to which the zip was uploaded.",
        "AllowedPattern": "[a-z0-9.-]{3,63}",
    },
    "CodePrefix": {
        "Type": "String",
        "Description": "The part of the S3 key before the zip's file name, such as releases/. Empty for none.",
        "Default": "",
        "AllowedPattern": "([^ ]+/)?",
    },
}


def stem(architecture):
    """Returns the name of the files for a processor, without the suffix.

    A zip's name is also its S3 key, and CloudFormation notices new code only under a new key. So the name
    contains the version.
    """
    return f"{NAME}-{VERSION}-{architecture}"


def sam_template(architecture):
    """Returns the text of template.yaml with the zip in the same folder as the function's code."""
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
    """Returns the code that mails users, in ASCII: CloudFormation may return other letters as `?`.

    Inline, it needs no second zip. Its texts are string literals, in which an escape is the same letter.
    """
    code = (ROOT / "user-mail" / "user_mail.py").read_text()
    return code.encode("ascii", "backslashreplace").decode()


def cloudformation_template(architecture):
    """Returns the template as SAM translates it, with every parameter left to CloudFormation."""
    template = yaml_parse(sam_template(architecture))
    template["Parameters"] = CODE_PARAMETERS | template["Parameters"]
    code = {"Bucket": {"Ref": "CodeBucket"}, "Key": {"Fn::Sub": f"${{CodePrefix}}{stem(architecture)}.zip"}}
    template["Resources"]["ChangePassword"]["Properties"]["CodeUri"] = code

    # SAM replaces each reference whose value it knows. Without defaults, it knows none.
    without_defaults = copy.deepcopy(template)
    for parameter in without_defaults["Parameters"].values():
        parameter.pop("Default", None)
    made = translated(without_defaults, {})
    made["Parameters"] = template["Parameters"]

    # SAM adds CodeDeploy's prefix to the values of DeploymentType, but not to a reference.
    resources = made["Resources"]
    group = resources["ChangePasswordDeploymentGroup"]["Properties"]
    if group["DeploymentConfigName"] != {"Ref": "DeploymentType"}:
        sys.exit("SAM translates DeploymentType differently than before.")
    group["DeploymentConfigName"] = {"Fn::Sub": "CodeDeployDefault.Lambda${DeploymentType}"}
    made["Resources"] = in_any_partition(resources)
    return made


def translated(template, values):
    """Returns the template as SAM translates it with these values of its parameters."""
    # SAM would warn about a feature toggle that exists only at AWS.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    session = boto3.Session(region_name="eu-west-1")
    return Translator({}, Parser(), boto_session=session).translate(template, values)


def in_any_partition(value, is_substituted=False):
    """Returns the value with ${AWS::Partition} in its ARNs, where SAM wrote the partition of the region."""
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
    """Runs a program in the checkout, and exits with its status if it fails."""
    if status := subprocess.run(command, cwd=ROOT, env=os.environ | environment).returncode:
        sys.exit(status)


def binary(architecture):
    """Returns the compiled function, which contains the list of its crates for scanners."""
    cargo_home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    # The compiler uses the last prefix that matches. The folder of a registry is named after its address,
    # which is the address of a mirror on some machines.
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
    """Writes a zip whose bytes depend only on the function and the time."""
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
    # It writes one next to the manifest of each package in the workspace.
    text = (ROOT / f"{NAME}_bin.cdx.json").read_text()
    path.write_text(text.replace(f"file://{ROOT}#", f"file://{ANY_ROOT}#"))
    for manifest in [ROOT / "Cargo.toml", *ROOT.glob("*/*/Cargo.toml")]:
        for list_of_package in manifest.parent.glob("*_bin.cdx.json"):
            list_of_package.unlink()


def main():
    """Writes only the templates, or all files of the release."""
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
