"""Compares the Terraform module in docs/terraform with template.yaml, and runs Terraform on it."""

import json
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import hcl2
from hcl2 import SerializationOptions

import stack
from forwarder import TEMPLATE, resolved, transformed

MODULE = stack.ROOT / "docs" / "terraform"
PARAMETERS = TEMPLATE["Parameters"]
PROGRAM = shutil.which("terraform") or shutil.which("tofu")

# The parameters that the module lacks, and why.
NOT_IN_MODULE = {
    "DeploymentType": "Terraform has no gradual deployment of its own",
    "SettingsVersion": "Terraform publishes a version for each changed setting",
    "PasswordChangedEvents": "the module has no events",
    "SecurityEmail": "the module has no events",
    "UserMailFrom": "the module has no events",
    "UserMailContact": "the module has no events",
    "DirectChanges": "the module has no web ACL",
    "FunctionAddresses": "the module has no web ACL",
    "CreateUserPoolWebAcl": "the module has no web ACL",
}
# The conditions of what the module lacks: events, mails and the web ACL.
CONDITIONS_NOT_IN_MODULE = {
    "HasEvents", "HasSecurityEmail", "HasUserMail", "HasDirectChangeRule", "HasUserPoolWebAcl",
}  # fmt: skip
# The variables that the template has no parameter for: the stack's name, and where the code is.
OWN_VARIABLES = {"name", "zip_file", "code_bucket", "code_key"}

# The template's lists that are texts with commas.
LISTS = {"TokenAudiences", "OriginSecrets", "CorsOrigins"}
# The template's conditions, and other things that it refers to, as the module writes them.
CONDITIONS = {
    "HasCognitoWireProtocol": "var.cognito_wire_protocol",
    "HasTracing": 'var.tracing == "Active"',
    "HasVpc": "length(var.subnet_ids) > 0",
    "HasPermissionsBoundary": 'var.permissions_boundary_arn != ""',
    "HasKmsKey": 'var.kms_key_arn != ""',
}
REFERENCES = {
    "Api": "${aws_apigatewayv2_api.api.id}",
    "ChangePassword": "${aws_lambda_function.change_password.function_name}",
    "ChangePassword.Arn": "${aws_lambda_function.change_password.arn}",
    "FunctionLog": "${aws_cloudwatch_log_group.function.name}",
    # CloudFormation's ends with ":*".
    "FunctionLog.Arn": "${aws_cloudwatch_log_group.function.arn}:*",
    "AccessLog": "${aws_cloudwatch_log_group.access.name}",
    "AWS::NoValue": "${null}",
}


def parsed(text):
    """HCL as dictionaries and lists, with each expression as a text in `${}`."""
    options = SerializationOptions(strip_string_quotes=True, with_comments=False, explicit_blocks=False)
    return hcl2.loads(text, serialization_options=options)


def read():
    """The blocks of the module: variables, locals and outputs by name, resources by type and name."""
    found = {"variable": {}, "locals": {}, "output": {}, "resource": {}}
    for path in sorted(MODULE.glob("*.tf")):
        blocks = parsed(path.read_text())
        for kind in ("variable", "output", "locals"):
            for block in blocks.get(kind, []):
                found[kind] |= block
        for block in blocks.get("resource", []):
            for kind, resources in block.items():
                found["resource"].setdefault(kind, {}).update(resources)
    return found


BLOCKS = read()
VARIABLES, LOCALS, RESOURCES = BLOCKS["variable"], BLOCKS["locals"], BLOCKS["resource"]
FUNCTION = RESOURCES["aws_lambda_function"]["change_password"]


def snake(name):
    """The variable's name for a parameter's."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def inner(expression):
    """The text of an expression without its `${}`; a literal as HCL writes it."""
    match = re.fullmatch(r"\$\{(.*)\}", expression, re.DOTALL) if isinstance(expression, str) else None
    return match[1] if match else json.dumps(expression)


def translated(value):
    """A value of the template as the module has it."""
    if isinstance(value, list):
        return [translated(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(function, operand)] = value.items()
        match function:
            case "Ref" if operand in LISTS:
                return f'${{join(",", var.{snake(operand)})}}'
            case "Ref" if operand in PARAMETERS:
                return f"${{var.{snake(operand)}}}"
            case "Ref":
                return REFERENCES[operand]
            case "Fn::GetAtt":
                return REFERENCES[operand if isinstance(operand, str) else ".".join(operand)]
            case "Fn::Join":
                separator, items = operand
                return f"${{join({json.dumps(separator)}, {inner(translated(items))})}}"
            case "Fn::Sub":
                return operand.replace("${AWS::StackName}", "${var.name}")
            case "Fn::If":
                condition, yes, no = operand
                branches = f"{inner(translated(yes))} : {inner(translated(no))}"
                return f"${{{CONDITIONS[condition]} ? {branches}}}"
    return {key: translated(item) for key, item in value.items()}


def document(expression):
    """The policy document in an expression `jsonencode(…)`, with its locals put in."""
    [text] = re.findall(r"^\$\{jsonencode\((.*)\)\}$", expression, re.DOTALL)
    document = parsed(f"document = {text}\n")["document"]
    for statement in document["Statement"]:
        for key, value in statement.items():
            if isinstance(value, str) and value.startswith("${local."):
                statement[key] = LOCALS[value.removeprefix("${local.").removesuffix("}")]
    return document


def type_of(variable):
    """The type of a variable."""
    return VARIABLES[variable]["type"].removeprefix("${").removesuffix("}")


def conditions(variable):
    """The conditions of a variable's validations, as one text."""
    return "\n".join(rule["condition"] for rule in VARIABLES[variable].get("validation", []))


def limits(variable):
    """What a variable accepts, in the words of a parameter of the template."""
    text, name = conditions(variable), re.escape(f"var.{variable}")
    found = {
        "MinValue": re.findall(rf"{name} >= (\d+)", text),
        "MaxValue": re.findall(rf"(?<!\(){name} <= (\d+)", text),
        "MaxLength": re.findall(rf"length\({name}\) <= (\d+)", text),
        "AllowedValues": re.findall(rf"contains\((\[.*?\]), {name}\)", text),
        "AllowedPattern": re.findall(r'regex\(("(?:[^"\\]|\\.)*"), ', text),
    }
    return {limit: json.loads(values[0]) for limit, values in found.items() if values}


def is_compared(name):
    """Whether a parameter is one of the module's too."""
    return name not in NOT_IN_MODULE


def refers_to(value, names):
    """Whether a value of the template refers to one of these parameters."""
    return any(f'"Ref": "{name}"' in json.dumps(value) for name in names)


class Variables(unittest.TestCase):
    """The variables are the template's parameters."""

    def test_every_parameter_is_a_variable_or_has_a_reason_not_to_be(self):
        self.assertLessEqual(NOT_IN_MODULE.keys(), PARAMETERS.keys())
        expected = {snake(name) for name in PARAMETERS if is_compared(name)}
        self.assertEqual(VARIABLES.keys() - OWN_VARIABLES, expected)

    def test_defaults_and_types_are_the_same(self):
        for name in filter(is_compared, PARAMETERS):
            parameter, variable = PARAMETERS[name], VARIABLES[snake(name)]
            default = parameter.get("Default")
            if name in LISTS or parameter["Type"] == "CommaDelimitedList":
                expected = "list(string)", default if default is None else []
            elif parameter.get("AllowedValues") == ["true", "false"]:
                expected = "bool", default == "true"
            elif name == "ReservedConcurrency":
                expected = "number", None
            else:
                expected = parameter["Type"].lower(), default
            self.assertEqual((type_of(snake(name)), variable.get("default")), expected, name)
            # Without a default, null would be accepted for it.
            self.assertEqual(variable.get("nullable", True), name == "ReservedConcurrency", name)

    def test_limits_are_the_same(self):
        for name in filter(is_compared, PARAMETERS):
            parameter, found = PARAMETERS[name], limits(snake(name))
            kinds = {"MinValue", "MaxValue", "MaxLength", "AllowedValues", "AllowedPattern"}
            expected = {kind: parameter[kind] for kind in kinds if kind in parameter}
            if expected.get("AllowedValues") == ["true", "false"]:
                del expected["AllowedValues"]  # A bool.
            if pattern := expected.pop("AllowedPattern", None):
                # Terraform's patterns have no look-ahead, and its examples nothing to replace.
                pattern = pattern.removeprefix("(?!.*REPLACE)")
                item = found.pop("AllowedPattern")
                self.assertRegex(item, r"^\^.*\$$", name)
                item = item[1:-1]
                forms = {
                    "list(string)": {item, f"({item})?", f"({item}(,{item})*)?", f"({item}(,{item})?)?"},
                    "number": {item.replace("+", "*")},  # Null is the empty text.
                }
                self.assertIn(pattern, forms.get(type_of(snake(name)), {item}), name)
            if name == "OriginSecrets":
                self.assertEqual(found.pop("MaxLength"), 2)
            self.assertEqual(found, expected, name)

    def test_what_needs_another_parameter_needs_it_here_too(self):
        messages = {
            rule["error_message"]
            for variable in VARIABLES.values()
            for rule in variable.get("validation", [])
        }
        for rule in TEMPLATE["Rules"].values():
            if not refers_to(rule, NOT_IN_MODULE):
                for assertion in rule["Assertions"]:
                    text = assertion["AssertDescription"]
                    for name in PARAMETERS:
                        text = re.sub(rf"\b{name}\b", snake(name), text)
                    self.assertIn(text, messages)

    def test_secrets_are_sensitive(self):
        hidden = {snake(name) for name, parameter in PARAMETERS.items() if parameter.get("NoEcho")}
        sensitive = {name for name, variable in VARIABLES.items() if variable.get("sensitive")}
        self.assertEqual(sensitive, hidden)

    def test_the_outputs_are_the_same(self):
        expected = {
            snake(name)
            for name, output in TEMPLATE["Outputs"].items()
            if output.get("Condition") not in CONDITIONS_NOT_IN_MODULE
        }
        self.assertEqual(BLOCKS["output"].keys(), expected - {"dashboard_url"})


class Function(unittest.TestCase):
    """The function, its log and its role are the template's."""

    @classmethod
    def setUpClass(cls):
        cls.template = transformed()
        cls.properties = cls.template["ChangePassword"]["Properties"]

    def test_the_function_has_the_same_properties(self):
        names = ("Handler", "Runtime", "Architectures", "MemorySize", "Timeout")
        for name in names:
            expected = translated(self.properties[name])
            self.assertEqual(FUNCTION[snake(name)], expected, name)
        [tracing], [logging] = FUNCTION["tracing_config"], FUNCTION["logging_config"]
        self.assertEqual(tracing["mode"], translated(self.properties["TracingConfig"]["Mode"]))
        expected = translated(self.properties["LoggingConfig"])
        self.assertEqual(logging, {snake(name): value for name, value in expected.items()})

    def test_the_function_has_the_same_environment(self):
        [environment] = FUNCTION["environment"]
        expected = translated(self.properties["Environment"]["Variables"])
        self.assertEqual(environment["variables"], expected)

    def test_each_version_is_published_and_the_alias_points_to_it(self):
        alias = RESOURCES["aws_lambda_alias"]["live"]
        self.assertIs(FUNCTION["publish"], True)
        self.assertEqual(alias["name"], self.template["ChangePasswordAliaslive"]["Properties"]["Name"])
        self.assertEqual(alias["function_version"], "${aws_lambda_function.change_password.version}")
        integration = RESOURCES["aws_apigatewayv2_integration"]["function"]
        self.assertEqual(integration["integration_uri"], "${aws_lambda_alias.live.invoke_arn}")

    def test_the_role_has_the_same_permissions(self):
        role = self.template["ChangePasswordRole"]["Properties"]
        expected = {}
        for policy in role["Policies"]:
            condition, policy = policy.get("Fn::If", [None, policy])[:2]
            expected[policy["PolicyName"]] = condition, policy["PolicyDocument"]
        network = self.template["NetworkPolicy"]
        name = network["Properties"]["PolicyName"]
        expected[name] = network["Condition"], network["Properties"]["PolicyDocument"]
        expected = {
            name: (condition and f"${{{CONDITIONS[condition]} ? 1 : 0}}", translated(document))
            for name, (condition, document) in expected.items()
        }
        found = {
            policy["name"]: (policy.get("count"), document(policy["policy"]))
            for policy in RESOURCES["aws_iam_role_policy"].values()
        }
        self.assertEqual(found, expected)
        [own] = RESOURCES["aws_iam_role"].values()
        self.assertEqual(document(own["assume_role_policy"]), role["AssumeRolePolicyDocument"])
        boundary = '${var.permissions_boundary_arn != "" ? var.permissions_boundary_arn : null}'
        self.assertEqual(own["permissions_boundary"], boundary)

    def test_the_logs_are_kept_and_encrypted_in_the_same_way(self):
        for name, own in (("FunctionLog", "function"), ("AccessLog", "access")):
            expected, group = self.template[name], RESOURCES["aws_cloudwatch_log_group"][own]
            properties = translated(expected["Properties"])
            self.assertEqual(group["retention_in_days"], properties["RetentionInDays"])
            self.assertEqual(group["kms_key_id"], properties["KmsKeyId"])
            self.assertEqual(group.get("name"), properties.get("LogGroupName"))
            self.assertEqual(group.get("skip_destroy", False), "DeletionPolicy" in expected)


class Api(unittest.TestCase):
    """The API is the template's."""

    @classmethod
    def setUpClass(cls):
        cls.template = transformed()
        cls.body = cls.template["Api"]["Properties"]["Body"]
        [stage] = [r for r in cls.template.values() if r["Type"] == "AWS::ApiGatewayV2::Stage"]
        cls.stage = stage["Properties"]

    def test_routes_have_the_same_authorization_and_throttle(self):
        expected = {}
        for path, methods in self.body["paths"].items():
            for method, operation in methods.items():
                key = f"{method.upper()} {path}"
                throttle = self.stage["DefaultRouteSettings"] | self.stage["RouteSettings"].get(key, {})
                expected[key] = {
                    "signed_in": "security" in operation,
                    "rate": translated(throttle["ThrottlingRateLimit"]),
                    "burst": translated(throttle["ThrottlingBurstLimit"]),
                }
        self.assertEqual(LOCALS["every_route"], expected)

    def test_a_route_takes_its_authorization_and_throttle_from_that_table(self):
        self.assertIn('if key != "POST /" || var.cognito_wire_protocol', LOCALS["routes"])
        for kind in ("aws_apigatewayv2_route", "aws_lambda_permission"):
            self.assertEqual(RESOURCES[kind]["route"]["for_each"], "${local.routes}")
        route = RESOURCES["aws_apigatewayv2_route"]["route"]
        self.assertEqual(route["authorization_type"], '${each.value.signed_in ? "JWT" : "NONE"}')
        [dynamic] = RESOURCES["aws_apigatewayv2_stage"]["default"]["dynamic"]
        [settings] = dynamic["route_settings"]["content"]
        self.assertEqual(settings["throttling_rate_limit"], "${route_settings.value.rate}")
        self.assertEqual(settings["throttling_burst_limit"], "${route_settings.value.burst}")

    def test_the_authorizer_is_the_same(self):
        [scheme] = self.body["components"]["securitySchemes"].values()
        expected = scheme["x-amazon-apigateway-authorizer"]
        own = RESOURCES["aws_apigatewayv2_authorizer"]["access_token"]
        self.assertEqual(own["identity_sources"], [expected["identitySource"]])
        self.assertEqual(own["authorizer_type"].lower(), expected["type"])
        [security] = self.body["paths"]["/change-password"]["post"]["security"]
        scopes = json.dumps(security["AccessToken"])
        route = RESOURCES["aws_apigatewayv2_route"]["route"]
        self.assertEqual(route["authorization_scopes"], f"${{each.value.signed_in ? {scopes} : null}}")
        issuer = expected["jwtConfiguration"]["issuer"]["Fn::If"][2]["Fn::Sub"]
        for theirs, ours in (
            ("AWS::Region", "data.aws_region.current.region"),
            ("AWS::URLSuffix", "data.aws_partition.current.dns_suffix"),
            ("UserPoolId", "var.user_pool_id"),
        ):
            issuer = issuer.replace(f"${{{theirs}}}", f"${{{ours}}}")
        self.assertEqual(LOCALS["pool_issuer"], issuer)
        [jwt] = own["jwt_configuration"]
        self.assertEqual(jwt["issuer"], '${var.token_issuer != "" ? var.token_issuer : local.pool_issuer}')
        self.assertEqual(jwt["audience"], "${concat(var.user_pool_client_ids, var.token_audiences)}")

    def test_cors_is_the_same(self):
        _, expected, _ = self.body["x-amazon-apigateway-cors"]["Fn::If"]
        [dynamic] = RESOURCES["aws_apigatewayv2_api"]["api"]["dynamic"]
        [content] = dynamic["cors_configuration"]["content"]
        expected = {snake(name): value for name, value in expected.items()}
        self.assertEqual(content, expected | {"allow_origins": "${var.cors_origins}"})

    def test_the_access_log_has_the_same_members_in_the_same_order(self):
        pair = r'\["(\w+)", "([^"]+)"\]'
        with_clients = re.findall(pair, LOCALS["access_log"])
        default = re.findall(pair, LOCALS["access_log"].split(": []", 1)[1])
        for clients, found in (("true", with_clients), ("false", default)):
            line = resolved(self.stage["AccessLogSettings"]["Format"], {"AccessLogClients": clients})
            self.assertEqual(found, list(json.loads(line).items()))

    def test_the_domain_is_the_same(self):
        [expected] = self.template["Domain"]["Properties"]["DomainNameConfigurations"]
        [own] = RESOURCES["aws_apigatewayv2_domain_name"]["domain"]["domain_name_configuration"]
        self.assertEqual(own, {snake(name): value for name, value in translated(expected).items()})


class Alarms(unittest.TestCase):
    """The alarms are the template's, except for those of what the module lacks."""

    maxDiff = None

    def test_alarms_ring_for_the_same_metrics_at_the_same_thresholds(self):
        actions = "${local.alarm_actions}"
        expected = {}
        for name, resource in TEMPLATE["Resources"].items():
            is_alarm = resource["Type"] == "AWS::CloudWatch::Alarm"
            if is_alarm and resource.get("Condition") not in CONDITIONS_NOT_IN_MODULE:
                alarm = translated(self.plain(resource["Properties"]))
                alarm = {snake(key): value for key, value in alarm.items()}
                expected[name] = alarm | {"alarm_actions": actions, "ok_actions": actions}
        self.assertEqual(self.own_alarms(), expected)

    @staticmethod
    def plain(alarm):
        """An alarm of the template without its texts, and with dimensions as a dictionary."""
        texts = ("AlarmDescription", "AlarmActions", "OKActions")
        alarm = {key: value for key, value in alarm.items() if key not in texts}
        if "Metrics" in alarm:
            queries = alarm.pop("Metrics")
            alarm["MetricQuery"] = {query["Id"]: Alarms.query(query) for query in queries}
        elif dimensions := alarm.pop("Dimensions", []):
            alarm["Dimensions"] = {d["Name"]: d["Value"] for d in dimensions}
        return alarm

    @staticmethod
    def query(query):
        """A query of an alarm of the template, as the module has it."""
        if "MetricStat" not in query:
            return {"expression": query["Expression"], "return_data": True}
        stat = query["MetricStat"]
        metric = stat["Metric"]
        return {
            "namespace": metric["Namespace"],
            "metric_name": metric["MetricName"],
            "dimensions": {d["Name"]: d["Value"] for d in metric["Dimensions"]},
            "stat": stat["Stat"],
            "period": stat["Period"],
        }

    def own_alarms(self):
        """The alarms of the module, with what one resource gives to most of them."""
        resources = RESOURCES["aws_cloudwatch_metric_alarm"]
        shared = {k: v for k, v in resources["alarm"].items() if "each." not in v and k != "for_each"}
        [transformation] = self.filter()["metric_transformation"]
        reference = "${aws_cloudwatch_log_metric_filter.gateway_throttles.metric_transformation[0].name}"
        found = {}
        for name, alarm in LOCALS["alarms"].items():
            for key in alarm.keys() - {"description"}:
                forms = (f"${{each.value.{key}}}", f'${{lookup(each.value, "{key}", null)}}')
                self.assertIn(resources["alarm"][key], forms)
            alarm = {key: value for key, value in alarm.items() if key != "description" and value != {}}
            if alarm["metric_name"] == reference:
                alarm["metric_name"] = transformation["name"]
            found[name] = alarm | shared
        other = dict(resources["upstream_unavailable"])
        name = other.pop("alarm_name").removeprefix("${var.name}-")
        other.pop("alarm_description")
        queries = {}
        for query in other.pop("metric_query"):
            expression = {key: query.get(key) for key in ("expression", "return_data")}
            [queries[query["id"]]] = query.get("metric", [expression])
        return found | {name: other | {"metric_query": queries}}

    @staticmethod
    def filter():
        """The metric filter of throttled requests."""
        return RESOURCES["aws_cloudwatch_log_metric_filter"]["gateway_throttles"]

    def test_throttled_requests_are_counted_in_the_same_way(self):
        expected = translated(TEMPLATE["Resources"]["GatewayThrottles"]["Properties"])
        [transformation] = expected["MetricTransformations"]
        own = self.filter()
        self.assertEqual(own["pattern"], expected["FilterPattern"])
        self.assertEqual(own["log_group_name"], expected["LogGroupName"])
        [found] = own["metric_transformation"]
        named = {key.removeprefix("Metric"): value for key, value in transformation.items()}
        self.assertEqual(found, {snake(key): str(value) for key, value in named.items()})


class Program(unittest.TestCase):
    """What Terraform says of the module. Only `validate` needs the AWS provider."""

    # A value for each variable that its own validation rejects.
    REJECTED = {
        "name": "a name",
        "user_pool_id": "Ab12Cd34E",
        "user_pool_client_ids": ["1aaa,2bbb"],
        "password_policy": "#" * 3073,
        "password_policy_file": "policy.toml",
        "token_issuer": "http://issuer.example.com",
        "token_audiences": ["https://a.example,https://b.example"],
        "change_password_url": "http://app.example.com",
        "cognito_endpoint": "http://cognito.example.com",
        "architecture": "x86",
        "memory_size": 127,
        "layer_arns": ["arn:aws:lambda:eu-west-1:123456789012:layer:settings"],
        "cognito_connect_timeout_ms": 0,
        "cognito_call_timeout_ms": 5401,
        "ca_bundle": "roots.pem",
        "user_changes_per_minute": 0,
        "permissions_boundary_arn": "boundary",
        "log_retention_days": 31,
        "log_level": "WARN",
        "kms_key_arn": "alias/logs",
        "tracing": "true",
        "change_rate_limit": 0,
        "change_burst_limit": 0,
        "reserved_concurrency": -1,
        "alarm_topic_arn": "alarms",
        "certificate_arn": "certificate",
        "origin_secrets": ["too-short"],
        "subnet_ids": ["eu-west-1a"],
        "security_group_ids": ["default"],
        "cors_origins": ["capacitor://localhost"],
    }
    LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:settings:1"
    REQUIRED = {
        "user_pool_id": "eu-west-1_Ab12Cd34E",
        "user_pool_client_ids": ["1example23456789"],
        "zip_file": "bootstrap.zip",
    }

    def run_terraform(self, *arguments, folder):
        """Runs Terraform in a folder and returns what it printed."""
        return subprocess.run(
            [PROGRAM, *arguments, "-no-color"], cwd=folder, capture_output=True, text=True
        )

    def rejected(self, **values):
        """The names of the variables that Terraform rejects."""
        with tempfile.TemporaryDirectory() as folder:
            # Alone, the variables need no provider.
            shutil.copy(MODULE / "variables.tf", folder)
            (Path(folder) / "terraform.tfvars.json").write_text(json.dumps(values))
            done = self.run_terraform("plan", "-input=false", "-lock=false", folder=folder)
        # The message names the line of the rule, which stands in the block of its variable.
        lines = (MODULE / "variables.tf").read_text().splitlines()
        names = set()
        for line in re.findall(r"validation rule at variables\.tf:(\d+)", done.stderr):
            headers = re.findall(r'^variable "(\w+)"', "\n".join(lines[: int(line)]), re.MULTILINE)
            names.add(headers[-1])
        self.assertEqual(bool(names), done.returncode != 0, done.stderr)
        return names

    def test_the_module_is_formatted(self):
        done = self.run_terraform("fmt", "-check", "-recursive", "-diff", folder=MODULE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_module_is_valid_where_the_provider_can_be_had(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in MODULE.glob("*.tf"):
                shutil.copy(path, folder)
            if self.run_terraform("init", "-backend=false", "-input=false", folder=folder).returncode:
                self.skipTest("the AWS provider cannot be had")
            done = self.run_terraform("validate", folder=folder)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_least_and_the_most_that_can_be_given_are_accepted(self):
        self.assertEqual(self.rejected(**self.REQUIRED), set())
        arn = "arn:aws:{}:eu-west-1:123456789012:{}".format
        everything = self.REQUIRED | {
            "zip_file": "",
            "code_bucket": "bucket",
            "code_key": "change-password/1.zip",
            "password_policy_file": "/opt/password-policy.toml",
            "layer_arns": [self.LAYER],
            "ca_bundle": "/opt/roots.pem",
            "token_issuer": "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1",
            "token_audiences": ["https://api.example.com", "https://other.example.com"],
            "change_password_url": "https://app.example.com/password",
            "permissions_boundary_arn": "arn:aws:iam::123456789012:policy/boundary",
            "kms_key_arn": arn("kms", "key/1"),
            "reserved_concurrency": 0,
            "alarm_topic_arn": arn("sns", "alarms"),
            "domain_name": "password.example.com",
            "certificate_arn": arn("acm", "certificate/1"),
            "disable_execute_api_endpoint": True,
            "origin_secrets": ["a" * 32, "b" * 128],
            "subnet_ids": ["subnet-01"],
            "security_group_ids": ["sg-01"],
            "cors_origins": ["https://app.example.com", "http://localhost:3000"],
        }
        self.assertEqual(self.rejected(**everything), set())

    def test_a_value_outside_of_its_limits_is_rejected(self):
        limited = {name for name in VARIABLES if limits(name)}
        self.assertEqual(self.REJECTED.keys(), limited)
        valid = self.REQUIRED | {"layer_arns": [self.LAYER], "security_group_ids": ["sg-01"]}
        remaining = dict(self.REJECTED)
        # Terraform does not look at a variable whose rules refer to a rejected one.
        while remaining:
            names = self.rejected(**valid | remaining)
            self.assertTrue(names and names <= remaining.keys(), f"{remaining.keys()} are accepted")
            remaining = {name: value for name, value in remaining.items() if name not in names}

    def test_a_value_without_the_one_that_it_needs_is_rejected(self):
        alone = {
            "password_policy_file": "/opt/password-policy.toml",
            "ca_bundle": "/opt/roots.pem",
            "domain_name": "password.example.com",
            "subnet_ids": ["subnet-01"],
        }
        self.assertEqual(self.rejected(**self.REQUIRED | alone), alone.keys())
        alone = {"disable_execute_api_endpoint": True, "code_bucket": "bucket"}
        self.assertEqual(self.rejected(**self.REQUIRED | alone), alone.keys())
        both = {"password_policy": "length = { min = 15 }", "password_policy_file": "/opt/p.toml"}
        both |= {"layer_arns": [self.LAYER]}
        self.assertEqual(self.rejected(**self.REQUIRED | both), {"password_policy"})
        without_code = {k: v for k, v in self.REQUIRED.items() if k != "zip_file"}
        self.assertEqual(self.rejected(**without_code), {"zip_file"})


def main():
    """Compares the module with the template, then runs Terraform where there is one."""
    failed = stack.test(Variables, Function, Api, Alarms)
    if failed:
        return failed
    if PROGRAM is None:
        print("Neither terraform nor tofu is here: the format and the validations were not checked.")
        return stack.NOT_CHECKED
    return stack.test(Program)


if __name__ == "__main__":
    stack.run(main)
