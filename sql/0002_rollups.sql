-- What GET /prices/average reads, kept exact by triggers on `prices`: sums, counts and means by day, for each symbol
-- and over all; and the days over all symbols once more, joined by month, for long ranges.
--
-- A month of raw prices is hundreds of thousands of rows; a month of days is thirty, in one index range scan; and two
-- years of months are twenty-four.
--
-- What keeps them exact:
--
-- * Sums and counts are stored; both can be added to and taken from without an error, which a mean cannot.
-- * Each statement on `prices`, be it INSERT, UPDATE, DELETE, MERGE or COPY, becomes one upsert of net changes per
--   rollup (transition tables). An upsert adds to what is there, so that of two concurrent writers the second waits for
--   the first one's row and adds to its new value. A change commits or rolls back together with the prices it counts.
-- * A month is made anew from its days, which is right only if no other writer is at one of them. So its row is locked
--   before the first day is changed, and read in later statements of the trigger, whose snapshots are taken when the
--   lock is held: they see whatever the lock's last holder committed. A transaction that keeps one snapshot (REPEATABLE
--   READ) would not; there PostgreSQL refuses to change, or to lock, a row that is newer than the snapshot.
-- * Every statement locks in one order, first months, then (symbol, day), then days, each in the order of its key: two
--   statements cannot deadlock here. Transactions of several statements can, unless they too take months in order; and
--   a MERGE that both inserts and updates is like two statements.
-- * A day whose last price is deleted keeps its row, with count 0 and no mean, and so does its month. Deleting the row
--   would race with a writer that is about to add to it.
--
-- What it costs: a statement pays about 0.3 ms more, and a row next to nothing; writers of one month take turns from
-- their statement to their commit. So write many rows per statement, and keep transactions that write this month short.

-- The UTC day, whatever the session's TimeZone is.
create function price_day(recorded_at timestamptz) returns date
    language sql immutable strict parallel safe
    return (recorded_at at time zone 'UTC')::date;

-- The first day of the month. By way of timestamp: of a date, date_trunc() makes a timestamptz in the session's zone.
create function price_month(day date) returns date
    language sql immutable strict parallel safe
    return date_trunc('month', day::timestamp)::date;

-- The mean, rounded half away from zero to 6 decimals, trailing zeros dropped; null when nothing was counted.
--
-- div() truncates the exact quotient. `round(total / count, 6)` would round twice: the division first rounds to the
-- number of digits that PostgreSQL picks, and may make ...4999996 into a half that was none.
create function exact_mean(total numeric, count bigint) returns numeric
    language sql immutable parallel safe
    return case
        when count > 0 then trim_scale(sign(total) * div(abs(total) * 2000000 + count, 2 * count::numeric) * 0.000001)
    end;

-- `{"date":"2025-01-06","average_price":100.38}`: one element of the answer's `data`; null when nothing was counted.
--
-- Spelt with extract(), because to_char() and a cast to text depend on the session's settings.
create function daily_average_json(day date, total numeric, count bigint) returns text
    language sql immutable parallel safe
    return '{"date":"' || lpad(extract(year from day)::text, 4, '0')
        || '-' || lpad(extract(month from day)::text, 2, '0')
        || '-' || lpad(extract(day from day)::text, 2, '0')
        || '","average_price":' || exact_mean(total, count)::text || '}';

-- Over all symbols.
--
-- `average_json` is stored, so that reading a range is joining strings: half the server's time of making them anew. The
-- upsert writes it. As a generated column it would be planned anew in each statement, which doubles the triggers' cost.
--
-- A fillfactor under 100 leaves room on each page for the new versions of a row that changes all day long: such updates
-- touch no index (HOT), and the next reader of the page clears the old versions away.
create table daily_prices (
    day date primary key,
    total numeric not null,
    count bigint not null,
    average_json text
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

-- Per symbol.
create table daily_symbol_prices (
    symbol text collate "C" not null,
    day date not null,
    total numeric not null,
    count bigint not null,
    average_json text,
    primary key (symbol, day)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

-- Over all symbols, by month: the `average_json` of its days, in order, with commas between; null if there is none.
--
-- `month` is its first day. A row is 1.6 kB at most while means are under a million, and so below the 2 kB from which
-- TOAST would compress it; a page holds two of them, and room for new versions.
create table monthly_prices (
    month date primary key,
    averages_json text
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

comment on table daily_prices is 'Exact sum and count of each UTC day''s prices over all symbols. Written by triggers.';
comment on table daily_symbol_prices is 'The same for each symbol. Written by triggers.';
comment on table monthly_prices is 'The JSON of daily_prices, joined by month. Written by triggers.';

-- What one statement added to (or, if negative, took from) a symbol's day.
create type daily_price_change as (symbol text collate "C", day date, total numeric, count bigint);

-- One function for all three triggers: a transition table is looked for only when the branch that names it runs.
--
-- The changes are held in an array, one element per (symbol, day) and not per row; it may hold some 8 million.
--
-- SECURITY DEFINER, so that who may write prices needs no right to write the rollups, and cannot falsify them. Generic
-- plans, because to plan for each array anew gives the same plans, and takes two fifths of the function's time.
create function roll_up_prices() returns trigger
    language plpgsql security definer set search_path = public, pg_temp set plan_cache_mode = force_generic_plan
as $$
declare
    changes daily_price_change[];
begin
    case tg_op
        when 'INSERT' then
            changes := array(
                select (symbol, price_day(recorded_at), sum(price), count(*))::daily_price_change
                from added
                group by symbol, price_day(recorded_at)
            );
        when 'DELETE' then
            changes := array(
                select (symbol, price_day(recorded_at), -sum(price), -count(*))::daily_price_change
                from removed
                group by symbol, price_day(recorded_at)
            );
        when 'UPDATE' then
            changes := array(
                select (symbol, day, sum(price), sum(sign))::daily_price_change
                from (
                    select symbol, price_day(recorded_at) as day, price, 1 as sign from added
                    union all
                    select symbol, price_day(recorded_at), -price, -1 from removed
                ) as both_sides
                group by symbol, day
                having sum(price) <> 0 or sum(sign) <> 0
            );
    end case;

    -- `where false` locks a row that is there without making a new version of it.
    insert into monthly_prices as kept (month)
    select distinct price_month(day) as month
    from unnest(changes)
    order by month
    on conflict (month) do update set averages_json = null where false;

    insert into daily_symbol_prices as kept (symbol, day, total, count, average_json)
    select symbol, day, total, count, daily_average_json(day, total, count)
    from unnest(changes)
    order by symbol, day
    on conflict (symbol, day) do update set
        total = kept.total + excluded.total,
        count = kept.count + excluded.count,
        average_json = daily_average_json(kept.day, kept.total + excluded.total, kept.count + excluded.count);

    insert into daily_prices as kept (day, total, count, average_json)
    select day, total, count, daily_average_json(day, total, count)
    from (select day, sum(total) as total, sum(count)::bigint as count from unnest(changes) group by day) as by_day
    where total <> 0 or count <> 0
    order by day
    on conflict (day) do update set
        total = kept.total + excluded.total,
        count = kept.count + excluded.count,
        average_json = daily_average_json(kept.day, kept.total + excluded.total, kept.count + excluded.count);

    update monthly_prices
    set averages_json = (
        select string_agg(average_json, ',')
        from (
            select average_json
            from daily_prices
            where day >= month and day < month + interval '1 month'
            order by day
        ) as days
    )
    where month in (select price_month(day) from unnest(changes));

    return null;
end
$$;

-- TRUNCATE and not DELETE: under REPEATABLE READ a DELETE would miss days that were committed after the snapshot, while
-- TRUNCATE of `prices` removes their prices all the same. No writer is under way; they all hold a lock on `prices`.
create function truncate_price_rollups() returns trigger
    language plpgsql security definer set search_path = public, pg_temp
as $$
begin
    truncate daily_symbol_prices, daily_prices, monthly_prices;
    return null;
end
$$;

create trigger prices_inserted after insert on prices
    referencing new table as added
    for each statement execute function roll_up_prices();

create trigger prices_updated after update on prices
    referencing old table as removed new table as added
    for each statement execute function roll_up_prices();

create trigger prices_deleted after delete on prices
    referencing old table as removed
    for each statement execute function roll_up_prices();

create trigger prices_truncated after truncate on prices
    for each statement execute function truncate_price_rollups();

-- Every row of a rollup that differs from the prices themselves; no row when all is exact. Reads everything: about 1 s
-- per million prices. `symbol` is null over all symbols; `monthly_prices` has no sums, and its `day` is the first one.
-- One statement, so one snapshot: it may run at any time.
create function prices_rollup_differences()
    returns table (
        rollup text,
        symbol text,
        day date,
        stored_total numeric,
        exact_total numeric,
        stored_count bigint,
        exact_count bigint,
        stored_json text,
        exact_json text
    )
    language sql stable
begin atomic
    with exact as (
        select p.symbol, price_day(p.recorded_at) as day, sum(p.price) as total, count(*) as count
        from prices as p
        group by grouping sets ((p.symbol, price_day(p.recorded_at)), (price_day(p.recorded_at)))
    ), exact_months as (
        select
            price_month(day) as month,
            string_agg(daily_average_json(day, total, count), ',' order by day) as averages_json
        from exact
        where symbol is null
        group by price_month(day)
    ), stored as (
        select s.symbol, s.day, s.total, s.count, s.average_json from daily_symbol_prices as s
        union all
        select null, d.day, d.total, d.count, d.average_json from daily_prices as d
    )
    select
        case when coalesce(stored.symbol, exact.symbol) is null then 'daily_prices' else 'daily_symbol_prices' end,
        coalesce(stored.symbol, exact.symbol), coalesce(stored.day, exact.day),
        stored.total, coalesce(exact.total, 0),
        stored.count, coalesce(exact.count, 0),
        stored.average_json, daily_average_json(exact.day, exact.total, exact.count)
    from exact
    full join stored on coalesce(stored.symbol, '') = coalesce(exact.symbol, '') and stored.day = exact.day
    where stored.total is distinct from coalesce(exact.total, 0)
        or stored.count is distinct from coalesce(exact.count, 0)
        or stored.average_json is distinct from daily_average_json(exact.day, exact.total, exact.count)
    union all
    select 'monthly_prices', null, month, null, null, null, null, stored.averages_json, exact.averages_json
    from exact_months as exact
    full join monthly_prices as stored using (month)
    where stored.averages_json is distinct from exact.averages_json;
end;

-- Makes the rollups anew from `prices`, for the owner, after prices were changed with the triggers switched off (as
-- pg_restore --disable-triggers does). Writers wait until the transaction ends; readers wait from the TRUNCATE on.
create procedure rebuild_price_rollups()
    language plpgsql set search_path = public, pg_temp
as $$
begin
    lock table prices in share row exclusive mode;
    truncate daily_symbol_prices, daily_prices, monthly_prices;

    insert into daily_symbol_prices (symbol, day, total, count, average_json)
    select symbol, day, total, count, daily_average_json(day, total, count)
    from (
        select symbol, price_day(recorded_at) as day, sum(price) as total, count(*) as count
        from prices
        group by 1, 2
    ) as exact;

    insert into daily_prices (day, total, count, average_json)
    select day, total, count, daily_average_json(day, total, count)
    from (
        select day, sum(total) as total, sum(count)::bigint as count
        from daily_symbol_prices
        group by day
    ) as exact;

    insert into monthly_prices (month, averages_json)
    select price_month(day), string_agg(average_json, ',' order by day)
    from daily_prices
    group by price_month(day);
end
$$;
