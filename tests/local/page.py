"""The page of `make dev` in a real browser, by what a user can see, name and reach by keyboard.

`--screenshot FILE` also keeps a picture of it.
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

LOGS = stack.ROOT / "target" / "page"
NAMES = ("chromium", "chromium-browser", "google-chrome")
# No call of its own to anywhere, and no device that a server may lack.
FLAGS = ("--disable-quic", "--disable-gpu", "--disable-component-update", "--disable-sync")
VIEWPORT = {"width": 1100, "height": 900}

# Each breaks a rule at least, so that none becomes the password. What they are about: code points
# (a key is two UTF-16 units, a family seven code points), white space of other scripts, letters that
# are not of ASCII, symbols at the ends, runs and blocks, the previous password.
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


def installed(playwright):
    """The path of a browser on this machine, if there is one."""
    own = playwright.chromium.executable_path
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES), os.path.exists(own) and own]
    return next(filter(None, found), None)


def install():
    """Tries to have a browser: Playwright's, or Debian's where that is ours to install."""
    commands = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and os.geteuid() == 0:
        commands += [["apt-get", "update"], ["apt-get", "install", "--yes", "chromium"]]
    with open(LOGS / "install.log", "w") as log:
        for command in commands:
            try:
                done = subprocess.run(command, stdout=log, stderr=log, timeout=300)
            except subprocess.TimeoutExpired:
                continue
            if done.returncode == 0 and command[-1] == "chromium":
                return


def launch(playwright):
    """A browser, or nothing where none is to be had or none starts."""
    if not installed(playwright):
        print("No Chromium was found, so one is installed.", flush=True)
        install()
    if not (path := installed(playwright)):
        return None
    try:
        return playwright.chromium.launch(executable_path=path, args=FLAGS)
    except Error as error:
        if os.environ.get("CHROMIUM"):  # Who names one wants that one.
            raise
        print(f"{path} does not start: {error.message.splitlines()[0]}")
        return None


class Page:
    """One visit, and what the browser did meanwhile."""

    def __init__(self, browser, cognito, scheme="light"):
        self.context = browser.new_context(viewport=VIEWPORT, color_scheme=scheme)
        self.page = page = self.context.new_page()
        page.set_default_timeout(10_000)
        self.errors, self.preflights = [], []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self.note)
        # Playwright does not tell of preflights; the browser's own protocol does.
        network = self.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.requestWillBeSent", self.note_request)
        page.goto(f"{cognito}/")

    def note(self, message):
        """Keeps errors, but for the line that a browser prints for each 4xx and 5xx."""
        if message.type == "error" and "responded with a status of" not in message.text:
            self.errors.append(message.text)

    def note_request(self, event):
        """Keeps what asks beforehand whether another origin may be called."""
        if event["request"]["method"] == "OPTIONS":
            self.preflights.append(event["request"]["url"])

    def field(self, label):
        """A field by its whole label."""
        return self.page.get_by_label(label, exact=True)

    def button(self, name):
        """A button by its whole name."""
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
        """Fills the form in, sends it, and gives the function's answer."""
        self.field("Current password").fill(previous)
        self.field("New password").fill(proposed)
        if fault:
            self.field("What Cognito does to the next change").select_option(fault)
        return self.answer(self.button("Change password").click)

    def answer(self, act):
        """What the function answers to what this does: the status and the body."""

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
        """What the function says of its rules."""
        return json.loads(stack.http("GET", f"{self.url}/password-policy").body)

    def assert_signs_in(self, password, signs_in=True):
        """Asserts that Cognito takes a password, or that it does not."""
        entry = dev.sign_in(self.cognito)
        entry.data["AuthParameters"]["PASSWORD"] = password
        self.assertEqual(entry.send().status, 200 if signs_in else 400)

    def assert_changed(self):
        """Asserts that the new password is in force and the old one is not."""
        self.assert_signs_in(dev.NEW_PASSWORD)
        self.assert_signs_in(dev.PASSWORD, signs_in=False)

    def assert_at_field(self, label, text):
        """Asserts that an error is in the field's description, and the cursor in the field."""
        field = self.visit.field(label)
        expect(field).to_be_focused()
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(text)

    def test_a_change_says_so_and_only_the_new_password_signs_in(self):
        self.visit.sign_in()
        self.assertEqual(self.visit.change(), (204, None))
        expect(self.page.get_by_role("status")).to_have_text("The password was changed.")
        expect(self.visit.field("New password")).to_have_value("")
        self.assert_changed()

    def test_the_function_is_at_another_origin_and_is_asked_first(self):
        self.visit.sign_in()
        self.visit.change()
        self.assertFalse(self.url.startswith(self.page.evaluate("location.origin")))
        self.assertIn(f"{self.url}/change-password", self.visit.preflights)

    def test_the_checklist_has_exactly_the_rules_of_the_policy(self):
        self.visit.sign_in()
        expected = {
            rule["message"]: "not yet" if rule["clientCheckable"] else "checked when sent"
            for rule in self.policy()["rules"]
        }
        self.assertEqual(self.visit.checklist(), expected)
        rules = self.visit.field("New password").get_attribute("passwordrules")
        self.assertEqual(rules, self.policy()["passwordRules"])

    def test_the_checklist_ticks_while_one_types(self):
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
                f"{10 - len(open_codes)} of 10 rules kept, as far as can be told here."
            )

    def test_the_page_and_the_function_judge_alike(self):
        self.visit.sign_in()
        ours = {rule["message"] for rule in self.policy()["rules"] if rule["clientCheckable"]}
        for proposed in REFUSED:
            with self.subTest(proposed):
                status, problem = self.visit.change(proposed)
                self.assertEqual(status, 422)
                broken = {violation["message"] for violation in problem["violations"]}
                checklist = self.visit.checklist()
                found = {message for message, state in checklist.items() if state == "not yet"}
                self.assertEqual(found, broken & ours)

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
        # The first of them is none.
        faults = self.visit.field("What Cognito does to the next change").get_by_role("option")
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
                "Refuses: the limit of tries is exceeded": (429, "attempt_limit_exceeded"),
                "Refuses: too many requests": (429, "too_many_requests"),
                "Refuses: a password reset is required": (409, "password_reset_required"),
                "Refuses: the user is not confirmed": (409, "user_not_confirmed"),
                "Refuses: the user is disabled": (403, "user_disabled"),
                "Refuses: the token has been revoked": (401, "invalid_token"),
                "Refuses: the password was used before": (422, "password_policy_violation"),
                "Refuses: its web ACL blocks the request": (403, "request_blocked"),
                "Refuses: no such app client": (500, "internal_error"),
                "Fails with a 500": (502, "upstream_error"),
                "Loses the answer after the change": (204, None),
                "Loses the answer after the change, and the next one": (504, "outcome_unknown"),
                "Loses the request": (504, "outcome_unknown"),
            },
        )

    def test_an_unknown_outcome_is_settled_by_signing_in(self):
        self.visit.sign_in()
        fault = "Loses the answer after the change, and the next one"
        self.assertEqual(self.visit.change(fault=fault)[0], 504)
        self.visit.button("Sign in with the new password").click()
        changed = "The password was changed: the new one signs in."
        expect(self.page.get_by_role("status")).to_have_text(changed)
        self.assert_changed()

    def test_all_of_it_goes_by_keyboard(self):
        keys = self.page.keyboard

        def reach(control):
            """Goes on by Tab until there."""
            for _ in range(20):
                if control.evaluate("control => control === document.activeElement"):
                    return
                keys.press("Tab")
            self.fail(f"Tab does not lead to {control}")

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
        expect(self.page.get_by_role("status")).to_contain_text("every session ended")
        expect(self.visit.field("Password")).to_be_focused()
        self.assert_changed()

    def test_password_managers_are_told_which_field_is_which(self):
        expect(self.visit.field("Password")).to_have_attribute("autocomplete", "current-password")
        self.visit.sign_in()
        old, new = self.visit.field("Current password"), self.visit.field("New password")
        expect(old).to_have_attribute("autocomplete", "current-password")
        expect(new).to_have_attribute("autocomplete", "new-password")

    def test_axe_finds_nothing_to_object_to_in_either_colour_scheme(self):
        for scheme in ("light", "dark"):
            visit = Page(self.browser, self.cognito, scheme)
            self.assert_accessible(visit, scheme, "signed out")
            visit.sign_in()
            visit.change("password")
            expect(visit.page.get_by_role("list", name="Broken rules")).to_be_visible()
            self.assert_accessible(visit, scheme, "violations")
            visit.change(fault="Refuses: too many requests")
            expect(visit.page.get_by_role("alert")).to_contain_text("too_many_requests")
            self.assert_accessible(visit, scheme, "a problem")
            visit.change()
            expect(visit.page.get_by_role("status")).to_be_visible()
            self.assert_accessible(visit, scheme, "changed")
            visit.context.close()
            stack.http("POST", f"{self.cognito}/_fake/reset", body="")

    def assert_accessible(self, visit, *where):
        """Asserts that axe-core finds no violation in what is shown."""
        found = Axe().run(visit.page).response["violations"]
        self.assertEqual([(rule["id"], rule["help"]) for rule in found], [], where)


def take_picture(browser, cognito, path):
    """Keeps a picture of the page with a 422 on it."""
    stack.http("POST", f"{cognito}/_fake/reset", body="")
    visit = Page(browser, cognito)
    visit.sign_in()
    visit.change("Wrong-Cow")
    expect(visit.field("New password")).to_be_focused()
    visit.page.screenshot(path=path, full_page=True)
    visit.context.close()


def main():
    """Starts the function, a fake Cognito and a browser, runs the tests, and stops all three."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        if not (browser := launch(playwright)):
            print("There is no Chromium here and none can be had: the page is not tested.")
            return True
        print(f"What the function and the fake print goes to {LOGS}.", flush=True)
        ports = stack.free_port(), stack.free_port()
        with open(LOGS / "function.log", "w") as log, dev.both(*ports, output=log) as running:
            Journey.browser, (Journey.url, Journey.cognito, _) = browser, running
            if sys.argv[1:2] == ["--screenshot"]:
                take_picture(browser, Journey.cognito, sys.argv[2])
            suite = unittest.defaultTestLoader.loadTestsFromTestCase(Journey)
            passed = unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful()
        browser.close()
        return passed


if __name__ == "__main__":
    stack.interrupt_on_signals()
    try:
        sys.exit(0 if main() else 1)
    except KeyboardInterrupt:
        sys.exit(130)
