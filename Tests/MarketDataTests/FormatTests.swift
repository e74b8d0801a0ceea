import HTTPWire
import JSONWire
import Testing

@testable import MarketData

@Suite struct FormatTests {
    /// What a provider's answer is read as.
    private func verdict(
        _ kind: ProviderKind,
        _ body: String,
        symbol: String = "AAPL",
        status: HTTPStatus = .ok,
        type: String? = "application/json;charset=utf-8",
        fields: HTTPFields = HTTPFields()
    ) -> ProviderVerdict {
        var fields = fields
        if let type { fields.append("Content-Type", type) }
        let answer = ProviderAnswer(
            status: status,
            fields: fields,
            body: Array(body.utf8),
            receivedAt: Timestamp(unixTime: .seconds(1_780_000_000))
        )
        return kind.format.read(answer, symbol: symbol)
    }

    private func price(_ text: String, _ currency: String?, at seconds: Int) throws -> ProviderVerdict {
        .price(try #require(QuotePrice(text)), currency: currency, time: Timestamp(unixTime: .seconds(seconds)))
    }

    // MARK: Yahoo

    @Test(arguments: [
        (RecordedAnswers.apple, "AAPL", "220.003", "USD", 1_742_824_293),
        (RecordedAnswers.bitcoin, "BTC-USD", "97208.17", "USD", 1_740_051_840),
        (RecordedAnswers.euro, "EURUSD=X", "1.0436", "USD", 1_740_052_002),
        (RecordedAnswers.ocado, "OCDO.L", "305.3", "GBp", 1_740_051_143),
    ])
    func `recorded answers are the prices that they say`(
        body: String,
        symbol: String,
        text: String,
        currency: String,
        seconds: Int
    ) throws {
        #expect(verdict(.yahoo, body, symbol: symbol) == (try price(text, currency, at: seconds)))
    }

    private func chart(meta: String, rest: String = "") -> String {
        #"{"chart":{"result":[{"meta":{\#(meta)}\#(rest)}],"error":null}}"#
    }

    @Test func `where price or time is missing, the newest pair of the arrays counts`() throws {
        let rest = """
            ,"timestamp":[100,200,300,400],"indicators":{"quote":[{"close":[1.5,2.5,null,0,5.5]}]}
            """
        for meta in [
            #""currency":"USD""#, #""currency":"USD","regularMarketPrice":9"#,
            #""currency":"USD","regularMarketPrice":0,"regularMarketTime":900"#,
        ] {
            #expect(verdict(.yahoo, chart(meta: meta, rest: rest)) == (try price("2.5", "USD", at: 200)))
        }
        let both = #""regularMarketPrice":9,"regularMarketTime":900"#
        #expect(verdict(.yahoo, chart(meta: both, rest: rest)) == (try price("9", nil, at: 900)))
    }

    @Test(arguments: [
        "", #","indicators":{"quote":[{}]}"#, #","timestamp":[1],"indicators":{"quote":[{"close":[null]}]}"#,
        #","timestamp":[],"indicators":{"quote":[]}"#, #","timestamp":[1],"indicators":{"quote":[{"close":[0]}]}"#,
    ])
    func `a symbol without a price has none now`(rest: String) {
        #expect(verdict(.yahoo, chart(meta: #""symbol":"AAPL""#, rest: rest)) == .noData)
    }

    @Test func `the provider's code says that it does not know the symbol`() {
        let body = #"{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}"#
        #expect(verdict(.yahoo, body, status: .notFound) == .unknownSymbol)
        #expect(verdict(.yahoo, body) == .unknownSymbol)
        #expect(verdict(.yahoo, #"{"chart":null}"#, status: .notFound) == .unknownSymbol)
        // Absence alone says nothing.
        for body in [#"{"chart":null}"#, #"{"chart":{"result":null,"error":null}}"#, #"{"chart":{"result":[]}}"#, "{}"]
        {
            #expect(verdict(.yahoo, body).isMalformed, "\(body)")
        }
        #expect(verdict(.yahoo, "<html>", status: .notFound, type: "text/html").isMalformed)
        let other = #"{"chart":{"result":null,"error":{"code":"Bad Request"}}}"#
        #expect(verdict(.yahoo, other, status: .badRequest) == .malformed("its code is Bad Request"))
    }

    @Test(arguments: [
        #""regularMarketPrice":"9","regularMarketTime":900"#, #""regularMarketPrice":9,"regularMarketTime":"900""#,
        #""regularMarketPrice":9,"regularMarketTime":900000000000000"#,
        #""regularMarketPrice":9,"regularMarketTime":0"#,
        #""regularMarketPrice":1e99,"regularMarketTime":900"#,
        #""regularMarketPrice":9,"regularMarketTime":1900000000"#,
        #""symbol":"MSFT","regularMarketPrice":9,"regularMarketTime":900"#,
    ])
    func `what is no price of that symbol is malformed`(meta: String) {
        #expect(verdict(.yahoo, chart(meta: meta)).isMalformed)
    }

    @Test(arguments: [
        ("80.0999984741211", "80.1"), ("80.0999984741210938", "80.1"), ("80.3499984741211", "80.35"),
        ("71.6966247558594", "71.696625"), ("166.69000244140625", "166.69"), ("162.14999389648438", "162.15"),
        ("7200.17431640625", "7200.1743"), ("110.11", "110.11"), ("24.219999", "24.219999"), ("97208.17", "97208.17"),
        ("110.015625", "110.015625"), ("123456792", "123456792"), ("65536.0625", "65536.0625"),
        ("1.1220825910568237", "1.1220826"), ("0.1", "0.1"),
        ("12.3400001525879", "12.34"), ("-37.6300010681152", "-37.63"),
    ])
    func `the noise of 32 bits is taken away where it is certain`(text: String, clean: String) throws {
        let meta = "\"regularMarketPrice\":\(text),\"regularMarketTime\":900"
        #expect(verdict(.yahoo, chart(meta: meta)) == (try price(clean, nil, at: 900)))
    }

    // MARK: Alpha Vantage

    private func globalQuote(_ price: String, key: String = "Global Quote", day: String = "2025-03-21") -> String {
        """
        {"\(key)":{"01. symbol":"AAPL","02. open":"1","05. price":"\(price)","06. volume":"10",\
        "07. latest trading day":"\(day)","10. change percent":"1.5%"}}
        """
    }

    @Test func `a global quote is a price of its day`() throws {
        let expected = try price("220.25", nil, at: 1_742_515_200)
        #expect(verdict(.alphaVantage, globalQuote("220.2500")) == expected)
        #expect(
            verdict(.alphaVantage, globalQuote("220.2500", key: "Global Quote - DATA DELAYED BY 15 MINUTES"))
                == expected
        )
    }

    @Test(arguments: ["Note", "Information", "Error Message"])
    func `which key there is says that it refuses, not in which words`(key: String) {
        #expect(verdict(.alphaVantage, "{\"\(key)\":\"whatever\"}") == .refused(retryAfter: nil))
        #expect(verdict(.alphaVantage, "{\"Global Quote\":{},\"\(key)\":\"x\"}") == .refused(retryAfter: nil))
    }

    @Test func `odd answers of Alpha Vantage`() {
        #expect(verdict(.alphaVantage, #"{"Global Quote":{}}"#) == .unknownSymbol)
        #expect(verdict(.alphaVantage, globalQuote("0.0000")) == .noData)
        for body in [
            globalQuote("None"), globalQuote("1", day: "2025-02-30"), globalQuote("1", day: ""), "{}", "[]", "null",
            #"{"Global Quote":null}"#, #"{"Global Quote":{"05. price":5}}"#, #"{"Global Quote":{"05. price":"5"}}"#,
        ] {
            #expect(verdict(.alphaVantage, body).isMalformed, "\(body)")
        }
        #expect(verdict(.alphaVantage, globalQuote("5"), symbol: "MSFT").isMalformed)
    }

    // MARK: Finnhub

    @Test func `a quote of Finnhub`() throws {
        let body = #"{"c":261.74,"d":0.5,"dp":0.19,"h":263.31,"l":260.68,"o":261.07,"pc":259.45,"t":1582641000}"#
        #expect(verdict(.finnhub, body) == (try price("261.74", nil, at: 1_582_641_000)))
        let first = #"{"c":261.74,"d":null,"dp":null,"pc":0,"t":1582641000}"#
        #expect(verdict(.finnhub, first) == (try price("261.74", nil, at: 1_582_641_000)))
    }

    @Test func `odd answers of Finnhub`() {
        let zeros = #"{"c":0,"d":null,"dp":null,"h":0,"l":0,"o":0,"pc":0,"t":0}"#
        #expect(verdict(.finnhub, zeros) == .unknownSymbol)
        #expect(verdict(.finnhub, #"{"c":0,"d":null,"t":5}"#) == .unknownSymbol)
        #expect(verdict(.finnhub, #"{"c":5,"d":1,"t":0}"#) == .unknownSymbol)
        #expect(verdict(.finnhub, #"{"c":0,"d":-5,"t":5}"#) == .noData)
        #expect(verdict(.finnhub, #"{"error":"API limit reached."}"#) == .refused(retryAfter: nil))
        for body in ["{}", "[]", #"{"c":"5","d":1,"t":5}"#, #"{"c":5,"d":1}"#, #"{"c":5,"d":1,"t":-5}"#] {
            #expect(verdict(.finnhub, body).isMalformed, "\(body)")
        }
    }

    // MARK: All

    @Test(arguments: ProviderKind.allCases)
    func `status and type are looked at before any body`(kind: ProviderKind) {
        let price =
            switch kind {
            case .yahoo: chart(meta: #""regularMarketPrice":9,"regularMarketTime":900"#)
            case .alphaVantage: globalQuote("9")
            case .finnhub: #"{"c":9,"d":1,"t":900}"#
            }
        for status in [HTTPStatus.tooManyRequests, .unauthorized, .forbidden] {
            #expect(verdict(kind, price, status: status) == .refused(retryAfter: nil))
            #expect(
                verdict(kind, "Too Many Requests\r\n", status: status, type: "text/plain") == .refused(retryAfter: nil)
            )
        }
        for (text, seconds) in [
            ("7", 7), ("0", 0), ("99999999999999999999", 86_400), ("Thu, 28 May 2026 20:27:10 GMT", 30),
            ("Thu, 28 May 2020 20:27:10 GMT", 0), ("Thu, 28 May 2099 20:27:10 GMT", 86_400),
        ] {
            #expect(
                verdict(kind, price, status: .tooManyRequests, fields: ["Retry-After": text])
                    == .refused(retryAfter: .seconds(seconds))
            )
        }
        for nonsense in ["", "-1", "+7", "1e3", "soon", "28 May 2026"] {
            #expect(
                verdict(kind, price, status: .tooManyRequests, fields: ["Retry-After": nonsense])
                    == .refused(retryAfter: nil)
            )
        }
        let reset: HTTPFields = ["X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "1780000009"]
        #expect(
            verdict(kind, "", status: .tooManyRequests, type: nil, fields: reset) == .refused(retryAfter: .seconds(9))
        )
        for nonsense in ["-9223372036854775808", "9223372036854775807", "1780000000", "1780086401"] {
            #expect(
                verdict(kind, "", status: .tooManyRequests, type: nil, fields: ["X-Ratelimit-Reset": nonsense])
                    == .refused(retryAfter: nil)
            )
        }
        #expect(
            verdict(kind, "", status: .serviceUnavailable, fields: ["Retry-After": "9"])
                == .refused(retryAfter: .seconds(9))
        )
        for status in [HTTPStatus.internalServerError, .badGateway, .serviceUnavailable] {
            let page = verdict(kind, "<html>", status: status, type: "text/html")
            #expect(page == .failed("it answered with status \(status.code)"))
        }
        for type in ["text/html", "text/plain; charset=utf-8", "application/octet-stream", "json", nil] {
            #expect(verdict(kind, price, type: type).isMalformed)
        }
        for status in [HTTPStatus.found, .movedPermanently, .noContent, .created, .gone] {
            #expect(verdict(kind, price, status: status).isMalformed)
        }
        for body in ["", "150.25", "\"150.25\"", "Too Many Requests", String(price.dropLast()), price + "x", "<html>"] {
            #expect(verdict(kind, body).isMalformed, "\(body)")
        }
    }

    @Test func `symbols and keys are escaped, and Finnhub's key is in no URL`() {
        #expect(YahooChart.question("^GSPC", key: "k").target.hasPrefix("/v8/finance/chart/%5EGSPC?"))
        #expect(YahooChart.question("M&M.NS", key: "").target.hasPrefix("/v8/finance/chart/M%26M.NS?"))
        #expect(YahooChart.question("EURUSD=X", key: "").target.hasPrefix("/v8/finance/chart/EURUSD%3DX?"))
        let vantage = AlphaVantageQuote.question("M&M.NS", key: "a&b").target
        #expect(vantage == "/query?function=GLOBAL_QUOTE&symbol=M%26M.NS&apikey=a%26b")
        let finnhub = FinnhubQuote.question("BINANCE:BTCUSDT", key: "secret")
        #expect(finnhub.target == "/api/v1/quote?symbol=BINANCE%3ABTCUSDT")
        #expect(finnhub.fields == ["X-Finnhub-Token": "secret"])
    }
}

extension ProviderVerdict {
    var isMalformed: Bool { if case .malformed = self { true } else { false } }
}
