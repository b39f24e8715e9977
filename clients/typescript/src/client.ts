import { list, object, rules, text } from "./policy.js";
import type { Check, Json, Policy, Rule } from "./policy.js";

/** A requested change; omit `previousPassword` for a user who has no password yet. */
export interface Change {
  readonly previousPassword?: string | undefined;
  readonly proposedPassword: string;
  readonly signOutEverywhere?: boolean;
}

/** The outcome of a change: one case for each reaction of the app. */
export type Outcome =
  /** `signedIn` is false if this device's session has ended and the user must sign in again. */
  | { kind: "changed"; signedOutEverywhere: boolean; signedIn: boolean }
  | { kind: "previousPasswordIncorrect" }
  | { kind: "policyViolated"; violations: readonly Rule[] }
  | { kind: "wait"; seconds: number }
  | { kind: "signInAgain" }
  | { kind: "resetPassword" }
  | { kind: "confirmAccount" }
  | { kind: "accountDisabled" }
  | { kind: "notAllowed" }
  /** The user signs in through another identity provider and has no password here. */
  | { kind: "managedElsewhere" }
  /** Cognito was unavailable, or the session could not provide a token. Nothing was changed. */
  | { kind: "tryLater" }
  /** The answer was lost, but the new password does not sign in, so the change was not made. */
  | { kind: "notChanged" }
  /** The answer was lost, and signing in did not settle whether the change was made. */
  | { kind: "unknown" }
  /** `requestId` identifies the line in the function's log. */
  | { kind: "failed"; requestId: string | undefined };

/**
 * The result of signing in: a new session; an accepted password that requires another step, such as a
 * code; or an incorrect password.
 */
export type SignIn = "signedIn" | "stepRequired" | "incorrect";

/** The app's session with Cognito. */
export interface Session {
  /** Returns the access token, newly issued if `renew`; null if the session has ended. */
  accessToken(renew: boolean): Promise<string | null>;
  /**
   * Signs the same user in with this password.
   *
   * The client calls it once: after signing out everywhere, which ends this device's session too, or
   * when the answer to a change was lost. Replace the existing session only on `signedIn`. Reject for
   * any other failure, for example when Cognito cannot be reached. Do not keep the password.
   */
  signIn(password: string): Promise<SignIn>;
}

export interface Options {
  /** The language of messages, as a BCP 47 tag such as `de`. By default, browsers send the user's. */
  readonly language?: string;
}

/** An HTTP answer; its body is empty unless it is a JSON object. */
interface Answer {
  readonly status: number;
  readonly etag: string | null;
  readonly body: Json;
}

/** The maximum number of times that the client sends a change that did not reach Cognito. */
const SENDS = 3;
/** API Gateway waits 30 s; the client waits a little longer. */
const TIMEOUT_SECONDS = 35;
/** The pause before a retry when the answer has no `retryAfterSeconds`. */
const PAUSE_SECONDS = 2;
/** The client checks a password when the user has not typed for this long. */
const TYPING_SECONDS = 0.3;

/** What the client does about an answer: it returns an outcome of this kind, or takes another step. */
type Action =
  | Exclude<Outcome["kind"], "changed" | "tryLater" | "notChanged" | "unknown">
  | "renewToken"
  | "sendAgain"
  | "settle";

/** What the client does about each code; the service documents it in `docs/clients.md`. */
const ACTIONS: ReadonlyMap<string, Action> = new Map([
  ["malformed_request", "failed"],
  ["missing_token", "renewToken"],
  ["invalid_token", "renewToken"],
  ["insufficient_scope", "signInAgain"],
  ["previous_password_incorrect", "previousPasswordIncorrect"],
  ["user_disabled", "accountDisabled"],
  ["not_authorized", "notAllowed"],
  ["password_managed_elsewhere", "managedElsewhere"],
  ["request_blocked", "notAllowed"],
  ["not_found", "failed"],
  ["method_not_allowed", "failed"],
  ["password_reset_required", "resetPassword"],
  ["user_not_confirmed", "confirmAccount"],
  ["payload_too_large", "failed"],
  ["unsupported_media_type", "failed"],
  ["password_policy_violation", "policyViolated"],
  ["attempt_limit_exceeded", "wait"],
  ["too_many_requests", "wait"],
  ["internal_error", "failed"],
  ["upstream_error", "failed"],
  ["upstream_unavailable", "sendAgain"],
  ["outcome_unknown", "settle"],
] satisfies [string, Action][]);

/** Gets the policy, checks a password while the user types, and changes the password. */
export class PasswordClient {
  private readonly url: string;
  private readonly session: Session;
  private readonly query: string;
  private kept: { readonly etag: string; readonly policy: Policy } | undefined;
  private running: Promise<Outcome> | undefined;
  private checking: AbortController | undefined;

  /** `url` is the base address of the service, with or without a trailing slash. */
  constructor(url: string, session: Session, options: Options = {}) {
    this.url = url.replace(/\/+$/, "");
    this.session = session;
    this.query = options.language ? `?lang=${encodeURIComponent(options.language)}` : "";
  }

  /** Returns the rules for a new password. Call it each time the form opens. Rejects on failure. */
  async policy(): Promise<Policy> {
    const kept = this.kept;
    const headers: Record<string, string> = kept ? { "If-None-Match": kept.etag } : {};
    const { status, etag, body } = await this.send("/password-policy", { headers });
    if (status === 304 && kept) return kept.policy;
    if (status !== 200 || !Array.isArray(body["rules"])) {
      throw new Error(`GET /password-policy returned ${status} without a policy.`);
    }
    const policy = {
      symbols: text(body["symbols"]),
      passwordRules: text(body["passwordRules"]),
      rules: rules(body["rules"]),
    };
    this.kept = etag ? { etag, policy } : undefined;
    return policy;
  }

  /**
   * Checks a password on the server, for the checklist and the strength bar. Changes nothing.
   *
   * Call it at each keystroke: it waits until the user stops typing, and each call cancels the
   * previous one. Resolves to undefined if it was cancelled or failed; then keep showing the checklist
   * without a check. Never rejects.
   */
  async check(change: Change): Promise<Check | undefined> {
    this.cancelCheck();
    const cancel = new AbortController();
    this.checking = cancel;
    try {
      await this.pause(TYPING_SECONDS, cancel.signal);
      const { previousPassword, proposedPassword } = change;
      const json = JSON.stringify({ previousPassword, proposedPassword });
      let answer = await this.post("/check-password", json, false, cancel.signal);
      if (answer?.status === 401) {
        answer = await this.post("/check-password", json, true, cancel.signal);
      }
      if (answer?.status !== 200 || cancel.signal.aborted) return undefined;
      const { guessesLog10, notChecked, ...found } = answer.body;
      return {
        rules: rules(found["rules"]),
        violations: rules(found["violations"]),
        notChecked: list(notChecked).map(text),
        guessesLog10: typeof guessesLog10 === "number" ? guessesLog10 : undefined,
      };
    } catch {
      return undefined;
    }
  }

  /** Cancels a running check, for example when the form closes. */
  cancelCheck(): void {
    this.checking?.abort();
  }

  /**
   * Changes the password. Never rejects.
   *
   * A call while a change is running joins it and returns its outcome, whatever the new call's
   * arguments, so a double tap sends one request.
   */
  change(change: Change): Promise<Outcome> {
    this.cancelCheck();
    this.running ??= this.run({ ...change }).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async run(change: Change): Promise<Outcome> {
    const { previousPassword, proposedPassword, signOutEverywhere } = change;
    const json = JSON.stringify({ previousPassword, proposedPassword, signOutEverywhere });
    let [renew, renewed] = [false, false];
    let sends = 0;
    for (;;) {
      let token: string | null;
      try {
        token = await this.session.accessToken(renew);
      } catch {
        return { kind: "tryLater" };
      }
      if (!token) return { kind: "signInAgain" };

      let answer: Answer;
      try {
        answer = await this.send("/change-password", request(token, json));
      } catch {
        return this.settle(change);
      }
      const { status, body } = answer;
      if (status === 200 || status === 204) {
        return this.changed(change, body["signedOutEverywhere"] === true);
      }
      const action = ACTIONS.get(text(body["code"])) ?? actionOf(status, "code" in body);
      const seconds = pauseSeconds(body["retryAfterSeconds"]);
      switch (action) {
        case "renewToken":
          if (renewed) return { kind: "signInAgain" };
          renew = renewed = true;
          continue;
        case "sendAgain":
          sends += 1;
          if (sends === SENDS) return { kind: "tryLater" };
          await this.pause(seconds * (1 + Math.random()));
          renew = false;
          continue;
        case "settle":
          return this.settle(change);
        case "policyViolated":
          return { kind: action, violations: rules(body["violations"]) };
        case "wait":
          return { kind: action, seconds };
        case "failed":
          return { kind: action, requestId: text(body["requestId"]) || undefined };
        default:
          return { kind: action };
      }
    }
  }

  /** Signs this device in again if signing out everywhere ended its session. */
  private async changed(change: Change, signedOutEverywhere: boolean): Promise<Outcome> {
    if (!signedOutEverywhere) return { kind: "changed", signedOutEverywhere, signedIn: true };
    let signedIn = false;
    try {
      signedIn = (await this.session.signIn(change.proposedPassword)) === "signedIn";
    } catch {
      // The password has changed nevertheless; the user has to sign in.
    }
    return { kind: "changed", signedOutEverywhere, signedIn };
  }

  /** Finds out whether a change whose answer was lost was made. It must not be sent again. */
  private async settle(change: Change): Promise<Outcome> {
    try {
      const result = await this.session.signIn(change.proposedPassword);
      if (result === "incorrect") return { kind: "notChanged" };
      // Signing out everywhere may have ended this device's old session too.
      const signedIn = result === "signedIn" || change.signOutEverywhere !== true;
      return { kind: "changed", signedOutEverywhere: false, signedIn };
    } catch {
      return { kind: "unknown" };
    }
  }

  private async post(
    path: string,
    json: string,
    renew: boolean,
    cancel: AbortSignal,
  ): Promise<Answer | undefined> {
    const token = await this.session.accessToken(renew);
    if (!token || cancel.aborted) return undefined;
    return this.send(path, request(token, json), cancel);
  }

  /** Sends a request, and rejects if no answer comes in time. */
  private async send(path: string, init: RequestInit, cancel?: AbortSignal): Promise<Answer> {
    // `AbortSignal.timeout` and `AbortSignal.any` do not exist in React Native.
    const abort = new AbortController();
    const onCancel = () => abort.abort();
    cancel?.addEventListener("abort", onCancel);
    const timer = setTimeout(onCancel, TIMEOUT_SECONDS * 1000);
    try {
      const response = await fetch(this.url + path + this.query, { ...init, signal: abort.signal });
      return {
        status: response.status,
        etag: response.headers.get("ETag"),
        body: await json(response),
      };
    } finally {
      clearTimeout(timer);
      cancel?.removeEventListener("abort", onCancel);
    }
  }

  private pause(seconds: number, cancel?: AbortSignal): Promise<void> {
    return new Promise((done, cancelled) => {
      const timer = setTimeout(done, seconds * 1000);
      cancel?.addEventListener("abort", () => {
        clearTimeout(timer);
        cancelled(new Error("cancelled"));
      });
    });
  }
}

function request(token: string, json: string): RequestInit {
  return {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: json,
    // Following a redirection could send the passwords to another server. The service never redirects.
    redirect: "error",
  };
}

/** The action for a status with an unknown code or without one, as API Gateway sends it. */
function actionOf(status: number, hasCode: boolean): Action {
  if (status >= 500 || status < 400) return "settle";
  if (status === 401) return "renewToken";
  if (status === 403) return hasCode ? "notAllowed" : "signInAgain";
  if (status === 429) return "wait";
  return "failed";
}

/** The body; empty if it is not a complete JSON object, because the status alone is enough. */
async function json(response: Response): Promise<Json> {
  try {
    return object(await response.json());
  } catch {
    return {};
  }
}

function pauseSeconds(value: unknown): number {
  return typeof value === "number" && value >= 0 ? value : PAUSE_SECONDS;
}
