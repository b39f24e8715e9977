"""Tests the templates of a release: SAM freezes no parameter, and AWS CDK can include the translated one.

The CDK app is the example of docs/releases.md.
"""

import ast
import copy
import json
import os
import re
import subprocess
import unittest
import zipfile
from unittest import mock

import stack  # First: it makes tools/ importable.
import release
from forwarder import TEMPLATE

MODULES = stack.ROOT / "target" / "tools" / "cdk" / "node_modules"
SCRATCH = stack.scratch("cdk")
GUIDE = (stack.ROOT / "docs" / "releases.md").read_text()
[APP] = re.findall(r"^```js\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
EXAMPLE = "arm64"
# What CDK adds to a stack that has an asset.
OF_CDK = {"Parameters": {"BootstrapVersion"}, "Rules": {"CheckBootstrapVersion"}}


def literals(tree):
    """The values of all literals of a Python module."""
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]


def references(value):
    """How often each name is referred to, by Ref or within Fn::Sub."""
    text = json.dumps(value)
    names = re.findall(r'"Ref": "(\w+)"', text) + re.findall(r"\$\{(\w+)\}", text)
    return {name: names.count(name) for name in names if name in TEMPLATE["Parameters"]}


def substituted(value, parameters):
    """The value with these parameters in place of references to them."""
    if isinstance(value, dict):
        if value.get("Ref") in parameters:
            return parameters[value["Ref"]]
        found = {key: substituted(item, parameters) for key, item in value.items()}
        match found:
            case {"Fn::Split": [separator, str(text)]}:  # CDK computes it.
                return text.split(separator)
        return found
    if isinstance(value, list):
        return [substituted(item, parameters) for item in value]
    return value


class Templates(unittest.TestCase):
    """The templates as a release has them."""

    def test_every_reference_to_a_parameter_is_left_to_cloudformation(self):
        for architecture in release.ARCHITECTURES:
            made = release.cloudformation_template(architecture)
            for section in ("Conditions", "Outputs", "Rules", "Resources"):
                self.assertEqual(references(made[section]), references(TEMPLATE[section]), section)

    def test_nothing_but_the_code_is_added_to_the_parameters(self):
        for architecture in release.ARCHITECTURES:
            parameters = release.cloudformation_template(architecture)["Parameters"]
            self.assertEqual(parameters.keys() - TEMPLATE["Parameters"].keys(), release.CODE_PARAMETERS.keys())
            self.assertEqual(parameters["Architecture"]["Default"], architecture)
            self.assertEqual(parameters["Architecture"]["AllowedValues"], [architecture])
            for name in TEMPLATE["Parameters"].keys() - {"Architecture"}:
                self.assertEqual(parameters[name], TEMPLATE["Parameters"][name])

    def test_conditions_rules_and_outputs_are_those_of_template_yaml(self):
        made = release.cloudformation_template(EXAMPLE)
        self.assertNotIn("Transform", made)
        for section in ("Conditions", "Rules"):
            self.assertEqual(made[section], TEMPLATE[section])
        self.assertEqual(made["Outputs"].keys(), TEMPLATE["Outputs"].keys())

    def test_every_deployment_type_names_a_configuration_of_codedeploy(self):
        group = release.cloudformation_template(EXAMPLE)["Resources"]["ChangePasswordDeploymentGroup"]
        name = {"Fn::Sub": "CodeDeployDefault.Lambda${DeploymentType}"}
        self.assertEqual(group["Properties"]["DeploymentConfigName"], name)

    def test_each_architecture_and_version_gives_the_function_another_version(self):
        # CloudFormation moves the alias only to a version with a logical id that the stack does not have.
        def version(template):
            [name] = (n for n, r in template["Resources"].items() if r["Type"] == "AWS::Lambda::Version")
            return name

        found = {version(release.cloudformation_template(a)) for a in release.ARCHITECTURES}
        with mock.patch.object(release, "VERSION", "99.0.0"):
            found |= {version(release.cloudformation_template(a)) for a in release.ARCHITECTURES}
        self.assertEqual(len(found), 2 * len(release.ARCHITECTURES))

    def test_the_inline_code_of_the_mail_is_ascii_and_has_the_same_texts(self):
        made = release.cloudformation_template(EXAMPLE)["Resources"]["UserMail"]["Properties"]
        code = made["Code"]["ZipFile"]
        self.assertTrue(code.isascii())
        self.assertEqual(made["Handler"], "index.handler")
        source = (stack.ROOT / "user-mail" / "user_mail.py").read_text()
        self.assertEqual(*(literals(ast.parse(text)) for text in (code, source)))

    def test_no_arn_names_a_partition(self):
        made = json.dumps(release.cloudformation_template(EXAMPLE)["Resources"])
        self.assertNotIn("arn:aws:", made)


class Zip(unittest.TestCase):
    """The zip that Lambda gets."""

    def test_the_zip_holds_one_executable_and_depends_on_nothing_but_its_content_and_the_time(self):
        time = release.datetime.datetime(2026, 11, 24, 12, 0, 2)
        first, second = SCRATCH / "first.zip", SCRATCH / "second.zip"
        release.pack(b"\x7fELF", first, time)
        release.pack(b"\x7fELF", second, time)
        self.assertEqual(first.read_bytes(), second.read_bytes())
        [entry] = zipfile.ZipFile(first).infolist()
        self.assertEqual(entry.filename, "bootstrap")
        self.assertEqual(entry.external_attr >> 16, 0o100755)
        self.assertEqual(entry.compress_type, zipfile.ZIP_DEFLATED)
        self.assertEqual(entry.date_time, (2026, 11, 24, 12, 0, 2))


class Cdk(unittest.TestCase):
    """The app of docs/releases.md."""

    def test_cdk_synthesises_the_included_template_with_every_resource(self):
        name = release.stem(EXAMPLE)
        self.assertIn(f"'{name}'", APP, "docs/releases.md names another version")
        template = release.cloudformation_template(EXAMPLE)
        (SCRATCH / f"{name}.cloudformation.json").write_text(json.dumps(template))
        (SCRATCH / f"{name}.zip").write_bytes(b"a zip of any content")
        (SCRATCH / "app.mjs").write_text(APP)
        policy = 'profile = "asvs-5"\n[words]\nbanned = ["contoso"]\n'
        (SCRATCH / "my-policy.toml").write_text("# Ours\n" + policy)
        modules = SCRATCH / "node_modules"
        modules.unlink(missing_ok=True)
        modules.symlink_to(MODULES)
        command = [MODULES / ".bin" / "cdk", "synth", "--app", "node app.mjs", "--quiet"]
        command += ["--no-notices", "--no-version-reporting", "--no-path-metadata"]
        path = f"{stack.TOOLS}:{os.environ['PATH']}"
        settings = {"PATH": path, "HOME": str(SCRATCH), "CDK_DISABLE_CLI_TELEMETRY": "true"}
        # CDK warns about each parameter whose default is empty, although a condition goes with it.
        made = subprocess.run(command, cwd=SCRATCH, env=os.environ | settings, capture_output=True, text=True)
        self.assertEqual(made.returncode, 0, made.stderr)
        made = json.loads((SCRATCH / "cdk.out" / "ChangePassword.template.json").read_text())

        asset = made["Resources"]["ChangePassword"]["Properties"]["Code"]
        self.assertRegex(asset["S3Key"], r"^[0-9a-f]{64}\.zip$")
        description = made["Resources"]["ChangePassword"]["Properties"]["Description"]["Fn::Sub"]
        [version] = re.findall(r"[0-9a-f]{64}", description)
        values = {
            "CodeBucket": asset["S3Bucket"],
            "UserPoolId": "eu-west-1_Ab12Cd34E",
            "UserPoolClientIds": ["1example23456789"],
            "PasswordPolicy": policy,
            "SettingsVersion": version,
            "CorsOrigins": "https://app.example.com",
        }
        expected = copy.deepcopy(template)
        expected["Resources"]["ChangePassword"]["Properties"]["Code"]["S3Key"] = asset["S3Key"]
        for name in (*values, "CodePrefix"):
            del expected["Parameters"][name]
        for section, added in OF_CDK.items():
            self.assertEqual(made[section].keys() - expected[section].keys(), added)
            expected[section] |= {name: made[section][name] for name in added}
        # CDK inserts values into Fn::Sub as well.
        text = json.dumps(substituted(expected, values))
        for name in ("UserPoolId", "SettingsVersion"):
            text = text.replace(f"${{{name}}}", values[name])
        expected = json.loads(text)
        self.assertEqual(made.keys(), expected.keys())
        for section in made.keys() - {"Resources"}:
            self.assertEqual(made[section], expected[section], section)
        self.assertEqual(made["Resources"].keys(), expected["Resources"].keys())
        for name, resource in expected["Resources"].items():
            self.assertEqual(made["Resources"][name], resource, name)


if __name__ == "__main__":
    stack.run(lambda: stack.test(Templates, Zip, Cdk))
