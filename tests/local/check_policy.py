"""Runs check-policy like an operator does: against moto, the fake Cognito, and without Cognito."""

import copy
import json
import os
import subprocess
import unittest

import boto3

import dev
import stack
import template

REGION = "us-east-1"
SCRATCH = stack.scratch("check-policy")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "unused", "AWS_SECRET_ACCESS_KEY": "unused"}
# The same rules in a policy file. Every profile also has rules that no pool has.
SAME = 'profile = "cognito-default"\n'


def check_policy(*arguments, policy=None, **settings):
    """Runs the program and returns its exit status, output and errors."""
    if policy is not None:
        file = SCRATCH / "policy.toml"
        file.write_text(policy)
        settings["PASSWORD_POLICY_FILE"] = str(file)
    done = subprocess.run(
        [stack.DEBUG / "check-policy", *arguments],
        env=os.environ | CREDENTIALS | settings,
        cwd=stack.ROOT,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


class Moto(unittest.TestCase):
    """A pool, its clients and its web ACL in moto."""

    url: str

    def setUp(self):
        self.cognito, self.waf = self.client("cognito-idp"), self.client("wafv2")

    def client(self, service):
        """An SDK client of a service in moto."""
        return boto3.client(
            service,
            REGION,
            endpoint_url=self.url,
            aws_access_key_id="unused",
            aws_secret_access_key="unused",
        )

    def pool(self, **settings):
        """Creates a pool with the console's default policy."""
        policies = {"PasswordPolicy": stack.POOL_POLICY}
        return self.cognito.create_user_pool(PoolName="p", Policies=policies, **settings)["UserPool"]

    def report(self, pool, status=0, policy=SAME):
        """Returns the report on a pool, parsed from JSON."""
        settings = {"policy": policy, "AWS_ENDPOINT_URL": self.url}
        found, output, errors = check_policy("--json", pool["Id"], **settings)
        self.assertEqual(found, status, output + errors)
        return json.loads(output)

    def test_a_policy_that_is_weaker_than_the_pool_exits_with_1(self):
        pool = self.pool()
        weak = "[length]\nmin = 6\n[characters]\nlowercase = 1\n"
        lines = self.report(pool, status=1, policy=weak)["refusedByPool"]
        self.assertIn("length.min is 6, but the pool's minimum length is 8", lines)
        self.assertIn("characters.symbol is 0, but the pool requires one", lines)
        self.assertNotIn("lowercase", " ".join(lines))

    def test_a_pool_that_is_weaker_than_the_policy_is_reported_and_exits_with_0(self):
        pool = self.pool()
        settings = {"AWS_ENDPOINT_URL": self.url}
        status, text, _ = check_policy(pool["Id"], **settings)  # With the built-in policy.
        self.assertEqual(status, 0)
        self.assertIn("Cognito accepts every password that the policy accepts.\n", text)
        self.assertIn("- the pool's minimum length is 8, but length.min is 12\n", text)
        self.assertRegex(text, r"- the pool does not check .*common_password")
        self.assertIn("Direct ChangePassword calls: not blocked; the pool has no web ACL.\n", text)

    def test_equal_policies_differ_only_in_rules_that_no_pool_has(self):
        report = self.report(self.pool())
        beyond = ["the pool does not check hard_to_type, too_easy_to_guess"]
        self.assertEqual((report["refusedByPool"], report["allowedByPool"]), ([], beyond))

    def test_each_client_lists_the_flows_and_scope_that_allow_password_changes(self):
        pool = self.pool()

        def client(name, **settings):
            answer = self.cognito.create_user_pool_client(
                UserPoolId=pool["Id"], ClientName=name, **settings
            )
            return answer["UserPoolClient"]["ClientId"]

        def managed_login(*scopes):
            return {
                "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH"],
                "AllowedOAuthFlowsUserPoolClient": True,
                "AllowedOAuthFlows": ["code"],
                "AllowedOAuthScopes": list(scopes),
                "CallbackURLs": ["app://signed-in"],
            }

        scope = "aws.cognito.signin.user.admin"
        flows = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        expected = {
            client("app", ExplicitAuthFlows=flows): ["ALLOW_USER_SRP_AUTH"],
            client("web", **managed_login("openid", scope)): [scope],
            client("partner", **managed_login("openid")): [],
        }
        clients = {c["id"]: c["changesPasswordsBy"] for c in self.report(pool)["clients"]}
        self.assertEqual(clients, expected)

    def test_user_names_that_are_uuids_are_reported_if_the_policy_relies_on_names(self):
        names = SAME + '[words]\npersonal = ["username"]\n'
        by_email = self.pool(UsernameAttributes=["email"])
        for pool, policy, expected in [
            (by_email, names, True),
            (by_email, SAME, False),
            (self.pool(), names, False),
        ]:
            self.assertEqual(self.report(pool, policy=policy)["reliesOnUuidNames"], expected)

    def test_a_part_that_cannot_be_read_is_listed_and_the_rest_is_reported(self):
        # moto does not implement DescribeRiskConfiguration.
        pool = self.pool(UserPoolAddOns={"AdvancedSecurityMode": "ENFORCED"})
        report = self.report(pool)
        self.assertIsNone(report["breachedPasswords"])
        [line] = report["notChecked"]
        self.assertTrue(line.startswith("DescribeRiskConfiguration: "), line)

    def test_the_rule_of_the_template_is_reported_to_count_or_block(self):
        for state, expected in (1, "counted"), (2, "blocked"):
            pool = self.pool()
            rules = self.rules_of_the_template(state)
            group = self.waf.create_rule_group(
                Name=f"group-{expected}",
                Scope="REGIONAL",
                Capacity=20,
                Rules=rules,
                VisibilityConfig=self.visibility(),
            )["Summary"]
            self.protect(
                pool,
                {
                    "Name": "direct-changes",
                    "Priority": 0,
                    "OverrideAction": {"None": {}},
                    "Statement": {"RuleGroupReferenceStatement": {"ARN": group["ARN"]}},
                    "VisibilityConfig": self.visibility(),
                },
            )
            found = self.report(pool)["directChanges"]
            self.assertEqual(found, {"state": expected, "by": "direct-change"})

    def test_a_web_acl_for_another_operation_is_reported_as_open(self):
        pool = self.pool()
        [rule] = self.rules_of_the_template(2)
        texts = rule["Statement"]["AndStatement"]["Statements"][0]["OrStatement"]["Statements"]
        for text in texts:
            text["ByteMatchStatement"]["SearchString"] = "SignUp"
        acl = self.protect(pool, rule)
        self.assertEqual(self.report(pool)["directChanges"], {"state": "open", "by": acl})

    def rules_of_the_template(self, state):
        """The rules of template.yaml, in the SDK's form."""
        found = template.Stack(network=1, direct=state)
        rules = copy.deepcopy(found.properties("DirectChangeRules")["Rules"])
        addresses = self.waf.create_ip_set(
            Name=f"addresses-{os.urandom(4).hex()}",
            Scope="REGIONAL",
            IPAddressVersion="IPV4",
            Addresses=found.properties("FunctionAddressSet")["Addresses"],
        )["Summary"]
        text = json.dumps(rules).replace(
            json.dumps({"Arn": {"Fn::GetAtt": ["FunctionAddressSet", "Arn"]}}),
            json.dumps({"ARN": addresses["ARN"]}),
        )
        return json.loads(text)

    def protect(self, pool, rule):
        """Associates a web ACL with one rule with a pool, and returns its name."""
        name = f"acl-{os.urandom(4).hex()}"
        acl = self.waf.create_web_acl(
            Name=name,
            Scope="REGIONAL",
            DefaultAction={"Allow": {}},
            Rules=[rule],
            VisibilityConfig=self.visibility(),
        )["Summary"]
        self.waf.associate_web_acl(WebACLArn=acl["ARN"], ResourceArn=pool["Arn"])
        return name

    @staticmethod
    def visibility():
        """The visibility settings that every part of a web ACL requires."""
        return {
            "SampledRequestsEnabled": False,
            "CloudWatchMetricsEnabled": False,
            "MetricName": "m",
        }


class WithoutPool(unittest.TestCase):
    """Runs without a pool that can be read."""

    def test_a_cognito_without_the_operation_exits_with_2(self):
        port = stack.free_port()
        url = f"http://{stack.HOST}:{port}"
        fake = [stack.DEBUG / "fake-cognito", "--host", stack.HOST, "--port", port]
        fake += ["--pool-id", dev.POOL, "--client-id", dev.CLIENT, "--password", dev.PASSWORD]
        with stack.log(SCRATCH, "fake.log") as log, stack.running(*fake, output=log) as process:
            stack.wait_for(f"{url}/{dev.POOL}/.well-known/jwks.json", process)
            status, output, errors = check_policy(dev.POOL, AWS_ENDPOINT_URL=url)
        self.assertEqual((status, output), (2, ""))
        self.assertIn("check-policy: DescribeUserPool: ", errors)

    def test_an_invalid_command_line_exits_with_2(self):
        for arguments in [], ["no-pool"], ["--lint", "eu-west-1_Ab12"], ["--unknown"]:
            status, output, errors = check_policy(*arguments)
            self.assertEqual((status, output), (2, ""), arguments)
            self.assertRegex(errors, "^(Usage|check-policy): ")


class Lint(unittest.TestCase):
    """Runs with --lint, which checks the policy without AWS."""

    def test_a_valid_policy_exits_with_0_and_lists_its_rules(self):
        policy = "[length]\nmin = 8\n[groups.staff.words]\ncommon = true\n"
        status, text, _ = check_policy("--lint", policy=policy)
        self.assertEqual(status, 0)
        edges = "too_short, too_long, leading_or_trailing_space, hard_to_type"
        lines = ["The policy is valid.", f"everybody: {edges}", f"staff: {edges}, common_password"]
        self.assertEqual(text.splitlines(), lines)

    def test_an_unknown_key_exits_with_1_and_is_named(self):
        status, text, _ = check_policy("--lint", "--json", policy="[length]\nmin = 8\nmost = 9\n")
        self.assertEqual(status, 1)
        self.assertIn("most", json.loads(text)["fault"])

    def test_a_missing_file_exits_with_2(self):
        status, output, errors = check_policy("--lint", PASSWORD_POLICY_FILE="/nowhere.toml")
        self.assertEqual((status, output), (2, ""))
        self.assertIn("/nowhere.toml", errors)

    def test_the_built_in_policy_is_valid(self):
        self.assertEqual(check_policy("--lint")[0], 0)


def main():
    """Starts moto and runs the tests."""
    stack.build()
    port = stack.free_port()
    Moto.url = f"http://{stack.HOST}:{port}"
    moto = (stack.TOOLS / "moto_server", "--host", stack.HOST, "--port", port)
    with (
        stack.log(SCRATCH, "moto.log") as log,
        stack.running(*moto, output=log) as process,
    ):
        stack.wait_for(f"{Moto.url}/moto-api/", process)
        return stack.test(Moto, WithoutPool, Lint)


if __name__ == "__main__":
    stack.run(main)
