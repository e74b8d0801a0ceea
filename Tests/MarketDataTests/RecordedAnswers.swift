/// Answers of Yahoo as they came in 2025, each on the one line that it had.
enum RecordedAnswers {
    static let apple = #"""
        {"chart":{"result":[{"meta":{"currency":"USD","symbol":"AAPL","exchangeName":"NMS",\#
        "fullExchangeName":"NasdaqGS","instrumentType":"EQUITY","firstTradeDate":345479400,\#
        "regularMarketTime":1742824293,"hasPrePostMarketData":true,"gmtoffset":-14400,"timezone":"EDT",\#
        "exchangeTimezoneName":"America/New_York","regularMarketPrice":220.003,"fiftyTwoWeekHigh":260.1,\#
        "fiftyTwoWeekLow":164.08,"regularMarketDayHigh":221.021,"regularMarketDayLow":218.58,\#
        "regularMarketVolume":5800260,"longName":"Apple Inc.","shortName":"Apple Inc.",\#
        "chartPreviousClose":167.3,"priceHint":2,"currentTradingPeriod":{"pre":{"timezone":"EDT",\#
        "start":1742803200,"end":1742823000,"gmtoffset":-14400},"regular":{"timezone":"EDT",\#
        "start":1742823000,"end":1742846400,"gmtoffset":-14400},"post":{"timezone":"EDT","start":1742846400,\#
        "end":1742860800,"gmtoffset":-14400}},"dataGranularity":"1d","range":"","validRanges":["1d","5d",\#
        "1mo","3mo","6mo","1y","2y","5y","10y","ytd","max"]},"timestamp":[1645540200],\#
        "indicators":{"quote":[{"high":[166.69000244140625],"volume":[91162800],"low":[162.14999389648438],\#
        "open":[164.97999572753906],"close":[164.32000732421875]}],\#
        "adjclose":[{"adjclose":[161.6998748779297]}]}}],"error":null}}
        """#

    static let bitcoin = #"""
        {"chart":{"result":[{"meta":{"currency":"USD","symbol":"BTC-USD","exchangeName":"CCC",\#
        "fullExchangeName":"CCC","instrumentType":"CRYPTOCURRENCY","firstTradeDate":1410912000,\#
        "regularMarketTime":1740051840,"hasPrePostMarketData":false,"gmtoffset":0,"timezone":"UTC",\#
        "exchangeTimezoneName":"UTC","regularMarketPrice":97208.17,"fiftyTwoWeekHigh":109114.88,\#
        "fiftyTwoWeekLow":49121.24,"regularMarketDayHigh":97372.1,"regularMarketDayLow":96481.414,\#
        "regularMarketVolume":27909466112,"longName":"Bitcoin USD","shortName":"Bitcoin USD",\#
        "chartPreviousClose":7200.174,"priceHint":2,"currentTradingPeriod":{"pre":{"timezone":"UTC",\#
        "start":1740009600,"end":1740009600,"gmtoffset":0},"regular":{"timezone":"UTC","start":1740009600,\#
        "end":1740095940,"gmtoffset":0},"post":{"timezone":"UTC","start":1740095940,"end":1740095940,\#
        "gmtoffset":0}},"dataGranularity":"1d","range":"","validRanges":["1d","5d","1mo","3mo","6mo","1y",\#
        "2y","5y","10y","ytd","max"]},"timestamp":[1577836800,1577923200,1578009600],\#
        "indicators":{"quote":[{"low":[7174.9443359375,6935.27001953125,6914.99609375],\#
        "close":[7200.17431640625,6985.47021484375,7344.88427734375],"volume":[18565664997,20802083465,\#
        28111481032],"open":[7194.89208984375,7202.55126953125,6984.4287109375],"high":[7254.33056640625,\#
        7212.1552734375,7413.71533203125]}],"adjclose":[{"adjclose":[7200.17431640625,6985.47021484375,\#
        7344.88427734375]}]}}],"error":null}}
        """#

    static let euro = #"""
        {"chart":{"result":[{"meta":{"currency":"USD","symbol":"EURUSD=X","exchangeName":"CCY",\#
        "fullExchangeName":"CCY","instrumentType":"CURRENCY","firstTradeDate":1070236800,\#
        "regularMarketTime":1740052002,"hasPrePostMarketData":false,"gmtoffset":0,"timezone":"GMT",\#
        "exchangeTimezoneName":"Europe/London","regularMarketPrice":1.0436,"fiftyTwoWeekHigh":1.1212,\#
        "fiftyTwoWeekLow":1.0184,"regularMarketDayHigh":1.0449,"regularMarketDayLow":1.0422,\#
        "regularMarketVolume":0,"longName":"EUR/USD","shortName":"EUR/USD","chartPreviousClose":1.1221,\#
        "priceHint":4,"currentTradingPeriod":{"pre":{"timezone":"GMT","start":1740009600,"end":1740009600,\#
        "gmtoffset":0},"regular":{"timezone":"GMT","start":1740009600,"end":1740095940,"gmtoffset":0},\#
        "post":{"timezone":"GMT","start":1740095940,"end":1740095940,"gmtoffset":0}},"dataGranularity":"1d",\#
        "range":"","validRanges":["1d","5d","1mo","3mo","6mo","1y","2y","5y","10y","ytd","max"]},\#
        "timestamp":[1577836800,1577923200,1578009600],"indicators":{"quote":[{"open":[1.1220825910568237,\#
        1.1218937635421753,1.1170812845230103],"volume":[0,0,0],"close":[1.1220825910568237,\#
        1.1220825910568237,1.1171437501907349],"low":[1.115946888923645,1.1166820526123047,\#
        1.112569808959961],"high":[1.1228384971618652,1.12271249294281,1.118067979812622]}],\#
        "adjclose":[{"adjclose":[1.1220825910568237,1.1220825910568237,1.1171437501907349]}]}}],\#
        "error":null}}
        """#

    static let ocado = #"""
        {"chart":{"result":[{"meta":{"currency":"GBp","symbol":"OCDO.L","exchangeName":"LSE",\#
        "fullExchangeName":"LSE","instrumentType":"EQUITY","firstTradeDate":1279695600,\#
        "regularMarketTime":1740051143,"hasPrePostMarketData":false,"gmtoffset":0,"timezone":"GMT",\#
        "exchangeTimezoneName":"Europe/London","regularMarketPrice":305.3,"fiftyTwoWeekHigh":541.346,\#
        "fiftyTwoWeekLow":270,"regularMarketDayHigh":306.507,"regularMarketDayLow":299.1,\#
        "regularMarketVolume":145121,"longName":"Ocado Group plc","shortName":"OCADO GROUP PLC ORD 2P",\#
        "chartPreviousClose":1279,"priceHint":2,"currentTradingPeriod":{"pre":{"timezone":"GMT",\#
        "end":1740038400,"start":1740035700,"gmtoffset":0},"regular":{"timezone":"GMT","end":1740069000,\#
        "start":1740038400,"gmtoffset":0},"post":{"timezone":"GMT","end":1740071700,"start":1740069000,\#
        "gmtoffset":0}},"dataGranularity":"1d","range":"","validRanges":["1d","5d","1mo","3mo","6mo","1y",\#
        "2y","5y","10y","ytd","max"]},"timestamp":[1577952000],\#
        "indicators":{"quote":[{"high":[1286.5699462890625],"volume":[728520],"close":[1259.5],\#
        "open":[1279.5],"low":[1258]}],"adjclose":[{"adjclose":[1259.5]}]}}],"error":null}}
        """#
}
