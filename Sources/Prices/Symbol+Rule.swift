public import WebAPI

extension FieldRule<Symbol> {
    /// A symbol.
    public static let symbol = FieldRule(
        "must be 1 to \(Symbol.lengthMax) characters of A-Z a-z 0-9 . ^ = - _ : &",
        schema: .string(pattern: "^[A-Za-z0-9.^=_:&-]+$", length: 1...Symbol.lengthMax)
    ) { Symbol($0) }
}
