"""Tests what linters do not check in template.yaml: its inline code and its consistency."""

import base64
import copy
import gzip
import io
import json
import re
import unittest
from contextlib import redirect_stdout
from fnmatch import fnmatchcase
from unittest import mock

import boto3
import yaml
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from samtranslator.yaml_helper import yaml_parse

import stack  # First: it makes tools/ importable.
import audit
import release

TEMPLATE = yaml_parse((stack.ROOT / "template.yaml").read_text())
RUNBOOK = (stack.ROOT / "docs" / "operations.md").read_text()

# Cognito's requests a second for ChangePassword, ForgotPassword and the like together, over all pools
# of an account in a Region. AWS lists this quota as not adjustable.
QUOTA = 30
# The calls of ChangePassword for one change, if its first answer leaves doubt.
CALLS = 3
# The routes that never call ChangePassword. Every other route counts towards the quota.
OTHER_ROUTES = {"POST /check-password"} | {
    f"{method} {path}"
    for method in ("GET", "HEAD")
    for path in ("/password-policy", "/.well-known/change-password")
}
# The route of Cognito's wire format, which returns 404 unless it is switched on.
WIRE_ROUTE = "POST /"
# The calls of Cognito for one change, each with its own time limit: GetUser, ChangePassword three
# times, GlobalSignOut.
STEPS = 5
# Seconds for the policy, the answer, and the end that the function keeps of each invocation.
ANSWER = 1
# After so many seconds, API Gateway stops waiting for the function.
API_GATEWAY_TIMEOUT = 30


def load(function, **clients):
    """The module of a function's inline code, with these clients of AWS services."""
    code = TEMPLATE["Resources"][function]["Properties"]["InlineCode"]
    module = {}
    with mock.patch("boto3.client", side_effect=clients.__getitem__):
        exec(compile(code, f"template.yaml:{function}", "exec"), module)
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


def transformed(**others):
    """The resources that SAM generates, with these values of parameters instead of their defaults."""
    template = copy.deepcopy(TEMPLATE)
    # `sam deploy` inserts the location of the uploaded code.
    for function in ("ChangePassword", "UserMail"):
        template["Resources"][function]["Properties"]["CodeUri"] = "s3://bucket/key"
    parameters = TEMPLATE["Parameters"].items()
    values = {name: parameter.get("Default", "") for name, parameter in parameters} | others
    return release.translated(template, values)["Resources"]


def resolved(value, settings):
    """The value with these parameters, as CloudFormation computes it; others have their defaults."""
    if isinstance(value, list):
        return [resolved(inner, settings) for inner in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        return {name: resolved(inner, settings) for name, inner in value.items()}
    [(function, argument)] = value.items()
    if function == "Fn::If":
        condition, yes, no = argument
        is_met = resolved(TEMPLATE["Conditions"][condition], settings)
        return resolved(yes if is_met else no, settings)
    argument = resolved(argument, settings)
    match function:
        case "Ref":
            return settings.get(argument, TEMPLATE["Parameters"][argument].get("Default", ""))
        case "Fn::Equals":
            return argument[0] == argument[1]
        case "Fn::Not":
            return not argument[0]
        case "Fn::Join":
            return argument[0].join(argument[1])
        case "Fn::Split":
            return argument[1].split(argument[0])
    return {function: argument}


def throttles(resources, **parameters):
    """Each route of each HTTP API, with its rate and its burst for these parameters."""
    stages = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::ApiGatewayV2::Stage"]
    for stage in stages:
        paths = resources[stage["ApiId"]["Ref"]]["Properties"]["Body"]["paths"]
        for route in [f"{method.upper()} {path}" for path in paths for method in paths[path]]:
            settings = stage["DefaultRouteSettings"] | stage["RouteSettings"].get(route, {})
            rate, burst = settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]
            yield route, resolved(rate, parameters), resolved(burst, parameters)


def call_timeout():
    """The longest time in seconds that the template allows for one call of Cognito."""
    return TEMPLATE["Parameters"]["CognitoCallTimeoutMs"]["MaxValue"] / 1000


def template_alarms(resources):
    """The names of all alarms, and of those that roll a version back."""
    alarms = {k: v for k, v in resources.items() if v["Type"] == "AWS::CloudWatch::Alarm"}
    group = resources["ChangePasswordDeploymentGroup"]["Properties"]
    return set(alarms), references(group["AlarmConfiguration"], alarms)


def runbook_alarms():
    """The same, as the table of docs/operations.md has them."""
    rows = re.findall(r"^\| `(\w+Alarm)`( \*)? \|", RUNBOOK, re.MULTILINE)
    return {name for name, _ in rows}, {name for name, star in rows if star}


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
    """The guarantees to consumers of the event."""

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
        self.enterContext(mock.patch.dict("os.environ", STACK="change-password-production"))
        self.handler = load("Forwarder", events=events)["handler"]
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
        expected = {"version": 1, "stack": "change-password-production"}
        expected |= {name: self.change[name] for name in names}
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
        with self.assertRaisesRegex(RuntimeError, "rejected 1 events: ThrottlingException"):
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
        # An asterisk stands for any text (CloudWatch Logs user guide, "Filter pattern syntax").
        is_taken = lambda line: all(fnmatchcase(line[name], wanted[name]) for name in wanted)
        taken = list(filter(is_taken, audit.samples()))
        self.assertEqual({line["status"] for line in taken}, {200, 204})
        kinds = {(line["operation"], line["code"]) for line in taken}
        self.assertEqual(kinds, {("changePassword", "ok")})
        source = (stack.ROOT / "src" / "request.rs").read_text().split("fn operation_id", 1)[1]
        operations = re.findall(r'=> "(\w+)"', source.split("\n    }\n", 1)[0])
        changes = {name for name in operations if fnmatchcase(name, wanted["operation"])}
        self.assertEqual(changes, {"changePassword", "changePasswordWire"})


class StartCheck(unittest.TestCase):
    """The report that CodeDeploy gets on a new version before it gets traffic."""

    def reported(self, payload=None, error=None, failure=None):
        """The status that CodeDeploy gets when the new version answers so."""
        function, codedeploy = mock.Mock(), mock.Mock()
        answer = {"Payload": io.BytesIO(json.dumps(payload).encode())}
        function.invoke.side_effect = failure
        function.invoke.return_value = answer | ({"FunctionError": error} if error else {})
        module = load("StartCheck", codedeploy=codedeploy, **{"lambda": function})
        event = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "hook-1"}
        arn = "arn:aws:lambda:eu-west-1:123456789012:function:change-password:7"
        with mock.patch.dict("os.environ", VERSION=arn), redirect_stdout(io.StringIO()) as log:
            module["handler"](event, None)
        invoked = function.invoke.call_args.kwargs
        self.assertEqual(invoked["FunctionName"], arn)
        sample = json.loads((stack.ROOT / "events" / "health-check.json").read_text())
        sample["requestContext"]["elb"]["targetGroupArn"] = ""
        self.assertEqual(json.loads(invoked["Payload"]), sample)
        told = codedeploy.put_lifecycle_event_hook_execution_status.call_args.kwargs
        self.assertEqual(told.pop("deploymentId"), "d-1")
        self.assertEqual(told.pop("lifecycleEventHookExecutionId"), "hook-1")
        return told["status"], log.getvalue()

    def test_a_version_that_answers_the_health_check_gets_traffic(self):
        self.assertEqual(self.reported({"statusCode": 200}), ("Succeeded", ""))

    def test_a_version_that_does_not_start_or_answer_gets_no_traffic(self):
        exited = {"errorMessage": "RequestId: 1 Error: Runtime exited with error: exit status 1"}
        status, log = self.reported(exited, error="Unhandled")
        self.assertEqual(status, "Failed")
        self.assertIn("Runtime exited", log)
        self.assertEqual(self.reported({"statusCode": 404})[0], "Failed")
        self.assertEqual(self.reported({})[0], "Failed")
        self.assertEqual(self.reported({"errorMessage": ""}, error="Unhandled")[0], "Failed")
        self.assertEqual(self.reported({"errorMessage": None}, error="Unhandled")[0], "Failed")

    def test_a_version_that_cannot_be_invoked_gets_no_traffic(self):
        denied = {"Error": {"Code": "AccessDeniedException", "Message": "denied"}}
        self.assertEqual(self.reported(failure=ClientError(denied, "Invoke"))[0], "Failed")
        self.assertEqual(self.reported(failure=TimeoutError())[0], "Failed")

    def test_its_name_is_one_that_codedeploy_may_invoke(self):
        name = TEMPLATE["Resources"]["StartCheck"]["Properties"]["FunctionName"]["Fn::Sub"]
        self.assertTrue(name.startswith("CodeDeployHook_"))

    def test_codedeploy_calls_it_before_a_version_gets_traffic(self):
        alias = transformed()["ChangePasswordAliaslive"]
        update = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        self.assertEqual(update["BeforeAllowTrafficHook"], {"Ref": "StartCheck"})


class Template(unittest.TestCase):
    """Facts that the template repeats from elsewhere, and things that it must not contain."""

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
        all_parameters = TEMPLATE["Parameters"]
        by_version = {n for n, p in all_parameters.items() if "Change SettingsVersion" in p["Description"]}
        self.assertEqual(parameters(settings) - by_version - {"SettingsVersion"}, parameters(description) - {"SettingsVersion"})
        # A new SettingsVersion alone would publish nothing either, if it did not change the function.
        self.assertIn("${SettingsVersion}", settings["Description"]["Fn::Sub"])

    def test_the_description_of_a_version_has_at_most_256_characters(self):
        description = TEMPLATE["Resources"]["ChangePassword"]["Properties"]["VersionDescription"]
        separator, parts = description["Fn::Join"]
        # The API reference of Cognito: a pool's id has at most 55 characters.
        longest = {"SettingsVersion": 64, "UserPoolId": 55}
        total = len(separator) * (len(parts) - 1)
        for part in parts:
            parameter = TEMPLATE["Parameters"][part["Ref"]]
            values = map(str, parameter.get("AllowedValues", [parameter.get("MaxValue")]))
            total += longest.get(part["Ref"]) or max(map(len, values))
        self.assertLessEqual(total, 256)

    def test_every_setting_except_those_for_development_is_a_parameter(self):
        source = (stack.ROOT / "src" / "config.rs").read_text().split("#[cfg(test)]")[0]
        known = set(re.findall(r'(?:get|switch|milliseconds)\(\s*"([A-Z_]+)"', source))
        known |= set(re.findall(r'"(AWS_ENDPOINT_URL_\w+)"', source))
        self.assertIn("PASSWORD_POLICY", known)
        # Lambda sets the first three. The last one is for development.
        others = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_LAMBDA_FUNCTION_NAME"}
        others |= {"ALLOW_INSECURE_ENDPOINT"}
        function = TEMPLATE["Resources"]["ChangePassword"]["Properties"]
        variables = function["Environment"]["Variables"]
        self.assertEqual(set(variables), known - others)
        for name, value in variables.items():
            self.assertTrue(parameters(value), name)

    def test_the_authorizer_accepts_the_clients_and_the_audiences_of_the_template(self):
        schemes = transformed()["Api"]["Properties"]["Body"]["components"]["securitySchemes"]
        authorizer = schemes["AccessToken"]["x-amazon-apigateway-authorizer"]
        audience = authorizer["jwtConfiguration"]["audience"]
        clients = {"UserPoolClientIds": ["1example23456789", "2example23456789"]}
        self.assertEqual(resolved(audience, clients), clients["UserPoolClientIds"])
        resources = ["https://api.example.com", "https://other.example.com/v1"]
        settings = clients | {"TokenAudiences": ",".join(resources)}
        self.assertEqual(resolved(audience, settings), clients["UserPoolClientIds"] + resources)
        pattern = TEMPLATE["Parameters"]["TokenAudiences"]["AllowedPattern"]
        for value in ("", settings["TokenAudiences"]):
            self.assertRegex(value, rf"^{pattern}$")
        for value in (",", "https://a.example,", "https://a.example, https://b.example"):
            self.assertNotRegex(value, rf"^{pattern}$")

    def test_the_access_log_has_address_and_agent_only_with_access_log_clients(self):
        [stage] = [r for r in transformed().values() if r["Type"] == "AWS::ApiGatewayV2::Stage"]
        line = stage["Properties"]["AccessLogSettings"]["Format"]
        default = json.loads(resolved(line, {}))
        with_clients = json.loads(resolved(line, {"AccessLogClients": "true"}))
        self.assertEqual(
            with_clients,
            {
                "userAgent": "$context.identity.userAgent",
                "sourceIp": "$context.identity.sourceIp",
            }
            | default,
        )
        self.assertIn("authorizerError", default)
        self.assertNotIn("identity", resolved(line, {}))

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
                alarm = resource["Properties"]
                queries = [query.get("MetricStat", {}) for query in alarm.get("Metrics", [])]
                for metric in [alarm] + [query.get("Metric", {}) for query in queries]:
                    for dimension in metric.get("Dimensions", []):
                        codes += [dimension["Value"]] if dimension["Name"] == "code" else []
        self.assertEqual(len(codes), 6)
        for code in codes:
            self.assertIn(f"urn:change-password:problem:{code}", contract)

    def test_a_second_of_doubtful_changes_stays_within_cognitos_quota(self):
        for setting, others in (("false", OTHER_ROUTES | {WIRE_ROUTE}), ("true", OTHER_ROUTES)):
            found = throttles(transformed(), CognitoWireProtocol=setting)
            routes = {route: rate + burst for route, rate, burst in found}
            self.assertLessEqual(others, set(routes))
            changes = {route: number for route, number in routes.items() if route not in others}
            self.assertIn("POST /change-password", changes)
            self.assertLessEqual(sum(changes.values()) * CALLS, QUOTA, changes)

    def test_the_reserved_concurrency_is_enough_while_cognito_stalls(self):
        resources = transformed()
        function = resources["ChangePassword"]["Properties"]
        times = {
            "POST /change-password": function["Timeout"],
            # One call, of GetUser.
            "POST /check-password": call_timeout(),
        }
        text = TEMPLATE["Parameters"]["ReservedConcurrency"]["Description"]
        [enough] = re.findall(r"(\d+) is enough", text)
        for setting, more in (("false", {}), ("true", {WIRE_ROUTE: function["Timeout"]})):
            times |= more
            found = list(throttles(resources, CognitoWireProtocol=setting))
            self.assertLessEqual(times.keys(), {route for route, *_ in found})
            stalled = sum(
                burst + rate * times[route] for route, rate, burst in found if route in times
            )
            self.assertLess(stalled, int(enough))
        suggestions = (stack.ROOT / "tools" / "deploy.py").read_text()
        self.assertIn(f'ReservedConcurrency = "{enough}"', suggestions)

    def test_all_calls_of_a_change_fit_into_the_timeout_and_that_into_api_gateways(self):
        function = transformed()["ChangePassword"]["Properties"]
        self.assertLessEqual(STEPS * call_timeout() + ANSWER, function["Timeout"])
        self.assertLess(function["Timeout"], API_GATEWAY_TIMEOUT)

    def test_the_runbook_lists_every_alarm_and_marks_those_that_roll_a_version_back(self):
        self.assertEqual(runbook_alarms(), template_alarms(transformed()))

    def test_the_settings_page_has_each_variable_and_its_parameter(self):
        rows = {}
        for line in (stack.ROOT / "docs" / "settings.md").read_text().splitlines():
            variables, _, cells = line.partition(" | ")
            rows |= dict.fromkeys(re.findall(r"`([A-Z_]+)`", variables), cells.partition("|")[0])
        sources = [(stack.ROOT / "src" / name).read_text() for name in ("config.rs", "logging.rs")]
        code = "".join(source.split("#[cfg(test)]")[0] for source in sources)
        # The compiler reads those of `env!`.
        known = set(re.findall(r'(?<!env!\()"([A-Z]+(?:_[A-Z]+)+)"', code))
        self.assertLessEqual(known, set(rows))
        function = TEMPLATE["Resources"]["ChangePassword"]["Properties"]
        for name, value in function["Environment"]["Variables"].items():
            for parameter in references(value, TEMPLATE["Parameters"]):
                self.assertIn(f"`{parameter}`", rows[name], name)

    def test_neither_a_replica_nor_a_blocked_request_rolls_a_version_back(self):
        alarms, rolling_back = template_alarms(transformed())
        for name in ("ReadOnlyReplicaAlarm", "RequestBlockedAlarm"):
            self.assertIn(name, alarms)
            self.assertNotIn(name, rolling_back)

    def test_the_alarm_for_an_unreachable_cognito_subtracts_the_answers_of_a_replica(self):
        # Both have the code upstream_unavailable.
        queries = TEMPLATE["Resources"]["UpstreamUnavailableAlarm"]["Properties"]["Metrics"]
        metrics = {q["Id"]: q["MetricStat"]["Metric"] for q in queries if "MetricStat" in q}
        names = {name: metric["MetricName"] for name, metric in metrics.items()}
        self.assertEqual(names, {"outcomes": "outcomes", "replica": "read_only_replica"})
        expressions = [query["Expression"] for query in queries if query.get("ReturnData", True)]
        self.assertEqual(expressions, ["outcomes - FILL(replica, 0)"])


if __name__ == "__main__":
    unittest.main()
