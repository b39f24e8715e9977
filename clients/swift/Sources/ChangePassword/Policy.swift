import Foundation

/// A rule for new passwords, or a violation of one.
public struct Rule: Sendable {
    /// Stable, so an app can map it to its own message. A newer service may send unknown codes.
    public let code: String
    /// An instruction to the user, in the client's language.
    public let message: String
    public let params: JSON
    /// Whether `keeps` can check it; false for a violation.
    public let clientCheckable: Bool

    /// Returns nil if there is no code; reads everything else leniently.
    init?(_ json: JSON) {
        guard let code = json["code"]?.string else { return nil }
        self.code = code
        message = json["message"]?.string ?? ""
        params = json["params"] ?? .null
        clientCheckable = json["clientCheckable"] == .bool(true)
    }

    static func list(_ json: JSON?) -> [Rule] { (json?.array ?? []).compactMap(Rule.init) }
}

/// The answer to `GET /password-policy`.
public struct Policy: Sendable {
    /// The characters that count as symbols. A space within the password also counts.
    public let symbols: String
    /// For `UITextInputPasswordRules`.
    public let passwordRules: String
    public let rules: [Rule]
}

/// The answer to `POST /check-password`.
public struct Check: Sendable {
    /// The rules for this user and the user's groups.
    public let rules: [Rule]
    public let violations: [Rule]
    /// The codes of the rules that only a change checks.
    public let notChecked: [String]
    /// The base-10 logarithm of the guesses that the password withstands.
    public let guessesLog10: Double?
}

/// A line of the checklist.
public struct ChecklistItem: Sendable {
    public let rule: Rule
    /// Nil if only a change checks the rule.
    public let kept: Bool?
}

/// The checklist for a form.
///
/// Draw it without `check` at each keystroke, and with the check once that returns: the check also
/// covers the user's groups and rules newer than this package. It must be for this password.
public func checklist(
    _ policy: Policy, proposed: String, previous: String? = nil, check: Check? = nil
) -> [ChecklistItem] {
    guard let check else {
        return policy.rules.map { rule in
            let kept = keeps(rule, symbols: policy.symbols, proposed: proposed, previous: previous)
            return ChecklistItem(rule: rule, kept: kept)
        }
    }
    let broken = Set(check.violations.map(\.code))
    return check.rules.map { rule in
        if broken.contains(rule.code) { return ChecklistItem(rule: rule, kept: false) }
        return ChecklistItem(rule: rule, kept: check.notChecked.contains(rule.code) ? nil : true)
    }
}

/// The strength bar for `Check.guessesLog10`, from 0 (too easy to guess) to 4 (very hard to guess).
///
/// The thresholds (10^3, 10^6, 10^8 and 10^10 guesses) are those of zxcvbn's score.
public func strength(guessesLog10: Double) -> Int {
    [3, 6, 8, 10].filter { guessesLog10 >= $0 }.count
}

/// Whether a password keeps a rule; nil if the client cannot tell.
///
/// Lengths and counts are in code points of Normalization Form C, as in the function. A `Character` may
/// be several code points, and `==` treats canonically equivalent strings as equal, so this compares
/// `unicodeScalars`.
public func keeps(_ rule: Rule, symbols: String, proposed: String, previous: String? = nil) -> Bool? {
    guard rule.clientCheckable else { return nil }
    let points = Array(proposed.precomposedStringWithCanonicalMapping.unicodeScalars)
    let before = previous.map { Array($0.precomposedStringWithCanonicalMapping.unicodeScalars) }
    let symbolPoints = Set(symbols.unicodeScalars)
    let trimmed = trim(points)
    let lowercase = points.filter { ("a"..."z").contains($0) }.count
    let uppercase = points.filter { ("A"..."Z").contains($0) }.count
    let digits = points.filter { ("0"..."9").contains($0) }.count
    let symbolCount = trimmed.filter { $0 == " " || symbolPoints.contains($0) }.count
    let number = { (name: String) in rule.params[name]?.int }
    let minCount = number("minCount") ?? 1
    switch rule.code {
    case "too_short": return number("minLength").map { points.count >= $0 }
    case "too_long": return number("maxLength").map { points.count <= $0 }
    case "missing_lowercase": return lowercase >= minCount
    case "missing_uppercase": return uppercase >= minCount
    case "missing_digit": return digits >= minCount
    case "missing_symbol": return symbolCount >= minCount
    case "too_few_classes":
        let classes = [lowercase, uppercase, digits, symbolCount].filter { $0 > 0 }.count
        return number("minClasses").map { classes >= $0 }
    case "leading_or_trailing_space": return trimmed.count == points.count
    case "repeated_character": return number("maxRun").map { longestRun(points) <= $0 }
    case "repeated_block": return !isRepeatedBlock(points)
    case "same_as_previous": return points != before
    case "too_similar_to_previous":
        guard let minDistance = number("minDistance") else { return nil }
        return before.map { edits($0, points) >= minDistance } ?? true
    default: return nil  // A rule newer than this package.
    }
}

private func trim(_ points: [Unicode.Scalar]) -> [Unicode.Scalar] {
    let isSpace = { (point: Unicode.Scalar) in point.properties.isWhitespace }
    return Array(points.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
}

private func longestRun(_ points: [Unicode.Scalar]) -> Int {
    var longest = 0
    var run = 0
    for (at, point) in points.enumerated() {
        run = at > 0 && points[at - 1] == point ? run + 1 : 1
        longest = max(longest, run)
    }
    return longest
}

/// Whether the password repeats one block; the last repetition may be incomplete.
private func isRepeatedBlock(_ points: [Unicode.Scalar]) -> Bool {
    let lower = points.prefix(256).flatMap { Array($0.properties.lowercaseMapping.unicodeScalars) }
    guard lower.count > 1 else { return false }
    return (1...lower.count / 2).contains { period in
        lower.dropFirst(period).elementsEqual(lower.dropLast(period))
    }
}

/// The Levenshtein distance.
private func edits(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
        var next = [i + 1]
        for (j, y) in b.enumerated() {
            next.append(min(row[j] + (x == y ? 0 : 1), row[j + 1] + 1, next[j] + 1))
        }
        row = next
    }
    return row[b.count]
}
