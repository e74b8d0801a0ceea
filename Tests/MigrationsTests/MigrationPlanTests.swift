import Testing

@testable import Migrations

private func migration(_ version: Int, _ name: String = "step") -> Migration {
    Migration(version: version, name: name, sql: [])
}

private func record(_ version: Int, _ checksum: String, name: String = "step") -> Migration.Record {
    Migration.Record(version: version, name: name, checksum: checksum, appliedAt: "then")
}

/// A plan for files 1, 2, 3 with the checksums a, b, c.
private func plan(_ records: [Migration.Record]) -> MigrationPlan {
    MigrationPlan([migration(1), migration(2), migration(3)], checksums: ["a", "b", "c"], records: records)
}

@Suite struct MigrationPlanTests {
    @Test(arguments: [
        ("0001_prices.sql", "0001_prices"),
        ("0042_add_2_columns.sql", "0042_add_2_columns"),
        ("9999_x.sql", "9999_x"),
        ("1_prices.sql", nil),
        ("00001_prices.sql", nil),
        ("0001-prices.sql", nil),
        ("0001_.sql", nil),
        ("0001_Prices.sql", nil),
        ("+001_prices.sql", nil),
        ("0001_prices.sql~", nil),
        ("0001_pri ces.sql", nil),
        ("", nil),
    ])
    func `a file name is a number of four digits and a name`(file: String, expected: String?) {
        let parsed = Migration.parse(fileName: file).map { migration($0.version, $0.name).description }
        #expect(parsed == expected)
    }

    @Test func `numbers run from one without gaps or repetition`() throws {
        #expect(try MigrationFolder([migration(2), migration(1)]).migrations.map(\.version) == [1, 2])
        #expect(try MigrationFolder([Migration]()).migrations.isEmpty)
        #expect(throws: MigrationError.gap(version: 1)) { try MigrationFolder([migration(2)]) }
        #expect(throws: MigrationError.gap(version: 2)) { try MigrationFolder([migration(1), migration(3)]) }
        #expect(throws: MigrationError.duplicate(version: 1)) {
            try MigrationFolder([migration(1, "x"), migration(1, "y")])
        }
        #expect(throws: MigrationError.duplicate(version: 0)) { try MigrationFolder([migration(0)]) }
    }

    @Test func `what is not applied is pending, in order`() throws {
        #expect(try plan([]).pending.get().map(\.version) == [1, 2, 3])
        #expect(try plan([record(2, "b"), record(1, "a")]).pending.get().map(\.version) == [3])
        #expect(try plan([record(1, "a"), record(2, "b"), record(3, "c")]).pending.get().isEmpty)
    }

    @Test func `a change of what was applied, of text or of name, stops everything`() {
        #expect(plan([record(1, "z")]).pending == .failure(.changed(record(1, "z"))))
        let renamed = record(1, "a", name: "other")
        #expect(plan([renamed]).pending == .failure(.changed(renamed)))
        #expect(plan([record(1, "z")]).entries.first?.state == .changed(appliedAt: "then"))
    }

    @Test func `a hole in what was applied, or more than there are files, stops everything`() {
        #expect(plan([record(1, "a"), record(3, "c")]).pending == .failure(.skipped("0002_step")))
        let newer = plan([record(1, "a"), record(2, "b"), record(3, "c"), record(4, "d")])
        #expect(newer.pending == .failure(.databaseIsNewer(record(4, "d"))))
        #expect(newer.entries.map(\.migration) == ["0001_step", "0002_step", "0003_step", "0004_step"])
        #expect(newer.entries.last?.state == .missing(appliedAt: "then"))
        let missing = MigrationPlan([migration(2)], checksums: ["b"], records: [record(1, "a"), record(2, "b")])
        #expect(missing.pending == .failure(.missing(record(1, "a"))))
    }
}
