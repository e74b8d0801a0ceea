internal import JSONWire

/// An order as clients see it.
struct Order: Hashable, Sendable {
    /// How far an order is.
    enum Status: String, CaseIterable {
        case pending, placed
        case partiallyFilled = "partially_filled"
        case filled, rejected, cancelled, expired
    }

    /// Its name.
    let id: OrderID
    let createdAt: Timestamp
    let form: OrderForm
    let status: Status
    var filledQuantity = 0

    /// An order that was just taken in.
    init(id: OrderID, createdAt: Timestamp, form: OrderForm) {
        self.init(id: id, createdAt: createdAt, form: form, status: .pending, filledQuantity: 0)
    }

    init(id: OrderID, createdAt: Timestamp, form: OrderForm, status: Status, filledQuantity: Int) {
        self.id = id
        self.createdAt = createdAt
        self.form = form
        self.status = status
        self.filledQuantity = filledQuantity
    }

    /// Writes the object: with `expires_at` if the order has one, and with `filled_quantity` once there is one.
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", id.description)
            writer.member("created_at", createdAt.description)
            writer.member("type", form.kind.rawValue)
            writer.member("side", form.side.rawValue)
            writer.member("instrument", form.instrument)
            writer.key("limit_price")
            if let price = form.limitPrice { writer.number(text: price.description) } else { writer.null() }
            writer.member("quantity", form.quantity)
            writer.member("status", status.rawValue)
            if let expiresAt = form.expiresAt { writer.member("expires_at", expiresAt.description) }
            if filledQuantity != 0 { writer.member("filled_quantity", filledQuantity) }
        }
    }

    /// The order as a body.
    var json: [UInt8] {
        var writer = JSONWriter(capacity: 256)
        write(to: &writer)
        return writer.take()
    }
}
