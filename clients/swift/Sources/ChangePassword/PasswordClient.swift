import Foundation

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// A requested change; `previousPassword` is nil for a user who has no password yet.
public struct Change: Sendable {
    public var previousPassword: String?
    public var proposedPassword: String
    public var signOutEverywhere: Bool

    public init(previousPassword: String?, proposedPassword: String, signOutEverywhere: Bool = false) {
        self.previousPassword = previousPassword
        self.proposedPassword = proposedPassword
        self.signOutEverywhere = signOutEverywhere
    }
}

/// The outcome of a change: one case for each reaction of the app.
public enum Outcome: Sendable {
    /// `signedIn` is false if this device's session has ended and the user must sign in again.
    case changed(signedOutEverywhere: Bool, signedIn: Bool)
    case previousPasswordIncorrect
    case policyViolated([Rule])
    case wait(seconds: Int)
    case signInAgain
    case resetPassword
    case confirmAccount
    case accountDisabled
    case notAllowed
    /// The user signs in through another identity provider and has no password here.
    case managedElsewhere
    /// Cognito was unavailable, or the session could not provide a token. Nothing was changed.
    case tryLater
    /// The answer was lost, but the new password does not sign in, so the change was not made.
    case notChanged
    /// The answer was lost, and signing in did not settle whether the change was made.
    case unknown
    /// `requestId` identifies the line in the function's log.
    case failed(requestId: String?)
}

/// The result of signing in.
public enum SignIn: Sendable {
    /// The session is new.
    case signedIn
    /// Cognito accepted the password and requires another step, such as a code.
    case stepRequired
    /// Cognito reported that the password is incorrect.
    case incorrect
}

/// The app's session with Cognito.
public protocol Session: Sendable {
    /// Returns the access token, newly issued if `renew`; nil if the session has ended.
    func accessToken(renew: Bool) async throws -> String?

    /// Signs the same user in with this password.
    ///
    /// The client calls it once: after signing out everywhere, which ends this device's session too, or
    /// when the answer to a change was lost. Replace the existing session only on `signedIn`. Throw for
    /// any other failure, for example when Cognito cannot be reached. Do not keep the password.
    func signIn(password: String) async throws -> SignIn
}

/// Gets the policy, checks a password while the user types, and changes the password.
public actor PasswordClient {
    private struct Answer {
        let status: Int
        let etag: String?
        /// The body; null if it is not complete JSON, because the status alone is enough.
        let body: JSON
    }

    /// What the client does about an answer.
    private enum Action {
        case end(Outcome), renewToken, sendAgain, settle, listViolations, wait, fail
    }

    /// What the client does about each code; the service documents it in `docs/clients.md`.
    private static let actions: [String: Action] = [
        "malformed_request": .fail,
        "missing_token": .renewToken,
        "invalid_token": .renewToken,
        "insufficient_scope": .end(.signInAgain),
        "previous_password_incorrect": .end(.previousPasswordIncorrect),
        "user_disabled": .end(.accountDisabled),
        "not_authorized": .end(.notAllowed),
        "password_managed_elsewhere": .end(.managedElsewhere),
        "request_blocked": .end(.notAllowed),
        "not_found": .fail,
        "method_not_allowed": .fail,
        "password_reset_required": .end(.resetPassword),
        "user_not_confirmed": .end(.confirmAccount),
        "payload_too_large": .fail,
        "unsupported_media_type": .fail,
        "password_policy_violation": .listViolations,
        "attempt_limit_exceeded": .wait,
        "too_many_requests": .wait,
        "internal_error": .fail,
        "upstream_error": .fail,
        "upstream_unavailable": .sendAgain,
        "outcome_unknown": .settle,
    ]

    /// The maximum number of times that the client sends a change that did not reach Cognito.
    private static let sends = 3
    /// API Gateway waits 30 s; the client waits a little longer.
    private static let timeout: TimeInterval = 35
    /// The pause before a retry when the answer has no `retryAfterSeconds`.
    private static let pauseSeconds = 2
    /// The client checks a password when the user has not typed for this long.
    private static let typingSeconds = 0.3

    private let url: URL
    private let session: any Session
    private let language: String?
    private let pause: @Sendable (Double) async throws -> Void
    private let http: URLSession
    private var kept: (etag: String, policy: Policy)?
    private var running: Task<Outcome, Never>?

    /// `url` is the base address of the service, with or without a trailing slash. `language` is the
    /// language of messages, as a BCP 47 tag such as `de`: `Bundle.main.preferredLocalizations.first`.
    public init(url: URL, session: any Session, language: String? = nil) {
        self.init(url: url, session: session, language: language) { seconds in
            try await Task.sleep(nanoseconds: UInt64(seconds * 1_000_000_000))
        }
    }

    init(
        url: URL, session: any Session, language: String? = nil,
        pause: @escaping @Sendable (Double) async throws -> Void
    ) {
        self.url = url
        self.session = session
        self.language = language
        self.pause = pause
        let configuration = URLSessionConfiguration.ephemeral
        configuration.timeoutIntervalForRequest = Self.timeout
        configuration.timeoutIntervalForResource = Self.timeout
        // A cache would turn a 304 into the 200 that it stored.
        configuration.urlCache = nil
        http = URLSession(configuration: configuration, delegate: NoRedirects(), delegateQueue: nil)
    }

    deinit {
        http.finishTasksAndInvalidate()
    }

    /// Returns the rules for a new password. Call it each time the form opens. Throws on failure.
    public func policy() async throws -> Policy {
        var request = URLRequest(url: address("password-policy"))
        let known = kept
        if let known { request.setValue(known.etag, forHTTPHeaderField: "If-None-Match") }
        let answer = try await send(request)
        if answer.status == 304, let known { return known.policy }
        guard answer.status == 200, case .array? = answer.body["rules"] else {
            throw URLError(.badServerResponse)
        }
        let policy = Policy(
            symbols: answer.body["symbols"]?.string ?? "",
            passwordRules: answer.body["passwordRules"]?.string ?? "",
            rules: Rule.list(answer.body["rules"])
        )
        kept = answer.etag.map { ($0, policy) }
        return policy
    }

    /// Checks a password on the server, for the checklist and the strength bar. Changes nothing.
    ///
    /// Call it at each keystroke, from a task that the next keystroke cancels, such as SwiftUI's
    /// `.task(id: proposed)`: it waits until the user stops typing. Returns nil if it was cancelled or
    /// failed; then keep showing the checklist without a check.
    public func check(previous: String?, proposed: String) async -> Check? {
        let change = Change(previousPassword: previous, proposedPassword: proposed)
        do {
            try await pause(Self.typingSeconds)
            var answer = try await check(change, renew: false)
            if answer?.status == 401 { answer = try await check(change, renew: true) }
            guard let answer, answer.status == 200, !Task.isCancelled else { return nil }
            return Check(
                rules: Rule.list(answer.body["rules"]),
                violations: Rule.list(answer.body["violations"]),
                notChecked: answer.body["notChecked"]?.array.compactMap(\.string) ?? [],
                guessesLog10: answer.body["guessesLog10"]?.number
            )
        } catch {
            return nil
        }
    }

    /// Changes the password.
    ///
    /// A call while a change is running joins it and returns its outcome, whatever the new call's
    /// arguments, so a double tap sends one request. A change continues when its caller is cancelled.
    public func change(_ change: Change) async -> Outcome {
        if let running { return await running.value }
        let task = Task { await run(change) }
        running = task
        defer { running = nil }
        return await task.value
    }

    private func run(_ change: Change) async -> Outcome {
        var renew = false
        var renewed = false
        var sends = 0
        while true {
            let token: String
            do {
                guard let found = try await session.accessToken(renew: renew) else { return .signInAgain }
                token = found
            } catch {
                return .tryLater
            }
            guard let answer = try? await send(request("change-password", change, token: token)) else {
                return await settle(change)
            }
            if answer.status == 200 || answer.status == 204 {
                let signedOut = answer.body["signedOutEverywhere"] == .bool(true)
                return await changed(change, signedOutEverywhere: signedOut)
            }
            let told = answer.body["retryAfterSeconds"]?.int ?? -1
            let seconds = told >= 0 ? told : Self.pauseSeconds
            switch answer.body["code"]?.string.flatMap({ Self.actions[$0] }) ?? Self.action(for: answer) {
            case .end(let outcome):
                return outcome
            case .renewToken:
                if renewed { return .signInAgain }
                renew = true
                renewed = true
            case .sendAgain:
                sends += 1
                if sends == Self.sends { return .tryLater }
                // A change is never cancelled, so sleeping cannot fail.
                try? await pause(Double(seconds) * Double.random(in: 1..<2))
                renew = false
            case .settle:
                return await settle(change)
            case .listViolations:
                return .policyViolated(Rule.list(answer.body["violations"]))
            case .wait:
                return .wait(seconds: seconds)
            case .fail:
                return .failed(requestId: answer.body["requestId"]?.string)
            }
        }
    }

    /// Signs this device in again if signing out everywhere ended its session.
    private func changed(_ change: Change, signedOutEverywhere: Bool) async -> Outcome {
        guard signedOutEverywhere else { return .changed(signedOutEverywhere: false, signedIn: true) }
        let result = try? await session.signIn(password: change.proposedPassword)
        return .changed(signedOutEverywhere: true, signedIn: result == .signedIn)
    }

    /// Finds out whether a change whose answer was lost was made. It must not be sent again.
    private func settle(_ change: Change) async -> Outcome {
        switch try? await session.signIn(password: change.proposedPassword) {
        case .signedIn: return .changed(signedOutEverywhere: false, signedIn: true)
        // Signing out everywhere may have ended this device's old session too.
        case .stepRequired: return .changed(signedOutEverywhere: false, signedIn: !change.signOutEverywhere)
        case .incorrect: return .notChanged
        case nil: return .unknown
        }
    }

    private func check(_ change: Change, renew: Bool) async throws -> Answer? {
        guard let token = try await session.accessToken(renew: renew) else { return nil }
        return try await send(request("check-password", change, token: token))
    }

    private func address(_ route: String) -> URL {
        let address = url.appendingPathComponent(route)
        guard let language, var parts = URLComponents(url: address, resolvingAgainstBaseURL: false) else {
            return address
        }
        parts.queryItems = [URLQueryItem(name: "lang", value: language)]
        return parts.url ?? address
    }

    private func request(_ route: String, _ change: Change, token: String) throws -> URLRequest {
        struct Body: Encodable {
            let previousPassword: String?
            let proposedPassword: String
            let signOutEverywhere: Bool?
        }
        var request = URLRequest(url: address(route))
        request.httpMethod = "POST"
        request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.httpBody = try JSONEncoder().encode(
            Body(
                previousPassword: change.previousPassword,
                proposedPassword: change.proposedPassword,
                signOutEverywhere: change.signOutEverywhere ? true : nil
            )
        )
        return request
    }

    private func send(_ request: URLRequest) async throws -> Answer {
        let (data, response) = try await http.data(for: request)
        guard let response = response as? HTTPURLResponse else { throw URLError(.badServerResponse) }
        return Answer(
            status: response.statusCode,
            etag: response.value(forHTTPHeaderField: "ETag"),
            body: (try? JSONDecoder().decode(JSON.self, from: data)) ?? .null
        )
    }

    /// The action for a status with an unknown code or without one, as API Gateway sends it.
    private static func action(for answer: Answer) -> Action {
        switch answer.status {
        case ..<400, 500...: return .settle
        case 401: return .renewToken
        case 403: return .end(answer.body["code"] == nil ? .signInAgain : .notAllowed)
        case 429: return .wait
        default: return .fail
        }
    }
}

/// Following a redirection could send the passwords to another server. The service never redirects.
private final class NoRedirects: NSObject, URLSessionTaskDelegate, Sendable {
    func urlSession(
        _ session: URLSession,
        task: URLSessionTask,
        willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest,
        completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        completionHandler(nil)
    }
}
