public import HTTPWire
public import Reactor

/// Takes a response piece by piece, for bodies that are passed on and not kept.
///
/// All calls are made on the loop, none before ``HTTPClient/open(_:isComplete:deadline:receiver:)`` returns and none
/// after ``HTTPClientExchange/cancel()``. Each may cancel, pause or write.
@ReactorActor
public protocol HTTPClientReceiver: AnyObject {
    /// Status line and fields have come.
    func responseBegan(_ head: ResponseHead)

    /// An interim response (1xx) has come; the real one follows.
    func interimResponseReceived(_ head: ResponseHead)

    /// A piece of the body has come; it is copied or lost. After ``HTTPClientExchange/pause()`` no more is read, but up
    /// to 64 KiB that were read before still come.
    func responseBodyReceived(_ bytes: Span<UInt8>)

    /// The response is complete, or will not be: nothing more comes.
    func responseEnded(_ failure: HTTPClientError?)

    /// Everything written so far is with the kernel: the upstream takes more of the request's body.
    func requestBodyWanted()
}

extension HTTPClientReceiver {
    /// Nobody waits for one.
    public func interimResponseReceived(_ head: ResponseHead) {}
}
