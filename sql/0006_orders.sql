-- Orders: what clients asked for, what became of it, and the promise that each is placed at the exchange.
--
-- What keeps it exact:
--
-- * An order, its first event, its idempotency key and the message that has it placed are committed in one transaction.
-- * Events are only ever added. A row of `orders` is what its events add up to, kept up by the functions that add them;
--   order_differences() compares the two, and rebuild_orders() makes the rows anew.
-- * An order's events have versions 1, 2, 3, …; who adds one holds the order's row, and says which version it is.
-- * Positions are gapless and in the order of commits: who adds events takes a lock last, reads the highest position
--   under it, and holds it until the commit. So nobody who read up to a position has to look below it again.
--
-- Locks are taken in this order, by every function here: rows of `order_keys` by key, rows of `orders` by id, rows of
-- the outbox, the outbox's lock, the events' lock. Each is one short statement for many orders, so that the locks cost a
-- commit and no more.

create table orders (
    id uuid primary key,
    created_at timestamptz not null,
    type text collate "C" not null,
    side text collate "C" not null,
    instrument text collate "C" not null,
    limit_price numeric(18, 2),
    quantity bigint not null,
    status text collate "C" not null default 'pending',
    expires_at timestamptz,
    filled_quantity bigint not null default 0,
    version integer not null default 1,
    owner text collate "C",

    constraint orders_type_is_known check (type in ('market', 'limit')),
    constraint orders_side_is_known check (side in ('buy', 'sell')),
    constraint orders_instrument_is_valid check (instrument !~ '[^A-Za-z0-9]' and octet_length(instrument) = 12),
    constraint orders_limit_price_is_of_limit check ((limit_price is not null) = (type = 'limit')),
    -- NaN stands above every number.
    constraint orders_limit_price_is_positive check (limit_price > 0 and limit_price < 'NaN'),
    -- What every JSON reader can hold.
    constraint orders_quantity_is_whole check (quantity between 1 and 9007199254740991),
    constraint orders_status_is_known check (
        status in ('pending', 'placed', 'partially_filled', 'filled', 'rejected', 'cancelled', 'expired')
    )
);

-- Ids begin with the time, so their order is the orders' age.
create index orders_by_status on orders (status, id);
create index orders_by_instrument on orders (instrument, id);
create index orders_that_expire on orders (expires_at, id) where status = 'pending' and expires_at is not null;

comment on table orders is 'What each order''s events add up to. Written by the functions of this file only.';
comment on column orders.owner is 'The sub of who placed it; null while nobody has to say who he is.';

create table order_events (
    position bigint primary key,
    order_id uuid not null,
    version integer not null,
    type text collate "C" not null,
    data jsonb not null,
    created_at timestamptz not null,

    unique (order_id, version),
    constraint order_events_type_is_known check (
        type in (
            'OrderSubmitted', 'PlacementFailed', 'PlacementUnknown', 'OrderPlaced', 'OrderRejected', 'OrderCancelled',
            'OrderExpired', 'OrderExecuted', 'ExecutionCorrected'
        )
    )
);

comment on table order_events is 'The history of all orders, in the order in which it was committed. Only added to.';

-- Idempotency keys of committed orders.
create table order_keys (
    owner text collate "C" not null,
    key text collate "C" not null,
    order_id uuid not null,
    created_at timestamptz not null default now(),
    primary key (owner, key)
);

create index order_keys_by_age on order_keys (created_at);

-- How long a key is remembered. The rows go an hour later, so that none goes while somebody looks at it.
create function order_key_lifetime() returns interval
    language sql immutable parallel safe
    return interval '24 hours';

-- The status that an event gives an order of which nothing is executed; null if it gives none.
create function order_event_status(type text) returns text
    language sql immutable strict parallel safe
    return case type
        when 'OrderSubmitted' then 'pending'
        when 'OrderPlaced' then 'placed'
        when 'OrderRejected' then 'rejected'
        when 'OrderCancelled' then 'cancelled'
        when 'OrderExpired' then 'expired'
        -- An exchange that executes has taken the order; so it has when it revokes all that it executed.
        when 'OrderExecuted' then 'placed'
        when 'ExecutionCorrected' then 'placed'
    end;

-- By how much an event changes what is executed of an order.
create function order_event_fill(type text, data jsonb) returns bigint
    language sql immutable parallel safe
    return case type
        when 'OrderExecuted' then (data ->> 'quantity')::bigint
        when 'ExecutionCorrected' then (data ->> 'quantity')::bigint - (data ->> 'previous_quantity')::bigint
        else 0
    end;

-- What is executed decides; while nothing is, the last event that gives a status does.
create function order_status(quantity bigint, filled_quantity bigint, given text) returns text
    language sql immutable parallel safe
    return case
        when filled_quantity >= quantity then 'filled'
        when filled_quantity > 0 then 'partially_filled'
        else given
    end;

-- Adds events, each as the version that its writer expects it to be. The last step of every transaction that has any.
create function write_order_events(
    order_ids uuid[], versions integer[], types text[], data jsonb[], times timestamptz[] default null
) returns void
    language plpgsql
as $$
declare
    last bigint;
begin
    perform pg_advisory_xact_lock(7227420002);
    select coalesce(max(position), 0) into last from order_events;
    insert into order_events (position, order_id, version, type, data, created_at)
    select last + e.number, e.order_id, e.version, e.type, e.data, coalesce(e.time, clock_timestamp())
    from unnest(order_ids, versions, types, write_order_events.data, times)
        with ordinality as e (order_id, version, type, data, time, number);
end
$$;

-- Adds events to orders and takes their rows along. The last step of its transaction, and called once in it: it takes
-- the events' lock. An order may be named repeatedly; its events come in the order given.
create function orders_append_events(order_ids uuid[], types text[], data jsonb[]) returns void
    language plpgsql
as $$
declare
    versions integer[];
begin
    if cardinality(order_ids) = 0 then
        return;
    end if;

    perform from orders as o where o.id = any (order_ids) order by o.id for update;

    versions := array(
        select o.version + row_number() over (partition by e.order_id order by e.number)
        from unnest(order_ids) with ordinality as e (order_id, number)
        left join orders as o on o.id = e.order_id
        order by e.number
    );

    update orders as o
    set version = o.version + change.events,
        filled_quantity = o.filled_quantity + change.filled,
        status = order_status(o.quantity, o.filled_quantity + change.filled, coalesce(change.given, o.status))
    from (
        select
            e.order_id,
            count(*)::integer as events,
            sum(order_event_fill(e.type, e.data))::bigint as filled,
            (array_agg(order_event_status(e.type) order by e.number desc)
                filter (where order_event_status(e.type) is not null))[1] as given
        from unnest(order_ids, types, orders_append_events.data)
            with ordinality as e (order_id, type, data, number)
        group by e.order_id
    ) as change
    where o.id = change.order_id;

    perform write_order_events(order_ids, versions, types, orders_append_events.data);
end
$$;

-- A moment in UTC, as RFC 3339 writes it.
create function rfc3339(moment timestamptz) returns text
    language sql stable strict parallel safe
    return to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- One order as a client offers it.
create type offered_order as (
    id uuid,
    created_at timestamptz,
    type text,
    side text,
    instrument text,
    limit_price numeric(18, 2),
    quantity bigint,
    expires_at timestamptz,
    owner text,
    key text
);

-- Its members, as its event and its message have them.
create function order_members(offer offered_order) returns jsonb
    language sql stable parallel safe
    return jsonb_strip_nulls(
        jsonb_build_object(
            'type', offer.type,
            'side', offer.side,
            'instrument', offer.instrument,
            'limit_price', offer.limit_price,
            'quantity', offer.quantity,
            'expires_at', rfc3339(offer.expires_at)
        )
    );

-- Takes orders in, with a verdict for each in the order given:
--
-- * `created`: it is stored, and so is the message that has it placed.
-- * `replayed`: its idempotency key belongs to an order with the same members, whose id and time are returned.
-- * `conflict`: its idempotency key belongs to an order with others.
-- * `past`: it has expired already. Asked after the key, because a repeated request may come after the time.
--
-- A key may be named once in a call. The row of a key that another transaction is about to insert is waited for; a row
-- that is met is locked, so that none is removed before it is read.
create function submit_orders(
    ids uuid[], times timestamptz[], types text[], sides text[], instruments text[], limit_prices numeric[],
    quantities bigint[], expiries timestamptz[], owners text[], keys text[]
) returns table (verdict text, order_id uuid, created_at timestamptz)
    language plpgsql
    set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    moment timestamptz := clock_timestamp();
    offers offered_order[];
    accepted uuid[];
    members jsonb[];
    histories jsonb[];
begin
    select array_agg(
        (
            o.id, o.created_at, o.type, o.side, o.instrument, o.limit_price, o.quantity, o.expires_at, o.owner, o.key
        )::offered_order
        order by o.number
    )
    into offers
    from unnest(ids, times, types, sides, instruments, limit_prices, quantities, expiries, owners, keys)
        with ordinality as o (
            id, created_at, type, side, instrument, limit_price, quantity, expires_at, owner, key, number
        );

    -- A key that is too old to be remembered, and not removed yet, is taken over.
    insert into order_keys as kept (owner, key, order_id)
    select coalesce(o.owner, ''), o.key, o.id
    from unnest(offers) as o
    where o.key is not null and (o.expires_at is null or o.expires_at > moment)
    order by 1, 2
    on conflict (owner, key) do update set order_id = excluded.order_id, created_at = excluded.created_at
        where kept.created_at <= moment - order_key_lifetime();

    -- A statement of its own, so that it sees what was committed while keys were waited for.
    with fresh as (
        select o.id, o.owner, order_members(o) as members
        from unnest(offers) as o
        left join order_keys as k on k.owner = coalesce(o.owner, '') and k.key = o.key
        where case when o.key is null then o.expires_at is null or o.expires_at > moment else k.order_id = o.id end
    )
    select
        array_agg(f.id order by f.id),
        array_agg(jsonb_build_object('order_id', f.id) || f.members order by f.id),
        array_agg(
            case when f.owner is null then f.members else f.members || jsonb_build_object('owner', f.owner) end
            order by f.id
        )
    into accepted, members, histories
    from fresh as f;

    if accepted is not null then
        insert into orders (id, created_at, type, side, instrument, limit_price, quantity, expires_at, owner)
        select o.id, o.created_at, o.type, o.side, o.instrument, o.limit_price, o.quantity, o.expires_at, o.owner
        from unnest(offers) as o
        join unnest(accepted) as a (id) on a.id = o.id;

        perform outbox_add('exchange', accepted, members);
        perform write_order_events(
            accepted,
            array_fill(1, array[cardinality(accepted)]),
            array_fill('OrderSubmitted'::text, array[cardinality(accepted)]),
            histories,
            array(
                select o.created_at
                from unnest(offers) as o
                join unnest(accepted) as a (id) on a.id = o.id
                order by o.id
            )
        );
    end if;

    return query
    select
        case
            when o.key is null and o.id = first.id then 'created'
            when o.key is null or k.order_id is null then 'past'
            when k.order_id = o.id then 'created'
            when (first.type, first.side, first.instrument, first.limit_price, first.quantity, first.expires_at)
                is not distinct from (o.type, o.side, o.instrument, o.limit_price, o.quantity, o.expires_at)
            then 'replayed'
            else 'conflict'
        end,
        first.id,
        first.created_at
    from unnest(offers)
        with ordinality as o (
            id, created_at, type, side, instrument, limit_price, quantity, expires_at, owner, key, number
        )
    left join order_keys as k
        on k.owner = coalesce(o.owner, '') and k.key = o.key and k.created_at > moment - order_key_lifetime()
    left join orders as first on first.id = coalesce(k.order_id, o.id)
    order by o.number;
end
$$;

-- Forgets idempotency keys that are too old, up to `maximum` of them; returns how many.
create function forget_order_keys(maximum integer) returns bigint
    language sql
begin atomic
    with gone as (
        delete from order_keys
        where (owner, key) in (
            select owner, key
            from order_keys
            where created_at < now() - order_key_lifetime() - interval '1 hour'
            order by created_at
            limit maximum
            for update skip locked
        )
        returning 1
    )
    select count(*) from gone;
end;

-- Ends an order that was certainly never executed and now never will be: cancels it, or gives it up.
--
-- Returns whether it was ended; null if there is none of this id, or it is somebody else's.
create function withdraw_order(id uuid, owner text, event text, data jsonb) returns boolean
    language plpgsql
as $$
declare
    found_status text;
begin
    select o.status into found_status
    from orders as o
    where o.id = withdraw_order.id and (withdraw_order.owner is null or o.owner = withdraw_order.owner)
    for update;
    if not found then
        return null;
    end if;
    if found_status <> 'pending' or not outbox_withdraw('exchange', withdraw_order.id) then
        return false;
    end if;
    perform orders_append_events(array[withdraw_order.id], array[event], array[withdraw_order.data]);
    return true;
end
$$;

-- Ends the orders that have expired and that nobody is placing, up to `maximum` of them, oldest expiry first.
--
-- Who is placing one, or does not know its outcome, looks after it; such are passed over here. The caller goes on from
-- the last order that was looked at, until none is returned.
create function expire_orders(after_expiry timestamptz, after_id uuid, maximum integer)
    returns table (looked_at bigint, expired bigint, last_expiry timestamptz, last_id uuid)
    language plpgsql
as $$
declare
    due uuid[];
    one uuid;
    ended uuid[];
begin
    select array_agg(o.id order by o.expires_at, o.id)
    into due
    from (
        select o.id, o.expires_at
        from orders as o
        where o.status = 'pending' and o.expires_at is not null and o.expires_at <= clock_timestamp()
            and (o.expires_at, o.id) > (after_expiry, after_id)
        order by o.expires_at, o.id
        limit maximum
    ) as o;
    if due is null then
        return query select 0::bigint, 0::bigint, null::timestamptz, null::uuid;
        return;
    end if;

    -- Locked in the order of all; another that does the same at this moment has them, and a canceller too.
    perform from orders as o where o.id = any (due) order by o.id for update;
    for one in
        select o.id from orders as o where o.id = any (due) and o.status = 'pending' order by o.id
    loop
        if outbox_withdraw('exchange', one) then
            ended := ended || one;
        end if;
    end loop;

    if ended is not null then
        perform orders_append_events(
            ended,
            array_fill('OrderExpired'::text, array[cardinality(ended)]),
            array_fill('{}'::jsonb, array[cardinality(ended)])
        );
    end if;
    return query
    select cardinality(due)::bigint, coalesce(cardinality(ended), 0)::bigint, o.expires_at, o.id
    from orders as o
    where o.id = due[cardinality(due)];
end
$$;

-- What the events of each order add up to.
create view order_projections as
select
    e.order_id as id,
    e.created_at,
    e.data ->> 'type' as type,
    e.data ->> 'side' as side,
    e.data ->> 'instrument' as instrument,
    (e.data ->> 'limit_price')::numeric(18, 2) as limit_price,
    (e.data ->> 'quantity')::bigint as quantity,
    order_status((e.data ->> 'quantity')::bigint, history.filled, history.given) as status,
    (e.data ->> 'expires_at')::timestamptz as expires_at,
    history.filled as filled_quantity,
    history.version,
    e.data ->> 'owner' as owner
from order_events as e
join (
    select
        order_id,
        max(version) as version,
        sum(order_event_fill(type, data))::bigint as filled,
        (array_agg(order_event_status(type) order by version desc)
            filter (where order_event_status(type) is not null))[1] as given
    from order_events
    group by order_id
) as history using (order_id)
where e.version = 1 and e.type = 'OrderSubmitted';

-- Every order whose row differs from what its events add up to; no row when all is well. One statement, so one
-- snapshot: it may run at any time.
create function order_differences() returns table (id uuid, stored jsonb, exact jsonb)
    language sql stable
begin atomic
    select coalesce(o.id, p.id), to_jsonb(o), to_jsonb(p)
    from orders as o
    full join order_projections as p on p.id = o.id
    where to_jsonb(o) is distinct from to_jsonb(p);
end;

-- Makes the rows that differ anew from the events; returns how many. Whoever adds events waits meanwhile.
create function rebuild_orders() returns bigint
    language plpgsql
as $$
declare
    wrong uuid[];
begin
    lock table orders in exclusive mode;
    wrong := array(select d.id from order_differences() as d);
    delete from orders as o where o.id = any (wrong);
    insert into orders (
        id, created_at, type, side, instrument, limit_price, quantity, status, expires_at, filled_quantity, version, owner
    )
    select
        p.id, p.created_at, p.type, p.side, p.instrument, p.limit_price, p.quantity, p.status, p.expires_at,
        p.filled_quantity, p.version, p.owner
    from order_projections as p
    where p.id = any (wrong);
    return cardinality(wrong);
end
$$;
