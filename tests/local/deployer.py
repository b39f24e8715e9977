"""Checks that docs/deployer-policy*.json allow what a deployment of template.yaml needs, and no more.

CloudFormation's registry lists the permissions that each resource type needs, for all features of the
type together. Those of features that the template does not use are left out here, and the calls of AWS
SAM and of API Gateway are added. The service authorization reference says which resources each action
applies to. cfn-lint brings both. No account was involved.
"""

import copy
import functools
import json
import unittest
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import NamedTuple
from unittest import mock

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from samcli.lib.bootstrap import bootstrap

import stack
from forwarder import references
from template import NEEDS, SWITCHES, Stack, for_linters

CORE, OPTIONS = (
    json.loads((stack.ROOT / "docs" / name).read_text())
    for name in ("deployer-policy.json", "deployer-policy-options.json")
)
REFERENCE = json.loads((files("cfnlint.data") / "AdditionalSpecs" / "Policies.json").read_text())
# Characters of a managed policy, without white space (IAM user guide, "IAM and AWS STS quotas").
MAX_POLICY_SIZE = 6144
NAME = "change-password-prod"

# The switches without which each statement can be left out.
SWITCHES_OF = {
    "DomainName": ["domain"],
    "DomainNameRecord": ["zone"],
    "DomainNameZones": ["zone"],
    "EventsForwarder": ["events"],
    "EventsSubscription": ["events"],
    "EventsQueues": ["events"],
    "EventsRules": ["events"],
    "EventsMail": ["mail"],
    "DirectChanges": ["direct"],
    "WebAcl": ["web ACL"],
    "WebAclUserPool": ["web ACL"],
    "Network": ["network"],
    "Layers": ["policy", "roots"],
}

# Permissions that a resource needs only if it has a property. The handlers that read a resource read
# all of its features, so no permission to read the stack's own resources is here.
NEEDED_FOR = {
    "codedeploy:RegisterOnPremisesInstance": "OnPremisesInstanceTagFilters",
    "ec2:Describe*": "VpcConfig",
    "elasticfilesystem:*": "FileSystemConfigs",
    "firehose:TagDeliveryStream": "LogGroupClass",
    "iam:*GroupPolicy": "Groups",
    "iam:*UserPolicy": "Users",
    "kms:*": "KmsKeyArn",
    "lambda:DeleteFunctionCodeSigningConfig": "CodeSigningConfigArn",
    "lambda:DeleteProvisionedConcurrencyConfig": "ProvisionedConcurrencyConfig",
    "lambda:GetCodeSigningConfig": "CodeSigningConfigArn",
    "lambda:GetLayerVersion": "Layers",
    "lambda:PassCapacityProvider": "CapacityProviderConfig",
    "lambda:PutFunctionCodeSigningConfig": "CodeSigningConfigArn",
    "lambda:PutFunctionRecursionConfig": "RecursiveLoop",
    "lambda:PutFunctionScalingConfig": "FunctionScalingConfig",
    "lambda:PutProvisionedConcurrencyConfig": "ProvisionedConcurrencyConfig",
    "lambda:PutRuntimeManagementConfig": "RuntimeManagementConfig",
    "logs:DeleteDataProtectionPolicy": "DataProtectionPolicy",
    "logs:DeleteIndexPolicy": "FieldIndexPolicies",
    "logs:DeleteResourcePolicy": "ResourcePolicyDocument",
    "logs:PutBearerTokenAuthentication": "BearerTokenAuthenticationEnabled",
    "logs:PutDataProtectionPolicy": "DataProtectionPolicy",
    "logs:PutIndexPolicy": "FieldIndexPolicies",
    "logs:PutLogGroupDeletionProtection": "DeletionProtectionEnabled",
    "payments:*": "MonetizationConfig",
    "s3:GetObject*": "Code",
    "s3files:*": "FileSystemConfigs",
    "sns:PutDataProtectionPolicy": "DataProtectionPolicy",
}
# Permissions that no property tells apart, and why they are not needed.
NOT_NEEDED = {
    "amplify:*": "The web ACL is for a user pool.",
    "apigateway:SetWebACL": "The web ACL is for a user pool.",
    "apprunner:*": "The web ACL is for a user pool.",
    "appsync:*": "The web ACL is for a user pool.",
    "bedrock-agentcore:*": "The web ACL is for a user pool.",
    "ec2:*VerifiedAccess*": "The web ACL is for a user pool.",
    "elasticloadbalancing:*": "The web ACL is for a user pool.",
    "wafv2:*PermissionPolicy": "The rule group is not shared with other accounts.",
    "firehose:ListDeliveryStreams": "AWS WAF logs to CloudWatch Logs.",
    "iam:CreateServiceLinkedRole": "AWS WAF logs to CloudWatch Logs.",
    "iam:DescribeOrganization": "AWS WAF logs to CloudWatch Logs.",
    "s3:*BucketPolicy": "AWS WAF logs to CloudWatch Logs.",
    "s3:REST.PUT.OBJECT": "No such action exists; the log group is of the standard class.",
    "lambda:AssociateRuntimeAlias": "No such action is documented.",
    "iam:DeleteRolePermissionsBoundary": "A deployer must not remove a boundary.",
}

# The ARNs that each resource has or applies to, by their kind in the service authorization reference.
OURS = "arn:aws:{}:eu-west-1:123456789012:{{}}".format
APIS = "arn:aws:apigateway:eu-west-1::/apis"
DOMAINS = "arn:aws:apigateway:eu-west-1::/domainnames"
TAGS = "arn:aws:apigateway:eu-west-1::/tags/arn%3Aaws%3Aapigateway"
BUCKET = "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-1a2b3c4d5e6f"
USER_POOL = OURS("cognito-idp").format("userpool/eu-west-1_Ab12Cd34E")
ARNS = {
    "AWS::ApiGatewayV2::Api": {"apis": APIS, "api": f"{APIS}/a1b2c3", "tags": TAGS},
    "AWS::ApiGatewayV2::ApiMapping": {
        "apimappings": f"{DOMAINS}/example.com/apimappings",
        "apimapping": f"{DOMAINS}/example.com/apimappings/1",
    },
    "AWS::ApiGatewayV2::DomainName": {
        "domainnames": DOMAINS,
        "domainname": f"{DOMAINS}/example.com",
        "tags": TAGS,
    },
    "AWS::ApiGatewayV2::Stage": {
        "stages": f"{APIS}/a1b2c3/stages",
        "stage": f"{APIS}/a1b2c3/stages/$default",
    },
    "AWS::CloudWatch::Alarm": {"alarm": OURS("cloudwatch").format("alarm:{}")},
    "AWS::CloudWatch::Dashboard": {"dashboard": "arn:aws:cloudwatch::123456789012:dashboard/{}"},
    "AWS::CodeDeploy::Application": {
        "application": OURS("codedeploy").format("application:{}"),
        "deploymentgroup": OURS("codedeploy").format("deploymentgroup:{}/group"),
        "deploymentconfig": OURS("codedeploy").format("deploymentconfig:CodeDeployDefault.LambdaX"),
    },
    "AWS::Events::Rule": {"rule-on-default-event-bus": OURS("events").format("rule/{}")},
    "AWS::IAM::Role": {"role": "arn:aws:iam::123456789012:role/{}"},
    "AWS::Lambda::Function": {
        "function": OURS("lambda").format("function:{}"),
        "function alias": OURS("lambda").format("function:{}:live"),
        "function version": OURS("lambda").format("function:{}:1"),
        "layerversion": OURS("lambda").format("layer:settings:1"),
        "object": f"{BUCKET}/key",
    },
    "AWS::Logs::LogGroup": {"log-group": OURS("logs").format("log-group:{}")},
    "AWS::Route53::RecordSet": {
        "change": "arn:aws:route53:::change/C0123456789",
        "hostedzone": "arn:aws:route53:::hostedzone/Z0123456789",
    },
    "AWS::SNS::Topic": {"topic": OURS("sns")},
    "AWS::SQS::Queue": {"queue": OURS("sqs")},
    "AWS::WAFv2::IPSet": {"ipset": OURS("wafv2").format("regional/ipset/{}/1")},
    "AWS::WAFv2::RuleGroup": {"rulegroup": OURS("wafv2").format("regional/rulegroup/{}/1")},
    "AWS::WAFv2::WebACL": {"webacl": OURS("wafv2").format("regional/webacl/{}/1")},
    "AWS::WAFv2::WebACLAssociation": {"userpool": USER_POOL},
}

STACKS = [
    OURS("cloudformation").format(f"stack/{name}/*") for name in (NAME, bootstrap.SAM_CLI_STACK_NAME)
]
TRANSFORM = "arn:aws:cloudformation:eu-west-1:aws:transform/Serverless-2016-10-31"
API_GATEWAY = "ops.apigateway.amazonaws.com"
SERVICE_ROLE = "arn:aws:iam::123456789012:role/aws-service-role/{}/AWSServiceRoleForAPIGateway"
# The calls of `sam deploy --resolve-s3` (deploy/deployer.py, package/s3_uploader.py and
# utils/managed_cloudformation_stack.py in samcli/lib), and others that no resource type lists.
OTHERS = {
    "cloudformation:CreateChangeSet": [*STACKS, TRANSFORM],
    "cloudformation:DescribeChangeSet": STACKS,
    "cloudformation:DescribeStackEvents": STACKS,
    "cloudformation:DescribeStacks": STACKS,
    "cloudformation:ExecuteChangeSet": STACKS,
    "cloudformation:GetTemplateSummary": STACKS,
    # SAM tags its own stack; `sam deploy --tags` tags ours.
    "cloudformation:TagResource": STACKS,
    # After a failed creation, the stack must be deleted before another attempt; after a failed rollback,
    # it must be continued. A change set that nobody confirmed stays.
    **dict.fromkeys(
        (
            "cloudformation:CancelUpdateStack",
            "cloudformation:ContinueUpdateRollback",
            "cloudformation:DeleteChangeSet",
            "cloudformation:DeleteStack",
        ),
        STACKS[:1],
    ),
    "s3:AbortMultipartUpload": [f"{BUCKET}/key"],
    "s3:PutObject": [f"{BUCKET}/key"],
    # An HTTP API with an access log: API Gateway developer guide, "Configure logging for HTTP APIs"
    # and "Using service-linked roles for API Gateway".
    "iam:CreateServiceLinkedRole": [SERVICE_ROLE.format(API_GATEWAY)],
    "logs:CreateLogDelivery": ["*"],
    "logs:DeleteLogDelivery": ["*"],
    "logs:DescribeResourcePolicies": ["*"],
    "logs:GetLogDelivery": ["*"],
    "logs:ListLogDeliveries": ["*"],
    "logs:PutResourcePolicy": ["*"],
    "logs:UpdateLogDelivery": ["*"],
}
# The permissions for the properties of SAM's bucket. SAM creates the bucket and never updates it.
BUCKET_PROPERTIES = {
    "BucketEncryption": {"s3:PutEncryptionConfiguration"},
    "PublicAccessBlockConfiguration": {"s3:PutBucketPublicAccessBlock"},
    "Tags": {"s3:PutBucketTagging", "s3:TagResource"},
    "VersioningConfiguration": {"s3:PutBucketVersioning"},
}

# Actions that the service authorization reference in cfn-lint does not have yet, and their kinds.
NEWER_ACTIONS = dict.fromkeys(("apigateway:TagResource", "apigateway:UntagResource"), ["stage"])
# Actions on all resources although the service authorization reference has a narrower kind.
ON_ALL_RESOURCES = {
    "cloudwatch:DescribeAlarms": "It may return composite alarms, for which AWS requires this.",
}
# Resources without the stack's name, and why.
UNNAMED = {
    "arn:aws:cloudformation:*:aws:transform/*": "AWS owns the transform.",
    "arn:aws:cloudformation:*:*:stack/aws-sam-cli-managed-default/*": "SAM names its stack.",
    "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-*": "It is named after SAM's stack.",
    "arn:aws:iam::*:role/aws-service-role/ops.apigateway.amazonaws.com/*": "AWS names the role.",
    "arn:aws:apigateway:*::*": "Its ARNs have random ids or the domain's name.",
    "arn:aws:codedeploy:*:*:deploymentconfig:CodeDeployDefault.Lambda*": "AWS owns them.",
    "arn:aws:route53:::*": "The zone's id is a parameter.",
    "arn:aws:cognito-idp:*:*:userpool/*": "The pool's id is a parameter.",
    "arn:aws:lambda:*:*:layer:*": "The layers are a parameter.",
    "arn:aws:wafv2:*:*:regional/*": "CloudFormation does not document how it names them.",
}
# The actions on roles that support the condition key iam:PermissionsBoundary (service authorization
# reference, "Actions, resources, and condition keys for AWS Identity and Access Management").
BOUNDARY_ACTIONS = {
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
}


ALL_HANDLERS = ("create", "read", "update", "delete", "tagging")
STATEMENTS = CORE["Statement"] + OPTIONS["Statement"]


class Need(NamedTuple):
    """A call that a deployment makes: an action on an ARN, with the values of condition keys."""

    action: str
    arn: str
    keys: frozenset = frozenset()


class Grant(NamedTuple):
    """The parts of a policy that allow a call."""

    sid: str
    action: str
    resource: str


def listed(value):
    """A list of this value, or the value if it is a list."""
    return value if isinstance(value, list) else [value]


def matches(pattern, text):
    """Whether an action matches: case does not count (IAM user guide, "Action")."""
    return fnmatchcase(text.lower(), pattern.lower())


def covers(pattern, arn):
    """Whether a resource matches: a wildcard stays within one of the six parts of an ARN."""
    if "*" in (pattern, arn):
        return pattern == "*"
    parts = zip(pattern.split(":", 5), arn.split(":", 5), strict=True)
    return all(fnmatchcase(text, part) for part, text in parts)


def holds(condition, keys):
    """Whether a condition of the operators StringEquals and ArnEquals holds."""
    wanted = [item for operator in condition.values() for item in operator.items()]
    return all(any((key, value) in keys for value in listed(values)) for key, values in wanted)


def grants(statements, need):
    """The parts of these statements that allow a call."""
    for statement in statements:
        if holds(statement.get("Condition", {}), need.keys):
            for action in listed(statement["Action"]):
                if matches(action, need.action):
                    for resource in listed(statement["Resource"]):
                        if covers(resource, need.arn):
                            yield Grant(statement["Sid"], action, resource)


@functools.cache
def permissions(kind, *handlers):
    """The permissions that CloudFormation's registry lists for these handlers of a resource type."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-west-1", kind).schema
    parts = schema["handlers"] | {"tagging": schema.get("tagging", {})}
    return set().union(*(parts.get(handler, {}).get("permissions", []) for handler in handlers))


def is_needed(permission, resource):
    """Whether a resource needs a permission that its type lists."""
    if any(matches(pattern, permission) for pattern in NOT_NEEDED):
        return False
    text = json.dumps(resource)
    properties = [name for pattern, name in NEEDED_FOR.items() if matches(pattern, permission)]
    return all(f'"{name}": ' in text for name in properties)


def kinds(action):
    """The kinds of resources that an action applies to; none if only to all resources."""
    if action in NEWER_ACTIONS:
        return NEWER_ACTIONS[action]
    service, name = action.lower().split(":")
    return [kind.lower() for kind in REFERENCE[service]["Actions"][name].get("Resources", [])]


def name_of(logical_id, resource):
    """The name of a resource: its own, or the one that CloudFormation generates."""
    given = resource["Properties"].get(resource["Type"].rpartition("::")[2] + "Name")
    name = given.get("Fn::Sub") if isinstance(given, dict) else given
    if not name:
        return f"{NAME}-{logical_id}-1A2B3C4D5E6F"
    return name.replace("${AWS::StackName}", NAME).replace("${AWS::Region}", "eu-west-1")


def related(logical_id, resources):
    """A resource and those that it refers to, directly or through types that `ARNS` does not have."""
    found, left = {logical_id}, [logical_id]
    while left:
        current = left.pop()
        if current == logical_id or resources[current]["Type"] not in ARNS:
            others = references(resources[current], resources) - found
            found |= others
            left += others
    return found


def keys_of(action, resource):
    """For each call of an action on a resource, the condition keys with their values."""
    properties = resource["Properties"]
    always = set()
    if action in BOUNDARY_ACTIONS and "PermissionsBoundary" in properties:
        always = {("iam:PermissionsBoundary", properties["PermissionsBoundary"])}
    if action == "iam:PassRole":
        trust = properties["AssumeRolePolicyDocument"]["Statement"]
        return [{("iam:PassedToService", statement["Principal"]["Service"])} for statement in trust]
    if action in ("iam:AttachRolePolicy", "iam:DetachRolePolicy"):
        policies = [policy["Fn::Sub"] for policy in properties.get("ManagedPolicyArns", [])]
        arns = [policy.replace("${AWS::Partition}", "aws") for policy in policies]
        return [always | {("iam:PolicyARN", arn)} for arn in arns]
    return [always]


def needs_of_resource(logical_id, resources):
    """The calls that CloudFormation makes for a resource."""
    resource = resources[logical_id]
    for action in permissions(resource["Type"], *ALL_HANDLERS):
        if not is_needed(action, resource):
            continue
        applies_to = kinds(action)
        if not applies_to:
            yield Need(action, "*")
        for other in related(logical_id, resources):
            for kind, arn in ARNS.get(resources[other]["Type"], {}).items():
                if kind in applies_to:
                    name = name_of(other, resources[other])
                    for keys in keys_of(action, resources[other]):
                        yield Need(action, arn.format(name), frozenset(keys))


def needs_of_bucket():
    """The calls that create SAM's bucket, from the template of SAM's stack."""
    with mock.patch.object(bootstrap, "GlobalConfig") as config:
        config.return_value.installation_id = None
        resources = json.loads(bootstrap._get_stack_template())["Resources"].values()
    for resource in resources:
        if resource["Type"] == "AWS::S3::Bucket":
            actions = {"s3:CreateBucket"} | permissions(resource["Type"], "read", "delete")
            actions = actions.union(*(BUCKET_PROPERTIES[name] for name in resource["Properties"]))
        else:
            actions = permissions(resource["Type"], "create", "read", "delete")
        for action in actions:
            yield Need(action, BUCKET)


def needs(found):
    """The calls of a deployment with these switches."""
    service = frozenset({("iam:AWSServiceName", API_GATEWAY)})
    calls = {Need(action, arn, service) for action, arns in OTHERS.items() for arn in arns}
    made = found.resources
    return calls.union(needs_of_bucket(), *(needs_of_resource(name, made) for name in made))


@functools.cache
def every_need():
    """The calls of deployments with all switches off, all on, and all but one on."""
    return set().union(*map(needs, for_linters()))


class DeployerPolicy(unittest.TestCase):
    """What a deployer is allowed."""

    def assert_allowed(self, statements, calls):
        denied = [call for call in calls if not any(grants(statements, call))]
        self.assertEqual(sorted({f"{call.action} on {call.arn}" for call in denied}), [])

    def test_the_core_alone_allows_a_deployment_with_every_option_off(self):
        self.assert_allowed(CORE["Statement"], needs(Stack()))

    def test_core_and_options_allow_a_deployment_with_every_option_on(self):
        self.assert_allowed(STATEMENTS, every_need())

    def test_each_optional_statement_can_be_left_out_while_its_option_is_off(self):
        self.assertEqual([s["Sid"] for s in OPTIONS["Statement"]], list(SWITCHES_OF))
        for sid, switches in SWITCHES_OF.items():
            off = set(switches)
            while more := {second for first, second in NEEDS if first in off} - off:
                off |= more
            on = {switch: len(states) - 1 for switch, states in SWITCHES.items() if switch not in off}
            others = [statement for statement in STATEMENTS if statement["Sid"] != sid]
            with self.subTest(sid):
                self.assert_allowed(others, needs(Stack(**on)))

    def test_without_any_single_action_or_resource_a_deployment_fails(self):
        found = [list(grants(STATEMENTS, need)) for need in every_need()]
        actions = [{(grant.sid, grant.action) for grant in allowing} for allowing in found]
        resources = [{(grant.sid, grant.resource) for grant in allowing} for allowing in found]
        for statement in STATEMENTS:
            for action in listed(statement["Action"]):
                self.assertTrue({(statement["Sid"], action)} in actions, action)
            for resource in listed(statement["Resource"]):
                self.assertTrue({(statement["Sid"], resource)} in resources, resource)

    def test_an_action_has_a_wildcard_only_if_it_reads(self):
        for statement in STATEMENTS:
            for action in listed(statement["Action"]):
                self.assertRegex(action, r"^[a-z0-9-]+:(\w+|Get\w*\*\w*)$")

    def test_an_action_is_on_all_resources_only_if_the_reference_has_no_narrower_kind(self):
        for statement in STATEMENTS:
            if "*" in listed(statement["Resource"]):
                for action in listed(statement["Action"]):
                    self.assertTrue(action in ON_ALL_RESOURCES or not kinds(action), action)

    def test_each_other_resource_has_the_stacks_name_or_a_reason_not_to(self):
        for resource in (r for s in STATEMENTS for r in listed(s["Resource"])):
            if not any(fnmatchcase(resource, pattern) for pattern in (*UNNAMED, "[*]")):
                self.assertRegex(resource, r"[:/_-]change-password[*](/[*])?$")

    def test_no_call_on_another_stack_is_allowed(self):
        for call in every_need():
            if NAME in call.arn and not any(fnmatchcase(call.arn, pattern) for pattern in UNNAMED):
                foreign = call._replace(arn=call.arn.replace(NAME, "payments"))
                found = [grant for grant in grants(STATEMENTS, foreign) if grant.resource != "*"]
                self.assertFalse(found, foreign)

    def test_roles_can_be_passed_only_to_the_services_that_assume_them(self):
        [statement] = [s for s in STATEMENTS if "iam:PassRole" in listed(s["Action"])]
        passed = (dict(need.keys) for need in every_need() if need.action == "iam:PassRole")
        services = {keys["iam:PassedToService"] for keys in passed}
        self.assertEqual(set(statement["Condition"]["StringEquals"]["iam:PassedToService"]), services)

    def test_a_condition_on_two_statements_denies_roles_without_the_permissions_boundary(self):
        statements = copy.deepcopy(STATEMENTS)
        [boundary] = [state["PermissionsBoundaryArn"] for state in SWITCHES["boundary"] if state]
        for statement in statements:
            if statement["Sid"].endswith("WithinBoundary"):
                condition = statement.setdefault("Condition", {})
                condition["StringEquals"] = {"iam:PermissionsBoundary": boundary}
        self.assert_allowed(statements, needs(Stack(boundary=1)))
        refused = {need.action for need in needs(Stack()) if not any(grants(statements, need))}
        self.assertEqual(refused, BOUNDARY_ACTIONS - {"iam:DeleteRolePermissionsBoundary"})

    def test_removing_a_permissions_boundary_is_not_allowed(self):
        call = Need("iam:DeleteRolePermissionsBoundary", f"arn:aws:iam::123456789012:role/{NAME}-Role")
        self.assertFalse(list(grants(STATEMENTS, call)))

    def test_the_only_actions_on_a_user_pool_are_for_its_web_acl(self):
        actions = {action for s in STATEMENTS for action in listed(s["Action"])}
        found = {action for action in actions if matches("cognito-*", action)}
        names = ("AssociateWebACL", "DisassociateWebACL", "GetWebACLForResource")
        self.assertEqual(found, {f"cognito-idp:{name}" for name in names})

    def test_each_document_fits_into_a_managed_policy(self):
        for document in (CORE, OPTIONS):
            self.assertLessEqual(len(json.dumps(document, separators=(",", ":"))), MAX_POLICY_SIZE)

    def test_each_listed_permission_becomes_a_call_or_is_left_out(self):
        found = list(for_linters())
        made = [resource for stack in found for resource in stack.resources.values()]
        needed = {p for r in made for p in permissions(r["Type"], *ALL_HANDLERS) if is_needed(p, r)}
        self.assertEqual(needed - {call.action for call in every_need()}, set())

    def test_each_permission_that_is_left_out_is_listed(self):
        types = {resource["Type"] for stack in for_linters() for resource in stack.resources.values()}
        known = set().union(*(permissions(kind, *ALL_HANDLERS) for kind in types))
        for pattern in (*NOT_NEEDED, *NEEDED_FOR):
            self.assertTrue(any(matches(pattern, permission) for permission in known), pattern)


if __name__ == "__main__":
    stack.run(lambda: stack.test(DeployerPolicy))
