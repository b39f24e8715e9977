import ChangePassword
import Foundation

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// A session for an app that calls Cognito itself, without Amplify.
///
/// `endpoint` is `https://cognito-idp.<region>.amazonaws.com`. The app client must allow
/// `ALLOW_USER_PASSWORD_AUTH`. This example keeps the tokens in memory; keep the refresh token in the
/// Keychain.
actor CognitoSession: Session {
    private struct Unexpected: Error {
        let status: Int
    }

    private let endpoint: URL
    private let clientId: String
    private let username: String
    private var accessToken: String?
    private var refreshToken: String?

    init(endpoint: URL, clientId: String, username: String) {
        self.endpoint = endpoint
        self.clientId = clientId
        self.username = username
    }

    func accessToken(renew: Bool) async throws -> String? {
        guard renew, let refreshToken else { return accessToken }
        let (status, answer) = try await initiateAuth("REFRESH_TOKEN_AUTH", ["REFRESH_TOKEN": refreshToken])
        if status == 200 {
            keep(answer)
        } else if answer["__type"]?.string?.hasSuffix("NotAuthorizedException") == true {
            (self.accessToken, self.refreshToken) = (nil, nil)
        } else {
            throw Unexpected(status: status)
        }
        return accessToken
    }

    func signIn(password: String) async throws -> SignIn {
        let parameters = ["USERNAME": username, "PASSWORD": password]
        let (status, answer) = try await initiateAuth("USER_PASSWORD_AUTH", parameters)
        if status == 200 {
            if answer["ChallengeName"]?.string != nil { return .stepRequired }
            keep(answer)
            return .signedIn
        }
        // Other errors, such as "Password attempts exceeded", do not reveal whether it is correct.
        if answer["message"]?.string == "Incorrect username or password." { return .incorrect }
        throw Unexpected(status: status)
    }

    private func keep(_ answer: JSON) {
        let tokens = answer["AuthenticationResult"]
        accessToken = tokens?["AccessToken"]?.string
        refreshToken = tokens?["RefreshToken"]?.string ?? refreshToken
    }

    private func initiateAuth(_ flow: String, _ parameters: [String: String]) async throws -> (Int, JSON) {
        struct Body: Encodable {
            let AuthFlow: String
            let ClientId: String
            let AuthParameters: [String: String]
        }
        var request = URLRequest(url: endpoint)
        request.httpMethod = "POST"
        request.setValue("application/x-amz-json-1.1", forHTTPHeaderField: "Content-Type")
        let target = "AWSCognitoIdentityProviderService.InitiateAuth"
        request.setValue(target, forHTTPHeaderField: "X-Amz-Target")
        let body = Body(AuthFlow: flow, ClientId: clientId, AuthParameters: parameters)
        request.httpBody = try JSONEncoder().encode(body)
        let (data, response) = try await URLSession.shared.data(for: request)
        let status = (response as? HTTPURLResponse)?.statusCode ?? 0
        return (status, try JSONDecoder().decode(JSON.self, from: data))
    }
}
