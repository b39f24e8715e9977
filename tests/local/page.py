"""Tests the page of `make dev` in a real browser, as a user sees it and reaches it by keyboard.

It uses the browser that CHROMIUM names, or a Chromium or Chrome on the PATH, or else Playwright's,
which it downloads into .venv. With `--screenshot FILE` it also keeps a picture of the page.
"""

import json
import os
import shutil
import subprocess
import sys
import unittest

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, expect, sync_playwright

import dev
import stack

SCRATCH = stack.scratch("page")
NAMES = ("chromium", "chromium-browser", "google-chrome")
# The browser calls no server of its own, and needs no device that a server may lack.
FLAGS = ("--disable-quic", "--disable-gpu", "--disable-component-update", "--disable-sync")
VIEWPORT = {"width": 1100, "height": 900}
# In milliseconds; nothing takes that long, even on a slow machine, unless it is broken.
TIMEOUT = 60_000

os.environ["PLAYWRIGHT_BROWSERS_PATH"] = str(stack.ROOT / ".venv" / "browsers")
expect.set_options(timeout=TIMEOUT)

# Each breaks at least one rule, so none becomes the password. They cover code points (a key is two
# UTF-16 units, a family seven code points), white space and digits of other scripts, letters outside
# ASCII, symbols at either end, runs and blocks, and the previous password.
REFUSED = (
    "a",
    "password",
    "Aa1!",
    "🔑🔑🔑🔑🔑🔑",
    "Aa1👨‍👩‍👧‍👦x👨‍👩‍👧",
    "Éé1!Éé1!Éé1!",
    "\u3000Purple-Monkey-8",
    " PurpleMonkey8 ",
    "Purple Monkeeeey 8",
    "purplemonkey٨٩",
    "Purple€Monkey8",
    "Purple-Monkeeee-8",
    "Purple-🔑🔑🔑🔑-8",
    "AbC1!aBc1!abc",
    "Purple-1!" * 29,
    dev.PASSWORD,
)


def launch(playwright):
    """A browser; ends this check if none is found or the one found does not start."""
    own = playwright.chromium.executable_path
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), own)
    if path == own and not os.path.exists(own):
        download()
    try:
        return playwright.chromium.launch(executable_path=path, args=FLAGS, timeout=TIMEOUT)
    except Error as error:
        reason = f"{path} does not start: {error.message.splitlines()[0]}"
        if os.environ.get("CHROMIUM"):
            sys.exit(reason)
        stack.not_checked(reason)


def download():
    """Downloads Playwright's Chromium; ends this check if that fails."""
    path = SCRATCH / "download.log"
    command = [sys.executable, "-m", "playwright", "install", "--no-shell", "chromium"]
    print("There is no Chromium on the PATH, so Playwright downloads one.", flush=True)
    with open(path, "w") as log:
        if subprocess.run(command, stdout=log, stderr=log).returncode != 0:
            stack.not_checked(f"no Chromium; for the failed download, see {path}")


class Page:
    """One visit to the page, with the errors and preflight requests of the browser."""

    def __init__(self, browser, cognito, scheme="light"):
        self.context = browser.new_context(viewport=VIEWPORT, color_scheme=scheme)
        self.page = page = self.context.new_page()
        page.set_default_timeout(TIMEOUT)
        self.errors, self.preflights = [], []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self.note)
        # Playwright does not report preflight requests, but the DevTools protocol does.
        network = self.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.requestWillBeSent", self.note_request)
        page.goto(f"{cognito}/")

    def note(self, message):
        """Keeps errors, except the line that a browser prints for each 4xx and 5xx."""
        if message.type == "error" and "responded with a status of" not in message.text:
            self.errors.append(message.text)

    def note_request(self, event):
        """Keeps the URLs of preflight requests."""
        if event["request"]["method"] == "OPTIONS":
            self.preflights.append(event["request"]["url"])

    def field(self, label):
        """The field with this label."""
        return self.page.get_by_label(label, exact=True)

    def button(self, name):
        """The button with this name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def rules(self):
        """The entries of the checklist."""
        checklist = self.page.get_by_role("list", name="Rules for the new password")
        return checklist.get_by_role("listitem")

    def checklist(self):
        """The state of each rule, by its message."""
        entries = [entry.splitlines() for entry in self.rules().all_inner_texts()]
        return {entry[0]: entry[-1] for entry in entries}

    def sign_in(self, password=dev.PASSWORD):
        """Signs the demo user in."""
        self.field("User name").fill(dev.USER)
        self.field("Password").fill(password)
        self.button("Sign in").click()
        expect(self.page.get_by_role("heading", name=f"New password for {dev.USER}")).to_be_visible()
        expect(self.rules()).not_to_have_count(0)

    def change(self, proposed=dev.NEW_PASSWORD, previous=dev.PASSWORD, fault=None):
        """Fills the form in, sends it, and returns the function's answer."""
        self.field("Current password").fill(previous)
        self.field("New password").fill(proposed)
        if fault:
            self.field("What Cognito does with the next change").select_option(fault)
        return self.answer(self.button("Change password").click)

    def answer(self, act):
        """Acts, and returns the status and the body of the function's answer."""

        def is_change(response):
            is_post = response.request.method == "POST"
            return is_post and response.url.endswith("/change-password")

        with self.page.expect_response(is_change) as waiting:
            act()
        text = waiting.value.text()
        return waiting.value.status, json.loads(text) if text else None


class Journey(unittest.TestCase):
    """What a newcomer does on the page."""

    browser = url = cognito = None

    def setUp(self):
        stack.http("POST", f"{self.cognito}/_fake/reset", body="")
        self.visit = Page(self.browser, self.cognito)
        self.page = self.visit.page

    def tearDown(self):
        self.visit.context.close()
        self.assertEqual(self.visit.errors, [])

    def policy(self):
        """The policy that the function returns."""
        return json.loads(stack.http("GET", f"{self.url}/password-policy").body)

    def assert_signs_in(self, password, signs_in=True):
        """Asserts that Cognito accepts a password, or that it does not."""
        entry = dev.sign_in(self.cognito)
        entry.data["AuthParameters"]["PASSWORD"] = password
        self.assertEqual(entry.send().status, 200 if signs_in else 400)

    def assert_changed(self):
        """Asserts that the new password is in force and the old one is not."""
        self.assert_signs_in(dev.NEW_PASSWORD)
        self.assert_signs_in(dev.PASSWORD, signs_in=False)

    def assert_at_field(self, label, text):
        """Asserts that the field has the focus, and an error in its description."""
        field = self.visit.field(label)
        expect(field).to_be_focused()
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(text)

    def test_after_a_change_only_the_new_password_signs_in(self):
        self.visit.sign_in()
        self.assertEqual(self.visit.change(), (204, None))
        expect(self.page.get_by_role("status")).to_have_text("The password was changed.")
        expect(self.visit.field("New password")).to_have_value("")
        self.assert_changed()

    def test_the_browser_sends_a_preflight_request_to_the_functions_origin(self):
        self.visit.sign_in()
        self.visit.change()
        self.assertFalse(self.url.startswith(self.page.evaluate("location.origin")))
        self.assertIn(f"{self.url}/change-password", self.visit.preflights)

    def test_the_checklist_has_exactly_the_rules_of_the_policy(self):
        self.visit.sign_in()
        expected = {
            rule["message"]: "not yet" if rule["clientCheckable"] else "checked by the server"
            for rule in self.policy()["rules"]
        }
        self.assertEqual(self.visit.checklist(), expected)
        rules = self.visit.field("New password").get_attribute("passwordrules")
        self.assertEqual(rules, self.policy()["passwordRules"])

    def test_the_checklist_changes_with_each_character(self):
        self.visit.sign_in()
        messages = {rule["code"]: rule["message"] for rule in self.policy()["rules"]}
        typed = [
            ("Purple", {"missing_digit", "missing_symbol", "too_short"}),
            ("8-", {"too_short"}),
            ("Dish", set()),
        ]
        self.visit.field("New password").focus()
        for text, open_codes in typed:
            self.page.keyboard.type(text)
            expected = {messages[code] for code in open_codes}
            found = {message for message, state in self.visit.checklist().items() if state == "not yet"}
            self.assertEqual(found, expected)
            expect(self.visit.field("New password")).to_have_accessible_description(
                f"{10 - len(open_codes)} of 10 rules met. The server checks the others."
            )

    def test_the_checklist_and_the_function_find_the_same_violations(self):
        self.visit.sign_in()
        ours = {rule["code"]: rule["message"] for rule in self.policy()["rules"] if rule["clientCheckable"]}
        for proposed in REFUSED:
            with self.subTest(proposed):
                status, problem = self.visit.change(proposed)
                self.assertEqual(status, 422)
                broken = {violation["code"] for violation in problem["violations"]}
                checklist = self.visit.checklist()
                found = {message for message, state in checklist.items() if state == "not yet"}
                self.assertEqual(found, {ours[code] for code in broken & ours.keys()})

    def test_a_422_lists_its_violations_at_the_field(self):
        self.visit.sign_in()
        status, problem = self.visit.change("password")
        self.assertEqual(status, 422)
        messages = [violation["message"] for violation in problem["violations"]]
        listed = self.page.get_by_role("list", name="Broken rules").get_by_role("listitem")
        expect(listed).to_have_text(messages)
        self.assertGreater(len(messages), 3)
        expect(self.visit.field("New password")).to_be_focused()
        expect(self.visit.field("New password")).to_have_attribute("aria-invalid", "true")

    def test_a_wrong_previous_password_shows_at_its_field(self):
        self.visit.sign_in()
        status, problem = self.visit.change(previous="Wrong-Horse-7-Battery")
        self.assertEqual((status, problem["code"]), (403, "previous_password_incorrect"))
        self.assert_at_field("Current password", problem["detail"])
        self.assert_signs_in(dev.PASSWORD)

    def test_each_fault_shows_as_its_problem(self):
        self.visit.sign_in()
        # The first one is none.
        faults = self.visit.field("What Cognito does with the next change").get_by_role("option")
        seen = {}
        for fault in faults.all_inner_texts()[1:]:
            stack.http("POST", f"{self.cognito}/_fake/reset", body="")
            self.visit.button("Sign out").click()
            self.visit.sign_in()
            status, problem = self.visit.change(fault=fault)
            code = problem and problem["code"]
            seen[fault] = (status, code)
            if not code:
                expect(self.page.get_by_role("status")).to_have_text("The password was changed.")
            elif status == 422:
                expect(self.visit.field("New password")).to_be_focused()
            else:
                alert = self.page.get_by_role("alert")
                expect(alert).to_contain_text(code)
                expect(alert).to_be_focused()
        self.assertEqual(
            seen,
            {
                "Rejects it: attempt limit exceeded": (429, "attempt_limit_exceeded"),
                "Rejects it: too many requests": (429, "too_many_requests"),
                "Rejects it: password reset required": (409, "password_reset_required"),
                "Rejects it: user not confirmed": (409, "user_not_confirmed"),
                "Rejects it: user disabled": (403, "user_disabled"),
                "Rejects it: token revoked": (401, "invalid_token"),
                "Rejects it: password used before": (422, "password_policy_violation"),
                "Rejects it: request blocked by a web ACL": (403, "request_blocked"),
                "Rejects it: app client not found": (500, "internal_error"),
                "Fails with a 500": (204, None),
                "Loses the answer after the change": (204, None),
                "Loses the answer after the change, and the next one": (504, "outcome_unknown"),
                "Loses the request": (204, None),
            },
        )

    def test_an_unknown_outcome_is_settled_by_signing_in(self):
        self.visit.sign_in()
        fault = "Loses the answer after the change, and the next one"
        self.assertEqual(self.visit.change(fault=fault)[0], 504)
        self.visit.button("Sign in with the new password").click()
        changed = "The password was changed: signing in with the new one works."
        expect(self.page.get_by_role("status")).to_have_text(changed)
        self.assert_changed()

    def test_a_redirection_of_a_change_is_not_followed(self):
        self.visit.sign_in()
        headers = {"Location": f"{self.url}/elsewhere", "Access-Control-Allow-Origin": "*"}
        self.page.route(
            f"{self.url}/change-password",
            lambda route: route.fulfill(status=307, headers=headers),
        )
        requests = []
        self.page.on("request", lambda request: requests.append(request.url))
        self.visit.field("Current password").fill(dev.PASSWORD)
        self.visit.field("New password").fill(dev.NEW_PASSWORD)
        self.visit.button("Change password").click()
        expect(self.page.get_by_text("No answer:")).to_be_visible()
        self.assertIn(f"{self.url}/change-password", requests)
        self.assertNotIn(headers["Location"], requests)
        self.visit.errors.clear()  # The browser prints the failed request.
        self.assert_signs_in(dev.PASSWORD)

    def test_the_page_works_by_keyboard_alone(self):
        keys = self.page.keyboard

        def reach(control):
            """Presses Tab until the control has the focus."""
            for _ in range(20):
                if control.evaluate("control => control === document.activeElement"):
                    return
                keys.press("Tab")
            self.fail(f"Tab does not reach {control}")

        reach(self.visit.field("Password"))
        keys.press("Enter")
        expect(self.visit.field("Current password")).to_be_focused()
        keys.type(dev.PASSWORD)
        reach(self.visit.field("New password"))
        keys.type(dev.NEW_PASSWORD)
        reach(self.visit.field("Show passwords"))
        keys.press("Space")
        expect(self.visit.field("New password")).to_have_attribute("type", "text")
        reach(self.visit.field("Sign out everywhere"))
        keys.press("Space")
        reach(self.visit.button("Change password"))
        answer = self.visit.answer(lambda: keys.press("Enter"))
        self.assertEqual(answer, (200, {"signedOutEverywhere": True}))
        expect(self.page.get_by_role("status")).to_contain_text("every session was ended")
        expect(self.visit.field("Password")).to_be_focused()
        self.assert_changed()

    def test_password_fields_name_their_purpose(self):
        expect(self.visit.field("Password")).to_have_attribute("autocomplete", "current-password")
        self.visit.sign_in()
        old, new = self.visit.field("Current password"), self.visit.field("New password")
        expect(old).to_have_attribute("autocomplete", "current-password")
        expect(new).to_have_attribute("autocomplete", "new-password")

    def test_axe_finds_no_violation_in_either_colour_scheme(self):
        for scheme in ("light", "dark"):
            visit = Page(self.browser, self.cognito, scheme)
            self.assert_accessible(visit, scheme, "signed out")
            visit.sign_in()
            visit.change("password")
            expect(visit.page.get_by_role("list", name="Broken rules")).to_be_visible()
            self.assert_accessible(visit, scheme, "violations")
            visit.change(fault="Rejects it: too many requests")
            expect(visit.page.get_by_role("alert")).to_contain_text("too_many_requests")
            self.assert_accessible(visit, scheme, "a problem")
            visit.change()
            expect(visit.page.get_by_role("status")).to_be_visible()
            self.assert_accessible(visit, scheme, "changed")
            visit.context.close()
            stack.http("POST", f"{self.cognito}/_fake/reset", body="")

    def assert_accessible(self, visit, *where):
        """Asserts that axe-core finds no violation on the page."""
        found = Axe().run(visit.page).response["violations"]
        self.assertEqual([(rule["id"], rule["help"]) for rule in found], [], where)


def take_picture(browser, cognito, path):
    """Keeps a picture of the page with the violations of a 422."""
    stack.http("POST", f"{cognito}/_fake/reset", body="")
    visit = Page(browser, cognito)
    visit.sign_in()
    visit.change("Wrong-Cow")
    expect(visit.field("New password")).to_be_focused()
    visit.page.screenshot(path=path, full_page=True)
    visit.context.close()


def main():
    """Runs the tests in a browser, with the function and a fake Cognito."""
    with sync_playwright() as playwright, launch(playwright) as browser:
        stack.build()
        ports = stack.free_port(), stack.free_port()
        with stack.log(SCRATCH) as log, dev.both(*ports, output=log) as running:
            Journey.browser, (Journey.url, Journey.cognito, _) = browser, running
            if sys.argv[1:2] == ["--screenshot"]:
                take_picture(browser, Journey.cognito, sys.argv[2])
            return stack.test(Journey)


if __name__ == "__main__":
    stack.run(main)
