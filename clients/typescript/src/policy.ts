/** A rule's parameters; a newer service may add members. */
export interface RuleParams {
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minCount?: number;
  readonly minClasses?: number;
  readonly maxRun?: number;
  readonly minDistance?: number;
  readonly [name: string]: unknown;
}

/** A rule for new passwords, or a violation of one. */
export interface Rule {
  /** Stable, so an app can map it to its own message. A newer service may send unknown codes. */
  readonly code: string;
  /** An instruction to the user, in the client's language. */
  readonly message: string;
  readonly params: RuleParams;
  /** Whether `keeps` can check it; false for a violation. */
  readonly clientCheckable: boolean;
}

/** The answer to `GET /password-policy`. */
export interface Policy {
  /** The characters that count as symbols. A space within the password also counts. */
  readonly symbols: string;
  /** The rules in Apple's `passwordRules` language. */
  readonly passwordRules: string;
  readonly rules: readonly Rule[];
}

/** The answer to `POST /check-password`. */
export interface Check {
  /** The rules for this user and the user's groups. */
  readonly rules: readonly Rule[];
  readonly violations: readonly Rule[];
  /** The codes of the rules that only a change checks. */
  readonly notChecked: readonly string[];
  /** The base-10 logarithm of the guesses that the password withstands. */
  readonly guessesLog10: number | undefined;
}

/** A line of the checklist. */
export interface ChecklistItem {
  readonly rule: Rule;
  /** Undefined if only a change checks the rule. */
  readonly kept: boolean | undefined;
}

/**
 * The checklist for a form.
 *
 * Draw it without `check` at each keystroke, and with the check once that resolves: the check also
 * covers the user's groups and rules newer than this package. It must be for this password.
 */
export function checklist(
  policy: Policy,
  proposed: string,
  previous?: string,
  check?: Check,
): ChecklistItem[] {
  const rules = check ? check.rules : policy.rules;
  return rules.map((rule) => {
    if (!check) return { rule, kept: keeps(rule, policy.symbols, proposed, previous) };
    if (check.violations.some(({ code }) => code === rule.code)) return { rule, kept: false };
    return { rule, kept: check.notChecked.includes(rule.code) ? undefined : true };
  });
}

/**
 * The strength bar for `Check.guessesLog10`, from 0 (too easy to guess) to 4 (very hard to guess).
 *
 * The thresholds (10^3, 10^6, 10^8 and 10^10 guesses) are those of zxcvbn's score.
 */
export function strength(guessesLog10: number): 0 | 1 | 2 | 3 | 4 {
  if (guessesLog10 < 3) return 0;
  if (guessesLog10 < 6) return 1;
  if (guessesLog10 < 8) return 2;
  return guessesLog10 < 10 ? 3 : 4;
}

/** Unicode's `White_Space`: `\s` includes U+FEFF but not U+0085, and older Hermes lacks `\p`. */
const WHITE_SPACE = "[\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const OUTER_SPACE = new RegExp(`^${WHITE_SPACE}+|${WHITE_SPACE}+$`, "g");

/**
 * Whether a password keeps a rule; undefined if the client cannot tell.
 *
 * Lengths and counts are in code points of Normalization Form C, as in the function. Spreading a
 * string yields code points; its `length` counts UTF-16 units.
 */
export function keeps(
  { code, params, clientCheckable }: Rule,
  symbols: string,
  typed: string,
  typedPrevious?: string,
): boolean | undefined {
  if (!clientCheckable) return undefined;
  const [proposed, previous] = [typed.normalize("NFC"), typedPrevious?.normalize("NFC")];
  const characters = [...proposed];
  const trimmed = proposed.replace(OUTER_SPACE, "");
  const count = (is: (character: string) => boolean) => characters.filter(is).length;
  const lowercase = count((c) => c >= "a" && c <= "z");
  const uppercase = count((c) => c >= "A" && c <= "Z");
  const digits = count((c) => c >= "0" && c <= "9");
  const symbolCount = [...trimmed].filter((c) => c === " " || symbols.includes(c)).length;
  const { minLength, maxLength, minCount = 1, minClasses, maxRun, minDistance } = params;
  switch (code) {
    case "too_short":
      return minLength === undefined ? undefined : characters.length >= minLength;
    case "too_long":
      return maxLength === undefined ? undefined : characters.length <= maxLength;
    case "missing_lowercase":
      return lowercase >= minCount;
    case "missing_uppercase":
      return uppercase >= minCount;
    case "missing_digit":
      return digits >= minCount;
    case "missing_symbol":
      return symbolCount >= minCount;
    case "too_few_classes":
      if (minClasses === undefined) return undefined;
      return [lowercase, uppercase, digits, symbolCount].filter((n) => n > 0).length >= minClasses;
    case "leading_or_trailing_space":
      return trimmed === proposed;
    case "repeated_character":
      return maxRun === undefined ? undefined : longestRun(characters) <= maxRun;
    case "repeated_block":
      return !isRepeatedBlock(characters);
    case "same_as_previous":
      return proposed !== previous;
    case "too_similar_to_previous":
      if (minDistance === undefined) return undefined;
      return previous === undefined || edits([...previous], characters) >= minDistance;
    default:
      return undefined; // A rule newer than this package.
  }
}

function longestRun(characters: string[]): number {
  let [longest, run] = [0, 0];
  characters.forEach((character, at) => {
    run = character === characters[at - 1] ? run + 1 : 1;
    longest = Math.max(longest, run);
  });
  return longest;
}

/** Whether the password repeats one block; the last repetition may be incomplete. */
function isRepeatedBlock(characters: string[]): boolean {
  const lower = characters.slice(0, 256).flatMap((character) => [...character.toLowerCase()]);
  const periods = Array.from({ length: Math.floor(lower.length / 2) }, (_, at) => at + 1);
  return periods.some((period) => lower.slice(period).every((c, at) => c === lower[at]));
}

/** The Levenshtein distance. */
function edits(a: string[], b: string[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  a.forEach((x, i) => {
    const next = [i + 1];
    b.forEach((y, j) => {
      next.push(Math.min(row[j]! + (x === y ? 0 : 1), row[j + 1]! + 1, next[j]! + 1));
    });
    row = next;
  });
  return row[b.length]!;
}

/** A JSON object's members; empty for any other value. */
export type Json = Readonly<Record<string, unknown>>;

export function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Reads rules leniently, so that a newer service cannot break an older app. */
export function rules(value: unknown): Rule[] {
  return list(value).flatMap((entry) => {
    const { code, message, params, clientCheckable } = object(entry);
    if (typeof code !== "string") return [];
    const readable = { code, message: text(message), params: numbers(object(params)) };
    return [{ ...readable, clientCheckable: clientCheckable === true }];
  });
}

/** Removes the parameters that `keeps` reads if they are not numbers. */
function numbers(params: Json): RuleParams {
  const known = ["minLength", "maxLength", "minCount", "minClasses", "maxRun", "minDistance"];
  const usable = ([name, value]: [string, unknown]) =>
    !known.includes(name) || typeof value === "number";
  return Object.fromEntries(Object.entries(params).filter(usable));
}
