/// What can be the value of a metric.
public protocol MetricValue {
    /// As it stands on a page.
    var metricText: String { get }
}

extension Int: MetricValue {
    /// Its digits.
    public var metricText: String { description }
}

extension Bool: MetricValue {
    /// 1 or 0.
    public var metricText: String { self ? "1" : "0" }
}

extension Double: MetricValue {
    /// Its digits, or Prometheus' word for what has none.
    public var metricText: String {
        if isNaN { return "NaN" }
        if isInfinite { return self < 0 ? "-Inf" : "+Inf" }
        return description
    }
}

extension Duration: MetricValue {
    /// In seconds.
    public var metricText: String { (self / .seconds(1)).metricText }
}
