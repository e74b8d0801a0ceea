import Configuration
import Testing

/// A service with tables that repeat, of each form.
private enum Sample {
    enum Kind: String, CaseIterable { case plain, special }

    struct Provider {
        var kind = Kind.plain
        var key = ""
        var perSecond = 0
        var perDay = 0
        var symbols: [String: String] = [:]
    }

    static let providers = RepeatedTable.named(
        "providers",
        "Who is asked",
        count: 1...3,
        Provider(),
        defaults: [("one", Provider(kind: .special, perDay: 25)), ("two_b", Provider())]
    ) {
        Key("kind", \.kind, "What it is").required
        Key("api_key", \.key, length: 0...20, isSecret: true, "Secret")
        Key("budget.per_second", \.perSecond, in: 0...9, "Calls a second")
        Key("budget.per_day", \.perDay, in: 0...100, "Calls a day")
        Key("symbols", \.symbols, upTo: 2, form: "names in capitals", "Other names") { $0 == $0.uppercased() }
    }

    struct Route {
        var prefix = "/"
        var retries = 2
    }

    static let routes = RepeatedTable.listed(
        "proxy",
        "A route",
        count: 0...3,
        Route(),
        defaults: [Route(prefix: "/a")]
    ) {
        Key("prefix", \.prefix, length: 1...9, "Where").required
        Key("retries", \.retries, in: 0...5, "How often")
    }

    static let rates = RepeatedTable.listed("limits.rate", "A limit", count: 0...3, 5) {
        Key("requests", \.self, in: 1...9, "How many")
    }
    static let limits = ConfigurationTable("limits", "Limits", 7) { Key("days", \.self, in: 1...9, "How long") }

    static let schema = ConfigurationSchema(
        service: "sample",
        [limits.section],
        tables: [providers.section, routes.section, rates.section]
    )
}

private func parse(_ text: String, environment: [String: String] = [:]) throws(ConfigurationProblems) -> Configuration {
    try Configuration.parse(Sample.schema, text: text, file: "sample.toml", environment: environment)
}

/// The problems of a text.
private func problems(_ text: String, environment: [String: String] = [:]) -> [String] {
    do {
        _ = try parse(text, environment: environment)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

@Suite struct RepeatedTableTests {
    @Test func `a file that does not speak of a table leaves its default rows`() throws {
        let configuration = try parse("[limits]\ndays = 3")
        #expect(configuration[Sample.providers].map(\.name) == ["one", "two_b"])
        #expect(configuration[Sample.providers].map { $0.values.kind } == [.special, .plain])
        #expect(configuration[Sample.providers].map { $0.values.perDay } == [25, 0])
        #expect(configuration[Sample.routes].map { $0.values.prefix } == ["/a"])
        #expect(configuration[Sample.rates].isEmpty)
        #expect(configuration[Sample.limits] == 3)
    }

    @Test func `a file that has the table says which rows there are, in its order`() throws {
        let configuration = try parse(
            """
            [providers.x-1]
            kind = "plain"
            budget = { per_second = 2, per_day = 50 }
            symbols = { "BRK-B" = "BRK.B" }
            [providers.one]
            budget.per_second = 1
            [[proxy]]
            prefix = "/b"
            [[proxy]]
            prefix = "/c"
            retries = 0
            [[limits.rate]]
            requests = 1
            [[limits.rate]]
            """
        )
        let providers = configuration[Sample.providers]
        #expect(providers.map(\.name) == ["x-1", "one"])
        #expect(providers[0].values.perSecond == 2)
        #expect(providers[0].values.perDay == 50)
        #expect(providers[0].values.symbols == ["BRK-B": "BRK.B"])
        // What a row does not say is as in the default row of its name.
        #expect(providers[1].values.kind == .special)
        #expect(providers[1].values.perDay == 25)
        #expect(providers[1].values.perSecond == 1)
        #expect(configuration[Sample.routes].map { $0.values.prefix } == ["/b", "/c"])
        #expect(configuration[Sample.routes].map { $0.values.retries } == [2, 0])
        #expect(configuration[Sample.rates].map { $0.values } == [1, 5])
        #expect(try parse("limits.rate = [{ requests = 3 }]")[Sample.rates].map { $0.values } == [3])
    }

    @Test func `the environment overrides a key of a row, by name or number`() throws {
        let configuration = try parse(
            "[[proxy]]\n[[proxy]]\nprefix = \"/x\"",
            environment: [
                "TICKLOOP_PROVIDERS_ONE_API_KEY": "hidden", "TICKLOOP_PROVIDERS_TWO_B_BUDGET_PER_DAY": "9",
                "TICKLOOP_PROVIDERS_ONE_SYMBOLS": #"{ "A" = "B" }"#, "TICKLOOP_PROXY_1_PREFIX": "/e",
                "TICKLOOP_PROXY_2_RETRIES": "1",
            ]
        )
        #expect(configuration[Sample.providers].map { $0.values.key } == ["hidden", ""])
        #expect(configuration[Sample.providers].map { $0.values.perDay } == [25, 9])
        #expect(configuration[Sample.providers][0].values.symbols == ["A": "B"])
        #expect(configuration[Sample.routes].map { $0.values.prefix } == ["/e", "/x"])
        #expect(configuration[Sample.routes].map { $0.values.retries } == [2, 1])
    }

    @Test(arguments: [
        ("[providers.a]\nkind = \"odd\"", "2: providers.a.kind must be one of plain, special, not \"odd\""),
        ("[providers.a]\napi_key = \"x\"", "1: providers.a.kind is required"),
        ("[providers.A]\nkind = \"plain\"", "1: providers.A is not a name of 1 to 32 characters of a-z 0-9 _ -"),
        ("[providers.one]\nbudget.per_dya = 1", "2: providers.one.budget.per_dya is not a key; did you mean per_day?"),
        ("[providers.one]\nbuget = {}", "2: providers.one.buget is not a key; did you mean budget?"),
        ("[providers.one]\n\nbudget = 5", "3: providers.one.budget must be a table, as in budget = { … }"),
        (
            "[providers.one]\nbudget = { per_day = 101 }",
            "2: providers.one.budget.per_day must be a whole number from 0"
        ),
        ("[providers.one]\nsymbols = { A = 1 }", "2: providers.one.symbols must be a table of at most 2 names in cap"),
        ("[providers.one]\nsymbols = { A = \"b\" }", "2: providers.one.symbols must be a table of at most 2 names in"),
        ("[providers]\none = 1", "2: providers.one must be a table, as in [providers.one]"),
        ("providers = 1", "1: providers must be tables, as in [providers.NAME]"),
        ("[providers]", "1: providers must be 1 to 3 tables, not 0"),
        ("[providers.a-b]\nkind=\"plain\"\n[providers.a_b]\nkind=\"plain\"", "3: providers.a_b is the same as a-b in"),
        ("[proxy]", "1: proxy must be tables, as in [[proxy]]"),
        ("[[proxy]]\nprefix = \"/\"\n\n[[proxy]]\nretries = 1", "4: proxy[2].prefix is required"),
        (
            "[[proxy]]\nprefix = \"/\"\n[[proxy]]\nprefix = 1",
            "4: proxy[2].prefix must be a text of 1 to 9 bytes, not 1"
        ),
        ("[limits]\ndays = 1\n[[limits.rate]]\nrequest = 1", "4: limits.rate[1].request is not a key; did you mean"),
        ("[limits]\nrates = 1", "2: limits.rates is not a key; did you mean rate?"),
        ("[[proxi]]", "1: proxi is not a section of sample; did you mean proxy?"),
    ])
    func `what is wrong is said with file, line and key`(text: String, complaint: String) {
        let found = problems(text)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("sample.toml:\(complaint)") == true, "\(found)")
    }

    @Test func `a wrong variable is named, and a secret never shown`() {
        #expect(
            problems("", environment: ["TICKLOOP_PROVIDERS_ONE_BUDGET_PER_DAY": "x"]) == [
                "TICKLOOP_PROVIDERS_ONE_BUDGET_PER_DAY: providers.one.budget.per_day must be a whole number from 0 to "
                    + "100, not \"x\""
            ]
        )
        let secret = "much-too-long-to-be-a-key"
        #expect(!problems("", environment: ["TICKLOOP_PROVIDERS_ONE_API_KEY": secret]).joined().contains("long-to"))
    }

    @Test func `a variable of a row that is not there is a fault, and what only looks like one is not`() {
        let environment = [
            "TICKLOOP_PROXY_3_RETRIES": "1", "TICKLOOP_PROVIDERS_NEW_BUDGET_PER_DAY": "1",
            "TICKLOOP_LIMITS_RATE_7_REQUESTS": "1", "TICKLOOP_PROXY_X_RETRIES": "1", "TICKLOOP_PROXY_RETRIES": "1",
            "TICKLOOP_PROVIDERS_ONE_MORE_API_KEY": "x", "TICKLOOP_PROXY_3_PORT_80_TCP": "tcp://10.0.0.1:80",
            "TICKLOOP_PROVIDERS_ONE_BUDGET_PER_DAY": "1",
        ]
        let complaint = "is of a row that is not there, and the environment adds none"
        #expect(
            Set(problems("", environment: environment)) == [
                "TICKLOOP_PROVIDERS_NEW_BUDGET_PER_DAY: providers.new.budget.per_day \(complaint)",
                "TICKLOOP_PROVIDERS_ONE_MORE_API_KEY: providers.one_more.api_key \(complaint)",
                "TICKLOOP_PROXY_3_RETRIES: proxy[3].retries \(complaint)",
                "TICKLOOP_LIMITS_RATE_7_REQUESTS: limits.rate[7].requests \(complaint)",
            ]
        )
    }

    @Test func `a row can say what is wrong with several keys together`() throws {
        let configuration = try parse("[providers.a]\nkind = \"plain\"\napi_key = \"x\"")
        let problem = configuration[Sample.providers][0].problem(with: "budget.per_day", "must go with it")
        #expect(problem.description == "sample.toml:1: providers.a.budget.per_day must go with it")
        let other = configuration[Sample.providers][0].problem(with: "api_key", "is odd")
        #expect(other.description == "sample.toml:3: providers.a.api_key is odd")
    }

    @Test func `rows are shown with their sources, and without secrets`() throws {
        let configuration = try parse(
            "[providers.one]\napi_key = \"hidden\"",
            environment: ["TICKLOOP_PROXY_1_RETRIES": "3"]
        )
        #expect(
            configuration.shown.hasSuffix(
                """
                [providers.one]
                kind = "special"       # default
                api_key = "***"        # sample.toml:2
                budget.per_second = 0  # default
                budget.per_day = 25    # default
                symbols = {}           # default

                [[proxy]]
                prefix = "/a"  # default
                retries = 3    # TICKLOOP_PROXY_1_RETRIES

                """
            )
        )
    }

    @Test func `the template is the defaults`() throws {
        let configuration = try parse(Sample.schema.template)
        let defaults = try parse("")
        #expect(configuration[Sample.providers].map(\.name) == defaults[Sample.providers].map(\.name))
        for day in [\Sample.Provider.perDay, \Sample.Provider.perSecond] {
            #expect(
                configuration[Sample.providers].map(\.values).map { $0[keyPath: day] }
                    == defaults[Sample.providers].map(\.values).map { $0[keyPath: day] }
            )
        }
        #expect(configuration[Sample.routes].map { $0.values.prefix } == ["/a"])
        #expect(Sample.schema.template.contains("\n# [[limits.rate]]\n"))
    }

    @Test(
        arguments: [
            ("TICKLOOP_LIMITS_DAYS", nil), ("TICKLOOP_PROVIDERS_NEW_API_KEY", nil), ("TICKLOOP_PROXY_2_PREFIX", nil),
            ("HOME", nil), ("TICKLOOP_OF_TOOLS", nil),
            ("TICKLOOP_LIMIT_DAYS", "TICKLOOP_LIMITS_DAYS"),
            ("TICKLOOP_PROVIDERS_TWO_B_API_KEE", "TICKLOOP_PROVIDERS_TWO_B_API_KEY"),
            ("TICKLOOP_API_PORT_8000_TCP", ""),
        ] as [(String, String?)]
    )
    func `a variable that belongs to no key is told, with the one that was meant`(name: String, nearest: String?) {
        let found = UnknownVariable.all(in: [name: "1"], besides: [Sample.schema], ["TICKLOOP_OF_TOOLS"])
        guard let nearest else { return #expect(found == []) }
        #expect(found.map(\.name) == [name])
        #expect(found.map { $0.nearest ?? "" } == [nearest])
    }
}
