-- Changes of the newest prices and moving averages are numbered, so that streams can tell of them in one order: the same
-- from every process, and kept over restarts.
--
-- Whoever sees the change with a number sees all changes with lower ones. For that those who give numbers take turns,
-- from the first number to the commit. A symbol has only its newest change: who looks late does not learn of those
-- before, which nobody needs to know of a price.

create sequence price_changes;

alter table symbol_averages add column change bigint;
update symbol_averages set change = nextval('price_changes') where moving_average is not null;
create unique index symbol_averages_change on symbol_averages (change);

comment on column symbol_averages.change is 'Number of the last change, over all symbols, in the order of commits.';

-- As in 0007_quotes.sql, with the numbers. The lock is taken behind all others but that of stream_positions, whose rows
-- nobody holds who has still to wait for it.
create or replace function apply_price_events(
    price_ids bigint[], stream text, consumer_group text, milliseconds bigint, number bigint
) returns table (symbol text, moving_average numeric, points integer, events bigint)
    language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    applied text[];
begin
    -- In order, because another may deal with some of them at this moment.
    perform from price_events_due as d where d.price_id = any (price_ids) order by d.price_id for update;
    with gone as (
        delete from price_events_due as d where d.price_id = any (price_ids) returning d.symbol
    )
    select array_agg(g.symbol) into applied from gone as g;

    if applied is not null then
        -- `where false` locks a row that is there without making a new version of it.
        insert into symbol_averages as a (symbol)
        select distinct s collate "C" from unnest(applied) as s order by 1
        on conflict (symbol) do update set points = a.points where false;

        perform pg_advisory_xact_lock(7227420004);
        return query
        update symbol_averages as a
        set moving_average = exact_mean(n.total, n.points),
            points = n.points,
            price_id = n.price_id,
            updates = a.updates + e.events,
            updated_at = clock_timestamp(),
            change = nextval('price_changes')
        from (select s as symbol, count(*) as events from unnest(applied) as s group by s) as e
        cross join lateral (
            select
                sum(newest.price) as total,
                count(*)::integer as points,
                (array_agg(newest.id order by newest.recorded_at desc, newest.id desc))[1] as price_id
            from (
                select p.price, p.recorded_at, p.id
                from prices as p
                where p.symbol = e.symbol
                order by p.recorded_at desc, p.id desc
                limit 5
            ) as newest
        ) as n
        where a.symbol = e.symbol
        returning a.symbol, a.moving_average, a.points, e.events;
    end if;

    if apply_price_events.milliseconds is not null then
        insert into stream_positions as s (stream, consumer_group, milliseconds, number)
        values (
            apply_price_events.stream, apply_price_events.consumer_group, apply_price_events.milliseconds,
            apply_price_events.number
        )
        on conflict (stream, consumer_group) do update
        set milliseconds = excluded.milliseconds, number = excluded.number
        where (excluded.milliseconds, excluded.number) > (s.milliseconds, s.number);
    end if;
end
$$;
