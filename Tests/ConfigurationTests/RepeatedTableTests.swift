import Configuration
import Testing

/// A service with tables that repeat, of each form.
private enum Sample {
    enum Kind: String, CaseIterable { case plain, special }

    static let kind = ConfigurationKey<Kind>.choice("kind", default: .plain, "What it is").required
    static let key = ConfigurationKey<String>.text("api_key", default: "", length: 0...20, isSecret: true, "Secret")
    static let perDay = ConfigurationKey<Int>.integer("budget.per_day", default: 0, in: 0...100, "Calls a day")
    static let perSecond = ConfigurationKey<Int>.integer("budget.per_second", default: 0, in: 0...9, "Calls a second")
    static let symbols = ConfigurationKey<[String: String]>.map(
        "symbols",
        count: 2,
        form: "names in capitals",
        "Other names"
    ) { $0 == $0.uppercased() }

    static let providers = RepeatedTable.named(
        "providers",
        "Who is asked",
        count: 1...3,
        defaults: [
            .init("one", kind.defaulting(to: .special), perDay.defaulting(to: 25)), .init("two_b", kind),
        ],
        kind,
        key,
        perSecond,
        perDay,
        symbols
    )

    static let prefix = ConfigurationKey<String>.text("prefix", default: "/", length: 1...9, "Where").required
    static let retries = ConfigurationKey<Int>.integer("retries", default: 2, in: 0...5, "How often")
    static let routes = RepeatedTable.listed(
        "proxy",
        "A route",
        count: 0...3,
        defaults: [.init(prefix.defaulting(to: "/a"))],
        prefix,
        retries
    )

    static let requests = ConfigurationKey<Int>.integer("requests", default: 5, in: 1...9, "How many")
    static let rates = RepeatedTable.listed("limits.rate", "A limit", count: 0...3, requests)
    static let days = ConfigurationKey<Int>.integer("limits.days", default: 7, in: 1...9, "How long")

    static let schema = ConfigurationSchema(
        service: "sample",
        [ConfigurationSection("limits", "Limits", days)],
        tables: [providers, routes, rates]
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
        #expect(configuration[Sample.providers].map { $0[Sample.kind] } == [.special, .plain])
        #expect(configuration[Sample.providers].map { $0[Sample.perDay] } == [25, 0])
        #expect(configuration[Sample.routes].map { $0[Sample.prefix] } == ["/a"])
        #expect(configuration[Sample.rates].isEmpty)
        #expect(configuration[Sample.days] == 3)
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
        #expect(providers[0][Sample.perSecond] == 2)
        #expect(providers[0][Sample.perDay] == 50)
        #expect(providers[0][Sample.symbols] == ["BRK-B": "BRK.B"])
        // What a row does not say is as in the default row of its name.
        #expect(providers[1][Sample.kind] == .special)
        #expect(providers[1][Sample.perDay] == 25)
        #expect(providers[1][Sample.perSecond] == 1)
        #expect(configuration[Sample.routes].map { $0[Sample.prefix] } == ["/b", "/c"])
        #expect(configuration[Sample.routes].map { $0[Sample.retries] } == [2, 0])
        #expect(configuration[Sample.rates].map { $0[Sample.requests] } == [1, 5])
        #expect(try parse("limits.rate = [{ requests = 3 }]")[Sample.rates].map { $0[Sample.requests] } == [3])
    }

    @Test func `the environment overrides a key of a row, by name or number`() throws {
        let configuration = try parse(
            "[[proxy]]\n[[proxy]]\nprefix = \"/x\"",
            environment: [
                "TICKLOOP_PROVIDERS_ONE_API_KEY": "hidden", "TICKLOOP_PROVIDERS_TWO_B_BUDGET_PER_DAY": "9",
                "TICKLOOP_PROVIDERS_ONE_SYMBOLS": #"{ "A" = "B" }"#, "TICKLOOP_PROXY_1_PREFIX": "/e",
                "TICKLOOP_PROXY_2_RETRIES": "1", "TICKLOOP_PROXY_9_RETRIES": "nobody's",
            ]
        )
        #expect(configuration[Sample.providers].map { $0[Sample.key] } == ["hidden", ""])
        #expect(configuration[Sample.providers].map { $0[Sample.perDay] } == [25, 9])
        #expect(configuration[Sample.providers][0][Sample.symbols] == ["A": "B"])
        #expect(configuration[Sample.routes].map { $0[Sample.prefix] } == ["/e", "/x"])
        #expect(configuration[Sample.routes].map { $0[Sample.retries] } == [2, 1])
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

    @Test func `a row can say what is wrong with several keys together`() throws {
        let configuration = try parse("[providers.a]\nkind = \"plain\"\napi_key = \"x\"")
        let problem = configuration[Sample.providers][0].problem(with: Sample.perDay, "must go with it")
        #expect(problem.description == "sample.toml:1: providers.a.budget.per_day must go with it")
        let other = configuration[Sample.providers][0].problem(with: Sample.key, "is odd")
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
        for key in [Sample.perDay, Sample.perSecond] {
            #expect(configuration[Sample.providers].map { $0[key] } == defaults[Sample.providers].map { $0[key] })
        }
        #expect(configuration[Sample.routes].map { $0[Sample.prefix] } == ["/a"])
        #expect(Sample.schema.template.contains("\n# [[limits.rate]]\n"))
    }
}
