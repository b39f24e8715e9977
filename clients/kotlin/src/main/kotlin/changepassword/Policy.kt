package changepassword

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.intOrNull
import java.text.Normalizer

/** A rule for new passwords, or a violation of one. */
public class Rule(
    /** Stable, so an app can map it to its own message. A newer service may send unknown codes. */
    public val code: String,
    /** An instruction to the user, in the client's language. */
    public val message: String,
    public val params: JsonObject,
    /** Whether [keeps] can check it; false for a violation. */
    public val clientCheckable: Boolean,
)

/** The answer to `GET /password-policy`. */
public class Policy(
    /** The characters that count as symbols. A space within the password also counts. */
    public val symbols: String,
    public val rules: List<Rule>,
)

/** The answer to `POST /check-password`. */
public class Check(
    /** The rules for this user and the user's groups. */
    public val rules: List<Rule>,
    public val violations: List<Rule>,
    /** The codes of the rules that only a change checks. */
    public val notChecked: List<String>,
    /** The base-10 logarithm of the guesses that the password withstands. */
    public val guessesLog10: Double?,
)

/** A line of the checklist; [kept] is null if only a change checks the rule. */
public class ChecklistItem(public val rule: Rule, public val kept: Boolean?)

/**
 * The checklist for a form.
 *
 * Draw it without [check] at each keystroke, and with the check once that returns: the check also
 * covers the user's groups and rules newer than this module. It must be for this password.
 */
public fun checklist(
    policy: Policy,
    proposed: String,
    previous: String? = null,
    check: Check? = null,
): List<ChecklistItem> {
    if (check == null) {
        return policy.rules.map { ChecklistItem(it, keeps(it, policy.symbols, proposed, previous)) }
    }
    val broken = check.violations.map { it.code }
    return check.rules.map { rule ->
        val kept = when (rule.code) {
            in broken -> false
            in check.notChecked -> null
            else -> true
        }
        ChecklistItem(rule, kept)
    }
}

/**
 * The strength bar for [Check.guessesLog10], from 0 (too easy to guess) to 4 (very hard to guess).
 *
 * The thresholds (10^3, 10^6, 10^8 and 10^10 guesses) are those of zxcvbn's score.
 */
public fun strength(guessesLog10: Double): Int = listOf(3, 6, 8, 10).count { guessesLog10 >= it }

/**
 * Whether a password keeps a rule; null if the client cannot tell.
 *
 * Lengths and counts are in code points of Normalization Form C, as in the function; a `Char` is a
 * UTF-16 unit.
 */
public fun keeps(rule: Rule, symbols: String, proposed: String, previous: String? = null): Boolean? =
    if (rule.clientCheckable) keepsComposed(rule, symbols, proposed.composed(), previous?.composed()) else null

private fun String.composed(): String = Normalizer.normalize(this, Normalizer.Form.NFC)

private fun keepsComposed(rule: Rule, symbols: String, proposed: String, previous: String?): Boolean? {
    val points = proposed.points()
    val lowercase = points.count { it in 'a'.code..'z'.code }
    val uppercase = points.count { it in 'A'.code..'Z'.code }
    val digits = points.count { it in '0'.code..'9'.code }
    val trimmed = proposed.trim { it in WHITE_SPACE }
    val symbolCount = trimmed.count { it == ' ' || it in symbols }
    val minCount = rule.params.int("minCount") ?: 1
    return when (rule.code) {
        "too_short" -> rule.params.int("minLength")?.let { points.size >= it }

        "too_long" -> rule.params.int("maxLength")?.let { points.size <= it }

        "missing_lowercase" -> lowercase >= minCount

        "missing_uppercase" -> uppercase >= minCount

        "missing_digit" -> digits >= minCount

        "missing_symbol" -> symbolCount >= minCount

        "too_few_classes" -> rule.params.int("minClasses")?.let { least ->
            listOf(lowercase, uppercase, digits, symbolCount).count { it > 0 } >= least
        }

        "leading_or_trailing_space" -> trimmed == proposed

        "repeated_character" -> rule.params.int("maxRun")?.let { longestRun(points) <= it }

        "repeated_block" -> !isRepeatedBlock(points)

        "same_as_previous" -> proposed != previous

        "too_similar_to_previous" -> rule.params.int("minDistance")?.let {
            previous == null || edits(previous.points(), points) >= it
        }

        else -> null // A rule newer than this module.
    }
}

/** Unicode's `White_Space`; `Char.isWhitespace` includes other characters. */
private val WHITE_SPACE = ('\t'..'\r') + ('\u2000'..'\u200A') +
    listOf(' ', '\u0085', '\u00A0', '\u1680', '\u2028', '\u2029', '\u202F', '\u205F', '\u3000')

/** The code points; `String.codePoints` does not exist on Android before API level 24. */
private fun String.points(): List<Int> {
    val points = mutableListOf<Int>()
    var at = 0
    while (at < length) {
        val point = Character.codePointAt(this, at)
        points += point
        at += Character.charCount(point)
    }
    return points
}

private fun longestRun(points: List<Int>): Int {
    var longest = 0
    var run = 0
    points.forEachIndexed { at, point ->
        run = if (point == points.getOrNull(at - 1)) run + 1 else 1
        longest = maxOf(longest, run)
    }
    return longest
}

/** Whether the password repeats one block; the last repetition may be incomplete. */
private fun isRepeatedBlock(points: List<Int>): Boolean {
    val lower = points.take(256).flatMap { String(Character.toChars(it)).lowercase().points() }
    return (1..lower.size / 2).any { period -> lower.drop(period) == lower.dropLast(period) }
}

/** The Levenshtein distance. */
private fun edits(a: List<Int>, b: List<Int>): Int {
    var row = (0..b.size).toList()
    a.forEachIndexed { i, x ->
        val next = mutableListOf(i + 1)
        b.forEachIndexed { j, y ->
            next += minOf(row[j] + (if (x == y) 0 else 1), row[j + 1] + 1, next[j] + 1)
        }
        row = next
    }
    return row.last()
}

private fun JsonObject.primitive(name: String): JsonPrimitive? = this[name] as? JsonPrimitive

/** The number of this name; null for any other value, including a number in quotes. */
internal fun JsonObject.int(name: String): Int? = primitive(name)?.takeUnless { it.isString }?.intOrNull

internal fun JsonObject.text(name: String): String? = primitive(name)?.takeIf { it.isString }?.content

internal fun JsonObject.isTrue(name: String): Boolean =
    primitive(name)?.takeUnless { it.isString }?.booleanOrNull == true

internal fun JsonObject.list(name: String): List<JsonElement> = this[name] as? JsonArray ?: emptyList()

/** Reads rules leniently, so that a newer service cannot break an older app. */
internal fun JsonObject.rules(name: String): List<Rule> = list(name).mapNotNull { entry ->
    val rule = entry as? JsonObject
    rule?.text("code")?.let { code ->
        val params = rule["params"] as? JsonObject ?: JsonObject(emptyMap())
        Rule(code, rule.text("message").orEmpty(), params, rule.isTrue("clientCheckable"))
    }
}
