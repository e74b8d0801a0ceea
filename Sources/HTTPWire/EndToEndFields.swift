// What a proxy passes on of a head, and what belongs to the hop that it came over (RFC 9110 §7.6.1).

extension HTTPFields {
    /// Appends the lines of the fields that concern the whole way, byte for byte and in order.
    ///
    /// Left out is what belongs to one connection (`Connection` and what it names, `Keep-Alive`, `Proxy-Connection`,
    /// `TE`, `Upgrade`, `Transfer-Encoding`), and what the sender of the next message writes itself (`Host`,
    /// `Content-Length`).
    ///
    /// - Parameters:
    ///   - announcesTrailers: Whether `Trailer` is kept, for a body whose trailers are passed on.
    ///   - isLeftOut: Whether a field of this name is left out besides.
    public func appendEndToEnd(
        to head: inout [UInt8],
        announcesTrailers: Bool,
        except isLeftOut: (Span<UInt8>) -> Bool
    ) {
        let nominated = nominatedNames
        let span = bytes.span
        appendLines(to: &head) { entry in
            switch entry.name {
            case .connection, .keepAlive, .proxyConnection, .te, .upgrade, .transferEncoding, .host, .contentLength:
                return false
            case .trailer where !announcesTrailers: return false
            case .other, .date, .expect, .trailer: break
            }
            let name = entry.nameRange.bounds
            return !isLeftOut(span.extracting(name))
                && (nominated.isEmpty || !isNominated(name, nominated))
        }
    }

    /// The fields that concern the whole way: as ``appendEndToEnd(to:announcesTrailers:except:)``, for a head that is
    /// written later. What ``HeadWriter`` leaves out of every head, because it writes that itself, is still among them.
    public func endToEnd(announcesTrailers: Bool, except isLeftOut: (Span<UInt8>) -> Bool) -> HTTPFields {
        let nominated = nominatedNames
        let span = bytes.span
        func isKept(_ entry: Entry) -> Bool {
            switch entry.name {
            case .te, .upgrade: return false
            case .trailer where !announcesTrailers: return false
            case .other, .date, .expect, .trailer, .host: break
            case .connection, .keepAlive, .proxyConnection, .transferEncoding, .contentLength: return true
            }
            let name = entry.nameRange.bounds
            return !isLeftOut(span.extracting(name)) && (nominated.isEmpty || !isNominated(name, nominated))
        }
        // Of most heads nothing need be copied.
        guard let first = entries.firstIndex(where: { !isKept($0) }) else { return self }
        var kept: [Entry] = []
        kept.reserveCapacity(entries.count)
        kept += entries[..<first]
        for entry in entries[(first + 1)...] where isKept(entry) { kept.append(entry) }
        return HTTPFields(bytes: bytes, entries: kept)
    }

    /// What concerns the whole way of `trailers`, which stand behind the body of the message with these fields: what
    /// `Connection` names belongs to its hop wherever it stands.
    ///
    /// - Parameter isLeftOut: Whether a field of this name is left out besides.
    public func endToEnd(trailers: HTTPFields, except isLeftOut: (Span<UInt8>) -> Bool) -> HTTPFields {
        let nominated = nominatedNames
        let span = bytes.span
        return trailers.endToEnd(announcesTrailers: false) { name in
            isLeftOut(name) || nominated.contains { span.equalsIgnoringCase($0, name) }
        }
    }

    /// What `Connection` names besides the options that every sender knows.
    private var nominatedNames: [Range<Int>] {
        var names: [Range<Int>] = []
        for entry in entries where entry.name == .connection {
            forEachListMember(of: entry.valueRange.bounds, in: bytes.span) { member, bytes in
                guard !bytes.equalsIgnoringCase(member, "keep-alive"), !bytes.equalsIgnoringCase(member, "close") else {
                    return
                }
                names.append(member)
            }
        }
        return names
    }

    private func isNominated(_ name: Range<Int>, _ nominated: [Range<Int>]) -> Bool {
        let span = bytes.span
        return nominated.contains { span.equalsIgnoringCase(name, span.extracting($0)) }
    }
}

extension Span where Element == UInt8 {
    /// Whether the bytes are `text`, the letters `A`–`Z` and `a`–`z` being the same.
    public func isIgnoringCase(_ text: String) -> Bool { equalsIgnoringCase(0..<count, text) }
}
