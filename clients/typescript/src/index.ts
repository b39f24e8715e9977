export { PasswordClient } from "./client.js";
export type { Change, Options, Outcome, Session, SignIn } from "./client.js";
export { checklist, keeps, strength } from "./policy.js";
export type { Check, ChecklistItem, Policy, Rule, RuleParams } from "./policy.js";
