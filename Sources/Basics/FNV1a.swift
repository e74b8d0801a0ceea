/// A short name for bytes, the same in every process; not for what an attacker may choose.
///
/// - SeeAlso: draft-eastlake-fnv, FNV-1a with 64 bits.
public enum FNV1a {
    /// All 64 bits of it; of an empty text the offset basis, which is not 0.
    public static func hash(_ bytes: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in bytes.indices { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01b3 }
        return hash
    }
}
