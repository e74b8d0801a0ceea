public import Configuration
internal import Reactor
internal import WebAPI

/// `[answers]`: what a service does with its answers for browsers and their like.
public struct AnswerSettings: Sendable {
    var compresses = true
    var tellsTiming = false
    var origins: [String] = []
    var allowsCredentials = false

    /// The keys.
    public static let table = ConfigurationTable("answers", "What is done with answers for browsers", Self()) {
        Key("gzip", \.compresses, "Whether answers of 1 KiB or more are compressed for clients that take gzip")
        Key("server_timing", \.tellsTiming, "Whether answers say in Server-Timing how long they took")
        Key(
            "cors_origins",
            \.origins,
            count: 0...64,
            form: "http[s]://HOST[:PORT] or *",
            "Origins whose pages browsers let read the answers; * for all"
        ) { CrossOriginPolicy.origin($0) }
        Key(
            "cors_credentials",
            \.allowsCredentials,
            "Whether their requests may carry the user's cookies and certificates; not to *"
        )
    }
    .requiring { answers, configuration in
        guard answers.allowsCredentials, answers.origins.contains("*") else { return [] }
        return [
            configuration.problem(
                with: "answers.cors_credentials",
                "is not for every origin; name them in answers.cors_origins"
            )
        ]
    }

    /// What these say is to be done.
    @ReactorActor
    func policy(for routes: [Route]) -> AnswerPolicy? {
        AnswerPolicy(
            crossOrigin: origins.isEmpty
                ? nil : CrossOriginPolicy(origins: origins, allowsCredentials: allowsCredentials),
            compresses: compresses,
            tellsTiming: tellsTiming,
            routes: routes
        )
    }
}
