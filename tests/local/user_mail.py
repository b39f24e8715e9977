"""Tests user-mail/user_mail.py with moto's Cognito, EventBridge and SES: which users get which mail."""

import contextlib
import io
import json
import os
import re
import runpy
import traceback
import unittest
import uuid
from unittest import mock

import boto3
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

import audit
import forwarder
import stack
import template

REGION = "eu-west-1"
STACK = template.Stack(**{"events": 1, "user mail": 1})
SENDER, CONTACT = (STACK.values[name] for name in ("UserMailFrom", "UserMailContact"))
ADDRESS = "erika@example.org"
# In no log, error or mail.
PERSONAL = {"given_name": "Erika", "family_name": "Mustermann", "phone_number": "+4915550000000"}
SUBJECTS = {
    "en": "Your password was changed",
    "de": "Ihr Passwort wurde geändert",
    "fr": "Votre mot de passe a été modifié",
    "es": "Se ha cambiado su contraseña",
    "it": "La tua password è stata modificata",
    "pt": "Sua senha foi alterada",
    "pl": "Twoje hasło zostało zmienione",
}


def load(pool):
    """The consumer's module, with the settings that the template gives it."""
    function = STACK.properties("UserMail")
    file = function["Handler"].partition(".")[0] + ".py"
    folder = template.TEMPLATE["Resources"]["UserMail"]["Properties"]["CodeUri"]
    settings = function["Environment"]["Variables"] | {"USER_POOL_ID": pool}
    with mock.patch.dict(os.environ, settings | {"AWS_DEFAULT_REGION": REGION}):
        return runpy.run_path(str(stack.ROOT / folder / file))


class UserMail(unittest.TestCase):
    """What users and operators can rely on."""

    def setUp(self):
        aws = mock_aws()
        aws.start()
        self.addCleanup(aws.stop)
        self.cognito = boto3.client("cognito-idp", REGION)
        self.pool = self.cognito.create_user_pool(PoolName="p")["UserPool"]["Id"]
        boto3.client("sesv2", REGION).create_email_identity(EmailIdentity=SENDER)
        self.module = load(self.pool)
        self.sent = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages
        samples = audit.samples()
        change = next(s for s in samples if (s["operation"], s["code"]) == ("changePassword", "ok"))
        self.change = change | {"timestamp": "2026-11-04T05:01:20.502Z"}

    def user(self, **attributes):
        """The sub of a new user with a verified address, unless the attributes say otherwise."""
        attributes = PERSONAL | {"email": ADDRESS, "email_verified": "true"} | attributes
        answer = self.cognito.admin_create_user(
            UserPoolId=self.pool,
            Username=str(uuid.uuid4()),
            UserAttributes=[{"Name": k, "Value": v} for k, v in attributes.items() if v is not None],
            MessageAction="SUPPRESS",
        )
        [sub] = [a["Value"] for a in answer["User"]["Attributes"] if a["Name"] == "sub"]
        return sub

    def event(self, sub):
        """The event of a change by this user, as it comes through the forwarder and the rule."""
        events, queues = boto3.client("events", REGION), boto3.client("sqs", REGION)
        url = queues.create_queue(QueueName=str(uuid.uuid4()))["QueueUrl"]
        names = {"QueueUrl": url, "AttributeNames": ["QueueArn"]}
        queue = queues.get_queue_attributes(**names)["Attributes"]["QueueArn"]
        pattern = STACK.properties("UserMailPasswordChanged")["EventPattern"]
        # Two stacks: the rule must not deliver the other one's event.
        pattern = json.dumps(pattern).replace(json.dumps({"Ref": "AWS::StackName"}), '"this-stack"')
        events.put_rule(Name="rule", EventPattern=pattern)
        events.put_targets(Rule="rule", Targets=[{"Id": "queue", "Arn": queue}])
        other = {"Source": "other", "DetailType": "Password Changed", "Detail": "{}"}
        events.put_events(Entries=[other])
        handler = forwarder.load("Forwarder", events=events)["handler"]
        for name in ("other-stack", "this-stack"):
            with mock.patch.dict("os.environ", STACK=name):
                handler(forwarder.batch([self.change | {"sub": sub}]), None)
        [message] = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        return json.loads(message["Body"])

    def handle(self, sub):
        """The log and, if it fails, the error of an invocation for this user, as Lambda records them."""
        log = io.StringIO()
        error = ""
        event = self.event(sub)
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            try:
                self.module["handler"](event, None)
            except Exception:
                error = traceback.format_exc()
        for personal in (ADDRESS, *PERSONAL.values()):
            self.assertNotIn(personal, log.getvalue() + error)
        return log.getvalue(), error

    def mailed(self, sub):
        """The mail that a user gets."""
        before = len(self.sent)
        log, error = self.handle(sub)
        self.assertEqual(error, "")
        [mail] = self.sent[before:]
        self.assertEqual(log, f"{sub} was mailed: message {mail.id}.\n")
        return mail

    def test_a_user_with_a_verified_address_gets_a_mail_after_a_change(self):
        mail = self.mailed(self.user())
        self.assertEqual((mail.source, mail.destinations), (SENDER, {"ToAddresses": [ADDRESS]}))
        self.assertEqual(mail.subject, "Your password was changed")
        self.assertEqual(
            mail.body,
            "Your password was changed on 4 November 2026 at 05:01 UTC.\n"
            "\n"
            "If you changed it, you do not need to do anything.\n"
            "\n"
            f"If you did not change it, contact us immediately: {CONTACT}\n",
        )

    def test_the_time_is_in_utc_whatever_the_offset_of_the_event(self):
        self.change["timestamp"] = "2026-11-04T23:01:20.502+09:00"
        self.assertIn("at 14:01 UTC", self.mailed(self.user()).body)

    def test_the_mail_is_in_each_language_of_the_messages(self):
        source = (stack.ROOT / "src" / "language.rs").read_text()
        self.assertEqual(re.findall(r'Self::\w+ => "(\w+)"', source), list(SUBJECTS))
        self.assertEqual(list(self.module["MAILS"]), list(SUBJECTS))
        for tag, subject in SUBJECTS.items():
            self.assertEqual(self.mailed(self.user(locale=tag)).subject, subject)

    def test_each_language_has_the_time_and_the_contact_once_and_nothing_of_user_or_request(self):
        first_lines = set()
        for tag in SUBJECTS:
            sub = self.user(locale=tag)
            body = self.mailed(sub).body
            first_lines.add(body.partition("\n")[0])
            self.assertRegex(body, r"\b(04[./]11[./]|4 November )2026\b.*\b05:01\b.*UTC")
            self.assertTrue(body.endswith(f": {CONTACT}\n"), body)
            rest = body.replace(CONTACT, "")
            self.assertNotRegex(rest, r"[@{}<>]|://")
            request = [self.change[name] for name in ("request_id", "client_id", "source_ip")]
            for word in (sub, *PERSONAL.values(), *request):
                self.assertNotIn(word, rest)
        self.assertEqual(len(first_lines), len(SUBJECTS))

    def test_the_locale_decides_the_language_and_english_stands_in_for_others(self):
        for locale, tag in {
            "de-CH": "de",
            "de_CH": "de",
            "PT": "pt",
            "pl-Latn-PL": "pl",
            "nl-NL": "en",
            "deu": "en",
            "-": "en",
            "": "en",
            None: "en",
        }.items():
            self.assertEqual(self.mailed(self.user(locale=locale)).subject, SUBJECTS[tag], locale)

    def test_the_mail_is_plain_text_in_utf_8(self):
        sent = []
        self.module["ses"].meta.events.register(
            "provide-client-params.sesv2.SendEmail", lambda params, **_: sent.append(params)
        )
        self.mailed(self.user(locale="pl"))
        [simple] = [params["Content"]["Simple"] for params in sent]
        self.assertEqual(simple["Subject"], {"Data": SUBJECTS["pl"], "Charset": "UTF-8"})
        self.assertEqual(list(simple["Body"]), ["Text"])
        self.assertEqual(simple["Body"]["Text"]["Charset"], "UTF-8")

    def test_a_user_without_a_verified_address_gets_no_mail_and_the_log_names_the_reason(self):
        unverified = "the user has no verified address"
        for sub, reason in (
            (self.user(email_verified="false"), unverified),
            (self.user(email_verified=None), unverified),
            (self.user(email=None, email_verified=None), unverified),
            (self.user(email=None, phone_number_verified="true"), unverified),
            (str(uuid.uuid4()), "there is no such user"),
        ):
            self.assertEqual(self.handle(sub), (f"{sub} was not mailed: {reason}.\n", ""))
        self.assertEqual(self.sent, [])

    def test_a_refusal_of_ses_fails_the_invocation_without_the_address_that_ses_repeats(self):
        sub = self.user()
        with Stubber(self.module["ses"]) as ses:
            text = f"Email address is not verified. The following identities failed: {ADDRESS}"
            ses.add_client_error("send_email", "MessageRejected", text)
            log, error = self.handle(sub)
        self.assertEqual(log, "")
        self.assertIn("RuntimeError: SendEmail failed: MessageRejected\n", error)
        self.assertNotIn("ClientError", error)

    def test_a_sender_that_ses_has_not_verified_fails_the_invocation(self):
        boto3.client("sesv2", REGION).delete_email_identity(EmailIdentity=SENDER)
        _, error = self.handle(self.user())
        self.assertIn("SendEmail failed: MessageRejected", error)

    def test_a_failed_look_up_fails_the_invocation(self):
        sub = self.user()
        with Stubber(self.module["cognito"]) as cognito:
            cognito.add_client_error("list_users", "TooManyRequestsException")
            self.assertIn("ListUsers failed: TooManyRequestsException", self.handle(sub)[1])
        unreachable = EndpointConnectionError(endpoint_url="https://cognito-idp.example.com")
        with mock.patch.object(self.module["cognito"], "_make_api_call", side_effect=unreachable):
            self.assertIn("AWS was not reached: EndpointConnectionError", self.handle(sub)[1])
        self.assertEqual(self.sent, [])

    def test_a_sub_that_is_no_uuid_gets_into_no_filter_and_no_log(self):
        self.user()
        for sub in ('" or sub ^= "', "", "erika"):
            with mock.patch.object(self.module["cognito"], "_make_api_call") as call:
                log, error = self.handle(sub)
            self.assertEqual((log, call.call_count), ("", 0))
            self.assertIn("ValueError: badly formed hexadecimal UUID string", error)

    def test_the_role_may_look_up_users_of_the_pool_and_send_from_the_one_address_alone(self):
        [policy] = STACK.properties("UserMailRole")["Policies"]
        granted = {}
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            granted |= dict.fromkeys(actions, statement)
        logs = {"logs:CreateLogStream", "logs:PutLogEvents"}
        self.assertEqual(
            granted.keys(), {"cognito-idp:ListUsers", "ses:SendEmail", "sqs:SendMessage"} | logs
        )
        pool = granted["cognito-idp:ListUsers"]["Resource"]["Fn::Sub"]
        self.assertTrue(pool.endswith(":userpool/${UserPoolId}"), pool)
        only = {"StringEquals": {"ses:FromAddress": SENDER}}
        self.assertEqual(granted["ses:SendEmail"]["Condition"], only)


class Settings(unittest.TestCase):
    """What the template takes."""

    def test_a_mail_needs_a_contact_and_events(self):
        for missing, value in (("UserMailContact", ""), ("PasswordChangedEvents", "false")):
            found = template.Stack(**{"events": 1, "user mail": 1})
            self.assertTrue(found.is_accepted)
            found.values[missing] = value
            self.assertFalse(found.is_accepted, missing)

    def test_the_contact_is_an_address_or_a_page_over_https(self):
        pattern = rf"^{template.PARAMETERS['UserMailContact']['AllowedPattern']}$"
        for contact in ("", "help@example.com", "https://example.com/help?topic=password"):
            self.assertRegex(contact, pattern)
        for contact in ("example.com", "http://example.com", "https://a b", "a@b, c@d", "+49 30 1234"):
            self.assertNotRegex(contact, pattern)

    def test_the_sender_is_one_address_without_a_name(self):
        pattern = rf"^{template.PARAMETERS['UserMailFrom']['AllowedPattern']}$"
        for sender in ("", "no-reply@example.com"):
            self.assertRegex(sender, pattern)
        for sender in ("example.com", "a@b,c@d", "Example <a@b>", "*@example.com"):
            self.assertNotRegex(sender, pattern)


if __name__ == "__main__":
    stack.run(lambda: stack.test(UserMail, Settings))
