"""Tests what linters do not check in template.yaml: its inline code and its consistency."""

import base64
import copy
import gzip
import json
import logging
import re
import unittest
from unittest import mock

import boto3
import yaml
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

import audit
import stack

TEMPLATE = yaml_parse((stack.ROOT / "template.yaml").read_text())


def load(events):
    """The forwarder's module, with this EventBridge client."""
    code = TEMPLATE["Resources"]["Forwarder"]["Properties"]["InlineCode"]
    module = {}
    with mock.patch("boto3.client", return_value=events):
        exec(compile(code, "template.yaml:Forwarder", "exec"), module)
    return module


def batch(outcomes, kind="DATA_MESSAGE"):
    """The event of a subscription filter."""
    lines = [
        {"id": str(number), "timestamp": line["_aws"]["Timestamp"], "message": json.dumps(line)}
        for number, line in enumerate(outcomes)
    ]
    data = {
        "messageType": kind,
        "owner": "123456789012",
        "logGroup": "/aws/lambda/change-password-prod",
        "logStream": "2026/11/24/[7]0123456789abcdef",
        "subscriptionFilters": ["PasswordChanged"],
        "logEvents": lines,
    }
    packed = base64.b64encode(gzip.compress(json.dumps(data).encode()))
    return {"awslogs": {"data": packed.decode()}}


def accepted(count):
    """The response of PutEvents when it accepts all events."""
    return {"FailedEntryCount": 0, "Entries": [{"EventId": str(n)} for n in range(count)]}


def parameters(value):
    """The template's parameters that this value refers to."""
    if isinstance(value, dict):
        found = {value["Ref"]} if isinstance(value.get("Ref"), str) else set()
        return (found & set(TEMPLATE["Parameters"])).union(*map(parameters, value.values()))
    if isinstance(value, list):
        return set().union(*map(parameters, value))
    return set()


def transformed():
    """The resources after SAM's transformation, as CloudFormation receives them."""
    template = copy.deepcopy(TEMPLATE)
    # `sam deploy` inserts the location of the uploaded code.
    template["Resources"]["ChangePassword"]["Properties"]["CodeUri"] = "s3://bucket/key"
    parameters = TEMPLATE["Parameters"].items()
    values = {name: parameter.get("Default", "") for name, parameter in parameters}
    session = boto3.Session(region_name="eu-west-1")
    # It warns about a feature toggle that exists only at AWS.
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    translator = Translator({}, Parser(), boto_session=session)
    return translator.translate(template, values)["Resources"]


def references(value, resources):
    """The resources that this value refers to."""
    found = set()
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("Ref", "Fn::GetAtt", "Fn::Sub", "DependsOn"):
                parts = inner if isinstance(inner, list) else [inner]
                for part in parts:
                    found.update(re.findall(r"\w+", part) if isinstance(part, str) else ())
            found |= references(inner, resources)
    elif isinstance(value, list):
        for inner in value:
            found |= references(inner, resources)
    return found & set(resources)


class Forwarder(unittest.TestCase):
    """What consumers of the event can rely on."""

    def setUp(self):
        events = boto3.client(
            "events", "eu-west-1", aws_access_key_id="unused", aws_secret_access_key="unused"
        )
        self.sent = []
        events.meta.events.register(
            "provide-client-params.events.PutEvents",
            lambda params, **_: self.sent.append(params["Entries"]),
        )
        self.stub = Stubber(events)
        self.stub.activate()
        self.addCleanup(self.stub.assert_no_pending_responses)
        self.handler = load(events)["handler"]
        self.change = next(
            line
            for line in audit.samples()
            if (line["operation"], line["code"]) == ("changePassword", "ok")
        )

    def answer(self, response):
        self.stub.add_response("put_events", response)

    def test_a_change_becomes_an_event_with_the_user_and_the_time_only(self):
        self.answer(accepted(1))
        self.handler(batch([self.change]), None)
        [[entry]] = self.sent
        self.assertEqual(entry["Source"], "change-password")
        self.assertEqual(entry["DetailType"], "Password Changed")
        self.assertEqual(entry["Time"], self.change["timestamp"])
        names = ("request_id", "timestamp", "sub", "client_id")
        expected = {"version": 1} | {name: self.change[name] for name in names}
        self.assertEqual(json.loads(entry["Detail"]), expected)

    def test_more_than_ten_changes_are_sent_in_several_calls(self):
        outcomes = [self.change | {"request_id": str(number)} for number in range(23)]
        for count in (10, 10, 3):
            self.answer(accepted(count))
        self.handler(batch(outcomes), None)
        ids = [json.loads(entry["Detail"])["request_id"] for call in self.sent for entry in call]
        self.assertEqual(ids, [str(number) for number in range(23)])

    def test_a_partial_failure_fails_the_invocation_after_sending_the_rest(self):
        refused = {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"}
        partial = {"FailedEntryCount": 1, "Entries": [refused] + accepted(9)["Entries"]}
        self.answer(partial)
        self.answer(accepted(2))
        with self.assertRaisesRegex(RuntimeError, "refused 1 events: ThrottlingException"):
            self.handler(batch([self.change] * 12), None)
        self.assertEqual([len(call) for call in self.sent], [10, 2])

    def test_a_failed_call_fails_the_invocation(self):
        self.stub.add_client_error("put_events", "InternalException", http_status_code=500)
        with self.assertRaises(ClientError):
            self.handler(batch([self.change]), None)

    def test_a_control_message_sends_nothing(self):
        self.handler(batch([], kind="CONTROL_MESSAGE"), None)
        self.assertEqual(self.sent, [])

    def test_the_subscription_selects_password_changes_and_no_other_outcome(self):
        events = TEMPLATE["Resources"]["Forwarder"]["Properties"]["Events"]
        pattern = events["PasswordChanged"]["Properties"]["FilterPattern"].strip()
        term = r'\(\$\.(\w+) = "([^"]*)"\)'
        self.assertRegex(pattern, rf"^\{{ {term}( && {term})* \}}$")
        wanted = dict(re.findall(term, pattern))
        taken = [line for line in audit.samples() if wanted.items() <= line.items()]
        self.assertEqual({line["status"] for line in taken}, {200, 204})
        kinds = {(line["operation"], line["code"]) for line in taken}
        self.assertEqual(kinds, {("changePassword", "ok")})


class Template(unittest.TestCase):
    """What the template repeats from elsewhere, and what it must not contain."""

    def test_the_dashboard_shows_every_violation_code_of_the_policy(self):
        source = (stack.ROOT / "src" / "policy" / "rule.rs").read_text()
        function = source.split("pub fn code(", 1)[1].split("\n    }\n", 1)[0]
        known = {part.split('"')[1] for part in function.split("=> ")[1:]}
        body = TEMPLATE["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
        json.loads(body)
        self.assertEqual(set(re.findall(r'"violation_(\w+)"', body)), known)

    def test_every_parameter_of_a_version_makes_a_new_version(self):
        function = TEMPLATE["Resources"]["ChangePassword"]["Properties"]
        description = function["VersionDescription"]
        # These are not part of a version; a change of the processor comes with other code.
        others = {"Architectures", "DeploymentPreference", "ReservedConcurrentExecutions"}
        settings = {k: v for k, v in function.items() if k not in others | {"VersionDescription"}}
        self.assertEqual(parameters(settings), parameters(description))

    def test_no_resources_depend_on_each_other_in_a_circle(self):
        # CloudFormation rejects circles, and cfn-lint misses those through a deployment group.
        resources = transformed()
        waiting = {name: references(value, resources) - {name} for name, value in resources.items()}
        while ready := {name for name, needs in waiting.items() if not needs & set(waiting)}:
            waiting = {name: needs for name, needs in waiting.items() if name not in ready}
        self.assertEqual(waiting, {})

    def test_the_function_may_write_its_log_but_has_no_cognito_permission(self):
        role = yaml.safe_dump(TEMPLATE["Resources"]["ChangePasswordRole"])
        self.assertIn("logs:PutLogEvents", role)
        self.assertNotIn("cognito", role)

    def test_alarms_refer_to_codes_in_openapi_yaml(self):
        contract = (stack.ROOT / "openapi.yaml").read_text()
        codes = []
        for resource in TEMPLATE["Resources"].values():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                for dimension in resource["Properties"]["Dimensions"]:
                    codes += [dimension["Value"]] if dimension["Name"] == "code" else []
        self.assertEqual(len(codes), 5)
        for code in codes:
            self.assertIn(f"urn:change-password:problem:{code}", contract)


if __name__ == "__main__":
    unittest.main()
