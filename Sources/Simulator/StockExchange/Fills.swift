internal import Reactor

/// Executes what the exchange has accepted, in one or several parts, some of which it corrects later.
@ReactorActor
final class Fills {
    private enum Step {
        case execute(String)
        case correct(String, of: String)
    }

    /// From one step of an order to its next.
    private static let pause = Duration.milliseconds(200)

    /// Whether it executes anything.
    var isOn: Bool {
        didSet { if isOn, !oldValue { executeWhatIsOpen() } }
    }
    /// Share of executions that are corrected; what is taken back is executed again.
    var correctionRate = 0.0

    private let ledger: Ledger
    /// In the order in which they are due, as all wait for the same time.
    private var steps: [(due: Instant, step: Step)] = []
    private var timer: Timer?

    init(_ ledger: Ledger, isOn: Bool) {
        self.ledger = ledger
        self.isOn = isOn
        timer = Timer { [unowned self] in takeSteps() }
        if isOn { executeWhatIsOpen() }
    }

    /// An order was accepted.
    func execute(_ orderID: String) { schedule(.execute(orderID)) }

    private func executeWhatIsOpen() {
        for (id, position) in ledger.positions where position.open > 0 { execute(id) }
    }

    private func schedule(_ step: Step) {
        guard isOn else { return }
        steps.append((Reactor.now + Self.pause, step))
        if timer?.isScheduled != true { timer?.schedule(after: Self.pause) }
    }

    private func takeSteps() {
        let count = steps.firstIndex { $0.due > Reactor.now } ?? steps.count
        let due = steps.prefix(count)
        steps.removeFirst(count)
        if isOn { for (_, step) in due { take(step) } }
        if let next = steps.first?.due { timer?.schedule(at: next) }
    }

    private func take(_ step: Step) {
        switch step {
        case .execute(let orderID):
            guard let open = ledger.positions[orderID]?.open, open > 0 else { return }
            let part = open == 1 || Bool.random() ? open : Int.random(in: 1..<open)
            let id = "\(String(UInt64.random(in: 0 ... .max), radix: 36))-\(ledger.reports.count + 1)"
            guard ledger.report(part == open ? .fill : .partialFill, of: orderID, id, quantity: part) else {
                return schedule(step)
            }
            if correctionRate > 0, Double.random(in: 0..<1) < correctionRate { schedule(.correct(id, of: orderID)) }
            if part < open { schedule(step) }
        case .correct(let id, let orderID):
            guard let quantity = ledger.quantity(of: id), quantity > 0 else { return }
            guard ledger.report(.correction, of: orderID, id, quantity: .random(in: 0..<quantity)) else {
                return schedule(step)
            }
            schedule(.execute(orderID))
        }
    }
}
