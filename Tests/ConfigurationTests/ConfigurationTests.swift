import Basics
import Configuration
import Testing

/// Square metres, written as two equal sides.
private struct Square: CustomStringConvertible {
    let side: Int
    var description: String { "\(side)x\(side)" }

    init(side: Int) { self.side = side }

    init?(_ text: String) {
        let sides = text.split(separator: "x").compactMap { Int($0) }
        guard sides.count == 2, sides[0] == sides[1] else { return nil }
        side = sides[0]
    }
}

/// A service with a key of each kind.
private enum Sample {
    enum Colour: String, CaseIterable { case red, green }

    struct First {
        var count = 7
        var share = 0.5
        var isOn = false
        var name = "x"
        var colour = Colour.red
    }

    struct Second {
        var wait = Duration.milliseconds(250)
        var keep = Duration.seconds(60)
        var password: String?
        var sizes = [1, 2]
        var square = Square(side: 3)
        var maybe: Int?
    }

    static let first = ConfigurationTable("first", "The first things", First()) {
        Key("count", \.count, in: 1...10, "How many")
        Key("share", \.share, in: 0...1, "Which part")
        Key("on", \.isOn, "Whether")
        Key("name", \.name, length: 1...5, "What it is called")
        Key("colour", \.colour, "Which colour")
    }
    static let second = ConfigurationTable("second", "The second things", Second()) {
        Key("wait_ms", \.wait, in: 0...1000, "How long")
        Key("keep_s", \.keep, in: 1...100, "How long kept")
        Key("password", \.password, upTo: 20, isSecret: true, "Never shown")
        Key("sizes", \.sizes, count: 1...3, form: "a whole number", "Which sizes") { Int($0) }
        Key("square", \.square, form: "NxN", "What area") { Square($0) }
        Key("maybe", optional: \.maybe, form: "a whole number", "Perhaps") { Int($0) }
    }

    static let schema = ConfigurationSchema(service: "sample", [first.section, second.section])
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
        #expect(configuration[Sample.first].count == 7)
        #expect(configuration[Sample.first].share == 0.5)
        #expect(configuration[Sample.first].isOn == false)
        #expect(configuration[Sample.first].name == "x")
        #expect(configuration[Sample.first].colour == .red)
        #expect(configuration[Sample.second].wait == .milliseconds(250))
        #expect(configuration[Sample.second].keep == .seconds(60))
        #expect(configuration[Sample.second].password == nil)
        #expect(configuration[Sample.second].sizes == [1, 2])
        #expect(configuration[Sample.second].square.side == 3)
        #expect(configuration[Sample.second].maybe == nil)
        #expect(configuration.source(of: "first.count") == .builtIn)
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
        #expect(configuration[Sample.first].count == 10)
        #expect(configuration[Sample.first].share == 1)
        #expect(configuration[Sample.first].isOn)
        #expect(configuration[Sample.second].wait == .seconds(1))
        #expect(configuration[Sample.second].sizes == [3, 4])
        #expect(configuration[Sample.second].square.side == 4)
        #expect(configuration[Sample.second].maybe == 5)
        #expect(configuration[Sample.second].keep == .seconds(60))
        #expect(configuration.source(of: "second.wait_ms") == .file("sample.toml", line: 5))
    }

    @Test func `the environment overrides the file`() throws {
        let environment = [
            "TICKLOOP_FIRST_COUNT": "3", "TICKLOOP_FIRST_SHARE": "0.25", "TICKLOOP_FIRST_ON": "true",
            "TICKLOOP_FIRST_NAME": "", "TICKLOOP_FIRST_COLOUR": "green", "TICKLOOP_SECOND_WAIT_MS": "0",
            "TICKLOOP_SECOND_SIZES": "5, 6,7", "TICKLOOP_SECOND_PASSWORD": "=a=b",
        ]
        let configuration = try parse("first = { count = 4 }", environment: environment.filter { $0.value != "" })
        #expect(configuration[Sample.first].count == 3)
        #expect(configuration[Sample.first].share == 0.25)
        #expect(configuration[Sample.first].isOn)
        #expect(configuration[Sample.first].colour == .green)
        #expect(configuration[Sample.second].wait == .zero)
        #expect(configuration[Sample.second].sizes == [5, 6, 7])
        #expect(configuration[Sample.second].password == "=a=b")
        #expect(configuration.source(of: "first.count") == .environment(variable: "TICKLOOP_FIRST_COUNT"))
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
            let other = ConfigurationTable("other", "Others", 1) {
                Key("key", \.self, in: 1...2, "Something else")
            }
            _ = try Configuration.load(Sample.schema, file: nil, environment: [:])[other]
        }
    }

    @Test func `a default that its own key refuses stops the process`() async {
        await #expect(processExitsWith: .failure) {
            _ = ConfigurationTable("first", "The first", 0) {
                Key("count", \.self, in: 1...2, "How many")
            }
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
        #expect(again[Sample.first].name == odd)
        #expect(again[Sample.second].sizes == [8])
    }

    @Test func `the template holds every key at its default`() throws {
        let configuration = try parse(Sample.schema.template)
        for entry in Sample.schema.entries {
            #expect(Sample.schema.template.contains("\n\(entry.name) = \(entry.defaultValue)\n"))
        }
        #expect(configuration[Sample.first].count == 7)
        #expect(configuration.source(of: "second.maybe") != .builtIn)
    }

    @Test func `the table for the manual has a row for each key of any service`() {
        let other = ConfigurationSchema(
            service: "other",
            [Sample.first.defaulting { $0.count = 8 }.section]
        )
        let rows = ConfigurationSchema.markdownTable(of: [Sample.schema, other]).split(separator: "\n")
        #expect(rows.count == Sample.schema.entries.count + 2)
        #expect(rows[2] == "| `first.count` | \(Sample.schema.service) `7`, other `8` | 1 … 10 | How many | all |")
        #expect(rows[7].hasSuffix(" | sample |"))
    }
}
