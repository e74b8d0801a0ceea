-- Commits of orders and of messages that do not wait for one another.
--
-- Positions of events and ids of messages come from sequences, so a lower number may be committed after a higher one.
-- Instead of a lock that writers hold until their commit, there is a mark for readers: up to which number nothing can
-- be added any more.
--
-- A writer announces that its numbers will be higher than the highest one so far, before it takes any. The announcement
-- is a shared lock, which nobody waits for and which ends after the commit has become visible. A reader first reads the
-- highest number, then looks for announcements, and only then takes the snapshot that it reads with. Whoever announces
-- after the reader has looked takes numbers above what the reader has read as the highest.
--
-- Numbers that a transaction took and did not commit are never used: numbers may be skipped, what they name is not.

-- Announces that numbers will be taken from a sequence. The sequence has its own space among the advisory locks, whose
-- keys are the space in the upper 16 bits, and the number in the others.
create function announce_numbers(space integer, numbers regclass) returns void
    language sql
begin atomic
    select pg_advisory_xact_lock_shared((space::bigint << 48) + pg_sequence_last_value(numbers));
end;

-- Up to which number nothing can be added any more to what the *next* statement sees. A later call may say less, never
-- wrongly so: who announces reads the highest number a moment before.
create function settled_number(space integer, numbers regclass) returns bigint
    language plpgsql
as $$
declare
    last bigint := pg_sequence_last_value(numbers);
    announced bigint;
begin
    select min((l.classid::bigint & 65535) << 32 | l.objid::bigint)
    into announced
    from pg_locks as l
    where l.locktype = 'advisory'
        and l.objsubid = 1
        and l.classid::bigint >> 16 = space
        and l.database = (select d.oid from pg_database as d where d.datname = current_database());
    return least(last, announced);
end
$$;

-- Messages

-- So that there always is a highest one.
alter sequence outbox_ids minvalue 0;
select setval('outbox_ids', case when is_called then last_value else 0 end) from outbox_ids;

create or replace function outbox_add(
    destination text, keys uuid[], payloads jsonb[], sequence_keys text[] default null
) returns void
    language plpgsql
as $$
begin
    perform announce_numbers(22001, 'outbox_ids');
    insert into outbox (id, destination, key, sequence_key, payload)
    select nextval('outbox_ids'), outbox_add.destination, added.key, added.sequence_key, added.payload
    from unnest(keys, payloads, sequence_keys) with ordinality as added (key, payload, sequence_key, number)
    order by added.number;
end
$$;

comment on function outbox_add is 'Adds messages; called in the transaction that makes them true.';

-- So that the messages of one destination do not make those of another wait.
create index outbox_by_destination on outbox (destination, id);

-- Whether messages with lower ids can appear no more.
alter type outbox_claimed add attribute is_final boolean;

create or replace function outbox_claim(destination text, owner uuid, above bigint, maximum integer)
    returns setof outbox_claimed
    language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set plan_cache_mode = force_generic_plan
as $$
declare
    moment timestamptz := clock_timestamp();
    settled bigint := settled_number(22001, 'outbox_ids');
    count integer;
begin
    perform from outbox_owners as o
    where o.owner = outbox_claim.owner and o.lease_until > moment
    for key share;
    if not found then
        return;
    end if;

    return query
    with due as (
        select a.message_id
        from outbox_attempts as a
        where a.destination = outbox_claim.destination and a.owner is null and a.due_at <= moment
        order by a.due_at
        limit maximum
        for update skip locked
    ), claimed as (
        update outbox_attempts as a
        set owner = outbox_claim.owner, due_at = null
        from due
        where a.message_id = due.message_id
        returning a.message_id, a.attempts, a.uncertain_at
    )
    select
        o.id, o.key, o.sequence_key::text, o.payload::text, c.attempts,
        (extract(epoch from moment - c.uncertain_at) * 1000)::bigint,
        (extract(epoch from moment - o.created_at) * 1000)::bigint,
        true,
        o.id <= settled
    from claimed as c
    join outbox as o on o.id = c.message_id
    order by o.id;
    get diagnostics count = row_count;

    -- The row is locked and not changed. Whoever had an older snapshot and claims the same meets the primary key.
    return query
    with free as (
        select o.id
        from outbox as o
        where o.id > above
            and o.destination = outbox_claim.destination
            and not exists (select from outbox_attempts as a where a.message_id = o.id)
            and (
                o.sequence_key is null
                -- Those before it are all there to be seen.
                or o.id <= settled and not exists (
                    select from outbox as earlier
                    where earlier.destination = o.destination
                        and earlier.sequence_key = o.sequence_key
                        and earlier.id < o.id
                )
            )
        order by o.id
        limit maximum - count
        for update skip locked
    ), claimed as (
        insert into outbox_attempts (message_id, destination, owner)
        select free.id, outbox_claim.destination, outbox_claim.owner from free
        on conflict do nothing
        returning message_id
    )
    select
        o.id, o.key, o.sequence_key::text, o.payload::text, 0, null::bigint,
        (extract(epoch from moment - o.created_at) * 1000)::bigint,
        false,
        o.id <= settled
    from claimed as c
    join outbox as o on o.id = c.message_id
    order by o.id;
end
$$;

create or replace function outbox_take_over(destination text, owner uuid, maximum integer) returns setof outbox_claimed
    language plpgsql
as $$
declare
    moment timestamptz := clock_timestamp();
    ended uuid;
    count integer;
begin
    perform from outbox_owners as o
    where o.owner = outbox_take_over.owner and o.lease_until > moment
    for key share;
    if not found then
        return;
    end if;

    for ended in
        select o.owner from outbox_owners as o where o.lease_until <= moment order by o.owner for update skip locked
    loop
        return query
        with left_behind as (
            select a.message_id
            from outbox_attempts as a
            where a.owner = ended and a.destination = outbox_take_over.destination
            order by a.message_id
            limit maximum
            for update skip locked
        ), taken as (
            update outbox_attempts as a
            set owner = outbox_take_over.owner, uncertain_at = moment, attempts = a.attempts + 1
            from left_behind as l
            where a.message_id = l.message_id
            returning a.message_id, a.attempts
        )
        select
            o.id, o.key, o.sequence_key::text, o.payload::text, t.attempts, 0::bigint,
            (extract(epoch from moment - o.created_at) * 1000)::bigint,
            true,
            false
        from taken as t
        join outbox as o on o.id = t.message_id
        order by o.id;
        get diagnostics count = row_count;
        maximum := maximum - count;
        if not exists (select from outbox_attempts as a where a.owner = ended) then
            delete from outbox_owners as o where o.owner = ended;
        end if;
        exit when maximum <= 0;
    end loop;
end
$$;

-- Events

create sequence order_event_positions as bigint minvalue 0;
select setval('order_event_positions', coalesce(max(position), 0)) from order_events;

-- Up to which position nobody who reads events has to look again.
create function settled_event_position() returns bigint
    language sql
begin atomic
    select settled_number(22002, 'order_event_positions');
end;

-- All orders' events from behind a position on: none is missing, though a lower position may be committed later.
--
-- `known`: up to where the caller knows already that nothing can be added.
create function order_events_after(after bigint, known bigint, maximum integer) returns setof order_events
    language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
    settled bigint := greatest(known, settled_event_position());
begin
    return query
    select *
    from order_events as e
    where e.position > after and e.position <= settled
    order by e.position
    limit maximum;
end
$$;

-- Adds events, each as the version that its writer expects it to be.
create or replace function write_order_events(
    order_ids uuid[], versions integer[], types text[], data jsonb[], times timestamptz[] default null
) returns void
    language plpgsql
as $$
begin
    perform announce_numbers(22002, 'order_event_positions');
    insert into order_events (position, order_id, version, type, data, created_at)
    select
        nextval('order_event_positions'), e.order_id, e.version, e.type, e.data, coalesce(e.time, clock_timestamp())
    from unnest(order_ids, versions, types, write_order_events.data, times)
        with ordinality as e (order_id, version, type, data, time, number)
    order by e.number;
end
$$;

-- Takes orders in, with a verdict for each in the order given:
--
-- * `created`: it is stored, and so is the message that has it placed.
-- * `replayed`: its idempotency key belongs to an order with the same members, whose id is returned.
-- * `conflict`: its idempotency key belongs to an order with others.
-- * `past`: it has expired already. Asked after the key, because a repeated request may come after the time.
--
-- A key may be named once in a call. The row of a key that another transaction is about to insert is waited for; a row
-- that is met is locked, so that none is removed before it is read. A key that is too old to be remembered, and not
-- removed yet, is taken over.
--
-- Planned by hand, because statistics of a table that was empty say nothing about it when it is full.
drop function submit_orders;
create function submit_orders(
    ids uuid[], times timestamptz[], types text[], sides text[], instruments text[], limit_prices numeric[],
    quantities bigint[], expiries timestamptz[], owners text[], keys text[]
) returns table (verdict text, order_id uuid)
    language plpgsql
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
    set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    moment timestamptz := clock_timestamp();
    accepted uuid[];
    messages jsonb[];
begin
    perform announce_numbers(22002, 'order_event_positions');
    with offers as materialized (
        select *
        from unnest(ids, times, types, sides, instruments, limit_prices, quantities, expiries, owners, keys)
            with ordinality as o (
                id, created_at, type, side, instrument, limit_price, quantity, expires_at, owner, key, number
            )
    ), own_keys as (
        insert into order_keys as kept (owner, key, order_id)
        select coalesce(o.owner, ''), o.key, o.id
        from offers as o
        where o.key is not null and (o.expires_at is null or o.expires_at > moment)
        order by 1, 2
        on conflict (owner, key) do update set order_id = excluded.order_id, created_at = excluded.created_at
            where kept.created_at <= moment - order_key_lifetime()
        returning kept.order_id
    ), fresh as materialized (
        select
            o.*,
            jsonb_strip_nulls(
                jsonb_build_object(
                    'type', o.type,
                    'side', o.side,
                    'instrument', o.instrument,
                    'limit_price', o.limit_price,
                    'quantity', o.quantity,
                    'expires_at', rfc3339(o.expires_at)
                )
            ) as members
        from offers as o
        where case
            when o.key is null then o.expires_at is null or o.expires_at > moment
            else o.id in (select k.order_id from own_keys as k)
        end
    ), stored as (
        insert into orders (id, created_at, type, side, instrument, limit_price, quantity, expires_at, owner)
        select o.id, o.created_at, o.type, o.side, o.instrument, o.limit_price, o.quantity, o.expires_at, o.owner
        from fresh as o
    ), told as (
        insert into order_events (position, order_id, version, type, data, created_at)
        select
            nextval('order_event_positions'), o.id, 1, 'OrderSubmitted',
            case when o.owner is null then o.members else o.members || jsonb_build_object('owner', o.owner) end,
            o.created_at
        from fresh as o
    )
    select array_agg(o.id), array_agg(jsonb_build_object('order_id', o.id) || o.members)
    into accepted, messages
    from fresh as o;

    if accepted is not null then
        perform outbox_add('exchange', accepted, messages);
    end if;
    if cardinality(accepted) = cardinality(ids) then
        return query select 'created', o.id from unnest(ids) as o (id);
        return;
    end if;

    -- A statement of its own, so that it sees what was committed while keys were waited for.
    return query
    select
        case
            when o.id = any (accepted) then 'created'
            when k.order_id is null then 'past'
            when (first.type, first.side, first.instrument, first.limit_price, first.quantity, first.expires_at)
                is not distinct from (o.type, o.side, o.instrument, o.limit_price, o.quantity, o.expires_at)
            then 'replayed'
            else 'conflict'
        end,
        coalesce(k.order_id, o.id)
    from unnest(ids, types, sides, instruments, limit_prices::numeric(18, 2)[], quantities, expiries, owners, keys)
        with ordinality as o (id, type, side, instrument, limit_price, quantity, expires_at, owner, key, number)
    left join order_keys as k
        on k.owner = coalesce(o.owner, '') and k.key = o.key and k.created_at > moment - order_key_lifetime()
    left join orders as first on first.id = k.order_id
    order by o.number;
end
$$;

drop function order_members;
drop type offered_order;
