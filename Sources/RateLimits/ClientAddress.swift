public import Reactor

/// A range of addresses, `10.0.0.0/8` or `fd00::/8`; one address alone is a range too.
public struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    private let bytes: [UInt8]
    private let bits: Int

    /// Reads the text; nil for anything else, and where bits behind the prefix are set.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let bytes = ClientAddress.bytes(String(parts[0])) else { return nil }
        var bits = bytes.count * 8
        if parts.count == 2 {
            guard let written = Int(parts[1]), (0...bits).contains(written), String(written) == parts[1] else {
                return nil
            }
            bits = written
        }
        guard bytes == ClientAddress.masked(bytes, bits: bits) else { return nil }
        self.bytes = bytes
        self.bits = bits
    }

    /// Whether an address is one of them.
    func contains(_ address: [UInt8]) -> Bool {
        address.count == bytes.count && ClientAddress.masked(address, bits: bits) == bytes
    }

    /// Whether the other end of a connection is one of them.
    public func contains(_ peer: SocketAddress) -> Bool { ClientAddress.bytes(peer).map { contains($0) } ?? false }

    /// The text form.
    public var description: String { "\(ClientAddress.text(bytes))/\(bits)" }
}

/// Who a request comes from, as far as limits are concerned.
///
/// An IPv6 client is its network of 64 bits, because each has as many addresses as it likes; an IPv4 address that is
/// written as an IPv6 one is the IPv4 address.
enum ClientAddress {
    /// The client of a request.
    ///
    /// It is the peer, unless the peer is a trusted proxy: then the right-most address of `X-Forwarded-For` that is no
    /// trusted proxy. What stands left of it, or is no address, may be invented by the client.
    ///
    /// - Parameters:
    ///   - peer: The other end of the connection; nil, or a Unix-domain socket, for one that has no address.
    ///   - forwarded: The values of `X-Forwarded-For`, in the order of the fields.
    static func key(
        peer: SocketAddress?,
        forwarded: [String],
        trusted: [AddressRange]
    ) -> String {
        key(find(peer: peer, forwarded: forwarded, trusted: trusted))
    }

    /// The same as its address; nil for one that has none.
    static func find(peer: SocketAddress?, forwarded: [String], trusted: [AddressRange]) -> [UInt8]? {
        guard let peer = peer.flatMap(bytes) else { return nil }
        func isTrusted(_ address: [UInt8]) -> Bool { trusted.contains { $0.contains(address) } }
        var client = peer
        // Members without anything are none (RFC 9110 §5.6.1.2).
        let hops = forwarded.flatMap { $0.split(separator: ",") }.map(trimmed).filter { !$0.isEmpty }
        for hop in hops.reversed() where isTrusted(client) {
            guard let address = bytes(hop: hop) else { break }
            client = address
        }
        return client
    }

    /// What a client is counted as.
    static func key(_ client: [UInt8]?) -> String {
        guard let client else { return "local" }
        return client.count == 4 ? text(client) : text(masked(client, bits: 64)) + "/64"
    }

    private static func trimmed(_ hop: Substring) -> Substring {
        var text = hop
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }

    /// An element of `X-Forwarded-For`, without space around it: an address, in brackets or not, with a port or not.
    private static func bytes(hop: Substring) -> [UInt8]? {
        var text = hop
        if text.first == "[", let end = text.firstIndex(of: "]") {
            return bytes(String(text[text.index(after: text.startIndex)..<end]))
        }
        if text.filter({ $0 == ":" }).count == 1, let colon = text.firstIndex(of: ":") { text = text[..<colon] }
        return bytes(String(text))
    }

    /// The bytes of a numeric address.
    static func bytes(_ text: String) -> [UInt8]? {
        SocketAddress(numericHost: text, port: 0).flatMap(bytes)
    }

    static func bytes(_ address: SocketAddress) -> [UInt8]? {
        switch address {
        case .ipv4(let bytes, _): bytes
        case .ipv6(let bytes, _):
            bytes[..<12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] ? Array(bytes[12...]) : bytes
        case .unix: nil
        }
    }

    static func text(_ bytes: [UInt8]) -> String {
        let address = bytes.count == 4 ? SocketAddress.ipv4(bytes, port: 0) : .ipv6(bytes, port: 0)
        return address.numericHost ?? ""
    }

    static func masked(_ bytes: [UInt8], bits: Int) -> [UInt8] {
        bytes.enumerated().map { index, byte in
            let kept = min(max(bits - index * 8, 0), 8)
            return kept == 8 ? byte : byte & ~(UInt8.max >> UInt8(kept))
        }
    }
}
