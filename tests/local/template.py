"""Tests template.yaml under every combination of its switches, and the template of docs/cloudfront.

Linters only see the parameters' defaults. Here, SAM transforms the template with each switch in each of
its states, the conditions are evaluated as CloudFormation evaluates them, and the resources that remain
must be consistent. With `--write FOLDER`, it writes copies of the template with other defaults, for the
linters.
"""

import copy
import functools
import itertools
import json
import re
import sys
import unittest
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

import stack  # First: it makes tools/ importable.
import deploy
from forwarder import OTHER_ROUTES, TEMPLATE, WIRE_ROUTE, references, transformed

ARN = "arn:aws:{}:eu-west-1:123456789012:{}".format
LAYER = ARN("lambda", "layer:settings:1")
ADDRESSES = ["192.0.2.10/32", "192.0.2.11/32"]
PARAMETERS = TEMPLATE["Parameters"]

# The states of each switch, as the parameters that they set. The first is the default.
SWITCHES = {
    "origins": [
        {},
        {"CorsOrigins": "https://app.example.com"},
        {"CorsOrigins": "https://app.example.com,http://localhost"},
    ],
    "policy": [
        {},
        {"PasswordPolicy": "length = { min = 15 }", "SettingsVersion": "1"},
        {"PasswordPolicyFile": "/opt/password-policy.toml", "LayerArns": LAYER},
    ],
    "roots": [{}, {"CaBundle": "/opt/roots.pem", "LayerArns": LAYER}],
    "boundary": [{}, {"PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary"}],
    "key": [{}, {"KmsKeyArn": ARN("kms", "key/1")}],
    "issuer": [{}, {"TokenIssuer": "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1"}],
    "audiences": [{}, {"TokenAudiences": "https://api.example.com"}],
    "page": [{}, {"ChangePasswordUrl": "https://app.example.com/password"}],
    "wire protocol": [{}, {"CognitoWireProtocol": "true"}],
    "log clients": [{}, {"AccessLogClients": "true"}],
    "tracing": [{}, {"Tracing": "Active"}],
    "deployment": [{}, {"DeploymentType": "AllAtOnce"}],
    "concurrency": [{}, {"ReservedConcurrency": "150"}],
    "topic": [{}, {"AlarmTopicArn": ARN("sns", "alarms")}],
    "domain": [
        {},
        {"DomainName": "password.example.com", "CertificateArn": ARN("acm", "certificate/1")},
    ],
    "zone": [{}, {"HostedZoneId": "Z0123456789"}],
    "domain only": [{}, {"DisableExecuteApiEndpoint": "true"}],
    "events": [{}, {"PasswordChangedEvents": "true"}],
    "mail": [{}, {"SecurityEmail": "security@example.com"}],
    "user mail": [
        {},
        {"UserMailFrom": "no-reply@example.com", "UserMailContact": "https://example.com/help"},
    ],
    "network": [{}, {"SubnetIds": "subnet-01,subnet-02", "SecurityGroupIds": "sg-01"}],
    "direct": [
        {},
        {"DirectChanges": "count", "FunctionAddresses": ",".join(ADDRESSES)},
        {"DirectChanges": "block", "FunctionAddresses": ",".join(ADDRESSES)},
    ],
    "web ACL": [{}, {"CreateUserPoolWebAcl": "true"}],
    "proxy": [{}, {"OriginSecrets": "secret-" * 5, "SettingsVersion": "1"}],
}
# Switches that make or change no more than one property, and so stay off where many are combined.
CONSTANT = dict.fromkeys(
    ("origins", "issuer", "tracing", "deployment", "topic", "zone", "policy", "roots", "boundary"), 0
)
# Pairs of switches: the template's rules reject the second one without the first.
NEEDS = {
    ("domain", "domain only"),
    ("events", "mail"),
    ("events", "user mail"),
    ("network", "direct"),
    ("direct", "web ACL"),
}
# The parameters that SAM resolves; CloudFormation resolves all others.
READ_BY_SAM = {"CorsOrigins", "DeploymentType", "Tracing"}
# The places where an empty text is allowed: a variable of the function that is not set, and a description.
MAY_BE_EMPTY = {"Environment", "Description"}
REQUIRED = {"UserPoolId": "eu-west-1_Ab12Cd34E", "UserPoolClientIds": "1example23456789"}
NO_VALUE = {"Ref": "AWS::NoValue"}


@functools.cache
def resources(*read_by_sam):
    """The resources that SAM generates from the template. It takes long, so they are cached."""
    return transformed(**dict(zip(sorted(READ_BY_SAM), read_by_sam, strict=True)))


@functools.cache
def parameters_of(name):
    """The parameters that a resource or condition of the template may depend on, sorted."""
    value = resources(*default_of_sam()).get(name) or TEMPLATE["Conditions"].get(name)
    text = json.dumps(value)
    own = (p for p in PARAMETERS if f'"{p}"' in text or f"{{{p}}}" in text)
    others = (c for c in TEMPLATE["Conditions"] if f'"{c}"' in text and c != name)
    return sorted(READ_BY_SAM.union(own, *map(parameters_of, others)))


def default_of_sam():
    """The defaults of the parameters that SAM resolves, in the order of the arguments of `resources`."""
    return tuple(PARAMETERS[name]["Default"] for name in sorted(READ_BY_SAM))


def everything():
    """The names of all resources, whether or not their conditions hold."""
    return resources(*default_of_sam()).keys()


class Stack:
    """The stack that CloudFormation creates with the switches in these states."""

    # Each resource, resolved once for all stacks that have the same values of its parameters.
    made = {}

    def __init__(self, **states):
        self.states = dict.fromkeys(SWITCHES, 0) | states
        chosen = (SWITCHES[switch][state] for switch, state in self.states.items())
        defaults = {name: parameter.get("Default", "") for name, parameter in PARAMETERS.items()}
        self.values = functools.reduce(dict.__or__, chosen, defaults | REQUIRED)
        self.holds_by_name = {}

    def resource(self, name):
        """A resource without the branches that are not taken, or None if its condition does not hold."""
        key = (name, *(self.values[parameter] for parameter in parameters_of(name)))
        if key not in self.made:
            resource = resources(*(self.values[name] for name in sorted(READ_BY_SAM)))[name]
            self.made[key] = self.resolve(resource) if self.is_made(name) else None
        return self.made[key]

    def is_made(self, name):
        """Whether a resource's condition holds."""
        return self.holds({"Condition": resources(*default_of_sam())[name].get("Condition")})

    @property
    def resources(self):
        """The resources whose conditions hold."""
        return {name: self.resource(name) for name in everything() if self.resource(name)}

    def properties(self, name):
        """The properties of a resource; empty if its condition does not hold."""
        return (self.resource(name) or {}).get("Properties", {})

    @property
    def outputs(self):
        """The values of the outputs whose conditions hold."""
        return {
            name: self.resolve(output["Value"])
            for name, output in TEMPLATE["Outputs"].items()
            if self.holds({"Condition": output.get("Condition")})
        }

    @property
    def is_accepted(self):
        """Whether the template's rules accept the parameters."""
        return deploy.broken_rule(self.values) is None

    def holds(self, condition):
        """Whether a condition holds."""
        [(function, operands)] = condition.items()
        match function:
            case "Condition":
                if operands not in self.holds_by_name:
                    named = TEMPLATE["Conditions"].get(operands)
                    self.holds_by_name[operands] = operands is None or self.holds(named)
                return self.holds_by_name[operands]
            case "Fn::Not":
                return not self.holds(operands[0])
            case "Fn::And":
                return all(map(self.holds, operands))
            case "Fn::Equals":
                return self.resolve(operands[0]) == self.resolve(operands[1])
        raise NotImplementedError(function)

    def resolve(self, value):
        """The value with its parameters put in and without the branches that are not taken."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item != NO_VALUE]
        if not isinstance(value, dict):
            return value
        function, operands = next(iter(value.items()), (None, None))
        if function == "Fn::If":
            condition, then, otherwise = operands
            return self.resolve(then if self.holds({"Condition": condition}) else otherwise)
        if function == "Ref" and operands in PARAMETERS:
            text = self.values[operands]
            return text.split(",") if PARAMETERS[operands]["Type"] == "CommaDelimitedList" else text
        found = {key: self.resolve(item) for key, item in value.items()}
        if function == "Fn::Split":
            separator, text = found[function]
            return text.split(separator)
        if function == "Fn::Join" and all(isinstance(part, str) for part in found[function][1]):
            separator, parts = found[function]
            return separator.join(parts)
        return {key: item for key, item in found.items() if item != NO_VALUE}


def combinations(**fixed):
    """Every combination of states that the template accepts, with some switches fixed."""
    states = (
        [fixed[switch]] if switch in fixed else range(len(SWITCHES[switch])) for switch in SWITCHES
    )
    for chosen in itertools.product(*states):
        found = dict(zip(SWITCHES, chosen, strict=True))
        if all(found[first] or not found[second] for first, second in NEEDS):
            yield Stack(**found)


def combinations_of(names):
    """Every combination of those switches on which the resources of these names depend."""
    parameters = set().union(*map(parameters_of, names))
    relevant = {
        switch
        for switch, states in SWITCHES.items()
        if any(state.keys() & parameters for state in states)
    }
    while more := {first for first, second in NEEDS if second in relevant} - relevant:
        relevant |= more
    return combinations(**{switch: 0 for switch in SWITCHES if switch not in relevant})


def for_linters():
    """A few combinations: everything off, everything on, and halves of the switches.

    The halves follow the bits of the switches' numbers, so that of nearly any two switches, each is on
    while the other is off.
    """
    yield Stack()
    last = {switch: len(states) - 1 for switch, states in SWITCHES.items()}
    yield Stack(**last)
    yield Stack(**{switch: 1 for switch in SWITCHES})
    for bit, value in itertools.product(range(len(SWITCHES).bit_length()), (0, 1)):
        on = {switch for number, switch in enumerate(SWITCHES) if number >> bit & 1 == value}
        # A switch that needs another one switches it on, or stays off, in turns.
        while broken := {pair for pair in NEEDS if pair[1] in on and pair[0] not in on}:
            on ^= {first if value else second for first, second in broken}
        yield Stack(**{switch: state for switch, state in last.items() if switch in on})


def write(folder):
    """Writes the template with the parameters of `for_linters` as its defaults."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    for number, found in enumerate(for_linters()):
        template = copy.deepcopy(TEMPLATE)
        for name, value in found.values.items():
            if name not in REQUIRED:
                template["Parameters"][name]["Default"] = value
        (folder / f"{number:02}.json").write_text(json.dumps(template, indent=1))


def empty_texts(value, path=()):
    """The paths at which a resource has an empty text."""
    if value == "":
        yield path
    elif isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from empty_texts(item, (*path, key))


class EveryCombination(unittest.TestCase):
    """Properties of every combination of switches."""

    def test_the_templates_rules_reject_a_switch_without_the_one_it_needs(self):
        needed = set().union(*NEEDS)
        for states in itertools.product(*(range(len(SWITCHES[switch])) for switch in needed)):
            found = dict.fromkeys(SWITCHES, 0) | dict(zip(needed, states, strict=True))
            expected = all(found[first] or not found[second] for first, second in NEEDS)
            self.assertEqual(Stack(**found).is_accepted, expected, found)

    def test_created_resources_refer_only_to_created_resources(self):
        # What a resource refers to depends on its own switches, and whether that is made on the
        # switches of its condition. Combining those in every way is enough.
        for name, both_branches in resources(*default_of_sam()).items():
            others = references(both_branches, everything())
            conditions = {resources(*default_of_sam())[other].get("Condition") for other in others}
            for found in combinations_of({name} | conditions - {None}):
                wanted = references(found.resource(name), everything())
                missing = {other for other in wanted if not found.is_made(other)}
                self.assertFalse(missing, f"{name} refers to {missing} with {found.states}")

    def test_outputs_refer_only_to_created_resources(self):
        for name, output in TEMPLATE["Outputs"].items():
            others = references(output, everything())
            conditions = {c for c in TEMPLATE["Conditions"] if f'"{c}"' in json.dumps(output)}
            for found in combinations_of(others | conditions):
                wanted = references(found.outputs.get(name), everything())
                missing = {other for other in wanted if not found.resource(other)}
                self.assertFalse(missing, f"{name} refers to {missing} with {found.states}")

    def test_no_resource_contains_an_empty_parameter(self):
        for name in everything():
            for found in combinations_of({name}):
                for path in empty_texts(found.resource(name)):
                    self.assertTrue(MAY_BE_EMPTY & set(path), f"{name} has an empty {path}")

    def test_every_condition_is_true_in_some_combination_and_false_in_another(self):
        for name in TEMPLATE["Conditions"]:
            states = {found.holds({"Condition": name}) for found in combinations_of({name})}
            self.assertEqual(states, {True, False}, f"{name} is not among the switches")

    def test_sam_creates_the_same_resources_whatever_values_it_resolves(self):
        for found in combinations_of(()):
            values = (found.values[name] for name in sorted(READ_BY_SAM))
            self.assertEqual(resources(*values).keys(), everything(), found.states)

    def test_sam_resolves_only_the_known_parameters(self):
        default = resources(*default_of_sam())
        for switch, states in SWITCHES.items():
            for chosen in states:
                if not chosen.keys() & READ_BY_SAM:
                    self.assertEqual(transformed(**chosen), default, switch)


    def test_every_route_with_a_token_in_its_header_is_behind_the_authorizer(self):
        for found in combinations(**{k: 0 for k in CONSTANT if k != "issuer"}):
            body = found.properties("Api")["Body"]
            routes = {
                (method, path): route.get("security")
                for path, methods in body["paths"].items()
                for method, route in methods.items()
            }
            for (method, path), security in routes.items():
                # The function verifies the token of the wire format, which is in the body.
                if f"{method.upper()} {path}" not in OTHER_ROUTES | {WIRE_ROUTE}:
                    scopes = ["aws.cognito.signin.user.admin"]
                    self.assertEqual(security, [{"AccessToken": scopes}], path)
            [scheme] = body["components"]["securitySchemes"].values()
            jwt = scheme["x-amazon-apigateway-authorizer"]["jwtConfiguration"]
            issuer = jwt["issuer"] if found.states["issuer"] else jwt["issuer"]["Fn::Sub"]
            self.assertRegex(issuer, "^https://(issuer-)?cognito-idp[.]")


class Switches(unittest.TestCase):
    """The effects of single switches."""

    def assert_each(self, expected, actual):
        """Asserts that a value follows from the states, for all combinations of those given."""
        for found in combinations(**CONSTANT):
            self.assertEqual(actual(found), expected(found), found.states)

    def test_the_origins_reach_api_gateway_as_a_list(self):
        for state, expected in enumerate(
            [None, ["https://app.example.com"], ["https://app.example.com", "http://localhost"]]
        ):
            body = Stack(origins=state).properties("Api")["Body"]
            cors = body.get("x-amazon-apigateway-cors")
            self.assertEqual(cors and cors["allowOrigins"], expected)

    def test_a_second_policy_and_a_file_without_a_layer_are_rejected(self):
        policy = {"PasswordPolicy": "length = { min = 15 }"}
        file = {"PasswordPolicyFile": "/opt/password-policy.toml"}
        roots = {"CaBundle": "/opt/roots.pem"}
        layer = {"LayerArns": LAYER}
        for values, is_accepted in [
            (policy, True),
            (file | layer, True),
            (roots | layer, True),
            (policy | file | layer, False),
            (file, False),
            (roots, False),
        ]:
            found = Stack()
            found.values |= values
            self.assertEqual(found.is_accepted, is_accepted, values)

    def test_layers_reach_the_function_as_a_list(self):
        for state, expected in enumerate([None, None, [LAYER]]):
            self.assertEqual(Stack(policy=state).properties("ChangePassword").get("Layers"), expected)

    def test_every_role_has_the_permissions_boundary_where_there_is_one(self):
        every = {switch: len(states) - 1 for switch, states in SWITCHES.items()}
        for state, expected in enumerate([None, "arn:aws:iam::123456789012:policy/boundary"]):
            found = Stack(**every | {"boundary": state}).resources
            roles = {n: r for n, r in found.items() if r["Type"] == "AWS::IAM::Role"}
            self.assertGreaterEqual(len(roles), 4)
            for name, role in roles.items():
                self.assertEqual(role["Properties"].get("PermissionsBoundary"), expected, name)

    def test_the_client_ids_reach_the_authorizer_as_a_list(self):
        found = Stack()
        found.values["UserPoolClientIds"] = "1aaa,2bbb"
        body = found.resolve(resources(*default_of_sam()))["Api"]["Properties"]["Body"]
        scheme = body["components"]["securitySchemes"]["AccessToken"]
        jwt = scheme["x-amazon-apigateway-authorizer"]["jwtConfiguration"]
        self.assertEqual(jwt["audience"], ["1aaa", "2bbb"])

    def test_the_execute_api_address_is_disabled_only_if_a_domain_replaces_it(self):
        def disabled(found):
            [server] = found.properties("Api")["Body"]["servers"]
            [setting] = server["x-amazon-apigateway-endpoint-configuration"].values()
            return setting

        self.assert_each(lambda found: bool(found.states["domain only"]), disabled)
        url = Stack(**{"domain": 1, "domain only": 1}).outputs["ChangePasswordUrl"]
        self.assertEqual(url["Fn::Join"][1][0], {"Fn::Sub": "https://${DomainName}"})

    def test_the_function_joins_a_network_exactly_where_subnets_are_given(self):
        def network(found):
            config = found.properties("ChangePassword").get("VpcConfig", {})
            role = json.dumps(found.properties("ChangePasswordRole"))
            return bool(config), "ec2:CreateNetworkInterface" in role, "NetworkPolicy" in found.resources

        self.assert_each(lambda found: (bool(found.states["network"]),) * 3, network)
        config = Stack(network=1).properties("ChangePassword")["VpcConfig"]
        self.assertEqual(config["SubnetIds"], ["subnet-01", "subnet-02"])

    def test_a_rule_counts_or_blocks_changes_that_bypass_the_function(self):
        actions = [None, "Count", "Block"]
        metrics = [None, "CountedRequests", "BlockedRequests"]

        def rule(found):
            [rule] = found.properties("DirectChangeRules").get("Rules", [None])
            alarm = found.properties("DirectChangesAlarm").get("MetricName")
            return rule and list(rule["Action"]), alarm

        def expected(found):
            state = found.states["direct"]
            return actions[state] and [actions[state]], metrics[state]

        self.assert_each(expected, rule)
        self.assertEqual(
            Stack(network=1, direct=2).properties("FunctionAddressSet")["Addresses"], ADDRESSES
        )

    def test_the_alarm_watches_the_metric_of_the_rule(self):
        found = Stack(network=1, direct=2)
        group = found.properties("DirectChangeRules")
        [rule] = group["Rules"]
        watched = {d["Name"]: d["Value"] for d in found.properties("DirectChangesAlarm")["Dimensions"]}
        self.assertEqual(watched["RuleGroup"], group["VisibilityConfig"]["MetricName"])
        self.assertEqual(watched["Rule"], rule["VisibilityConfig"]["MetricName"])

    def test_the_rule_group_has_room_for_its_rule(self):
        # AWS WAF developer guide: an exact text match costs 2, and a set of addresses 1.
        group = Stack(network=1, direct=2).properties("DirectChangeRules")
        text = json.dumps(group["Rules"])
        used = 2 * text.count("ByteMatchStatement") + text.count("IPSetReferenceStatement")
        self.assertEqual(used, 5)
        self.assertLessEqual(used, group["Capacity"])

    def test_the_pool_gets_a_web_acl_only_if_requested(self):
        self.assert_each(
            lambda found: bool(found.states["web ACL"]),
            lambda found: "UserPoolWebAclAssociation" in found.resources,
        )

    def test_queues_are_encrypted_in_one_way_and_take_messages_over_tls_only(self):
        for found in combinations(**CONSTANT):
            queues = [n for n, r in found.resources.items() if r["Type"] == "AWS::SQS::Queue"]
            consumers = ("events", "mail", "user mail")
            self.assertEqual(len(queues), sum(found.states[switch] for switch in consumers))
            for name in queues:
                queue = found.properties(name)
                self.assertEqual("KmsMasterKeyId" in queue, bool(found.states["key"]))
                self.assertEqual("SqsManagedSseEnabled" in queue, not found.states["key"])
                policy = json.dumps(found.properties(f"{name}Policy"))
                self.assertIn('"aws:SecureTransport": "false"', policy)

    def test_forwarder_and_user_mail_may_use_the_key_that_their_queues_are_encrypted_with(self):
        for key, name in itertools.product((0, 1), ("ForwarderRole", "UserMailRole")):
            found = Stack(**{"events": 1, "user mail": 1, "key": key})
            role = json.dumps(found.properties(name))
            self.assertEqual("kms:GenerateDataKey" in role, bool(key), name)


class CloudFront(unittest.TestCase):
    """The facts on which the template of docs/cloudfront and the function must agree."""

    def setUp(self):
        text = (stack.ROOT / "docs" / "cloudfront" / "template.yaml").read_text()
        self.template = yaml_parse(text)
        source = (stack.ROOT / "src" / "origin.rs").read_text()
        self.constants = dict(re.findall(r'pub const (\w+): &str = "([^"]+)"', source))

    def test_the_secret_and_the_address_are_in_the_headers_that_the_function_reads(self):
        resources = self.template["Resources"]
        [origin] = resources["Distribution"]["Properties"]["DistributionConfig"]["Origins"]
        [header] = origin["OriginCustomHeaders"]
        self.assertEqual(header["HeaderName"], self.constants["SECRET_HEADER"])
        self.assertEqual(header["HeaderValue"], {"Ref": "OriginSecret"})
        code = resources["ViewerAddress"]["Properties"]["FunctionCode"]
        self.assertIn(f"headers['{self.constants['ADDRESS_HEADER']}'] = {{ value: event.viewer.ip }}", code)

    def test_secrets_are_hidden_and_the_api_accepts_every_secret_that_cloudfront_accepts(self):
        one, several = self.template["Parameters"]["OriginSecret"], PARAMETERS["OriginSecrets"]
        self.assertTrue(one["NoEcho"] and several["NoEcho"])
        shortest, longest = "a" * one["MinLength"], "Z-_9" * (one["MaxLength"] // 4)
        for secret in (shortest, longest):
            self.assertRegex(secret, f"^{one['AllowedPattern']}$")
        for secrets in ("", shortest, longest, f"{shortest},{longest}"):
            self.assertRegex(secrets, f"^{several['AllowedPattern']}$")
        for secrets in (shortest[1:], longest + "a", f"{shortest},", "a b" * 12):
            self.assertNotRegex(secrets, f"^{several['AllowedPattern']}$")


def main():
    """Writes the templates for the linters, or runs the tests."""
    if sys.argv[1:2] == ["--write"]:
        return write(Path(sys.argv[2]))
    return stack.test(EveryCombination, Switches, CloudFront)


if __name__ == "__main__":
    stack.run(main)
