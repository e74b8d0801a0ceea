internal import Prices
internal import Reactor

/// Somebody who can be asked for the latest price of a symbol: one provider, or several in an order.
@ReactorActor
protocol QuoteProvider: AnyObject {
    /// What the configuration calls it. Of several in an order, the name of the first.
    var name: String { get }

    /// Asks for the latest price. It never throws and always ends by its deadline; what to make of each outcome is the
    /// caller's business.
    func quote(_ symbol: Symbol, deadline: Instant) async -> QuoteOutcome
}
