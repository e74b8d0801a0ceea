-- The outbox: what a transaction promised to tell somebody else, kept until it was told.
--
-- A message is inserted with whatever it belongs to, in one transaction, and removed once when it is settled. Relays
-- claim messages, send them and settle them; no transaction is open across a call, and each function here is called by
-- a statement of its own.
--
-- What keeps it exact:
--
-- * A claim is a row of outbox_attempts. Its primary key decides between two relays that want the same message.
-- * A relay sends under a lease, one row of outbox_owners, counted by this server's clock. A lease that has ended is
--   never renewed; the relay has to begin anew under another name. Its claims are taken over, as *uncertain*: they may
--   have been sent.
-- * A message may be withdrawn only while no attempt can have reached its destination or still can: nobody has claimed
--   it, or each claim was handed back after certain non-execution.
-- * Ids are handed out in the order of commits (see outbox_add), so a relay that has seen an id need not look below it
--   but for what was rolled back meanwhile: it sweeps from the beginning now and then.
--
-- Locks are taken in the order: rows of `outbox` and of `outbox_attempts` by id, then the lock of the ids.

create table outbox (
    id bigint primary key,
    destination text collate "C" not null,
    key uuid not null,
    sequence_key text collate "C",
    payload jsonb not null,
    created_at timestamptz not null default now(),
    unique (destination, key)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

create index outbox_sequences on outbox (destination, sequence_key, id) where sequence_key is not null;

comment on table outbox is 'Messages that are promised and not settled yet. Written by outbox_add; never updated.';
comment on column outbox.key is 'What the destination knows the message by; goes with every attempt.';
comment on column outbox.sequence_key is 'Messages with the same one go one after the other, in the order of their ids.';

create sequence outbox_ids as bigint;

create table outbox_attempts (
    message_id bigint primary key,
    destination text collate "C" not null,
    owner uuid,
    attempts integer not null default 0,
    due_at timestamptz,
    uncertain_at timestamptz
) with (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

create index outbox_due on outbox_attempts (destination, due_at) where owner is null;

comment on table outbox_attempts is 'Messages that are claimed, or were handed back and wait.';
comment on column outbox_attempts.owner is 'Who has claimed it; null: handed back, and not claimable before due_at.';
comment on column outbox_attempts.uncertain_at is
    'When it was sent last, at the latest, without its outcome being known; null: it has certainly had no effect.';

create table outbox_owners (
    owner uuid primary key,
    lease_until timestamptz not null
);

comment on table outbox_owners is 'One row per running relay, renewed by it.';

-- Adds messages; called in the transaction that makes them true, as its last step but for other locks of this kind.
--
-- The lock is held until the commit, so that whoever gets the next id commits later. It costs those who add messages
-- that they commit one after the other: add many at once.
create function outbox_add(destination text, keys uuid[], payloads jsonb[], sequence_keys text[] default null)
    returns void
    language plpgsql
as $$
begin
    perform pg_advisory_xact_lock(7227420001);
    insert into outbox (id, destination, key, sequence_key, payload)
    select nextval('outbox_ids'), outbox_add.destination, added.key, added.sequence_key, added.payload
    from unnest(keys, payloads, sequence_keys) with ordinality as added (key, payload, sequence_key, number)
    order by added.number;
end
$$;

-- Takes a message back, if it has certainly had no effect and now never will: true. Otherwise, or if there is none:
-- false.
--
-- A relay that claims the message at this moment holds its row, and is waited for; one that comes later skips it.
create function outbox_withdraw(destination text, key uuid) returns boolean
    language plpgsql
as $$
declare
    message bigint;
    attempt outbox_attempts;
begin
    select o.id into message
    from outbox as o
    where o.destination = outbox_withdraw.destination and o.key = outbox_withdraw.key
    for update;
    if not found then
        return false;
    end if;
    select * into attempt from outbox_attempts as a where a.message_id = message for update;
    if attempt.owner is not null or attempt.uncertain_at is not null then
        return false;
    end if;
    delete from outbox_attempts as a where a.message_id = message;
    delete from outbox as o where o.id = message;
    return true;
end
$$;

-- Sets when a message that nobody has claimed may be claimed: 'infinity' holds it, now() lets it go. False if it is
-- claimed, or if there is none.
create function outbox_postpone(destination text, key uuid, until timestamptz) returns boolean
    language plpgsql
as $$
declare
    message bigint;
begin
    select o.id into message
    from outbox as o
    where o.destination = outbox_postpone.destination and o.key = outbox_postpone.key
    for update;
    if not found then
        return false;
    end if;
    insert into outbox_attempts as a (message_id, destination, due_at)
    values (message, outbox_postpone.destination, until)
    on conflict (message_id) do update set due_at = excluded.due_at where a.owner is null;
    return found;
end
$$;

-- Begins the lease of a relay that has a new name.
create function outbox_enter(owner uuid, lease interval) returns void
    language sql
begin atomic
    insert into outbox_owners (owner, lease_until) values (owner, clock_timestamp() + lease);
end;

-- Makes the lease last from now; false if it had ended, after which it cannot be renewed.
create function outbox_renew(owner uuid, lease interval) returns boolean
    language plpgsql
as $$
begin
    update outbox_owners as o
    set lease_until = clock_timestamp() + lease
    where o.owner = outbox_renew.owner and o.lease_until > clock_timestamp();
    return found;
end
$$;

-- Ends the lease of a relay that will send nothing more. What it still claims is taken over.
create function outbox_leave(owner uuid) returns void
    language sql
begin atomic
    update outbox_owners as o set lease_until = clock_timestamp() where o.owner = outbox_leave.owner;
end;

-- What a claim returns: the message, how often it was sent, and if its outcome is unknown, for how long.
create type outbox_claimed as (
    id bigint,
    key uuid,
    sequence_key text,
    payload text,
    attempts integer,
    uncertain_ms bigint,
    age_ms bigint,
    was_handed_back boolean
);

-- Claims up to `maximum` messages: first those that were handed back and are due, then, oldest first, those above
-- `above` that nobody has claimed yet. None if the lease has ended.
--
-- Planned by hand, because statistics of a table that is mostly empty say nothing about it when it is full.
create function outbox_claim(destination text, owner uuid, above bigint, maximum integer)
    returns setof outbox_claimed
    language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set plan_cache_mode = force_generic_plan
as $$
declare
    moment timestamptz := clock_timestamp();
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
        true
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
                or not exists (
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
        false
    from claimed as c
    join outbox as o on o.id = c.message_id
    order by o.id;
end
$$;

-- Takes over up to `maximum` claims of relays whose lease has ended. Each may have been sent until the lease's end, so
-- each is uncertain from now on, and counts as sent once more.
--
-- The row of a relay that just renews its lease is locked by it, and skipped.
create function outbox_take_over(destination text, owner uuid, maximum integer) returns setof outbox_claimed
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
            true
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

-- Of these messages, those that the relay still claims; locked until the transaction ends, so that they stay its own.
-- What a slice concludes from "it was certainly not executed" needs this.
create function outbox_owned(owner uuid, ids bigint[]) returns setof bigint
    language sql
begin atomic
    select a.message_id
    from outbox_attempts as a
    where a.owner = outbox_owned.owner and a.message_id = any (ids)
    order by a.message_id
    for update;
end;

-- Hands claims back, to be claimed again after a delay. `uncertain_ms`: for how long the outcome of the last sending
-- has been unknown; null: it has certainly had no effect, nor had one before. What the relay does not claim any more is
-- left as it is.
create function outbox_hand_back(
    owner uuid, ids bigint[], attempts integer[], delays_ms bigint[], uncertain_ms bigint[]
) returns setof bigint
    language sql
begin atomic
    update outbox_attempts as a
    set owner = null,
        attempts = h.attempts,
        due_at = clock_timestamp() + h.delay_ms * interval '1 millisecond',
        uncertain_at = clock_timestamp() - h.uncertain_ms * interval '1 millisecond'
    from unnest(ids, outbox_hand_back.attempts, delays_ms, uncertain_ms) as h (id, attempts, delay_ms, uncertain_ms)
    where a.message_id = h.id and a.owner = outbox_hand_back.owner
    returning a.message_id;
end;

-- Removes settled messages, whoever has claimed them.
create function outbox_remove(ids bigint[]) returns void
    language sql
begin atomic
    delete from outbox_attempts as a where a.message_id = any (ids);
    delete from outbox as o where o.id = any (ids);
end;

-- How long the oldest message for a destination has waited, in milliseconds; null if there is none.
create function outbox_oldest_ms(destination text) returns bigint
    language sql stable
begin atomic
    select (extract(epoch from clock_timestamp() - o.created_at) * 1000)::bigint
    from outbox as o
    where o.destination = outbox_oldest_ms.destination
    order by o.id
    limit 1;
end;
