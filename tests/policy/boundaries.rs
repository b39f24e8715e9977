//! Each rule at its boundary: what is just refused, and what just passes.

use change_password::policy::{PersonalAttribute, PersonalWords, Policy, Violation};

/// The rule alone, its code, a password that breaks it, and its nearest neighbour that does not.
const TABLE: &[(&str, &str, &str, &str)] = &[
    // Length: ASCII, a letter with its accent apart (two), an astral one (one), right-to-left.
    ("[length]\nmin = 4", "too_short", "abc", "abcd"),
    ("[length]\nmin = 4", "too_short", "e\u{301}e", "e\u{301}e\u{301}"),
    ("[length]\nmin = 4", "too_short", "🔑🔒🔑", "🔑🔒🔑🔒"),
    ("[length]\nmin = 4", "too_short", "של\u{5b7}", "שלום"),
    ("[length]\nmax = 4", "too_long", "abcde", "abcd"),
    ("[length]\nmax = 4", "too_long", "🔑🔒🔑🔒x", "🔑🔒🔑🔒"),
    ("[length]\nmax = 4", "too_long", "שלוםx", "שלום"),
    // Classes are ASCII to Cognito; é, É, ٣ and § are of none.
    ("[characters]\nlowercase = 1", "missing_lowercase", "A1!é", "A1!z"),
    ("[characters]\nlowercase = 2", "missing_lowercase", "aA1!", "azA1"),
    ("[characters]\nuppercase = 1", "missing_uppercase", "a1!É", "a1!Z"),
    ("[characters]\ndigit = 1", "missing_digit", "aA!٣", "aA!0"),
    ("[characters]\ndigit = 3", "missing_digit", "a1b2", "1a23"),
    ("[characters]\nsymbol = 1", "missing_symbol", "aA1§", "aA1-"),
    ("[characters]\nsymbol = 1", "missing_symbol", "aA1€", "a A1"),
    ("[characters]\nclasses = 3", "too_few_classes", "abAB", "abA1"),
    ("[characters]\nclasses = 4", "too_few_classes", "abA1", "aA1!"),
    // White space of any kind at either end, and none within.
    ("", "leading_or_trailing_space", " abcd", "ab cd"),
    ("", "leading_or_trailing_space", "abcd\t", "ab\tcd"),
    ("", "leading_or_trailing_space", "\u{2003}abcd", "ab\u{2003}cd"),
    ("", "leading_or_trailing_space", "שלום\u{a0}", "ש\u{a0}לום"),
    // Runs, also of what is not ASCII.
    ("[patterns]\nmax_run = 2", "repeated_character", "xaaax", "xaaxa"),
    ("[patterns]\nmax_run = 2", "repeated_character", "🔑🔑🔑", "🔑🔑🔒"),
    ("[patterns]\nmax_run = 2", "repeated_character", "ששש", "ששל"),
    // Blocks.
    ("[patterns]\nrepeated_block = true", "repeated_block", "abcabcabc", "abcabxabc"),
    ("[patterns]\nrepeated_block = true", "repeated_block", "שלוםשלום", "שלוםשלוא"),
    (
        "[patterns]\nrepeated_block = true",
        "repeated_block",
        "e\u{301}🔑e\u{301}🔑",
        "e\u{301}🔑e🔑",
    ),
    // Sequences: alphabet, digits, keyboards, either way, any case.
    ("[patterns]\nmax_sequence = 3", "sequence", "x-abcd", "x-abce"),
    ("[patterns]\nmax_sequence = 3", "sequence", "x-DcbA", "x-DcbB"),
    ("[patterns]\nmax_sequence = 3", "sequence", "x-7890", "x-7891"),
    ("[patterns]\nmax_sequence = 3", "sequence", "x-qwer", "x-qwet"),
    ("[patterns]\nmax_sequence = 3", "sequence", "x-wxcv", "x-wxcb"),
    ("[patterns]\nmax_sequence = 3", "sequence", "x-tzui", "x-tzuo"),
    ("[patterns]\nmax_sequence = 3", "sequence", "🔑qwer", "🔑qweש"),
    // Common passwords and their disguises.
    ("[words]\ncommon = true", "common_password", "Password2026!", "Passwolf2026!"),
    ("[words]\ncommon = true", "common_password", "P@ssw0rd123", "P@ssworx123"),
    ("[words]\ncommon = true", "common_password", "!qwerty99!", "!qwersy99!"),
    ("[words]\ncommon = true", "common_password", "Summer-2026", "Sumner-20x26"),
    (
        "[words]\ncommon = true",
        "common_password",
        "Pa\u{301}ssword",
        "correct horse battery staple",
    ),
    // Banned words: four points are too few, five are enough.
    (
        "[words]\nbanned = [\"contoso\", \"blank\"]",
        "banned_word",
        "C0ntos0Blank12",
        "ContoS0Bl@nkf9!",
    ),
    ("[words]\nbanned = [\"contoso\", \"blank\"]", "banned_word", "Contosx123", "Contosx1234"),
    ("[words]\nbanned = [\"שלום\"]", "banned_word", "שלום123", "שלום1234"),
    // The previous password is `Winter24!` in all of these.
    ("[previous]\nmin_distance = 1", "same_as_previous", "Winter24!", "winter24!"),
    ("[previous]\nmin_distance = 3", "too_similar_to_previous", "Vinter2!", "Vimter2!"),
    ("[previous]\nmin_distance = 3", "too_similar_to_previous", "Winter24🔑ש", "Winter2🔑שs"),
    ("[previous]\ncounter = true", "previous_with_other_number", "Winter25!", "Winter25?"),
    // What is known of the user: `jane.roe`, jane@example.com, born on 21 June 1987.
    ("[words]\npersonal = [\"username\"]", "personal_word", "x-J4neRoe-x", "x-JmneRme-x"),
    ("[words]\npersonal = [\"email\"]", "personal_word", "99elpmaxe99", "99elpmbxe99"),
    ("[words]\npersonal = [\"birthdate\"]", "personal_word", "x-21.06.1987-x", "x-21.06.1994-x"),
];

#[test]
fn each_rule_refuses_up_to_its_boundary_and_no_further() {
    for (rule, code, refused, accepted) in TABLE {
        let policy =
            Policy::from_toml(&with_minimum(rule)).unwrap_or_else(|e| panic!("{rule}: {e}"));
        let check = |text: &str| {
            let known = [
                (PersonalAttribute::UserName, "jane.roe"),
                (PersonalAttribute::Email, "jane@example.com"),
                (PersonalAttribute::BirthDate, "1987-06-21"),
            ];
            let wanted = policy.base().personal_attributes();
            let personal =
                PersonalWords::new(known.into_iter().filter(|(name, _)| wanted.contains(name)));
            let previous = "Winter24!".to_owned().into();
            let found =
                policy.base().violations(&text.to_owned().into(), Some(&previous), &personal);
            found.iter().map(Violation::code).collect::<Vec<_>>()
        };
        assert_eq!(check(refused), [*code], "{rule}: {refused:?} is refused");
        assert_eq!(check(accepted), [""; 0], "{rule}: {accepted:?} passes");
    }
}

#[test]
fn the_table_has_every_rule_that_is_checked_here() {
    let everything = "
        profile = \"nist-800-63b-4\"
        [characters]
        lowercase = 1
        uppercase = 1
        digit = 1
        symbol = 1
        classes = 4
        [patterns]
        max_run = 3
        max_sequence = 4
        repeated_block = true
        [words]
        banned = [\"contoso\"]
        [previous]
        min_distance = 2
        counter = true
    ";
    let policy = Policy::from_toml(everything).unwrap();
    for rule in policy.base().list() {
        assert!(TABLE.iter().any(|(_, code, ..)| *code == rule.code()), "{}", rule.code());
    }
}

/// The rule with the one key that every policy must have.
fn with_minimum(rule: &str) -> String {
    if rule.contains("min =") && rule.starts_with("[length]") {
        rule.to_owned()
    } else if let Some(rest) = rule.strip_prefix("[length]\n") {
        format!("[length]\nmin = 1\n{rest}")
    } else {
        format!("[length]\nmin = 1\n{rule}")
    }
}
