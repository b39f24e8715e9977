package changepassword

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlinx.coroutines.suspendCancellableCoroutine
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.doubleOrNull
import kotlinx.serialization.json.put
import okhttp3.Call
import okhttp3.Callback
import okhttp3.HttpUrl
import okhttp3.HttpUrl.Companion.toHttpUrl
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody
import okhttp3.Response
import okio.BufferedSink
import java.io.IOException
import java.util.concurrent.TimeUnit
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlin.random.Random

/** A requested change; [previousPassword] is null for a user who has no password yet. */
public class Change(
    public val previousPassword: String?,
    public val proposedPassword: String,
    public val signOutEverywhere: Boolean = false,
)

/** The outcome of a change: one case for each reaction of the app. */
public sealed interface Outcome {
    /** [signedIn] is false if this device's session has ended and the user must sign in again. */
    public data class Changed(val signedOutEverywhere: Boolean, val signedIn: Boolean) : Outcome

    public data object PreviousPasswordIncorrect : Outcome

    public data class PolicyViolated(val violations: List<Rule>) : Outcome

    public data class Wait(val seconds: Int) : Outcome

    public data object SignInAgain : Outcome

    public data object ResetPassword : Outcome

    public data object ConfirmAccount : Outcome

    public data object AccountDisabled : Outcome

    public data object NotAllowed : Outcome

    /** The user signs in through another identity provider and has no password here. */
    public data object ManagedElsewhere : Outcome

    /** Cognito was unavailable, or the session could not provide a token. Nothing was changed. */
    public data object TryLater : Outcome

    /** The answer was lost, but the new password does not sign in, so the change was not made. */
    public data object NotChanged : Outcome

    /** The answer was lost, and signing in did not settle whether the change was made. */
    public data object Unknown : Outcome

    /** [requestId] identifies the line in the function's log. */
    public data class Failed(val requestId: String?) : Outcome
}

/** The result of signing in. */
public enum class SignIn {
    /** The session is new. */
    SIGNED_IN,

    /** Cognito accepted the password and requires another step, such as a code. */
    STEP_REQUIRED,

    /** Cognito reported that the password is incorrect. */
    INCORRECT,
}

/** The app's session with Cognito. The client calls it from threads of its own. */
public interface Session {
    /** Returns the access token, newly issued if [renew]; null if the session has ended. */
    public suspend fun accessToken(renew: Boolean): String?

    /**
     * Signs the same user in with this password.
     *
     * The client calls it once: after signing out everywhere, which ends this device's session too, or
     * when the answer to a change was lost. Replace the existing session only on [SignIn.SIGNED_IN].
     * Throw any exception for any other failure, for example when Cognito cannot be reached. Do not
     * keep the password.
     */
    public suspend fun signIn(password: String): SignIn
}

/**
 * Gets the policy, checks a password while the user types, and changes the password.
 *
 * [url] is the base address of the service, with or without a trailing slash. [language] is the language
 * of messages, as a BCP 47 tag such as `de`; `Locale.getDefault().toLanguageTag()` is the user's.
 */
public class PasswordClient(url: String, private val session: Session, private val language: String? = null) {
    private class Answer(val status: Int, val etag: String?, val body: JsonObject)

    private val base = url.trimEnd('/').toHttpUrl()

    // By default OkHttp resends a request when its connection breaks. If the first request had changed
    // the password, the second would fail because the previous password is wrong.
    private val http = OkHttpClient.Builder()
        .retryOnConnectionFailure(false)
        // Following a redirection could send the passwords to another server. The service never redirects.
        .followRedirects(false)
        .callTimeout(TIMEOUT_SECONDS, TimeUnit.SECONDS)
        .readTimeout(TIMEOUT_SECONDS, TimeUnit.SECONDS)
        .build()

    // A change continues when its caller is cancelled, for example when the screen rotates.
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    private var running: Deferred<Outcome>? = null

    @Volatile
    private var kept: Pair<String, Policy>? = null

    internal var pause: suspend (Double) -> Unit = { seconds -> delay((1000 * seconds).toLong()) }

    /** Returns the rules for a new password. Call it each time the form opens. Throws [IOException]. */
    public suspend fun policy(): Policy {
        val request = Request.Builder().url(url("password-policy"))
        val known = kept
        known?.let { (etag, _) -> request.header("If-None-Match", etag) }
        val answer = send(request.build())
        if (answer.status == 304 && known != null) return known.second
        if (answer.status != 200 || "rules" !in answer.body) {
            throw IOException("GET /password-policy returned ${answer.status} without a policy.")
        }
        val policy = Policy(answer.body.text("symbols").orEmpty(), answer.body.rules("rules"))
        kept = answer.etag?.let { it to policy }
        return policy
    }

    /**
     * Checks a password on the server, for the checklist and the strength bar. Changes nothing.
     *
     * Call it at each keystroke from `collectLatest`, which cancels the previous call: it waits until
     * the user stops typing. Returns null if the check failed; then keep showing the checklist without
     * a check. Throws only [CancellationException].
     */
    public suspend fun check(change: Change): Check? {
        pause(TYPING_SECONDS)
        return try {
            val checked = Change(change.previousPassword, change.proposedPassword)
            val answer = check(checked, renew = false)?.let {
                if (it.status == 401) check(checked, renew = true) else it
            }
            if (answer?.status != 200) return null
            Check(
                answer.body.rules("rules"),
                answer.body.rules("violations"),
                answer.body.list("notChecked").mapNotNull { (it as? JsonPrimitive)?.content },
                (answer.body["guessesLog10"] as? JsonPrimitive)?.takeUnless { it.isString }?.doubleOrNull,
            )
        } catch (cancelled: CancellationException) {
            throw cancelled
        } catch (_: Exception) {
            null
        }
    }

    /**
     * Changes the password. Throws only [CancellationException]; the change continues even then.
     *
     * A call while a change is running joins it and returns its outcome, whatever the new call's
     * arguments, so a double tap sends one request.
     */
    public suspend fun change(change: Change): Outcome = synchronized(scope) {
        running ?: scope.async { run(change) }.also { started ->
            running = started
            started.invokeOnCompletion { synchronized(scope) { if (running === started) running = null } }
        }
    }.await()

    private suspend fun run(change: Change): Outcome {
        var renew = false
        var renewed = false
        var sends = 0
        while (true) {
            val token = when (val result = attempt { session.accessToken(renew) }) {
                null -> return Outcome.TryLater
                else -> result.value ?: return Outcome.SignInAgain
            }
            val answer = attempt { send(request("change-password", change, token)) }?.value
                ?: return settle(change)
            if (answer.status == 200 || answer.status == 204) {
                return changed(change, answer.body.isTrue("signedOutEverywhere"))
            }
            val seconds = answer.body.int("retryAfterSeconds")?.takeIf { it >= 0 } ?: PAUSE_SECONDS
            when (val action = ACTIONS[answer.body.text("code")] ?: actionOf(answer)) {
                is Action.End -> return action.outcome

                Action.RenewToken -> {
                    if (renewed) return Outcome.SignInAgain
                    renew = true
                    renewed = true
                }

                Action.SendAgain -> {
                    sends += 1
                    if (sends == SENDS) return Outcome.TryLater
                    pause(seconds * (1 + Random.nextDouble()))
                    renew = false
                }

                Action.Settle -> return settle(change)

                Action.ListViolations -> return Outcome.PolicyViolated(answer.body.rules("violations"))

                Action.Wait -> return Outcome.Wait(seconds)

                Action.Fail -> return Outcome.Failed(answer.body.text("requestId"))
            }
        }
    }

    /** Signs this device in again if signing out everywhere ended its session. */
    private suspend fun changed(change: Change, signedOutEverywhere: Boolean): Outcome {
        val signedIn = !signedOutEverywhere ||
            attempt { session.signIn(change.proposedPassword) }?.value == SignIn.SIGNED_IN
        return Outcome.Changed(signedOutEverywhere, signedIn)
    }

    /** Finds out whether a change whose answer was lost was made. It must not be sent again. */
    private suspend fun settle(change: Change): Outcome =
        when (attempt { session.signIn(change.proposedPassword) }?.value) {
            null -> Outcome.Unknown

            SignIn.INCORRECT -> Outcome.NotChanged

            SignIn.SIGNED_IN -> Outcome.Changed(signedOutEverywhere = false, signedIn = true)

            // Signing out everywhere may have ended this device's old session too.
            SignIn.STEP_REQUIRED ->
                Outcome.Changed(signedOutEverywhere = false, signedIn = !change.signOutEverywhere)
        }

    private suspend fun check(change: Change, renew: Boolean): Answer? =
        session.accessToken(renew)?.let { send(request("check-password", change, it)) }

    private fun url(route: String): HttpUrl {
        val url = base.newBuilder().addPathSegment(route)
        language?.let { url.addQueryParameter("lang", it) }
        return url.build()
    }

    private fun request(route: String, change: Change, token: String): Request {
        val json = buildJsonObject {
            change.previousPassword?.let { put("previousPassword", it) }
            put("proposedPassword", change.proposedPassword)
            if (change.signOutEverywhere) put("signOutEverywhere", true)
        }
        return Request.Builder()
            .url(url(route))
            .header("Authorization", "Bearer $token")
            .post(OnceBody(json.toString().encodeToByteArray()))
            .build()
    }

    private suspend fun send(request: Request): Answer = suspendCancellableCoroutine { continuation ->
        val call = http.newCall(request)
        continuation.invokeOnCancellation { call.cancel() }
        call.enqueue(
            object : Callback {
                override fun onFailure(call: Call, e: IOException) = continuation.resumeWithException(e)

                override fun onResponse(call: Call, response: Response) {
                    val answer = response.use { Answer(it.code, it.header("ETag"), body(it)) }
                    continuation.resume(answer)
                }
            },
        )
    }

    /** The body; empty if it is not a complete JSON object, because the status alone is enough. */
    private fun body(response: Response): JsonObject {
        val body = try {
            Json.parseToJsonElement(response.body.string()) as? JsonObject
        } catch (_: IOException) {
            null
        } catch (_: SerializationException) {
            null
        }
        return body ?: JsonObject(emptyMap())
    }

    /** OkHttp sends a one-shot body once, even after a `408` or a `503` with `Retry-After: 0`. */
    private class OnceBody(private val json: ByteArray) : RequestBody() {
        override fun contentType() = "application/json".toMediaType()

        override fun contentLength() = json.size.toLong()

        override fun isOneShot() = true

        override fun writeTo(sink: BufferedSink) {
            sink.write(json)
        }
    }

    /** What the client does about an answer. */
    private sealed interface Action {
        class End(val outcome: Outcome) : Action

        data object RenewToken : Action

        data object SendAgain : Action

        data object Settle : Action

        data object ListViolations : Action

        data object Wait : Action

        data object Fail : Action
    }

    private class Result<T>(val value: T)

    private companion object {
        /** The maximum number of times that the client sends a change that did not reach Cognito. */
        const val SENDS = 3

        /** API Gateway waits 30 s; the client waits a little longer. */
        const val TIMEOUT_SECONDS = 35L

        /** The pause before a retry when the answer has no `retryAfterSeconds`. */
        const val PAUSE_SECONDS = 2

        /** The client checks a password when the user has not typed for this long. */
        const val TYPING_SECONDS = 0.3

        /** What the client does about each code; the service documents it in `docs/clients.md`. */
        val ACTIONS: Map<String?, Action> = mapOf(
            "malformed_request" to Action.Fail,
            "missing_token" to Action.RenewToken,
            "invalid_token" to Action.RenewToken,
            "insufficient_scope" to Action.End(Outcome.SignInAgain),
            "previous_password_incorrect" to Action.End(Outcome.PreviousPasswordIncorrect),
            "user_disabled" to Action.End(Outcome.AccountDisabled),
            "not_authorized" to Action.End(Outcome.NotAllowed),
            "password_managed_elsewhere" to Action.End(Outcome.ManagedElsewhere),
            "request_blocked" to Action.End(Outcome.NotAllowed),
            "not_found" to Action.Fail,
            "method_not_allowed" to Action.Fail,
            "password_reset_required" to Action.End(Outcome.ResetPassword),
            "user_not_confirmed" to Action.End(Outcome.ConfirmAccount),
            "payload_too_large" to Action.Fail,
            "unsupported_media_type" to Action.Fail,
            "password_policy_violation" to Action.ListViolations,
            "attempt_limit_exceeded" to Action.Wait,
            "too_many_requests" to Action.Wait,
            "internal_error" to Action.Fail,
            "upstream_error" to Action.Fail,
            "upstream_unavailable" to Action.SendAgain,
            "outcome_unknown" to Action.Settle,
        )

        /** The action for a status with an unknown code or without one, as API Gateway sends it. */
        fun actionOf(answer: Answer): Action = when {
            answer.status >= 500 || answer.status < 400 -> Action.Settle
            answer.status == 401 -> Action.RenewToken
            answer.status == 403 && "code" in answer.body -> Action.End(Outcome.NotAllowed)
            answer.status == 403 -> Action.End(Outcome.SignInAgain)
            answer.status == 429 -> Action.Wait
            else -> Action.Fail
        }

        /**
         * Returns the block's result; null if it throws any exception.
         *
         * A change is never cancelled, so even a [CancellationException] comes from the app's session,
         * for example from `withTimeout`.
         */
        inline fun <T> attempt(block: () -> T): Result<T>? = try {
            Result(block())
        } catch (_: Exception) {
            null
        }
    }
}
