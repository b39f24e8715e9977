// Tests the client of docs/clients/typescript.md against the function and the fake Cognito. A proxy on
// either side of the function loses requests and answers that the fake's faults cannot lose.

import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import { after, before, beforeEach, test } from "node:test";

const env = process.env;
const { PasswordClient, keeps } = await import(env.CLIENT);
const [OLD, NEW] = [env.PASSWORD, env.NEW_PASSWORD];

// The proxy between the app and the function. A fault applies to one request: an answer to send instead
// of the function's, "lose" to lose the answer, "refuse" to lose the request.
let faults = [];
let seen = [];
const front = http.createServer(async (request, response) => {
  const chunks = await request.toArray();
  const fault = faults.shift();
  if (fault === "refuse") return request.socket.destroy();
  if (fault?.status) {
    seen.push(fault.status);
    response.writeHead(fault.status, { "Content-Type": "application/json", ...fault.headers });
    return response.end(JSON.stringify({ message: "API Gateway's own" }));
  }
  const { method, url, headers } = request;
  const forward = http.request(env.FUNCTION + url, { method, headers }, (answer) => {
    seen.push(answer.statusCode);
    if (fault === "lose") {
      request.socket.destroy();
      return answer.resume();
    }
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  forward.end(Buffer.concat(chunks));
});

// The proxy between the function and Cognito, which listens while it is open.
const sockets = new Set();
const way = net.createServer((socket) => {
  const onward = net.connect(new URL(env.COGNITO).port, "127.0.0.1");
  for (const [one, other] of [[socket, onward], [onward, socket]]) {
    sockets.add(one);
    one.on("error", () => other.destroy()).on("close", () => other.destroy()).pipe(other);
  }
});
const open = () => new Promise((done) => way.listen(Number(env.WAY), "127.0.0.1", done));
function close() {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  return new Promise((done) => way.close(done));
}

// The client's pauses are noted and take as long as `duringPause`; other timers are left alone.
let pauses = [];
let duringPause = async () => {};
const setTimeoutInFull = globalThis.setTimeout;
globalThis.setTimeout = (callback, milliseconds, ...more) => {
  if (!new Error().stack.includes(env.CLIENT)) return setTimeoutInFull(callback, milliseconds, ...more);
  pauses.push(milliseconds);
  duringPause().then(callback);
};

async function cognito(operation, body) {
  const answer = await fetch(env.COGNITO, {
    method: "POST",
    headers: { "X-Amz-Target": `AWSCognitoIdentityProviderService.${operation}` },
    body: JSON.stringify(body),
  });
  return { ok: answer.ok, ...(await answer.json()) };
}

function authenticate(flow, parameters) {
  const body = { AuthFlow: flow, ClientId: env.CLIENT_ID, AuthParameters: parameters };
  return cognito("InitiateAuth", body);
}

const signIn = (password) =>
  authenticate("USER_PASSWORD_AUTH", { USERNAME: env.USERNAME, PASSWORD: password });

/** The session of an app. */
class Session {
  static async start() {
    const session = new Session();
    ({ AccessToken: session.token, RefreshToken: session.refreshToken } =
      (await signIn(OLD)).AuthenticationResult);
    return session;
  }

  async accessToken(renew) {
    if (renew) {
      const renewed = await authenticate("REFRESH_TOKEN_AUTH", { REFRESH_TOKEN: this.refreshToken });
      this.token = renewed.AuthenticationResult?.AccessToken ?? null;
    }
    return this.token;
  }

  async accepts(password) {
    const answer = await signIn(password);
    if (!answer.ok && answer.message !== "Incorrect username or password.") throw answer;
    return answer.ok;
  }

  /** Makes the token's claims look expired, which the function checks. */
  expire() {
    const [header, claims, signature] = this.token.split(".");
    const expired = { ...JSON.parse(Buffer.from(claims, "base64url")), exp: 1 };
    this.token = [header, Buffer.from(JSON.stringify(expired)).toString("base64url"), signature].join(".");
  }
}

const control = (method, path, body) =>
  fetch(`${env.COGNITO}/_fake/${path}`, { method, body: body && JSON.stringify(body) });

/** Makes Cognito fail, once by default. */
const fail = (fault, more) =>
  control("POST", "faults", { operation: "ChangePassword", fault, ...more });

let client;
let session;

const change = (more) =>
  client.change({ previousPassword: OLD, proposedPassword: NEW, ...more });

async function assertInForce(password) {
  assert.ok((await signIn(password)).ok);
  assert.equal((await signIn(password === OLD ? NEW : OLD)).ok, false);
}

before(async () => {
  await open();
  await new Promise((done) => front.listen(0, "127.0.0.1", done));
});

after(async () => {
  front.close();
  front.closeAllConnections();
  await close();
});

beforeEach(async () => {
  await control("POST", "reset");
  [faults, seen, pauses] = [[], [], []];
  duringPause = async () => {};
  session = await Session.start();
  client = new PasswordClient(`http://127.0.0.1:${front.address().port}`, session);
});

const CHANGED = { kind: "changed", signedOutEverywhere: false };

test("a change is made", async () => {
  assert.deepEqual(await change(), CHANGED);
  await assertInForce(NEW);
});

test("signing out everywhere ends this session too", async () => {
  const outcome = await change({ signOutEverywhere: true });
  assert.deepEqual(outcome, { kind: "changed", signedOutEverywhere: true });
  await assertInForce(NEW);
  const again = await client.change({ previousPassword: NEW, proposedPassword: OLD });
  assert.deepEqual(again, { kind: "signInAgain" });
});

test("a sign-out that Cognito refuses leaves the change as it is", async () => {
  await fail("InternalErrorException", { operation: "GlobalSignOut", always: true });
  assert.deepEqual(await change({ signOutEverywhere: true }), CHANGED);
  await assertInForce(NEW);
});

test("each broken rule is listed", async () => {
  const { kind, violations } = await change({ proposedPassword: "short" });
  assert.equal(kind, "policyViolated");
  const codes = violations.map((violation) => violation.code);
  for (const code of ["too_short", "missing_uppercase", "missing_digit", "missing_symbol"]) {
    assert.ok(codes.includes(code), code);
  }
});

test("a wrong previous password is reported as such", async () => {
  const outcome = await change({ previousPassword: "Wrong-Horse-7-Battery" });
  assert.deepEqual(outcome, { kind: "previousPasswordIncorrect" });
  assert.deepEqual(seen, [403]);
  await assertInForce(OLD);
});

test("an expired token is renewed and the change made", async () => {
  session.expire();
  assert.deepEqual(await change(), CHANGED);
  assert.deepEqual(seen, [401, 204]);
});

test("a token is renewed once", async () => {
  await fail("NotAuthorizedException: Access Token has been revoked", { always: true });
  assert.deepEqual(await change(), { kind: "signInAgain" });
  assert.deepEqual(seen, [401, 401]);
});

test("too many attempts and too many requests mean waiting", async () => {
  await fail("LimitExceededException");
  assert.deepEqual(await change(), { kind: "wait", seconds: 3600 });
  await fail("TooManyRequestsException");
  assert.deepEqual(await change(), { kind: "wait", seconds: 2 });
});

test("a request that does not reach Cognito is sent three times, with pauses", async () => {
  await close();
  try {
    assert.deepEqual(await change(), { kind: "tryLater" });
  } finally {
    await open();
  }
  assert.deepEqual(seen, [503, 503, 503]);
  assert.equal(pauses.length, 2);
  assert.ok(pauses.every((pause) => pause >= 2000 && pause < 4000), `${pauses}`);
  assert.notEqual(pauses[0], pauses[1]);
  await assertInForce(OLD);
});

test("a request that reaches Cognito the second time changes the password", async () => {
  await close();
  duringPause = open;
  assert.deepEqual(await change(), CHANGED);
  assert.deepEqual(seen, [503, 204]);
});

test("a change that Cognito fails once is sent again and made", async () => {
  for (const fault of ["InternalErrorException", "drop-before", "drop-after"]) {
    await control("POST", "reset");
    session = await Session.start();
    client = new PasswordClient(`http://127.0.0.1:${front.address().port}`, session);
    await fail(fault);
    assert.deepEqual(await change(), CHANGED, fault);
    await assertInForce(NEW);
  }
  assert.deepEqual(seen, [204, 204, 204]);
});

test("an unknown outcome is settled by signing in", async () => {
  await fail("drop-before", { always: true });
  assert.deepEqual(await change(), { kind: "notChanged" });
  await fail("drop-after", { always: true });
  assert.deepEqual(await change(), CHANGED);
  assert.deepEqual(seen, [504, 504]);
  await assertInForce(NEW);
});

test("an outcome that signing in cannot settle is unknown", async () => {
  await fail("drop-after", { always: true });
  await fail("drop-before", { operation: "InitiateAuth" });
  assert.deepEqual(await change(), { kind: "unknown" });
});

test("an answer lost on its way to the app is settled by signing in, without another request", async () => {
  faults = ["refuse"];
  assert.deepEqual(await change(), { kind: "notChanged" });
  faults = ["lose"];
  assert.deepEqual(await change(), CHANGED);
  assert.deepEqual(seen, [204]);
  await assertInForce(NEW);
});

test("API Gateway's own answers are handled by their status", async () => {
  const rows = [
    [400, { kind: "failed", requestId: undefined }],
    [403, { kind: "signInAgain" }],
    [404, { kind: "failed", requestId: undefined }],
    [429, { kind: "wait", seconds: 2 }],
    [500, { kind: "notChanged" }],
    [503, { kind: "notChanged" }],
    [504, { kind: "notChanged" }],
  ];
  for (const [status, outcome] of rows) {
    faults = [{ status }];
    assert.deepEqual(await change(), outcome, `${status}`);
  }
  seen = [];
  faults = [{ status: 401 }];
  assert.deepEqual(await change(), CHANGED);
  assert.deepEqual(seen, [401, 204]);
});

test("a redirection of the change is not followed, and its outcome is settled by signing in", async () => {
  let followed = 0;
  const elsewhere = http.createServer((_, response) => {
    followed += 1;
    response.writeHead(204).end();
  });
  await new Promise((done) => elsewhere.listen(0, "127.0.0.1", done));
  const Location = `http://127.0.0.1:${elsewhere.address().port}/change-password`;
  for (const status of [301, 302, 303, 307, 308]) {
    faults = [{ status, headers: { Location } }];
    assert.deepEqual(await change(), { kind: "notChanged" }, `${status}`);
  }
  elsewhere.close();
  assert.equal(followed, 0);
  await assertInForce(OLD);
});

test("each rejection by Cognito has its outcome", async () => {
  const rows = {
    PasswordResetRequiredException: "resetPassword",
    UserNotConfirmedException: "confirmAccount",
    ForbiddenException: "notAllowed",
    AccessDeniedException: "notAllowed",
    PasswordHistoryPolicyViolationException: "policyViolated",
    "NotAuthorizedException: User is disabled.": "accountDisabled",
    "NotAuthorizedException: User is not authorized to change password": "managedElsewhere",
    "NotAuthorizedException: User must reset password": "resetPassword",
    "NotAuthorizedException: Who knows why": "notAllowed",
    "NotAuthorizedException: Access Token does not have required scopes": "signInAgain",
  };
  for (const [fault, kind] of Object.entries(rows)) {
    await fail(fault);
    assert.equal((await change()).kind, kind, fault);
  }
});

test("a failure has the request id of the log", async () => {
  for (const fault of ["BrandNewException", "ResourceNotFoundException"]) {
    await fail(fault);
    const { kind, requestId } = await change();
    assert.equal(kind, "failed");
    assert.match(requestId, /^[0-9a-f-]{36}$/);
  }
  assert.deepEqual(seen, [502, 500]);
});

test("the policy is not sent again when its ETag matches", async () => {
  const first = await client.policy();
  assert.equal(first.minLength, 12);
  assert.equal(await client.policy(), first);
  assert.deepEqual(seen, [200, 304]);
});

test("the checklist and the function find the same violations", async () => {
  const { rules, symbols } = await client.policy();
  const passwords = [
    "", "a", "A1!", "aaaa", "Ab1!Ab1!Ab1!", "ab1!AB1!Ab1!", "Abcdefg-1", " Purple-Monkey-8 ", "\u00a0Purple-Monkey-8",
    "Purple-Monkey-8\u0085", "\ufeffPurple-Monkey-88888", "🔑🔑🔑🔑", "🔑".repeat(11) + "A", "Ab1!".repeat(11),
    "Correct-Horse-7-Batter", "Correct-Horse-8-Batteryy", "Correct-Horse-7-Battery!!!", "ΣσςΣσςΣσς", "İi̇İi̇İi̇",
    "\u{10FFFF}".repeat(41), "pUrple monkey", "12345678901234", "LOWERLESS-1234-8",
    "e\u0301".repeat(11), "e\u0301".repeat(12) + "-1A",
  ];
  const checkable = rules.filter((rule) => rule.clientCheckable);
  const broken = new Set();
  for (const password of passwords) {
    const { kind, violations } = await change({ proposedPassword: password });
    assert.equal(kind, "policyViolated", password);
    const codes = violations.map((violation) => violation.code);
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
