"""Tests the page of `make dev` in a real browser, through what users see and by keyboard.

It uses the browser that CHROMIUM names, or a Chromium or Chrome on the PATH, or else downloads
Playwright's into .venv. With `--screenshot FILE`, it first saves a screenshot of the page.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import unittest

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, expect, sync_playwright

import dev
import stack

SCRATCH = stack.scratch("page")
NAMES = ("chromium", "chromium-browser", "google-chrome")
# The browser contacts no server of its own and needs no devices that a server may lack.
FLAGS = ("--disable-quic", "--disable-gpu", "--disable-component-update", "--disable-sync")
VIEWPORT = {"width": 1100, "height": 900}
# In milliseconds. Only a broken page takes this long, even on a slow machine.
TIMEOUT = 60_000

os.environ["PLAYWRIGHT_BROWSERS_PATH"] = str(stack.ROOT / ".venv" / "browsers")
expect.set_options(timeout=TIMEOUT)

# Each of these breaks at least one rule, so none becomes the password. They cover code points (the key
# is two UTF-16 units, the family seven code points), white space and digits of other scripts, letters
# outside ASCII, symbols at either end, runs and blocks, and the previous password.
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
    """Returns a browser. Ends this check if none is found or it does not start."""
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


def is_post_to(route):
    """Returns a predicate for responses to a POST to this route."""
    return lambda response: response.request.method == "POST" and f"{route}?lang=" in response.url


is_change, is_check = is_post_to("/change-password"), is_post_to("/check-password")


class Page:
    """A visit to the page, which records the browser's errors and preflight requests."""

    def __init__(self, browser, cognito, **settings):
        settings = {"viewport": VIEWPORT, "locale": "en-GB", **settings}
        self.context = browser.new_context(**settings)
        self.page = page = self.context.new_page()
        page.clock.install()
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
        """Records errors, except the line that the browser prints for each 4xx and 5xx."""
        if message.type == "error" and "responded with a status of" not in message.text:
            self.errors.append(message.text)

    def note_request(self, event):
        """Records the URLs of preflight requests."""
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

    def states(self):
        """The current state of each rule, by its code."""
        rules = self.rules().evaluate_all("rules => rules.map(rule => ({ ...rule.dataset }))")
        return {rule["code"]: rule["state"] for rule in rules}

    def answered(self):
        """The state of each rule, by its code, after the function has responded."""
        expect(self.rules().get_by_text("checking…")).to_have_count(0)
        return self.states()

    def stop_clock(self):
        """Stops the page's clock; `page.clock.run_for` advances it."""
        self.page.clock.pause_at(self.page.evaluate("Date.now()") + 1000)

    def changes_of(self, part):
        """Returns a function that lists the texts of a part of the page from now on."""
        watch = """part => {
            part.texts = [];
            const note = () => part.texts.push(part.textContent);
            new MutationObserver(note).observe(part, { childList: true });
        }"""
        self.page.locator(part).evaluate(watch)
        return lambda: self.page.locator(part).evaluate("part => part.texts")

    def sign_in(self, password=dev.PASSWORD, user=dev.USER):
        """Signs a user in and waits for the user's rules."""
        self.field("User name").fill(user)
        self.field("Password").fill(password)
        with self.page.expect_response(is_check):
            self.button("Sign in").click()
        expect(self.page.get_by_role("heading", name=f"New password for {user}")).to_be_visible()
        expect(self.rules().get_by_text("Cognito decides")).to_have_count(2)

    def type(self, proposed):
        """Fills in a new password and returns the function's response to the check that follows."""
        with self.page.expect_response(is_check) as waiting:
            self.field("New password").fill(proposed)
        return waiting.value.json()

    def change(self, proposed=dev.NEW_PASSWORD, previous=dev.PASSWORD, fault=None):
        """Fills in the form, submits it, and returns the function's response."""
        self.field("Current password").fill(previous)
        self.field("New password").fill(proposed)
        if fault:
            self.field("Cognito's response to the next change").select_option(fault)
        return self.answer(self.button("Change password").click)

    def answer(self, act):
        """Calls `act` and returns the status and the body of the function's response."""

        with self.page.expect_response(is_change) as waiting:
            act()
        text = waiting.value.text()
        return waiting.value.status, json.loads(text) if text else None


class Visit(unittest.TestCase):
    """Tests that visit the page after a reset of the fake Cognito."""

    browser = url = cognito = None

    def setUp(self):
        stack.http("POST", f"{self.cognito}/_fake/reset", body="")
        self.visit = Page(self.browser, self.cognito)
        self.page = self.visit.page

    def tearDown(self):
        self.visit.context.close()
        self.assertEqual(self.visit.errors, [])

    def calls(self, operation):
        """The number of Cognito calls for an operation."""
        calls = json.loads(stack.http("GET", f"{self.cognito}/_fake/calls").body)
        return calls.get(operation, 0)


class Journey(Visit):
    """Tests of the page with the built-in policy."""

    def policy(self, query=""):
        """The policy that the function returns."""
        return json.loads(stack.http("GET", f"{self.url}/password-policy{query}").body)

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
        """Asserts that the field has the focus and an error in its description."""
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
        self.assertIn(f"{self.url}/change-password?lang=en", self.visit.preflights)

    def test_before_signing_in_the_checklist_shows_the_rules_of_the_policy(self):
        messages = [rule["message"] for rule in self.policy()["rules"]]
        expect(self.visit.rules()).to_have_text(messages)
        self.visit.sign_in()
        self.visit.button("Sign out").click()
        expect(self.visit.rules()).to_have_text(messages)

    def test_after_signing_in_the_checklist_shows_the_users_rules_and_those_of_cognito(self):
        self.visit.sign_in()
        expected = {rule["message"]: "not yet" for rule in self.policy()["rules"]}
        expected["Choose a password that the sign-in service accepts."] = "Cognito decides"
        expected["Choose a password that you have not used before."] = "Cognito decides"
        self.assertEqual(self.visit.checklist(), expected)
        rules = self.visit.field("New password").get_attribute("passwordrules")
        self.assertEqual(rules, self.policy()["passwordRules"])

    def test_the_rules_that_the_page_can_check_are_updated_with_each_character(self):
        self.visit.sign_in()
        self.visit.stop_clock()  # So that the page does not call the function.
        ours = {rule["code"] for rule in self.policy()["rules"] if rule["clientCheckable"]}
        typed = [
            ("Purple", {"missing_digit", "missing_symbol", "too_short"}),
            ("8-", {"too_short"}),
            ("Dish", set()),
        ]
        self.visit.field("New password").focus()
        for text, open_codes in typed:
            self.page.keyboard.type(text)
            for code in ours:
                state = "open" if code in open_codes else "met"
                rule = self.page.locator(f"#rules [data-code={code}]")
                expect(rule).to_have_attribute("data-state", state)
            others = self.visit.rules().get_by_text("checking…")
            expect(others).to_have_count(len(self.policy()["rules"]) - len(ours))

    def test_a_pause_in_typing_causes_one_check_and_one_announcement(self):
        self.visit.sign_in()
        asked = []
        self.page.on("request", lambda request: asked.append(request.url))
        self.visit.stop_clock()
        said = self.visit.changes_of("#spoken")
        self.visit.field("New password").focus()
        for character in dev.NEW_PASSWORD:
            self.page.keyboard.type(character)
            self.page.clock.run_for(299)
        self.assertEqual(asked, [])
        with self.page.expect_response(is_check):
            self.page.clock.run_for(1)
        count = len(self.policy()["rules"])
        all_met = f"{count} of {count} rules met."
        expect(self.page.get_by_text(all_met, exact=True)).to_be_visible()
        self.assertEqual(said(), [])
        self.page.clock.run_for(1000)
        self.assertEqual(said(), [f"{all_met} Strength: strong."])
        self.assertEqual(asked, [f"{self.url}/check-password?lang=en"])

    def test_a_newer_check_cancels_an_older_one(self):
        self.visit.sign_in()
        held, cancelled = [], []
        troubles = self.visit.changes_of("#trouble")

        def answer_the_newest(route):
            if dev.NEW_PASSWORD in route.request.post_data:
                route.continue_()
            else:
                held.append(route)

        self.page.route("**/check-password*", answer_the_newest)
        self.page.on("requestfailed", lambda request: cancelled.append(request.post_data_json))
        with self.page.expect_request("**/check-password*"):
            self.visit.field("New password").fill("password")
        self.visit.type(dev.NEW_PASSWORD)
        self.assertEqual(set(self.visit.answered().values()), {"met", "cognito"})
        self.assertEqual([body["proposedPassword"] for body in cancelled], ["password"])
        self.assertEqual(troubles(), [])
        held[0].abort()

    def test_a_429_pauses_only_the_live_check(self):
        self.visit.sign_in()
        headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "application/problem+json"}
        body = json.dumps({"code": "too_many_requests", "retryAfterSeconds": 40})
        self.page.route(
            "**/check-password*",
            lambda route: route.fulfill(status=429, headers=headers, body=body),
            times=1,
        )
        paused = self.page.get_by_text("The live check is paused for at most 40 seconds.")
        self.visit.field("New password").fill("Purple")
        expect(paused).to_be_visible()
        asked = []
        self.page.on("request", lambda request: asked.append(request.url))
        self.visit.field("New password").fill("Purple-8-Dishwasher")
        states = self.visit.answered()
        self.assertEqual((states["missing_digit"], states["common_password"]), ("met", "unchecked"))
        self.page.clock.run_for(30_000)
        self.assertEqual(asked, [])
        with self.page.expect_response(is_check):
            self.page.clock.run_for(11_000)
        expect(paused).to_be_hidden()
        self.assertEqual(self.visit.answered()["common_password"], "met")

    def test_after_a_failed_check_the_form_still_works(self):
        self.visit.sign_in()
        self.page.route("**/check-password*", lambda route: route.abort())
        self.visit.field("New password").fill(dev.NEW_PASSWORD)
        expect(self.page.get_by_text("The live check is unavailable.")).to_be_visible()
        expect(self.page.get_by_role("meter", name="Strength")).to_have_attribute(
            "aria-valuetext", "not known yet"
        )
        self.assertEqual(self.visit.answered()["common_password"], "unchecked")
        self.assertEqual(self.visit.change(), (204, None))
        self.visit.errors.clear()  # The browser prints the failed request.

    def test_the_strength_meter_shows_a_level_and_the_policys_minimum(self):
        self.visit.sign_in()
        meter = self.page.get_by_role("meter", name="Strength")
        expect(meter).to_have_attribute("aria-valuetext", "not known yet")
        words = {"password": "very weak", "kX8#qPz!": "fair", dev.NEW_PASSWORD: "strong"}
        for proposed, word in words.items():
            guesses = self.visit.type(proposed)["guessesLog10"]
            expect(meter).to_have_attribute("aria-valuetext", word)
            expect(meter).to_have_attribute("aria-valuenow", f"{min(guesses, 16):g}")
            expect(self.page.get_by_text(f"(about 10^{guesses:g} guesses)")).to_be_visible()
        expect(meter).to_have_accessible_description(
            "very weak < 10^6 ≤ weak < 10^8 ≤ fair < 10^10 ≤ good < 10^13 ≤ strong. "
            "These rules require 10^10."
        )

    def test_choosing_a_language_changes_the_labels_and_the_functions_messages(self):
        expect(self.page.locator("html")).to_have_attribute("lang", "en")
        self.visit.sign_in()
        labels = {
            "de": "Neues Passwort", "fr": "Nouveau mot de passe", "es": "Nueva contraseña",
            "it": "Nuova password", "pt": "Nova senha", "pl": "Nowe hasło",
        }
        english = self.policy()["rules"][0]["message"]
        choice, answers = self.page.locator("#language"), {}
        for language, label in labels.items():
            with self.page.expect_response(is_check) as waiting:
                choice.select_option(language)
            expect(self.page.locator("html")).to_have_attribute("lang", language)
            expect(self.visit.field(label)).to_be_visible()
            first = waiting.value.json()["rules"][0]["message"]
            message = self.page.locator("#rules .message").first
            expect(message).to_have_text(first)
            answers[language] = first
            its_language = "en" if first == english else language
            expect(message).to_have_attribute("lang", its_language)
            expect(self.page.locator("#rules .message").last).to_have_attribute("lang", language)
        if self.policy("?lang=de")["rules"][0]["message"] == english:
            self.skipTest("the function has English messages only")
        self.assertEqual(len({english, *answers.values()}), 7)

    def test_the_page_opens_in_the_browsers_language_or_else_in_english(self):
        for locale, language in (("de-AT", "de"), ("pt-BR", "pt"), ("ja-JP", "en")):
            visit = Page(self.browser, self.cognito, locale=locale)
            expect(visit.page.locator("html")).to_have_attribute("lang", language)
            expect(visit.page.locator("#language")).to_have_value(language)
            visit.context.close()

    def test_the_page_finds_the_same_violations_as_the_function(self):
        self.visit.sign_in()
        # Without calls to the function, the checklist shows the page's own results.
        self.visit.stop_clock()
        ours = {rule["code"] for rule in self.policy()["rules"] if rule["clientCheckable"]}
        for proposed in REFUSED:
            with self.subTest(proposed):
                status, problem = self.visit.change(proposed)
                self.assertEqual(status, 422)
                broken = {violation["code"] for violation in problem["violations"]}
                states = self.visit.states()
                found = {code for code in ours if states[code] == "open"}
                self.assertEqual(found, broken & ours)

    def test_a_422_lists_its_violations_next_to_the_field(self):
        self.visit.sign_in()
        status, problem = self.visit.change("password")
        self.assertEqual(status, 422)
        messages = [violation["message"] for violation in problem["violations"]]
        listed = self.page.get_by_role("list", name="Broken rules").get_by_role("listitem")
        expect(listed).to_have_text(messages)
        self.assertGreater(len(messages), 3)
        expect(self.visit.field("New password")).to_be_focused()
        expect(self.visit.field("New password")).to_have_attribute("aria-invalid", "true")

    def test_a_wrong_previous_password_is_reported_next_to_its_field(self):
        self.visit.sign_in()
        status, problem = self.visit.change(previous="Wrong-Horse-7-Battery")
        self.assertEqual((status, problem["code"]), (403, "previous_password_incorrect"))
        self.assert_at_field("Current password", problem["detail"])
        self.assert_signs_in(dev.PASSWORD)

    def test_each_fault_shows_its_problem(self):
        self.visit.sign_in()
        # The first option is the normal response.
        faults = self.visit.field("Cognito's response to the next change").get_by_role("option")
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
                "Error: attempt limit exceeded": (429, "attempt_limit_exceeded"),
                "Error: too many requests": (429, "too_many_requests"),
                "Error: password reset required": (409, "password_reset_required"),
                "Error: user not confirmed": (409, "user_not_confirmed"),
                "Error: user disabled": (403, "user_disabled"),
                "Error: token revoked": (401, "invalid_token"),
                "Error: password used before": (422, "password_policy_violation"),
                "Error: request blocked by a web ACL": (403, "request_blocked"),
                "Error: app client not found": (500, "internal_error"),
                "Error: internal error (500)": (204, None),
                "Connection lost after the change": (204, None),
                "Connection lost after the change, and in the next call": (504, "outcome_unknown"),
                "Connection lost before the change": (204, None),
            },
        )

    def test_after_an_unknown_outcome_signing_in_with_the_new_password_settles_it(self):
        self.visit.sign_in()
        fault = "Connection lost after the change, and in the next call"
        self.assertEqual(self.visit.change(fault=fault)[0], 504)
        self.visit.button("Sign in with the new password").click()
        changed = "The password was changed. You are signed in with the new one."
        expect(self.page.get_by_role("status")).to_have_text(changed)
        self.assert_changed()

    def test_a_redirect_of_a_check_is_not_followed(self):
        self.visit.sign_in()
        headers = {"Location": f"{self.url}/elsewhere", "Access-Control-Allow-Origin": "*"}
        self.page.route(
            "**/check-password*", lambda route: route.fulfill(status=307, headers=headers)
        )
        requests = []
        self.page.on("request", lambda request: requests.append(request.url))
        self.visit.field("New password").fill(dev.NEW_PASSWORD)
        expect(self.page.get_by_text("The live check is unavailable.")).to_be_visible()
        self.assertNotIn(headers["Location"], requests)
        self.visit.errors.clear()  # The browser prints the failed request.

    def test_a_redirect_of_a_change_is_not_followed(self):
        self.visit.sign_in()
        headers = {"Location": f"{self.url}/elsewhere", "Access-Control-Allow-Origin": "*"}
        self.page.route(
            "**/change-password*",
            lambda route: route.fulfill(status=307, headers=headers),
        )
        requests = []
        self.page.on("request", lambda request: requests.append(request.url))
        self.visit.field("Current password").fill(dev.PASSWORD)
        self.visit.field("New password").fill(dev.NEW_PASSWORD)
        self.visit.button("Change password").click()
        expect(self.page.get_by_text("No response:")).to_be_visible()
        self.assertIn(f"{self.url}/change-password?lang=en", requests)
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
        expect(self.page.get_by_role("status")).to_contain_text("all sessions were ended")
        expect(self.visit.field("Password")).to_be_focused()
        self.assert_changed()

    def test_password_fields_declare_their_purpose_and_disable_corrections(self):
        def assert_plain(field, purpose):
            expect(field).to_have_attribute("autocomplete", purpose)
            expect(field).to_have_attribute("autocapitalize", "none")
            expect(field).to_have_attribute("autocorrect", "off")
            expect(field).to_have_attribute("spellcheck", "false")

        assert_plain(self.visit.field("Password"), "current-password")
        self.visit.sign_in()
        assert_plain(self.visit.field("Current password"), "current-password")
        assert_plain(self.visit.field("New password"), "new-password")

    def test_the_page_fits_a_narrow_phone_in_every_language(self):
        # 320 CSS pixels is the width in WCAG 2.2, success criterion 1.4.10, Reflow.
        visit = Page(self.browser, self.cognito, viewport={"width": 320, "height": 640})
        width = "document.documentElement.scrollWidth"
        self.assertEqual(visit.page.evaluate(width), 320)
        visit.sign_in()
        visit.change("password")
        for language in visit.page.locator("#language option").all():
            visit.page.locator("#language").select_option(language.get_attribute("value"))
            self.assertEqual(visit.page.evaluate(width), 320, language.inner_text())
        visit.context.close()

    def test_sections_and_controls_have_a_border_in_forced_colours(self):
        visit = Page(self.browser, self.cognito, forced_colors="active")
        visit.sign_in()
        visit.type(dev.NEW_PASSWORD)
        has_border = """part => {
            const { borderTopWidth: width, borderTopColor: colour } = getComputedStyle(part);
            return width !== "0px" && colour !== getComputedStyle(part.parentElement).backgroundColor;
        }"""
        parts = "section:visible, input:not([type=checkbox]):visible, select, #strength, #answer"
        for part in visit.page.locator(parts).all():
            self.assertTrue(part.evaluate(has_border), part)
        background = "part => getComputedStyle(part).backgroundColor"
        fill, bar = (visit.page.locator(part) for part in ("#fill", "#strength"))
        self.assertNotEqual(fill.evaluate(background), bar.evaluate(background))
        visit.context.close()

    def test_axe_finds_no_violation_in_any_state_or_colour_scheme(self):
        for settings in (
            {"color_scheme": "light"},
            {"color_scheme": "dark"},
            {"forced_colors": "active"},
        ):
            visit = Page(self.browser, self.cognito, **settings)
            expect(visit.rules()).not_to_have_count(0)
            self.assert_accessible(visit, settings, "signed out")
            visit.sign_in()
            self.assert_accessible(visit, settings, "nothing typed")
            for proposed in ("password", "kX8#qPz!", dev.NEW_PASSWORD):
                visit.type(proposed)
                visit.answered()
                self.assert_accessible(visit, settings, "checked", proposed)
            visit.change("password")
            expect(visit.page.get_by_role("list", name="Broken rules")).to_be_visible()
            self.assert_accessible(visit, settings, "violations")
            visit.change(fault="Error: too many requests")
            expect(visit.page.get_by_role("alert")).to_contain_text("too_many_requests")
            self.assert_accessible(visit, settings, "a problem")
            visit.page.route("**/check-password*", lambda route: route.abort())
            visit.field("New password").fill("Purple")
            expect(visit.page.get_by_text("The live check is unavailable.")).to_be_visible()
            self.assert_accessible(visit, settings, "a failed check")
            visit.change()
            expect(visit.page.get_by_role("status")).to_be_visible()
            self.assert_accessible(visit, settings, "changed")
            visit.context.close()
            stack.http("POST", f"{self.cognito}/_fake/reset", body="")

    def assert_accessible(self, visit, *where):
        """Asserts that axe-core finds no violation on the page."""
        found = Axe().run(visit.page).response["violations"]
        self.assertEqual([(rule["id"], rule["help"]) for rule in found], [], where)


# A policy with every rule, and a stricter rule for a group.
EVERY_RULE = (stack.ROOT / "tests" / "policy" / "data" / "every-rule.toml").read_text()
STRICT = """
[breaches]
check = true
endpoint = "http://{}:{}"

[groups.administrators.length]
min = 20
"""

# New passwords of the user admin that together break every rule of that policy.
BREAKING = (
    "admin",
    "A" * 257,
    " Contoso1!",
    "Purple\u00a0Monkey-8-Dishwasher",
    "aaaaaaaaaaaaaaaaaaaaaa",
    "abcabcabcabcabcabcabc",
    "abcdefgh-1A",
    "password",
    "Correct-Horse-8-Battery",
)


class Administrator(Visit):
    """Tests of the page with a policy of every rule, for a member of a group with stricter rules."""

    breaches = None

    def test_the_checklist_shows_every_rule_of_the_function_before_the_form_is_submitted(self):
        self.visit.sign_in(user="admin")
        states = self.visit.states()
        elsewhere = {
            "breached_password": "breaches",
            "rejected_by_pool": "cognito",
            "used_before": "cognito",
        }
        self.assertEqual({code: states[code] for code in elsewhere}, elsewhere)
        enforced = states.keys() - elsewhere.keys()
        self.assertGreaterEqual(len(enforced), 18)
        expect(self.visit.rules().get_by_text("Use at least 20 characters.")).to_be_visible()
        self.visit.field("Current password").fill(dev.PASSWORD)

        broken = set()
        for proposed in BREAKING:
            found = {violation["code"] for violation in self.visit.type(proposed)["violations"]}
            expected = {code: "open" if code in found else "met" for code in enforced} | elsewhere
            self.assertEqual(self.visit.answered(), expected, proposed)
            broken |= found
        self.assertEqual(broken, enforced)

        self.visit.type(dev.NEW_PASSWORD)
        self.assertEqual(self.visit.answered(), dict.fromkeys(enforced, "met") | elsewhere)
        all_met = f"{len(enforced)} of {len(enforced)} rules met."
        expect(self.visit.field("New password")).to_have_accessible_description(all_met)

        self.assertEqual(self.calls("ChangePassword"), 0)
        self.assertEqual(self.calls("GetUser"), 1)
        with self.assertRaises(BlockingIOError):
            self.breaches.accept()  # The function has not called the breach service.

    def test_a_user_in_no_group_gets_the_base_rules(self):
        self.visit.sign_in()
        expect(self.visit.rules().get_by_text("Use at least 12 characters.")).to_be_visible()


def take_picture(browser, cognito, path):
    """Saves a screenshot of the page while a new password is typed."""
    stack.http("POST", f"{cognito}/_fake/reset", body="")
    visit = Page(browser, cognito)
    visit.sign_in()
    visit.field("Current password").fill(dev.PASSWORD)
    visit.field("New password").focus()
    visit.type("Wrong-Cow-2026")
    visit.answered()
    visit.page.screenshot(path=path, full_page=True)
    visit.context.close()


def main():
    """Runs the tests in a browser, with a function and a fake Cognito for each policy."""
    with (
        sync_playwright() as playwright,
        launch(playwright) as browser,
        stack.log(SCRATCH) as log,
        socket.create_server((stack.HOST, 0)) as breaches,
    ):
        stack.build()
        breaches.setblocking(False)
        strict = SCRATCH / "every-rule.toml"
        strict.write_text(EVERY_RULE + STRICT.format(*breaches.getsockname()))
        ports = [stack.free_port() for _ in range(4)]
        with (
            dev.both(*ports[:2], output=log) as (url, cognito, _),
            dev.both(*ports[2:], output=log, PASSWORD_POLICY_FILE=str(strict)) as (_, other, _),
        ):
            Visit.browser, Administrator.breaches = browser, breaches
            Journey.url, Journey.cognito, Administrator.cognito = url, cognito, other
            if sys.argv[1:2] == ["--screenshot"]:
                take_picture(browser, cognito, sys.argv[2])
            return stack.test(Journey, Administrator)


if __name__ == "__main__":
    stack.run(main)
