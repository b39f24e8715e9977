// Tests the package against the function and the fake Cognito, with the scenarios that all clients
// share; `make clients` starts the servers. See tests/local/front.py.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";

import { PasswordClient, checklist, keeps, strength } from "change-password-client";

import { CognitoSession } from "../examples/out/cognito.js";

// React Native has neither of these.
AbortSignal.timeout = AbortSignal.any = undefined;

const { FRONT, COGNITO, CLIENT_ID, USERNAME, PASSWORD: OLD, NEW_PASSWORD: NEW } = process.env;
const scenarios = JSON.parse(readFileSync(process.env.SCENARIOS, "utf8"));

async function front(order, body) {
  const init = order === "seen" ? {} : { method: "POST", body: JSON.stringify(body ?? {}) };
  const response = await fetch(`${FRONT}/_front/${order}`, init);
  assert.equal(response.status, 200, order);
  return response.json();
}

const newSession = () => new CognitoSession(COGNITO, CLIENT_ID, USERNAME);

/** The client's pauses between requests; the tests record them and do not wait. */
let pauses;
let session;
let client;

function newClient(session, options) {
  const client = new PasswordClient(`${FRONT}/`, session, options);
  client.pause = async (seconds) => void pauses.push(seconds);
  return client;
}

beforeEach(async () => {
  await front("reset");
  pauses = [];
  session = newSession();
  assert.equal(await session.signIn(OLD), "signedIn");
  client = newClient(session);
});

const change = (more) => client.change({ previousPassword: OLD, proposedPassword: NEW, ...more });

/** An outcome in the form that the scenarios use. */
function summary({ kind, violations, ...rest }) {
  if (kind === "policyViolated") return { kind, codes: violations.map(({ code }) => code) };
  if (kind === "failed") return { kind, requestId: rest.requestId !== undefined };
  return { kind, ...rest };
}

for (const scenario of scenarios) {
  test(scenario.name, async () => {
    await front("faults", scenario);
    const { previousPassword = OLD, proposedPassword = NEW, signOutEverywhere } = scenario;
    const { proposedPasswordLength: length } = scenario;
    const outcome = await change({
      previousPassword,
      proposedPassword: length ? "x".repeat(length) : proposedPassword,
      signOutEverywhere,
    });
    assert.deepEqual(summary(outcome), scenario.outcome);
    const { statuses, requests } = await front("seen");
    assert.deepEqual(statuses, scenario.statuses);
    assert.equal(requests.length, scenario.requests ?? statuses.length);
    assert.equal(pauses.length, scenario.pauses ?? 0);
    assert.ok(pauses.every((pause) => pause >= 2 && pause < 4), `${pauses}`);
    const inForce = scenario.inForce === "new" ? NEW : OLD;
    assert.equal(await newSession().signIn(inForce), "signedIn");
    assert.equal(await newSession().signIn(inForce === NEW ? OLD : NEW), "incorrect");
  });
}

test("after signing out everywhere, this device can change the password again", async () => {
  await change({ signOutEverywhere: true });
  const back = { previousPassword: NEW, proposedPassword: OLD };
  assert.equal((await client.change(back)).kind, "changed");
});

test("a second change joins the one that is running", async () => {
  const outcomes = await Promise.all([change(), change(), change({ proposedPassword: "other" })]);
  assert.deepEqual(outcomes, Array(3).fill({ kind: "changed", signedOutEverywhere: false, signedIn: true }));
  assert.deepEqual((await front("seen")).statuses, [204]);
  assert.equal((await change()).kind, "previousPasswordIncorrect");
});

test("without a token from the session, a change sends no request", async () => {
  const ended = newClient({ accessToken: async () => null });
  assert.deepEqual(await ended.change({ proposedPassword: NEW }), { kind: "signInAgain" });
  const offline = newClient({ accessToken: async () => Promise.reject(new Error("offline")) });
  assert.deepEqual(await offline.change({ proposedPassword: NEW }), { kind: "tryLater" });
  assert.deepEqual((await front("seen")).requests, []);
});

test("a sign-in that requires another step proves the new password", async () => {
  const factors = { accessToken: (renew) => session.accessToken(renew), signIn: async () => "stepRequired" };
  const [previousPassword, proposedPassword] = [OLD, NEW];
  client = newClient(factors);
  await front("faults", { front: ["refuse", "refuse"] });
  const changed = { kind: "changed", signedOutEverywhere: false };
  assert.deepEqual(await client.change({ previousPassword, proposedPassword }), { ...changed, signedIn: true });
  const everywhere = { previousPassword, proposedPassword, signOutEverywhere: true };
  assert.deepEqual(await client.change(everywhere), { ...changed, signedIn: false });
});

test("each request has the language", async () => {
  client = newClient(session, { language: "pt-BR" });
  await client.policy();
  await client.check({ proposedPassword: NEW });
  await change();
  const { requests } = await front("seen");
  const paths = ["GET /password-policy", "POST /check-password", "POST /change-password"];
  assert.deepEqual(requests, paths.map((path) => `${path}?lang=pt-BR`));
});

test("a matching ETag returns 304 and the kept policy", async () => {
  const first = await client.policy();
  assert.ok(first.rules.length > 5 && first.symbols.includes("!"));
  assert.match(first.passwordRules, /^minlength: 12;/);
  assert.equal(await client.policy(), first);
  assert.deepEqual((await front("seen")).statuses, [200, 304]);
});

test("an answer without a policy is an error", async () => {
  await front("faults", { front: [{ status: 429, body: {} }, { status: 200, body: "<html>" }, "refuse"] });
  for (let attempt = 0; attempt < 3; attempt += 1) await assert.rejects(client.policy());
});

test("unknown rules and members of the policy are accepted", async () => {
  const rules = [{ code: "brand_new", message: "New.", params: { newer: {} }, clientCheckable: true }, null];
  await front("faults", { front: [{ status: 200, body: { rules, newer: [] } }] });
  const policy = await client.policy();
  assert.deepEqual(policy.rules.map(({ code }) => code), ["brand_new"]);
  assert.deepEqual(checklist(policy, "x").map(({ kept }) => kept), [undefined]);
});

const RULES = ["too_short", "common_password", "breached_password"].map((code) => ({
  code, message: code, params: { minLength: 20, newer: null }, clientCheckable: code === "too_short",
}));
const CHECKED = {
  rules: RULES,
  violations: [{ code: "common_password", message: "Common.", params: {} }],
  notChecked: ["breached_password"],
  guessesLog10: 9.5,
};

test("the checklist and the strength bar show the result of a check", async () => {
  const policy = await client.policy();
  await front("faults", { front: [{ status: 200, body: CHECKED }] });
  const check = await client.check({ previousPassword: OLD, proposedPassword: NEW });
  const items = checklist(policy, NEW, OLD, check).map(({ rule, kept }) => [rule.code, kept]);
  assert.deepEqual(items, [["too_short", true], ["common_password", false], ["breached_password", undefined]]);
  assert.equal(strength(check.guessesLog10), 3);
  assert.deepEqual(pauses, [0.3]);
});

test("a check that gets 401 renews the token and is sent again", async () => {
  await front("faults", { front: [{ status: 401, body: {} }, { status: 200, body: CHECKED }] });
  assert.ok(await client.check({ proposedPassword: NEW }));
  assert.equal((await front("seen")).requests.length, 2);
});

test("a check that fails returns undefined", async () => {
  const faults = [{ status: 404, body: {} }, { status: 429, body: {} }, "refuse", { status: 307, headers: { Location: "/" } }];
  await front("faults", { front: faults });
  for (const _ of faults) assert.equal(await client.check({ proposedPassword: NEW }), undefined);
  assert.equal((await front("seen")).requests.length, faults.length);
});

test("while the user types, only the last password is checked", async () => {
  const typed = new PasswordClient(FRONT, session);
  await front("faults", { front: [{ status: 200, body: CHECKED }] });
  const checks = ["P", "Pu", "Pur"].map((proposedPassword) => typed.check({ proposedPassword }));
  const [first, second, last] = await Promise.all(checks);
  assert.deepEqual([first, second], [undefined, undefined]);
  assert.equal(last.guessesLog10, 9.5);
  assert.equal((await front("seen")).requests.length, 1);
});

test("a cancelled check sends no request", async () => {
  const typed = new PasswordClient(FRONT, session);
  const check = typed.check({ proposedPassword: NEW });
  typed.cancelCheck();
  assert.equal(await check, undefined);
  assert.deepEqual((await front("seen")).requests, []);
});

test("the checklist and the function report the same violations", async () => {
  const { rules, symbols } = await client.policy();
  const passwords = [
    "", "a", "A1!", "aaaa", "Ab1!Ab1!Ab1!", "ab1!AB1!Ab1!", "Abcdefg-1", " Purple-Monkey-8 ", "\u00a0Purple-Monkey-8",
    "Purple-Monkey-8\u0085", "\ufeffPurple-Monkey-88888", "🔑🔑🔑🔑", "🔑".repeat(11) + "A", "Ab1!".repeat(11),
    "Correct-Horse-7-Batter", "Correct-Horse-8-Batteryy", "Correct-Horse-7-Battery!!!", "ΣσςΣσςΣσς", "İi̇İi̇İi̇",
    "\u{10FFFF}".repeat(41), "pUrple monkey", "12345678901234", "LOWERLESS-1234-8",
    "e\u0301".repeat(10),
  ];
  const checkable = rules.filter((rule) => rule.clientCheckable);
  const broken = new Set();
  for (const password of passwords) {
    const { kind, violations } = await change({ proposedPassword: password });
    assert.equal(kind, "policyViolated", password);
    const codes = violations.map((violation) => violation.code);
    const check = await client.check({ previousPassword: OLD, proposedPassword: password });
    assert.deepEqual(check.violations.map((violation) => violation.code), codes, password);
    for (const rule of checkable) {
      const kept = keeps(rule, symbols, password, OLD);
      assert.equal(kept, !codes.includes(rule.code), `${rule.code} of ${JSON.stringify(password)}`);
      if (!kept) broken.add(rule.code);
    }
  }
  assert.deepEqual([...broken].sort(), checkable.map((rule) => rule.code).sort());
  for (const rule of rules.filter((rule) => !rule.clientCheckable)) {
    assert.equal(keeps(rule, symbols, "password", OLD), undefined);
  }
});

test("the strength bar has five steps", () => {
  assert.deepEqual([0, 2.9, 3, 6, 8, 9.9, 10, 30].map(strength), [0, 0, 1, 2, 3, 3, 4, 4]);
});
