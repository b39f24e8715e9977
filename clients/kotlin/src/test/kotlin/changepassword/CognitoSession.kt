package changepassword

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import java.io.IOException

/**
 * A session for an app that calls Cognito itself, without Amplify.
 *
 * [endpoint] is `https://cognito-idp.<region>.amazonaws.com`. The app client must allow
 * `ALLOW_USER_PASSWORD_AUTH`. This example keeps the tokens in memory; on Android, encrypt the refresh
 * token with a key in the Keystore.
 */
class CognitoSession(private val endpoint: String, private val clientId: String, private val username: String) :
    Session {
    private val http = OkHttpClient.Builder().followRedirects(false).build()

    @Volatile
    private var accessToken: String? = null

    @Volatile
    private var refreshToken: String? = null

    override suspend fun accessToken(renew: Boolean): String? {
        val known = refreshToken
        if (!renew || known == null) return accessToken
        val (status, answer) = initiateAuth("REFRESH_TOKEN_AUTH", mapOf("REFRESH_TOKEN" to known))
        when {
            status == 200 -> keep(answer)

            answer.text("__type").orEmpty().endsWith("NotAuthorizedException") -> {
                accessToken = null
                refreshToken = null
            }

            else -> throw IOException("Cognito: $status")
        }
        return accessToken
    }

    override suspend fun signIn(password: String): SignIn {
        val parameters = mapOf("USERNAME" to username, "PASSWORD" to password)
        val (status, answer) = initiateAuth("USER_PASSWORD_AUTH", parameters)
        return when {
            status == 200 && "ChallengeName" in answer -> SignIn.STEP_REQUIRED

            status == 200 -> {
                keep(answer)
                SignIn.SIGNED_IN
            }

            // Other errors, such as "Password attempts exceeded", do not reveal whether it is correct.
            answer.text("message") == "Incorrect username or password." -> SignIn.INCORRECT

            else -> throw IOException("Cognito: $status")
        }
    }

    private fun keep(answer: JsonObject) {
        val tokens = answer.getValue("AuthenticationResult").jsonObject
        accessToken = tokens.text("AccessToken")
        tokens.text("RefreshToken")?.let { refreshToken = it }
    }

    private suspend fun initiateAuth(flow: String, parameters: Map<String, String>): Pair<Int, JsonObject> {
        val body = JsonObject(
            mapOf(
                "AuthFlow" to JsonPrimitive(flow),
                "ClientId" to JsonPrimitive(clientId),
                "AuthParameters" to JsonObject(parameters.mapValues { JsonPrimitive(it.value) }),
            ),
        )
        val request = Request.Builder()
            .url(endpoint)
            .header("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
            .header("Content-Type", "application/x-amz-json-1.1")
            .post(body.toString().toRequestBody())
            .build()
        return withContext(Dispatchers.IO) {
            http.newCall(request).execute().use {
                it.code to Json.parseToJsonElement(it.body.string()).jsonObject
            }
        }
    }
}
