internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Reactor
internal import WebAPI

extension Exchange {
    var reportRoutes: [Route] { [reports, standing, readingFaults, changingFaults] }

    // MARK: Reports

    private static let pageLimit = Field.query(
        "limit",
        .wholeNumber(in: 1...pageMax),
        "How many; without it the answer has no end.",
        example: 100
    )

    private static func lines(_ body: HTTPResponse.Body) -> HTTPResponse {
        HTTPResponse(
            .ok,
            fields: ["Content-Type": "application/x-ndjson", "Cache-Control": "no-store"],
            body: body
        )
    }

    private var reports: Route {
        Route(
            .get,
            "/exchange/reports",
            RouteDocumentation(
                "Follow the reports, a line each, with a heartbeat every second; or read some",
                in: Self.group,
                parameters: [Self.after.documentation, Self.pageLimit.documentation],
                answers: [
                    .other(
                        ["application/x-ndjson"],
                        "Reports by number, and heartbeats with the number of the last.",
                        example: #"{"heartbeat":0}"# + "\n"
                    )
                ]
            )
        ) { [self] context throws(APIError) in
            var fields = try Fields(context.content)
            let after = fields.read(Self.after) ?? 0
            let limit = fields.read(Self.pageLimit)
            _ = try fields.finish(after)
            guard let limit else {
                return Self.lines(.openEnded { [streams] in await streams.serve($0, after: after) })
            }
            let page = ledger.reports.dropFirst(after).prefix(limit)
            return Self.lines(.bytes(Array(page.map { $0.line + [UInt8(ascii: "\n")] }.joined())))
        }
    }

    private var standing: Route {
        Route(
            .get,
            "/exchange/executions",
            RouteDocumentation(
                "How executions stand, in the order of their last reports",
                in: Self.group,
                parameters: [Self.after.documentation, Self.limit.documentation],
                answers: [
                    .json(.ok, "A page, and the number of the last report.", .object([:], isOpen: true), example: nil)
                ]
            )
        ) { [self] context throws(APIError) in
            var fields = try Fields(context.content)
            let after = fields.read(Self.after) ?? 0
            let limit = fields.read(Self.limit) ?? 1000
            _ = try fields.finish(after)
            let page = ledger.standing(after: after, limit: limit + 1)
            var writer = JSONWriter(capacity: 64 + page.count * 200)
            writer.object { writer in
                writer.key("executions")
                writer.array { writer in
                    for report in page.prefix(limit) { report.write(to: &writer) }
                }
                writer.member("through", ledger.reports.count)
                writer.key("next")
                if page.count > limit { writer.integer(page[limit - 1].number) } else { writer.null() }
            }
            return HTTPResponse(json: writer.take())
        }
    }

    // MARK: Faults

    private static let faultRates: [(Field<Double>, any WritableKeyPath<ReportFaults, Double> & Sendable)] = [
        (.rate("drop_rate", "Reports that the stream leaves out."), \.dropRate),
        (.rate("repeat_rate", "Reports that come twice."), \.repeatRate),
        (.rate("swap_rate", "Reports that come behind the next one."), \.swapRate),
    ]
    private static let corrections = Field<Double>.rate(
        "correction_rate",
        "Executions that are corrected; what is taken back is executed again."
    )
    private static let silence = Field.member(
        "silent",
        .flag,
        "Whether the stream says nothing at all.",
        example: false
    )

    private var readingFaults: Route {
        Route(
            .get,
            "/exchange/reports/behaviour",
            RouteDocumentation(
                "How the stream of reports fails",
                in: Self.group,
                answers: [.json(.ok, "Its settings.", .object([:], isOpen: true), example: nil)]
            )
        ) { [self] _ in HTTPResponse(json: faultsJSON) }
    }

    private var changingFaults: Route {
        Route(
            .put,
            "/exchange/reports/behaviour",
            RouteDocumentation(
                "Change how the stream of reports fails; what is left out stays",
                in: Self.group,
                body: .json(
                    "ReportBehaviour",
                    Self.faultRates.map(\.0.documentation) + [
                        Self.corrections.documentation, Self.silence.documentation,
                    ]
                ),
                answers: [.json(.ok, "Its settings now.", .object([:], isOpen: true), example: nil)]
            )
        ) { [self] context throws(APIError) in
            var fields = try Fields(context.content)
            var faults = streams.faults
            for (field, path) in Self.faultRates { faults[keyPath: path] = fields.read(field) ?? faults[keyPath: path] }
            faults.isSilent = fields.read(Self.silence) ?? faults.isSilent
            let corrections = fields.read(Self.corrections) ?? fills.correctionRate
            _ = try fields.finish(Optional(true))
            streams.faults = faults
            fills.correctionRate = corrections
            return HTTPResponse(json: faultsJSON)
        }
    }

    private var faultsJSON: [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.object { writer in
            for (name, rate) in [
                ("drop_rate", streams.faults.dropRate), ("repeat_rate", streams.faults.repeatRate),
                ("swap_rate", streams.faults.swapRate), ("correction_rate", fills.correctionRate),
            ] {
                writer.key(name)
                writer.number(rate)
            }
            writer.member("silent", streams.faults.isSilent)
        }
        return writer.take()
    }
}
