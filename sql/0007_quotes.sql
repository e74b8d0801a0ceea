-- Prices that providers bring: stored with where they come from, told to the stream `price-events` by way of the
-- outbox, and counted in the moving average of their symbol.
--
-- What keeps it exact:
--
-- * The raw answer, the price, the message of its event and the note that its event has had no effect yet are one
--   transaction: see store_quotes.
-- * An event's effect removes that note, in one transaction with the average. So an effect happens once, however often
--   its event is delivered; and what the stream has lost is known here, and is made again.
-- * An average is computed from `prices` while its row is locked, in a statement that begins when the lock is held. So
--   of two that compute the same one at once, the second sees whatever the first saw, and more.
--
-- Locks are taken in the order: those of the rollups, rows of price_events_due by id, rows of symbol_averages by symbol,
-- then those of the outbox.

-- `_`, `:` and `&` are new: BINANCE:BTCUSDT, M&M.NS.
alter table prices drop constraint prices_symbol_is_valid;
alter table prices add constraint prices_symbol_is_valid
    check (symbol !~ '[^A-Za-z0-9.^=_:&-]' and octet_length(symbol) between 1 and 32);

-- Eight columns are the most whose nulls are noted without making the row longer, so imported rows take the same room.
-- No foreign key: its check would be queued for every row of an import.
alter table prices
    add column provider text,
    add column currency text,
    add column fetched_at timestamptz,
    add column raw_response_id bigint;

comment on column prices.recorded_at is
    'When the price was valid: the quote''s own time. Its UTC date is the day that it counts for.';
comment on column prices.provider is 'Who brought it; null: imported, or written by hand. So are the next three.';
comment on column prices.currency is 'As the provider spells it; GBp is not GBP. Null where it does not say.';
comment on column prices.fetched_at is 'When the provider was asked.';
comment on column prices.raw_response_id is 'The answer in raw_responses.';

-- The newest prices of a symbol are by (recorded_at, id): a closed market gives one quote time thousands of times.
create index prices_symbol_recorded_at_id on prices (symbol, recorded_at, id);
drop index prices_symbol_recorded_at;

create table raw_responses (
    id bigint generated always as identity primary key,
    provider text not null,
    symbol text collate "C" not null,
    fetched_at timestamptz not null,
    body bytea not null
);

comment on table raw_responses is 'What providers answered, byte by byte, for each price that they brought.';

create table price_events_due (
    price_id bigint primary key,
    symbol text collate "C" not null,
    stored_at timestamptz not null default clock_timestamp(),
    renew_at timestamptz not null default clock_timestamp() + interval '30 s'
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

create index price_events_due_renew_at on price_events_due (renew_at);

comment on table price_events_due is 'Prices whose event has not had its effect yet.';
comment on column price_events_due.renew_at is
    'When the event counts as lost and is made again; infinity: it is a dead letter, and somebody has to decide.';

create table symbol_averages (
    symbol text collate "C" primary key,
    moving_average numeric,
    points integer not null default 0,
    price_id bigint,
    updates bigint not null default 0,
    updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

comment on table symbol_averages is 'The mean of each symbol''s newest 5 prices. Written by apply_price_events.';
comment on column symbol_averages.points is 'How many prices it is the mean of: 5, or fewer if there are fewer.';
comment on column symbol_averages.price_id is 'The newest price in it.';
comment on column symbol_averages.updates is 'How many events have had their effect, each counted once.';

create table stream_positions (
    stream text collate "C" not null,
    consumer_group text collate "C" not null,
    milliseconds bigint not null,
    number bigint not null,
    primary key (stream, consumer_group)
) with (fillfactor = 50);

comment on table stream_positions is
    'The newest entry of a Redis stream whose effect is here: where a group that Redis has lost begins again.';

-- 2024-03-20T10:30:00Z, with as many decimals of the second as it has, whatever the session's settings are.
create function utc_text(moment timestamptz) returns text
    language sql immutable strict parallel safe
    return to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || rtrim(rtrim(to_char(moment at time zone 'UTC', '.US'), '0'), '.')
        || 'Z';

-- The key in the outbox of a price's event.
create function price_event_key(price_id bigint) returns uuid
    language sql immutable strict parallel safe
    return lpad(to_hex(price_id), 32, '0')::uuid;

-- Promises the events of these prices. The last thing that a transaction does.
create function add_price_events(price_ids bigint[]) returns void
    language plpgsql set plan_cache_mode = force_generic_plan
as $$
declare
    keys uuid[];
    payloads jsonb[];
begin
    select
        array_agg(price_event_key(p.id) order by p.id),
        array_agg(
            jsonb_build_object(
                'id', p.id,
                'symbol', p.symbol,
                'price', p.price,
                'timestamp', utc_text(p.recorded_at),
                'source', p.provider,
                'raw_response_id', p.raw_response_id
            )
            order by p.id
        )
    into keys, payloads
    from prices as p
    where p.id = any (price_ids);
    if keys is not null then
        perform outbox_add('price-events', keys, payloads);
    end if;
end
$$;

-- Stores what providers answered; returns the ids of each price and of its raw answer, in the order of the arrays.
--
-- One statement and one commit for many: writers of one month take turns (see 0002_rollups.sql), and so do those who
-- add to the outbox.
create function store_quotes(
    providers text[], symbols text[], amounts numeric[], currencies text[], quote_times timestamptz[],
    fetched_at timestamptz[], bodies bytea[]
) returns table (price_id bigint, raw_response_id bigint)
    language plpgsql set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    price_ids bigint[];
    raw_ids bigint[];
begin
    if exists (select from unnest(amounts) as amount where amount = 0 or amount is null) then
        raise check_violation using message = 'a price of 0 is none';
    end if;
    raw_ids := array(select nextval('raw_responses_id_seq') from generate_subscripts(symbols, 1));
    price_ids := array(select nextval('prices_id_seq') from generate_subscripts(symbols, 1));

    insert into raw_responses (id, provider, symbol, fetched_at, body)
    overriding system value
    select * from unnest(raw_ids, providers, symbols, store_quotes.fetched_at, bodies);

    insert into prices (id, symbol, recorded_at, price, provider, currency, fetched_at, raw_response_id)
    overriding system value
    select *
    from unnest(
        price_ids, symbols, quote_times, amounts, providers, currencies, store_quotes.fetched_at, raw_ids
    );

    insert into price_events_due (price_id, symbol) select * from unnest(price_ids, symbols);
    perform add_price_events(price_ids);
    return query select * from unnest(price_ids, raw_ids);
end
$$;

-- What the events of these prices do: the averages of their symbols are made anew, once for each price, however often
-- its event comes. Returns the averages that changed, with the number of events that had their effect.
--
-- `milliseconds` and `number` name the newest entry of the stream that is dealt with, or are null.
create function apply_price_events(
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

        return query
        update symbol_averages as a
        set moving_average = exact_mean(n.total, n.points),
            points = n.points,
            price_id = n.price_id,
            updates = a.updates + e.events,
            updated_at = clock_timestamp()
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

-- Promises anew the events that count as lost, up to `maximum`; returns how many. One that is still in the outbox is
-- not lost. The older a price, the longer until it is tried again, so that a stream that is merely behind is not
-- flooded with what it has already.
create function renew_price_events(maximum integer) returns bigint
    language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan
as $$
declare
    lost bigint[];
begin
    with due as (
        select d.price_id
        from price_events_due as d
        where d.renew_at <= clock_timestamp()
        order by d.renew_at
        limit maximum
        for update skip locked
    ), renewed as (
        update price_events_due as d
        set renew_at = clock_timestamp()
            + least(greatest(2 * (clock_timestamp() - d.stored_at), interval '30 s'), interval '1 h')
        from due
        where d.price_id = due.price_id
        returning d.price_id
    )
    select array_agg(r.price_id) into lost
    from renewed as r
    where not exists (
        select from outbox as o where o.destination = 'price-events' and o.key = price_event_key(r.price_id)
    );
    if lost is null then
        return 0;
    end if;
    perform add_price_events(lost);
    return cardinality(lost);
end
$$;

-- Says that the stream, or its group, was lost: whatever has had no effect yet is to be made again at once.
create function lose_price_events() returns bigint
    language plpgsql
as $$
declare
    count bigint;
begin
    perform from price_events_due as d where d.renew_at < 'infinity' order by d.price_id for update;
    update price_events_due as d set renew_at = clock_timestamp() where d.renew_at < 'infinity';
    get diagnostics count = row_count;
    return count;
end
$$;

-- Marks prices whose event is a dead letter: it is made again by hand only.
create function bury_price_events(price_ids bigint[]) returns void
    language plpgsql set enable_seqscan = off
as $$
begin
    perform from price_events_due as d where d.price_id = any (price_ids) order by d.price_id for update;
    update price_events_due as d set renew_at = 'infinity' where d.price_id = any (price_ids);
end
$$;
