internal import HTTPWire
internal import WebAPI

/// What a request prefers, as far as it is honoured here.
///
/// - SeeAlso: RFC 7240, "Prefer Header for HTTP".
struct Preferences {
    /// The preference that is honoured.
    static let respondAsync = "respond-async"

    static let documentedParameter = RouteParameter.header(
        "Prefer",
        "`respond-async` (RFC 7240 §4.1) asks for 202 at once instead of waiting for the result. Other preferences are "
            + "ignored."
    )

    /// `respond-async`: a 202 at once instead of waiting for the result (RFC 7240 §4.1).
    let respondsAsync: Bool

    init(_ fields: HTTPFields) {
        respondsAsync = fields.values("prefer").contains { value in
            value.split(separator: ",").contains { preference in
                let token = preference.prefix { $0 != ";" && $0 != "=" }
                return token.filter { $0 != " " && $0 != "\t" }.lowercased() == Self.respondAsync
            }
        }
    }
}
