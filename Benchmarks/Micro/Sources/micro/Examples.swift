internal import HTTPWire

/// Messages as they travel through a running system.
enum Example {
    static let query = "start_date=2025-01-06&end_date=2025-01-20"
    static let target = "/prices/average?\(query)"
    static let requestID = "b5da5cec7400e1405d65869c84954c1c"
    static let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    /// As wrk sends it.
    static let request = get(target)

    static func get(_ target: String) -> String { "GET \(target) HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n" }

    static let browserRequest = """
        GET \(target) HTTP/1.1\r
        Host: 127.0.0.1:8080\r
        Connection: keep-alive\r
        sec-ch-ua: "Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"\r
        sec-ch-ua-mobile: ?0\r
        sec-ch-ua-platform: "Linux"\r
        Upgrade-Insecure-Requests: 1\r
        User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0\r
        Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r
        Sec-Fetch-Site: none\r
        Sec-Fetch-Mode: navigate\r
        Sec-Fetch-User: ?1\r
        Sec-Fetch-Dest: document\r
        Accept-Encoding: gzip, deflate, br, zstd\r
        Accept-Language: en-GB,en;q=0.9,de;q=0.8\r
        \r\n
        """

    /// What the internal API answers to the gateway.
    static let response = response(saying: "Date: Wed, 01 Jan 2025 00:00:00 GMT")

    /// What an upstream answers that a proxy may keep.
    static let keptResponse = response(saying: "Cache-Control: max-age=3600")

    private static func response(saying line: String) -> String {
        """
        HTTP/1.1 200 OK\r
        \(line)\r
        Content-Type: application/json\r
        X-Request-Id: \(requestID)\r
        Content-Length: \(answer(days: 15).utf8.count)\r
        \r
        \(answer(days: 15))
        """
    }

    /// The body of an answer about averages.
    static func answer(days count: Int) -> String {
        let rows = days(count).map { #"{"date":"\#($0.date)","average_price":\#($0.price)}"# }
        return #"{"data":[\#(rows.joined(separator: ","))]}"#
    }

    /// Days of January 2025 with a price each.
    static func days(_ count: Int) -> [(date: String, price: String)] {
        (1...count).map { (date: "2025-01-\($0 < 10 ? "0" : "")\($0)", price: "\(100 + $0).4\($0)") }
    }

    static var requestHead: RequestHead { ServerSide().request(in: Array(request.utf8)) }
}
