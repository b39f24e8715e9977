package changepassword

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.collectLatest
import kotlinx.coroutines.flow.flowOf
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.put
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import org.junit.jupiter.api.assertThrows
import java.io.File
import java.io.IOException
import java.util.concurrent.CopyOnWriteArrayList

/**
 * Tests the module against the function and the fake Cognito, with the scenarios that all clients
 * share; `make kotlin` starts the servers. See tests/local/front.py.
 */
class PasswordClientTest {
    private val http = OkHttpClient()
    private val pauses = CopyOnWriteArrayList<Double>()
    private lateinit var session: CognitoSession
    private lateinit var client: PasswordClient

    @BeforeEach
    fun startOver() = runBlocking {
        front("reset", "{}")
        pauses.clear()
        session = newSession()
        assertEquals(SignIn.SIGNED_IN, session.signIn(OLD))
        client = newClient(session)
    }

    private fun newSession() = CognitoSession(env("COGNITO"), env("CLIENT_ID"), env("USERNAME"))

    /** A client whose pauses are recorded and take no time. */
    private fun newClient(session: Session, language: String? = null) =
        PasswordClient("${env("FRONT")}/", session, language).also { it.pause = { pause -> pauses += pause } }

    private fun front(order: String, body: String? = null): JsonObject {
        val request = Request.Builder().url("${env("FRONT")}/_front/$order")
        if (body != null) request.post(body.toRequestBody())
        return http.newCall(request.build()).execute().use {
            assertEquals(200, it.code, order)
            Json.parseToJsonElement(it.body.string()).jsonObject
        }
    }

    private fun statuses() = front("seen").getValue("statuses")

    private fun requests() = front("seen").getValue("requests").jsonArray.map { it.jsonPrimitive.content }

    private suspend fun change(everywhere: Boolean = false) = client.change(Change(OLD, NEW, everywhere))

    @TestFactory
    fun scenarios() = Json.parseToJsonElement(File(env("SCENARIOS")).readText()).jsonArray.map { entry ->
        val scenario = entry.jsonObject
        DynamicTest.dynamicTest(scenario.text("name")!!) {
            startOver()
            runBlocking { run(scenario) }
        }
    }

    private suspend fun run(scenario: JsonObject) {
        front("faults", scenario.toString())
        val proposed = scenario.int("proposedPasswordLength")?.let { "x".repeat(it) }
            ?: scenario.text("proposedPassword") ?: NEW
        val previous = scenario.text("previousPassword") ?: OLD
        val outcome = client.change(Change(previous, proposed, scenario.isTrue("signOutEverywhere")))
        assertEquals(scenario.getValue("outcome"), summary(outcome))
        val expected = scenario.getValue("statuses").jsonArray
        assertEquals(expected, statuses())
        assertEquals(scenario.int("requests") ?: expected.size, requests().size)
        assertEquals(scenario.int("pauses") ?: 0, pauses.size)
        assertTrue(pauses.all { it in 2.0..4.0 }, "$pauses")
        val (inForce, other) = if (scenario.text("inForce") == "new") NEW to OLD else OLD to NEW
        assertEquals(SignIn.SIGNED_IN, newSession().signIn(inForce))
        assertEquals(SignIn.INCORRECT, newSession().signIn(other))
    }

    /** An outcome in the form that the scenarios use. */
    private fun summary(outcome: Outcome): JsonElement = buildJsonObject {
        put("kind", outcome::class.simpleName!!.replaceFirstChar { it.lowercase() })
        when (outcome) {
            is Outcome.Changed -> {
                put("signedOutEverywhere", outcome.signedOutEverywhere)
                put("signedIn", outcome.signedIn)
            }

            is Outcome.PolicyViolated -> put("codes", JsonArray(outcome.violations.map { JsonPrimitive(it.code) }))

            is Outcome.Wait -> put("seconds", outcome.seconds)

            is Outcome.Failed -> put("requestId", outcome.requestId != null)

            else -> Unit
        }
    }

    @Test
    fun `after signing out everywhere, this device can change the password again`() = runBlocking {
        change(everywhere = true)
        assertEquals(CHANGED, client.change(Change(NEW, OLD)))
    }

    @Test
    fun `a second change joins the one that is running`() = runBlocking {
        val changes = listOf(NEW, NEW, "other").map { proposed ->
            async(start = CoroutineStart.UNDISPATCHED) { client.change(Change(OLD, proposed)) }
        }
        assertEquals(List(3) { CHANGED }, changes.awaitAll())
        assertEquals("[204]", statuses().toString())
        assertEquals(Outcome.PreviousPasswordIncorrect, change())
    }

    @Test
    fun `a change continues when its caller is cancelled, and a second call joins it`() = runBlocking {
        val screen = launch(start = CoroutineStart.UNDISPATCHED) { change() }
        screen.cancelAndJoin()
        assertEquals(CHANGED, change())
        assertEquals("[204]", statuses().toString())
    }

    @Test
    fun `without a token from the session, a change sends no request`() = runBlocking {
        assertEquals(Outcome.SignInAgain, newClient(TestSession(token = { null })).change(Change(OLD, NEW)))
        val offline = TestSession(token = { error("an exception of the app") })
        assertEquals(Outcome.TryLater, newClient(offline).change(Change(OLD, NEW)))
        val slow = TestSession(token = { withTimeout(1) { kotlinx.coroutines.awaitCancellation() } })
        assertEquals(Outcome.TryLater, newClient(slow).change(Change(OLD, NEW)))
        assertEquals(emptyList<String>(), requests())
    }

    @Test
    fun `a sign-in that requires another step proves the new password`() = runBlocking {
        client = newClient(TestSession(token = { session.accessToken(it) }))
        front("faults", """{ "front": ["refuse", "refuse"] }""")
        assertEquals(CHANGED, change())
        assertEquals(Outcome.Changed(signedOutEverywhere = false, signedIn = false), change(everywhere = true))
    }

    @Test
    fun `OkHttp does not retry a change after a 503 with Retry-After 0`() = runBlocking {
        front("faults", """{ "front": [{ "status": 503, "headers": { "Retry-After": "0" } }] }""")
        assertEquals(Outcome.NotChanged, change())
        assertEquals("[503]", statuses().toString())
    }

    @Test
    fun `each request has the language`() = runBlocking {
        client = newClient(session, "pt-BR")
        client.policy()
        client.check(Change(null, NEW))
        change()
        val paths = listOf("GET /password-policy", "POST /check-password", "POST /change-password")
        assertEquals(paths.map { "$it?lang=pt-BR" }, requests())
    }

    @Test
    fun `a matching ETag returns 304 and the kept policy`() = runBlocking {
        val first = client.policy()
        assertTrue(first.rules.size > 5 && "!" in first.symbols)
        assertSame(first, client.policy())
        assertEquals("[200,304]", statuses().toString())
    }

    @Test
    fun `an answer without a policy is an error`() {
        front("faults", """{ "front": [{ "status": 429 }, { "status": 200, "body": "<html>" }, "refuse"] }""")
        repeat(3) { assertThrows<IOException> { runBlocking { client.policy() } } }
    }

    @Test
    fun `the checklist and the strength bar show the result of a check`() = runBlocking {
        val policy = client.policy()
        front("faults", """{ "front": [{ "status": 200, "body": $CHECKED }] }""")
        val check = client.check(Change(OLD, NEW))!!
        val items = checklist(policy, NEW, OLD, check).map { it.rule.code to it.kept }
        assertEquals(listOf("too_short" to true, "common_password" to false, "breached_password" to null), items)
        assertEquals(3, strength(check.guessesLog10!!))
        assertEquals(listOf(0.3), pauses)
    }

    @Test
    fun `a check that gets 401 renews the token and is sent again`() = runBlocking {
        front("faults", """{ "front": [{ "status": 401 }, { "status": 200, "body": $CHECKED }] }""")
        assertEquals(9.5, client.check(Change(null, NEW))?.guessesLog10)
        assertEquals(2, requests().size)
    }

    @Test
    fun `a check that fails returns null`() = runBlocking {
        front("faults", """{ "front": [{ "status": 404 }, { "status": 429 }, "refuse", { "status": 307 }] }""")
        repeat(4) { assertNull(client.check(Change(null, NEW))) }
        assertEquals(4, requests().size)
    }

    @Test
    fun `while the user types, only the last password is checked`() = runBlocking {
        val typed = PasswordClient(env("FRONT"), session)
        front("faults", """{ "front": [{ "status": 200, "body": $CHECKED }] }""")
        val checks = mutableListOf<Double?>()
        flowOf("P", "Pu", "Pur").collectLatest { checks += typed.check(Change(null, it))?.guessesLog10 }
        assertEquals(listOf<Double?>(9.5), checks)
        assertEquals(1, requests().size)
    }

    @Test
    fun `the checklist and the function report the same violations`() = runBlocking {
        val policy = client.policy()
        val checkable = policy.rules.filter { it.clientCheckable }
        val broken = mutableSetOf<String>()
        for (password in PASSWORDS) {
            val outcome = client.change(Change(OLD, password)) as Outcome.PolicyViolated
            val codes = outcome.violations.map { it.code }
            assertEquals(codes, client.check(Change(OLD, password))?.violations?.map { it.code }, password)
            for (rule in checkable) {
                val kept = keeps(rule, policy.symbols, password, OLD)
                assertEquals(rule.code !in codes, kept, "${rule.code} of $password")
                if (kept == false) broken += rule.code
            }
        }
        assertEquals(checkable.map { it.code }.toSet(), broken)
        for (rule in policy.rules - checkable.toSet()) assertNull(keeps(rule, policy.symbols, "password", OLD))
    }

    @Test
    fun `the strength bar has five steps`() {
        val guesses = listOf(0.0, 2.9, 3.0, 6.0, 8.0, 9.9, 10.0, 30.0)
        assertEquals(listOf(0, 0, 1, 2, 3, 3, 4, 4), guesses.map(::strength))
    }

    /** A session whose sign-in always requires another step. */
    private class TestSession(private val token: suspend (Boolean) -> String?) : Session {
        override suspend fun accessToken(renew: Boolean) = token(renew)

        override suspend fun signIn(password: String) = SignIn.STEP_REQUIRED
    }

    private companion object {
        fun env(name: String): String = System.getenv(name)

        val OLD = env("PASSWORD")
        val NEW = env("NEW_PASSWORD")
        val CHANGED = Outcome.Changed(signedOutEverywhere = false, signedIn = true)

        const val CHECKED = """{
            "rules": [
                { "code": "too_short", "message": "", "params": { "newer": null } },
                { "code": "common_password" }, { "code": "breached_password" }
            ],
            "violations": [{ "code": "common_password", "message": "Common.", "params": {} }],
            "notChecked": ["breached_password"], "guessesLog10": 9.5, "newer": []
        }"""

        val PASSWORDS = listOf(
            "", "a", "A1!", "aaaa", "Ab1!Ab1!Ab1!", "ab1!AB1!Ab1!", "Abcdefg-1", " Purple-Monkey-8 ",
            "\u00a0Purple-Monkey-8", "Purple-Monkey-8\u0085", "\ufeffPurple-Monkey-88888", "🔑🔑🔑🔑",
            "🔑".repeat(11) + "A", "Ab1!".repeat(11), "Correct-Horse-7-Batter", "Correct-Horse-8-Batteryy",
            "Correct-Horse-7-Battery!!!", "ΣσςΣσςΣσς", "İi̇İi̇İi̇", "\uDBFF\uDFFF".repeat(41), "pUrple monkey",
            "12345678901234", "LOWERLESS-1234-8", "e\u0301".repeat(10),
        )
    }
}
