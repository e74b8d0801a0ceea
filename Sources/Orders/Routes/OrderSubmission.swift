internal import Basics
internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import Reactor
internal import WebAPI

/// What `POST /orders` asks: an order, and under which key it is recognised when it is sent again.
struct OrderSubmission: Sendable {
    let form: OrderForm
    let key: String?

    private static let kind = Field.member(
        "type",
        FieldRule<OrderForm.Kind>.word,
        "How the price is found.",
        isRequired: true,
        example: "limit"
    )
    private static let side = Field.member(
        "side",
        FieldRule<OrderForm.Side>.word,
        "Which way it goes.",
        isRequired: true,
        example: "buy"
    )
    private static let instrument = Field.member(
        "instrument",
        .text(of: .alphanumeric, length: 12...12),
        "What is bought or sold, such as an ISIN.",
        isRequired: true,
        example: "DE000A0Q4RZ3"
    )
    private static let limitPrice = Field.member(
        "limit_price",
        .positiveDecimal(places: OrderForm.priceDecimals, digits: OrderForm.priceDigits),
        "The worst price; exact. Required for `limit`, prohibited for `market`.",
        example: .number("150.00")
    )
    private static let quantity = Field.member(
        "quantity",
        .wholeNumber(in: 1...OrderForm.quantityMax),
        "How many.",
        isRequired: true,
        example: 10
    )
    private static let expiresAt = Field.member(
        "expires_at",
        .timestamp,
        "After this the order is not sent to the exchange any more; counted in milliseconds."
    )
    /// By how much the clock of this process may be wrong. Whether a time has come is for the database's to say; what
    /// is past by any clock need not go there, and is named with everything else that is wrong.
    private static let clockErrorMax = Duration.seconds(24 * 3600)
    private static let idempotencyKey = Field.header(
        "Idempotency-Key",
        .text(of: .visible, length: 1...255),
        "The same key with the same members gives the first answer again, for 24 hours; with others it is 422."
    )

    /// Reads a request.
    ///
    /// An order that has expired for long is refused, unless it has a key: then it may be the repetition of one that
    /// was taken in time, which the database knows.
    init(_ content: RequestContent, now: Timestamp = Timestamp(unixTime: SystemClock.unixTime)) throws(APIError) {
        var fields = try Fields(content)
        let kind = fields.read(Self.kind)
        let side = fields.read(Self.side)
        let instrument = fields.read(Self.instrument)
        let price = fields.read(Self.limitPrice)
        let quantity = fields.read(Self.quantity)
        let expiresAt = fields.read(Self.expiresAt)?.inMilliseconds
        key = fields.read(Self.idempotencyKey)
        switch kind {
        case .limit? where fields.isAbsent(Self.limitPrice):
            fields.refuse(Self.limitPrice, "Attribute `limit_price` is required for type `limit`")
        case .market? where !fields.isAbsent(Self.limitPrice):
            fields.refuse(Self.limitPrice, "Providing a `limit_price` is prohibited for type `market`")
        default: break
        }
        if let expiresAt, expiresAt.unixTime + Self.clockErrorMax <= now.unixTime, key == nil {
            fields.refuse(Self.expiresAt, Self.pastMessage)
        }
        let present = try fields.finish(kind, side, instrument, quantity)
        form = OrderForm(
            kind: present.0,
            side: present.1,
            instrument: present.2,
            limitPrice: price,
            quantity: present.3,
            expiresAt: expiresAt
        )
    }

    private static let pastMessage = "expires_at must be in the future"

    /// 422 for an order that had expired when it came.
    static let past = APIError(
        .validationFailed,
        pastMessage,
        details: [APIError.Detail(field: expiresAt.name, message: pastMessage)]
    )
    /// 422 for a key that belongs to another order.
    static let otherMembers = APIError(
        .validationFailed,
        "The Idempotency-Key was used for an order with other members.",
        details: [
            APIError.Detail(
                field: idempotencyKey.name,
                message: "Idempotency-Key was used for an order with other members"
            )
        ]
    )
    /// 409 for a repetition that came too close behind the first.
    static let firstStillRuns = APIError(
        .idempotencyConflict,
        "The first request with this Idempotency-Key is still being worked on."
    )

    /// The answer when the order was not committed, or nobody knows whether it was. A promise to existing clients: the
    /// one error without a code.
    static let failed = HTTPResponse(
        json: Array(#"{"message":"Internal server error while placing the order"}"#.utf8),
        status: .internalServerError
    )
    /// Says that the answer is that of an earlier request.
    static let replayedField = "Idempotency-Replayed"

    /// Bodies whose refusals are shown as examples.
    static let faultyBodies = [
        #"{"type":"limit","side":"buy","instrument":"DE000A0Q4RZ3","quantity":10}"#,
        #"{"type":"market","side":"sell","instrument":"DE000A0Q4RZ3","limit_price":150.00,"quantity":10}"#,
        #"{"type":"stop","side":"up","instrument":"DE000","limit_price":0,"quantity":9007199254740993}"#,
    ]

    static let documentation = RouteDocumentation(
        "Take an order",
        details: """
            201 means that the order is committed, and that its placement at the exchange is guaranteed. A 500 means \
            that it is not known to be: ask again with the same `Idempotency-Key`.
            """,
        in: .orders,
        parameters: [idempotencyKey.documentation],
        body: .json(
            "NewOrder",
            [
                kind.documentation, side.documentation, instrument.documentation, limitPrice.documentation,
                quantity.documentation, expiresAt.documentation,
            ],
            examples: [
                [
                    "type": "limit", "side": "buy", "instrument": "DE000A0Q4RZ3", "limit_price": .number("150.00"),
                    "quantity": 10,
                ],
                ["type": "market", "side": "sell", "instrument": "DE000A0Q4RZ3", "quantity": 5],
            ]
        ),
        answers: [
            .json(
                .created,
                "The order is taken, now or when this key came first.",
                fields: [
                    AnswerField("Location", "Where the order is.", example: .string("/orders/\(Order.exampleID)")),
                    AnswerField(
                        replayedField,
                        "This is the answer to an earlier request with the same key.",
                        .word(["true"]),
                        example: "true",
                        isAlwaysThere: false
                    ),
                ],
                Order.schema,
                example: Order.example
            ),
            .json(
                .internalServerError,
                "The order could not be committed, or nobody knows whether it was.",
                .object(["message": .word(["Internal server error while placing the order"])])
                    .named("OrderNotPlaced"),
                example: ["message": "Internal server error while placing the order"]
            ),
        ],
        errors: [otherMembers, past, firstStillRuns, .overloaded]
    )
}

extension Timestamp {
    /// Without what is finer than a millisecond.
    fileprivate var inMilliseconds: Timestamp {
        let (seconds, nanoseconds) = wholeSeconds
        return Timestamp(unixTime: .seconds(seconds) + .milliseconds(nanoseconds / 1_000_000))
    }
}
