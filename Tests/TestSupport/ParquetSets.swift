public import Reactor
internal import Supervision

private let etc = Files.parent(of: Files.parent(of: Files.parent(of: #filePath))) + "/etc"

/// Folders of Parquet datasets, made with pyarrow.
@ReactorActor
public enum ParquetSets {
    /// What `etc/make-sample-conversations` makes.
    public static func sample(_ options: String..., of count: Int) async throws -> String {
        let folder = "\(try TestFolder.make())/set"
        try await ChildProcess.run(
            Command("\(etc)/make-sample-conversations", options + [folder, "\(count)"]),
            name: "make-sample-conversations"
        )
        return folder
    }

    /// What a piece of Python makes, which may call `part(table, number, columns)`; a column is an array or a list.
    ///
    /// - Parameter folder: One that is there already; nil for a new one.
    public static func make(in folder: String? = nil, _ python: String) async throws -> String {
        let folder = if let folder { folder } else { "\(try TestFolder.make())/set" }
        let prelude = """
            import datetime, os, sys
            sys.path.insert(0, "\(etc)/parquet-reader")
            import pyarrow as pa, pyarrow.parquet as pq
            root = sys.argv[1]
            def part(table, number, columns, **options):
                os.makedirs(os.path.join(root, table), exist_ok=True)
                arrays = {name: pa.array(values) for name, values in columns.items()}
                pq.write_table(pa.table(arrays), os.path.join(root, table, f"part-{number:05}.parquet"), **options)

            """
        guard let python3 = Executable.find("python3") else { throw TestFailure(description: "there is no python3") }
        try await ChildProcess.run(Command(python3, ["-c", prelude + python, folder]), name: "python3")
        return folder
    }

    /// A set of one row in each dataset.
    public static let one = """
        part("company", 0, {"id_company": [1], "company_name": ["Acme"]})
        part("tag", 0, {"id_tag": [1], "tag_value": ["pricing"]})
        part("transcript", 0, {"id_transcript": [1], "id_company": [1], "transcript_type": ["conversation"]})
        part("conversation", 0, {
            "id_conversation": [1], "id_transcript": [1], "question": ["Why?"], "answer": ["Because."],
            "sequence_conversation": [1], "id_tag": [1],
        })

        """
}
