import MarketData
import Testing

@Suite struct QuotePriceTests {
    @Test(arguments: [
        ("150.25", "150.25"), ("150.2500", "150.25"), ("15e-1", "1.5"), ("1.5E+3", "1500"), ("-37.63", "-37.63"),
        ("0.000012", "0.000012"), ("1.2e-5", "0.000012"), ("007.10", "7.1"), ("100", "100"), ("1e2", "100"),
        ("1.1220825910568237", "1.1220825910568237"), ("0.10", "0.1"), ("12.5e1", "125"), ("12.5e0", "12.5"),
    ])
    func `a price is its exact value, in one spelling`(text: String, plain: String) {
        #expect(QuotePrice(text)?.text == plain)
        #expect(QuotePrice(text) == QuotePrice(plain))
    }

    @Test(arguments: [
        "", "0", "0.0", "-0", "0e5", "None", "-", "1.", ".5", "+1", "1,5", "1 ", " 1", "1e", "1e+", "1e1234", "NaN",
        "Infinity", "0x10", "1e38.5", "1e39", "1e-39", "12.3%", "--1",
    ])
    func `zero, text and what does not fit are no price`(text: String) {
        #expect(QuotePrice(text) == nil)
    }
}
