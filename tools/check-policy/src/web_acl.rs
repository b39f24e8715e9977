//! Evaluates the user pool's web ACL for direct `ChangePassword` calls, which bypass the function.
//!
//! The rules are evaluated for a request with that operation from an address that is in no IP set. All
//! other properties of the request are unknown, so statements about them are neither true nor false.

use std::collections::HashMap;

use aws_sdk_wafv2::types::{
    ByteMatchStatement, PositionalConstraint, Rule, RuleAction, RuleGroupReferenceStatement,
    Statement, TextTransformationType, WebAcl,
};
use serde::Serialize;

/// The header that Cognito adds for AWS WAF, with the operation.
///
/// Source: Amazon Cognito developer guide, "Associate an AWS WAF web ACL with a user pool".
const OPERATION_HEADER: &str = "x-amzn-cognito-operation-name";

/// The value of that header in a change.
const OPERATION: &str = "ChangePassword";

/// The header in which a client sends the operation.
const TARGET_HEADER: &str = "x-amz-target";

/// The value of that header in a change.
const TARGET: &str = "AWSCognitoIdentityProviderService.ChangePassword";

/// The effect of the pool's web ACL on a direct change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "state", content = "by")]
pub(crate) enum DirectChanges {
    /// The named rule blocks it.
    Blocked(String),
    /// The named rule counts it, and no rule blocks it.
    Counted(String),
    /// The named rule may block or allow it, depending on unknown properties of the request.
    Unclear(String),
    /// The named rule allows it, or no rule of the named web ACL matches it.
    Open(String),
    /// The pool has no web ACL.
    NoWebAcl,
}

/// The rules of each rule group that a web ACL refers to, by the group's ARN.
pub(crate) type RuleGroups = HashMap<String, Vec<Rule>>;

/// The ARNs of the rule groups that a web ACL refers to.
pub(crate) fn rule_groups(acl: &WebAcl) -> impl Iterator<Item = &str> {
    let references = acl.rules().iter().filter_map(|rule| group(rule));
    references.map(RuleGroupReferenceStatement::arn)
}

/// Evaluates a web ACL for a direct change.
pub(crate) fn direct_changes(acl: &WebAcl, groups: &RuleGroups) -> DirectChanges {
    let mut seen = Seen::default();
    for rule in in_order(acl.rules()) {
        let Some(group) = group(rule) else {
            if let Some(end) = seen.rule(rule, rule.action()) {
                return end;
            }
            continue;
        };
        let counts_only = rule.override_action().is_some_and(|action| action.count().is_some());
        for inner in in_order(groups.get(group.arn()).map_or(&[], Vec::as_slice)) {
            let action = if counts_only { None } else { action_in_group(inner, group) };
            if let Some(end) = seen.rule(inner, action) {
                return end;
            }
        }
    }
    if acl.default_action().is_some_and(|action| action.block().is_some()) {
        return seen.blocked("the web ACL's default action");
    }
    seen.not_blocked(acl.name())
}

/// The first rules that match, or may match, without ending the evaluation.
#[derive(Default)]
struct Seen {
    counted: Option<String>,
    may_block: Option<String>,
    may_allow: Option<String>,
}

impl Seen {
    /// Evaluates one rule. `None` as its action means count. Returns the result if the rule ends the
    /// evaluation.
    fn rule(&mut self, rule: &Rule, action: Option<&RuleAction>) -> Option<DirectChanges> {
        // An API client cannot solve a CAPTCHA, so Cognito treats it like a block.
        let blocks = action.is_some_and(|it| it.block().is_some() || it.captcha().is_some());
        let allows = action.is_some_and(|it| it.allow().is_some());
        let name = rule.name();
        match rule.statement().map_or(Truth::Unknown, truth) {
            Truth::True if blocks => return Some(self.blocked(name)),
            Truth::True if allows => return Some(self.not_blocked(name)),
            Truth::True => _ = self.counted.get_or_insert_with(|| name.to_owned()),
            Truth::Unknown if blocks && rule.statement().is_some_and(names_operation) => {
                self.may_block.get_or_insert_with(|| name.to_owned());
            }
            Truth::Unknown if allows => _ = self.may_allow.get_or_insert_with(|| name.to_owned()),
            Truth::Unknown | Truth::False => {}
        }
        None
    }

    fn blocked(&self, by: &str) -> DirectChanges {
        let blocked = || DirectChanges::Blocked(by.to_owned());
        self.may_allow.clone().map_or_else(blocked, DirectChanges::Unclear)
    }

    fn not_blocked(&self, by: &str) -> DirectChanges {
        match (&self.may_block, &self.counted) {
            (Some(rule), _) => DirectChanges::Unclear(rule.clone()),
            (None, Some(rule)) => DirectChanges::Counted(rule.clone()),
            (None, None) => DirectChanges::Open(by.to_owned()),
        }
    }
}

/// Whether a statement is true for all direct changes, for none, or depends on unknown properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Truth {
    False,
    Unknown,
    True,
}

fn truth(statement: &Statement) -> Truth {
    if let Some(all) = statement.and_statement() {
        return all.statements().iter().map(truth).min().unwrap_or(Truth::Unknown);
    }
    if let Some(any) = statement.or_statement() {
        return any.statements().iter().map(truth).max().unwrap_or(Truth::Unknown);
    }
    if let Some(not) = statement.not_statement().and_then(|not| not.statement()) {
        return match truth(not) {
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
            Truth::True => Truth::False,
        };
    }
    if statement.ip_set_reference_statement().is_some() {
        return Truth::False;
    }
    let Some(text) = statement.byte_match_statement() else { return Truth::Unknown };
    match header(text) {
        Some(name) if name.eq_ignore_ascii_case(OPERATION_HEADER) => matches(text, OPERATION),
        // It is unknown whether AWS WAF sees this header, so a match is uncertain and only a mismatch
        // is certain.
        Some(name) if name.eq_ignore_ascii_case(TARGET_HEADER) => {
            matches(text, TARGET).min(Truth::Unknown)
        }
        _ => Truth::Unknown,
    }
}

/// Compares a header's value like AWS WAF does. Returns unknown for any other transformation or
/// constraint than those below.
fn matches(text: &ByteMatchStatement, value: &str) -> Truth {
    let mut value = value.to_owned();
    for transformation in text.text_transformations() {
        match transformation.r#type() {
            TextTransformationType::None => {}
            TextTransformationType::Lowercase => value.make_ascii_lowercase(),
            _ => return Truth::Unknown,
        }
    }
    let Ok(wanted) = std::str::from_utf8(text.search_string().as_ref()) else {
        return Truth::Unknown;
    };
    let found = match text.positional_constraint() {
        PositionalConstraint::Exactly | PositionalConstraint::ContainsWord => value == wanted,
        PositionalConstraint::StartsWith => value.starts_with(wanted),
        PositionalConstraint::EndsWith => value.ends_with(wanted),
        PositionalConstraint::Contains => value.contains(wanted),
        _ => return Truth::Unknown,
    };
    if found { Truth::True } else { Truth::False }
}

/// Returns whether a statement mentions the operation, so that its unknown result matters.
fn names_operation(statement: &Statement) -> bool {
    format!("{statement:?}").contains(OPERATION_HEADER)
}

fn header(text: &ByteMatchStatement) -> Option<&str> {
    Some(text.field_to_match()?.single_header()?.name())
}

fn group(rule: &Rule) -> Option<&RuleGroupReferenceStatement> {
    rule.statement()?.rule_group_reference_statement()
}

/// The action of a rule in a group, or the web ACL's override. `None` means count.
fn action_in_group<'a>(
    rule: &'a Rule,
    group: &'a RuleGroupReferenceStatement,
) -> Option<&'a RuleAction> {
    let overrides = group.rule_action_overrides();
    let other = overrides.iter().find(|other| other.name() == rule.name());
    let excluded = group.excluded_rules().iter().any(|other| other.name() == rule.name());
    if excluded { None } else { other.map_or(rule.action(), |other| other.action_to_use()) }
}

fn in_order(rules: &[Rule]) -> Vec<&Rule> {
    let mut rules: Vec<_> = rules.iter().collect();
    rules.sort_by_key(|rule| rule.priority());
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_wafv2::primitives::Blob;
    use aws_sdk_wafv2::types::{
        AllowAction, AndStatement, BlockAction, CountAction, DefaultAction, FieldToMatch,
        GeoMatchStatement, IpSetReferenceStatement, NoneAction, NotStatement, OrStatement,
        OverrideAction, RuleActionOverride, SingleHeader, TextTransformation, VisibilityConfig,
    };

    fn block() -> RuleAction {
        RuleAction::builder().block(BlockAction::builder().build()).build()
    }

    fn count() -> RuleAction {
        RuleAction::builder().count(CountAction::builder().build()).build()
    }

    fn allow() -> RuleAction {
        RuleAction::builder().allow(AllowAction::builder().build()).build()
    }

    fn visibility() -> VisibilityConfig {
        let config = VisibilityConfig::builder().sampled_requests_enabled(false);
        config.cloud_watch_metrics_enabled(false).metric_name("m").build().unwrap()
    }

    fn text(header: &str, wanted: &str, transformation: TextTransformationType) -> Statement {
        let header = SingleHeader::builder().name(header).build().unwrap();
        let transformation = TextTransformation::builder().priority(0).r#type(transformation);
        let text = ByteMatchStatement::builder()
            .search_string(Blob::new(wanted))
            .field_to_match(FieldToMatch::builder().single_header(header).build())
            .text_transformations(transformation.build().unwrap())
            .positional_constraint(PositionalConstraint::Exactly);
        Statement::builder().byte_match_statement(text.build().unwrap()).build()
    }

    fn operation(wanted: &str) -> Statement {
        text(OPERATION_HEADER, wanted, TextTransformationType::None)
    }

    fn not(statement: Statement) -> Statement {
        let not = NotStatement::builder().statement(statement).build();
        Statement::builder().not_statement(not).build()
    }

    fn and(statements: [Statement; 2]) -> Statement {
        let and = AndStatement::builder().set_statements(Some(statements.into())).build().unwrap();
        Statement::builder().and_statement(and).build()
    }

    fn or(statements: [Statement; 2]) -> Statement {
        let or = OrStatement::builder().set_statements(Some(statements.into())).build().unwrap();
        Statement::builder().or_statement(or).build()
    }

    fn from_set() -> Statement {
        let set = IpSetReferenceStatement::builder().arn("arn:set").build().unwrap();
        Statement::builder().ip_set_reference_statement(set).build()
    }

    fn from_country() -> Statement {
        let country = GeoMatchStatement::builder().country_codes("DE".into()).build();
        Statement::builder().geo_match_statement(country).build()
    }

    fn rule(name: &str, priority: i32, statement: Statement, action: RuleAction) -> Rule {
        let rule = Rule::builder().name(name).priority(priority).statement(statement);
        rule.action(action).visibility_config(visibility()).build().unwrap()
    }

    fn acl(rules: Vec<Rule>) -> WebAcl {
        let default = DefaultAction::builder().allow(AllowAction::builder().build()).build();
        let acl = WebAcl::builder().name("acl").id("1").arn("arn:acl").default_action(default);
        acl.set_rules(Some(rules)).visibility_config(visibility()).build().unwrap()
    }

    #[track_caller]
    fn assert_found(rules: Vec<Rule>, expected: &DirectChanges) {
        assert_eq!(&direct_changes(&acl(rules), &RuleGroups::new()), expected);
    }

    /// The statement of the rule in template.yaml.
    fn from_elsewhere() -> Statement {
        let target = text(TARGET_HEADER, TARGET, TextTransformationType::None);
        and([or([operation(OPERATION), target]), not(from_set())])
    }

    #[test]
    fn a_rule_for_the_operation_from_other_addresses_blocks_or_counts() {
        let blocked = DirectChanges::Blocked("r".into());
        assert_found(vec![rule("r", 0, from_elsewhere(), block())], &blocked);
        let counted = DirectChanges::Counted("r".into());
        assert_found(vec![rule("r", 0, from_elsewhere(), count())], &counted);
    }

    #[test]
    fn a_lower_case_text_matches_if_the_rule_transforms_to_lower_case() {
        let lowered = |wanted| text(OPERATION_HEADER, wanted, TextTransformationType::Lowercase);
        let blocked = DirectChanges::Blocked("r".into());
        assert_found(vec![rule("r", 0, lowered("changepassword"), block())], &blocked);
        let open = DirectChanges::Open("acl".into());
        assert_found(vec![rule("r", 0, lowered("ChangePassword"), block())], &open);
    }

    #[test]
    fn rules_for_other_operations_or_addresses_do_not_block_the_change() {
        let open = DirectChanges::Open("acl".into());
        assert_found(vec![], &open);
        assert_found(vec![rule("r", 0, operation("SignUp"), block())], &open);
        assert_found(vec![rule("r", 0, from_set(), block())], &open);
        assert_found(vec![rule("r", 0, from_country(), block())], &open);
        let target = text(TARGET_HEADER, "X.SignUp", TextTransformationType::None);
        let sign_up = or([operation("SignUp"), target]);
        assert_found(vec![rule("r", 0, sign_up, block())], &open);
    }

    #[test]
    fn a_rule_with_conditions_besides_the_operation_is_unclear() {
        let statement = and([operation(OPERATION), from_country()]);
        let unclear = DirectChanges::Unclear("r".into());
        assert_found(vec![rule("r", 0, statement, block())], &unclear);
    }

    #[test]
    fn an_earlier_rule_that_allows_the_operation_makes_it_open() {
        let rules = vec![
            rule("block", 1, from_elsewhere(), block()),
            rule("allow", 0, operation(OPERATION), allow()),
        ];
        assert_found(rules, &DirectChanges::Open("allow".into()));
    }

    #[test]
    fn an_earlier_rule_that_may_allow_the_operation_makes_a_block_unclear() {
        let rules = vec![
            rule("allow", 0, from_country(), allow()),
            rule("block", 1, from_elsewhere(), block()),
        ];
        assert_found(rules, &DirectChanges::Unclear("allow".into()));
    }

    #[test]
    fn a_default_action_that_blocks_covers_the_operation() {
        let default = DefaultAction::builder().block(BlockAction::builder().build()).build();
        let mut acl = acl(vec![]);
        acl.default_action = Some(default);
        let found = direct_changes(&acl, &RuleGroups::new());
        assert_eq!(found, DirectChanges::Blocked("the web ACL's default action".into()));
    }

    #[test]
    fn the_rules_of_a_group_apply_unless_the_web_acl_overrides_them() {
        let groups = HashMap::from([(
            "arn:group".to_owned(),
            vec![rule("direct-change", 0, from_elsewhere(), block())],
        )]);
        let found = |action: OverrideAction, other: Option<RuleAction>| {
            let mut group = RuleGroupReferenceStatement::builder().arn("arn:group");
            if let Some(action) = other {
                let other = RuleActionOverride::builder().name("direct-change");
                let other = other.action_to_use(action).build().unwrap();
                group = group.rule_action_overrides(other);
            }
            let statement = Statement::builder();
            let statement = statement.rule_group_reference_statement(group.build().unwrap());
            let rule = Rule::builder().name("group").priority(0).statement(statement.build());
            let rule = rule.override_action(action).visibility_config(visibility());
            let acl = acl(vec![rule.build().unwrap()]);
            assert_eq!(rule_groups(&acl).collect::<Vec<_>>(), ["arn:group"]);
            direct_changes(&acl, &groups)
        };
        let none = || OverrideAction::builder().none(NoneAction::builder().build()).build();
        let counts = OverrideAction::builder().count(CountAction::builder().build()).build();
        assert_eq!(found(none(), None), DirectChanges::Blocked("direct-change".into()));
        assert_eq!(found(counts, None), DirectChanges::Counted("direct-change".into()));
        assert_eq!(found(none(), Some(count())), DirectChanges::Counted("direct-change".into()));
    }
}
