-- Sample prices: loaded once by `tickloop seed --sample`, which `tickloop up` and Docker Compose call after the
-- migrations. A production database does without. The figures are made up here; no market ever showed them.
--
--   2025-01-01 … 01-05   the 15 reference prices, means 101.05, 102.45, 99.433333, 104.7, 97.4
--   2025-01-06, 01-07    means 100.38 and 102.75; nothing else in January 2025
--   2024, 2025-02 … 12   five symbols every half-hour of each trading day
--
-- One statement, so it is there whole or not at all. Of two that run at once, the second waits on the marker's key.

do $sample$
begin
    insert into loaded_samples (name) values ('prices') on conflict do nothing;
    if not found then
        return;
    end if;

    insert into prices (symbol, recorded_at, price) values
        ('AAPL', '2025-01-01T09:00:00Z', 101.25),
        ('AAPL', '2025-01-01T12:00:00Z', 102.10),
        ('AAPL', '2025-01-01T15:30:00Z', 99.80),
        ('AAPL', '2025-01-02T08:45:00Z', 103.50),
        ('AAPL', '2025-01-02T13:20:00Z', 102.75),
        ('AAPL', '2025-01-02T17:00:00Z', 101.10),
        ('AAPL', '2025-01-03T10:00:00Z', 98.40),
        ('AAPL', '2025-01-03T14:30:00Z', 100.20),
        ('AAPL', '2025-01-03T18:00:00Z', 99.70),
        ('AAPL', '2025-01-04T09:00:00Z', 104.00),
        ('AAPL', '2025-01-04T11:45:00Z', 104.80),
        ('AAPL', '2025-01-04T16:10:00Z', 105.30),
        ('AAPL', '2025-01-05T07:50:00Z', 97.20),
        ('AAPL', '2025-01-05T12:00:00Z', 96.90),
        ('AAPL', '2025-01-05T18:30:00Z', 98.10),
        ('AAPL', '2025-01-06T09:00:00Z', 99.95),
        ('AAPL', '2025-01-06T13:30:00Z', 100.49),
        ('AAPL', '2025-01-06T17:45:00Z', 100.70),
        ('AAPL', '2025-01-07T08:30:00Z', 102.10),
        ('AAPL', '2025-01-07T12:15:00Z', 102.80),
        ('AAPL', '2025-01-07T16:50:00Z', 103.35);

    -- A geometric random walk per symbol: each half-hour multiplies the price by e to a step within ±0.4 %. The steps
    -- come from MD5, and exp() is numeric, so that every machine and version makes the same rows.
    insert into prices (symbol, recorded_at, price)
    select symbol, recorded_at, round(start * exp(sum(step) over (partition by symbol order by recorded_at)), decimals)
    from (
        values ('AAPL', 184.50, 2), ('BRK-B', 361.20, 2), ('IBM', 162.75, 2), ('MSFT', 372.10, 2), ('SBUX', 94.125, 4)
    ) as listing (symbol, start, decimals)
    cross join lateral (
        select day + half_hour * interval '30 minutes' as recorded_at, 0.004 * (first_draw + second_draw - 1) as step
        from generate_series('2024-01-01T14:30Z'::timestamptz, '2025-12-31T14:30Z', interval '24 hours') as day
        cross join generate_series(0, 13) as half_hour
        cross join lateral (
            select md5(concat_ws('/', symbol, extract(epoch from day)::bigint, half_hour)) as digest
        ) as noise
        -- Two draws from 0 to 1; their sum is near its middle more often than at its ends, as price changes are.
        cross join lateral (
            select
                ('x' || left(digest, 8))::bit(32)::bigint / 4294967296.0 as first_draw,
                ('x' || right(digest, 8))::bit(32)::bigint / 4294967296.0 as second_draw
        ) as draws
        where extract(isodow from day at time zone 'UTC') < 6
            and to_char(day at time zone 'UTC', 'MM-DD') not in ('01-01', '07-04', '12-25')
            and (day at time zone 'UTC')::date not between '2025-01-01' and '2025-01-31'
    ) as walk;
end
$sample$;
