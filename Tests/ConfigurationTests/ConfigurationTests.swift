import Configuration
import Testing

/// A service with a key of each kind.
private enum Sample {
    enum Colour: String, CaseIterable { case red, green }

    static let count = ConfigurationKey<Int>.integer("first.count", default: 7, in: 1...10, "How many")
    static let share = ConfigurationKey<Double>.number("first.share", default: 0.5, in: 0...1, "Which part")
    static let isOn = ConfigurationKey<Bool>.boolean("first.on", default: false, "Whether")
    static let name = ConfigurationKey<String>.text("first.name", default: "x", length: 1...5, "What it is called")
    static let colour = ConfigurationKey<Colour>.choice("first.colour", default: .red, "Which colour")
    static let wait = ConfigurationKey<Duration>.milliseconds("second.wait_ms", default: 250, in: 0...1000, "How long")
    static let keep = ConfigurationKey<Duration>.seconds("second.keep_s", default: 60, in: 1...100, "How long kept")
    static let password = ConfigurationKey<String>.text(
        "second.password",
        default: "",
        length: 0...20,
        isSecret: true,
        "Never shown"
    )
    static let sizes = ConfigurationKey<[Int]>.list(
        "second.sizes",
        default: ["1", "2"],
        count: 1...3,
        form: "a whole number",
        "Which sizes"
    ) { Int($0) }
    static let square = ConfigurationKey<Int>.parsed(
        "second.square",
        default: "3x3",
        form: "NxN",
        "What area"
    ) { text in
        let sides = text.split(separator: "x").compactMap { Int($0) }
        return sides.count == 2 && sides[0] == sides[1] ? sides[0] * sides[1] : nil
    }
    static let maybe = ConfigurationKey<Int?>.optional("second.maybe", form: "a whole number", "Perhaps") { Int($0) }

    static let schema = ConfigurationSchema(
        service: "sample",
        [
            ConfigurationSection("first", "The first things", count, share, isOn, name, colour),
            ConfigurationSection("second", "The second things", wait, keep, password, sizes, square, maybe),
        ]
    )
}

private func parse(_ text: String, environment: [String: String] = [:]) throws(ConfigurationProblems) -> Configuration {
    try Configuration.parse(Sample.schema, text: text, file: "sample.toml", environment: environment)
}

/// The problems of a text, one a line.
private func problems(_ text: String, environment: [String: String] = [:]) -> [String] {
    do {
        _ = try parse(text, environment: environment)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

@Suite struct ConfigurationTests {
    @Test func `without a file everything is at its default`() throws {
        let configuration = try Configuration.load(Sample.schema, file: nil, environment: [:])
        #expect(configuration[Sample.count] == 7)
        #expect(configuration[Sample.share] == 0.5)
        #expect(configuration[Sample.isOn] == false)
        #expect(configuration[Sample.name] == "x")
        #expect(configuration[Sample.colour] == .red)
        #expect(configuration[Sample.wait] == .milliseconds(250))
        #expect(configuration[Sample.keep] == .seconds(60))
        #expect(configuration[Sample.password] == "")
        #expect(configuration[Sample.sizes] == [1, 2])
        #expect(configuration[Sample.square] == 9)
        #expect(configuration[Sample.maybe] == nil)
        #expect(configuration.source(of: Sample.count) == .builtIn)
    }

    @Test func `a file overrides defaults, in any notation of TOML`() throws {
        let configuration = try parse(
            #"""
            first.count = 0x0A
            first.share = 1
            first."on" = true
            [second]
            wait_ms = 1_000
            sizes = [
                "3",  # three
                '4',
            ]
            square = """4x4"""
            maybe = "5"
            """#
        )
        #expect(configuration[Sample.count] == 10)
        #expect(configuration[Sample.share] == 1)
        #expect(configuration[Sample.isOn])
        #expect(configuration[Sample.wait] == .seconds(1))
        #expect(configuration[Sample.sizes] == [3, 4])
        #expect(configuration[Sample.square] == 16)
        #expect(configuration[Sample.maybe] == 5)
        #expect(configuration[Sample.keep] == .seconds(60))
        #expect(configuration.source(of: Sample.wait) == .file("sample.toml", line: 5))
    }

    @Test func `the environment overrides the file`() throws {
        let environment = [
            "TICKLOOP_FIRST_COUNT": "3", "TICKLOOP_FIRST_SHARE": "0.25", "TICKLOOP_FIRST_ON": "true",
            "TICKLOOP_FIRST_NAME": "", "TICKLOOP_FIRST_COLOUR": "green", "TICKLOOP_SECOND_WAIT_MS": "0",
            "TICKLOOP_SECOND_SIZES": "5, 6,7", "TICKLOOP_SECOND_PASSWORD": "=a=b",
        ]
        let configuration = try parse("first = { count = 4 }", environment: environment.filter { $0.value != "" })
        #expect(configuration[Sample.count] == 3)
        #expect(configuration[Sample.share] == 0.25)
        #expect(configuration[Sample.isOn])
        #expect(configuration[Sample.colour] == .green)
        #expect(configuration[Sample.wait] == .zero)
        #expect(configuration[Sample.sizes] == [5, 6, 7])
        #expect(configuration[Sample.password] == "=a=b")
        #expect(configuration.source(of: Sample.count) == .environment(variable: "TICKLOOP_FIRST_COUNT"))
    }

    @Test func `variables of other services and other programs are ignored`() {
        let environment = ["TICKLOOP_DATABASE_HOST": "db", "TICKLOOP_FIRST": "1", "FIRST_COUNT": "99", "PATH": "/bin"]
        #expect(problems("", environment: environment) == [])
    }

    @Test func `all problems are told at once, by line`() {
        let text = """
            [first]
            count = 11
            share = "much"
            on = 1
            colour = "blue"
            nmae = "y"

            [secnod]
            wait_ms = 5

            [second]
            wait_ms = 2.5
            keep_s = 1979-05-27
            sizes = ["1", 2]
            square = "3x4"
            [second.deep]
            key = 1
            """
        #expect(
            problems(text, environment: ["TICKLOOP_SECOND_WAIT_MS": "soon", "TICKLOOP_FIRST_ON": "yes"]) == [
                "sample.toml:2: first.count must be a whole number from 1 to 10, not 11",
                #"sample.toml:3: first.share must be a number from 0.0 to 1.0, not the text "much""#,
                "sample.toml:4: first.on must be true or false, not 1",
                #"sample.toml:5: first.colour must be one of red, green, not "blue""#,
                "sample.toml:6: first.nmae is not a key; did you mean name?",
                "sample.toml:8: secnod is not a section of sample; did you mean second?",
                "sample.toml:12: second.wait_ms must be a whole number of milliseconds from 0 to 1000, not 2.5",
                "sample.toml:13: second.keep_s must be a whole number of seconds from 1 to 100, not a date",
                "sample.toml:14: second.sizes must be a list of 1 to 3 texts, each a whole number, not a list",
                #"sample.toml:15: second.square must be NxN, not "3x4""#,
                "sample.toml:16: second.deep is not a key",
                #"TICKLOOP_FIRST_ON: first.on must be true or false, not "yes""#,
                "TICKLOOP_SECOND_WAIT_MS: second.wait_ms must be a whole number of milliseconds from 0 to 1000, "
                    + #"not "soon""#,
            ]
        )
    }

    @Test(arguments: [
        ("first = 1", "sample.toml:1: first must be a table, as in [first], not a value of type integer"),
        ("\n[[first]]\ncount = 1", "sample.toml:2: first must be a table, as in [first], not a value of type array"),
        ("[first.count]\nx = 1", "sample.toml:1: first.count must be a whole number from 1 to 10, not a table"),
        ("first.name = ''", #"sample.toml:1: first.name must be a text of 1 to 5 bytes, not """#),
        ("first.name = 'äöü'", #"sample.toml:1: first.name must be a text of 1 to 5 bytes, not "äöü""#),
        ("first.share = nan", "sample.toml:1: first.share must be a number from 0.0 to 1.0, not nan"),
        (
            "second.sizes = []",
            "sample.toml:1: second.sizes must be a list of 1 to 3 texts, each a whole number, not []"
        ),
        (
            "second.sizes = ['x']",
            #"sample.toml:1: second.sizes must be a list of 1 to 3 texts, each a whole number, not ["x"]"#
        ),
        ("second.maybe = 'x'", #"sample.toml:1: second.maybe must be empty or a whole number, not "x""#),
        ("'' = 1", "sample.toml:1:  is not a section of sample"),
        ("a = 1\u{0}b", "sample.toml:1: a zero byte is not TOML"),
    ])
    func `a problem says what is wrong`(text: String, expected: String) {
        #expect(problems(text) == [expected])
    }

    @Test(arguments: [
        ("first.count = \n", 1), ("first.count = 1\n[first\n", 2), ("a = 1\na = 2\n", 2), ("[first]\n\n[first]\n", 3),
        ("first.count = 99999999999999999999\n", 1), ("x = \"\u{1}\"", 1),
    ])
    func `a syntax error is told with its line`(text: String, line: Int) throws {
        let found = try #require(problems(text).first)
        #expect(found.hasPrefix("sample.toml:\(line): "))
        #expect(problems(text).count == 1)
    }

    @Test func `a secret is never shown`() throws {
        let long = "a secret that is too long"
        for found in problems("second.password = '\(long)'")
            + problems("", environment: ["TICKLOOP_SECOND_PASSWORD": long])
            + problems("second.password = 12345")
        {
            #expect(found.hasSuffix("second.password must be a text of 0 to 20 bytes"))
        }
        let configuration = try parse("second.password = 'hidden'")
        #expect(!configuration.shown.contains("hidden"))
        #expect(configuration.shown.contains(#"password = "***""#))
        #expect(try parse("").shown.contains(#"password = """#))
    }

    @Test func `a file that cannot be read is a problem`() {
        #expect(throws: ConfigurationProblems.self) {
            try Configuration.load(Sample.schema, file: "/nonexistent/sample.toml", environment: [:])
        }
        do {
            _ = try Configuration.load(Sample.schema, file: "/", environment: [:])
        } catch {
            #expect(error.description == "/: cannot be read: Is a directory")
        }
    }

    @Test func `a key of another schema stops the process`() async {
        await #expect(processExitsWith: .failure) {
            let other = ConfigurationKey<Int>.integer("other.key", default: 1, in: 1...2, "Something else")
            _ = try Configuration.load(Sample.schema, file: nil, environment: [:])[other]
        }
    }

    @Test func `a default that its own key refuses stops the process`() async {
        await #expect(processExitsWith: .failure) {
            _ = ConfigurationKey<Int>.integer("first.count", default: 0, in: 1...2, "How many")
        }
    }

    @Test func `the environment of the process is read`() {
        #expect(ProcessEnvironment.variables["PATH"] != nil)
    }
}

@Suite struct ConfigurationRenderingTests {
    @Test func `effective values are shown with their source`() throws {
        let configuration = try parse("[first]\ncount = 2", environment: ["TICKLOOP_SECOND_WAIT_MS": "5"])
        #expect(
            configuration.shown == """
                [first]
                count = 2       # sample.toml:2
                share = 0.5     # default
                on = false      # default
                name = "x"      # default
                colour = "red"  # default

                [second]
                wait_ms = 5         # TICKLOOP_SECOND_WAIT_MS
                keep_s = 60         # default
                password = ""       # default
                sizes = ["1", "2"]  # default
                square = "3x3"      # default
                maybe = ""          # default

                """
        )
    }

    @Test func `what is shown can be read again`() throws {
        let odd = "a\"\\\u{1}"
        let configuration = try parse("", environment: ["TICKLOOP_FIRST_NAME": odd, "TICKLOOP_SECOND_SIZES": "8"])
        let again = try parse(configuration.shown)
        #expect(again[Sample.name] == odd)
        #expect(again[Sample.sizes] == [8])
    }

    @Test func `the template holds every key at its default`() throws {
        let configuration = try parse(Sample.schema.template)
        for entry in Sample.schema.entries {
            #expect(Sample.schema.template.contains("\n\(entry.name) = \(entry.defaultValue)\n"))
        }
        #expect(configuration[Sample.count] == 7)
        #expect(configuration.source(of: Sample.maybe) != .builtIn)
    }

    @Test func `the table for the manual has a row for each key of any service`() {
        let other = ConfigurationSchema(
            service: "other",
            [ConfigurationSection("first", "Other", Sample.count.defaulting(to: 8))]
        )
        let rows = ConfigurationSchema.markdownTable(of: [Sample.schema, other]).split(separator: "\n")
        #expect(rows.count == Sample.schema.entries.count + 2)
        #expect(rows[2] == "| `first.count` | \(Sample.schema.service) `7`, other `8` | 1 … 10 | How many | all |")
        #expect(rows[3].hasSuffix(" | \(Sample.schema.service) |"))
    }
}
