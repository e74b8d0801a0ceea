/// Fast random bits for identifiers, where uniqueness counts and nobody gains from guessing.
///
/// wyrand seeded from the system: the system's own generator costs a system call for each number.
package struct RandomBits: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init() {
        var system = SystemRandomNumberGenerator()
        state = system.next()
    }

    package mutating func next() -> UInt64 {
        state &+= 0xa076_1d64_78bd_642f
        let product = state.multipliedFullWidth(by: state ^ 0xe703_7ed1_a0b4_28db)
        return product.high ^ product.low
    }
}
