-- An outbox that stays small, also while an old snapshot keeps the dead rows of its settled messages from being removed.
--
-- Ids are cut into ranges of 2^15, which take turns in four slots. A slot is a table of messages and a table of
-- attempts. Once every message of a slot is settled, and new ids go to others, both tables are truncated, which gives
-- everything back at once. A slot in which one message waits for long, or is held, is left as it is; its dead rows are
-- removed by vacuum, as those of every table.
--
-- To truncate is to remove rows also for those with an older snapshot. Who reads messages and something else as of one
-- moment locks the outbox in access share mode before he takes his snapshot.

alter table outbox rename to outbox_before;
alter table outbox_attempts rename to outbox_attempts_before;

create table outbox (
    id bigint not null,
    destination text collate "C" not null,
    key uuid not null,
    sequence_key text collate "C",
    payload jsonb not null,
    created_at timestamptz not null default now()
) partition by list ((id >> 15 & 3));

comment on table outbox is 'Messages that are promised and not settled yet. Written by outbox_add; never updated.';
comment on column outbox.key is 'What the destination knows the message by; goes with every attempt.';
comment on column outbox.sequence_key is 'Messages with the same one go one after the other, in the order of their ids.';

create table outbox_attempts (
    message_id bigint not null,
    destination text collate "C" not null,
    owner uuid,
    attempts integer not null default 0,
    due_at timestamptz,
    uncertain_at timestamptz
) partition by list ((message_id >> 15 & 3));

comment on table outbox_attempts is 'Messages that are claimed, or were handed back and wait.';
comment on column outbox_attempts.owner is 'Who has claimed it; null: handed back, and not claimable before due_at.';
comment on column outbox_attempts.uncertain_at is
    'When it was sent last, at the latest, without its outcome being known; null: it has certainly had no effect.';

-- A key of all slots would have to name the slot; a message is in one slot only, so a key of each slot does the same for
-- its id.
do $$
declare
    options text := 'autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, '
        'autovacuum_vacuum_cost_delay = 0';
begin
    for slot in 0..3 loop
        execute format('create table outbox_%s partition of outbox for values in (%1$s) with (%s)', slot, options);
        execute format('alter table outbox_%s add primary key (id)', slot);
        execute format(
            'create table outbox_attempts_%s partition of outbox_attempts for values in (%1$s) '
                'with (fillfactor = 70, %s)',
            slot, options
        );
        execute format('alter table outbox_attempts_%s add primary key (message_id)', slot);
    end loop;
end
$$;

-- Whoever adds a message has the key from a row of its own, which is there once.
create index outbox_keys on outbox (destination, key);
create index outbox_of_destination on outbox (destination, id);
create index outbox_of_sequence on outbox (destination, sequence_key, id) where sequence_key is not null;
create index outbox_attempts_due on outbox_attempts (destination, due_at) where owner is null;

insert into outbox select id, destination, key, sequence_key, payload, created_at from outbox_before;
insert into outbox_attempts
select message_id, destination, owner, attempts, due_at, uncertain_at from outbox_attempts_before;

-- These know their tables by more than the name.
drop function outbox_owned(uuid, bigint[]);
drop function outbox_hand_back(uuid, bigint[], integer[], bigint[], bigint[]);
drop function outbox_remove(bigint[]);
drop function outbox_oldest_ms(text);
drop table outbox_before, outbox_attempts_before;

create function outbox_owned(owner uuid, ids bigint[]) returns setof bigint
    language sql
begin atomic
    select a.message_id
    from outbox_attempts as a
    where a.owner = outbox_owned.owner and a.message_id = any (ids)
    order by a.message_id
    for update;
end;

comment on function outbox_owned is
    'Of these messages, those that the relay still claims; locked until the transaction ends, so that they stay its own.';

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

comment on function outbox_hand_back is
    'Hands claims back, to be claimed again after a delay; uncertain_ms: how long an outcome has been unknown, or null.';

create function outbox_remove(ids bigint[]) returns void
    language sql
begin atomic
    delete from outbox_attempts as a where a.message_id = any (ids);
    delete from outbox as o where o.id = any (ids);
end;

comment on function outbox_remove is 'Removes settled messages, whoever has claimed them.';

create function outbox_oldest_ms(destination text) returns bigint
    language sql stable
begin atomic
    select (extract(epoch from clock_timestamp() - o.created_at) * 1000)::bigint
    from outbox as o
    where o.destination = outbox_oldest_ms.destination
    order by o.id
    limit 1;
end;

comment on function outbox_oldest_ms is 'How long the oldest message for a destination has waited; null if none does.';

-- Claims as before. What is looked up in the slots is looked up by a value for each row, not by a join: to a join, a slot
-- that was empty when it was planned may look as if it were best read as a whole.
create or replace function outbox_claim(destination text, owner uuid, above bigint, maximum integer)
    returns setof outbox_claimed
    language plpgsql
    set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
    set plan_cache_mode = force_generic_plan
as $$
declare
    moment timestamptz := clock_timestamp();
    settled bigint := settled_number(22001, 'outbox_ids');
    due bigint[];
begin
    perform from outbox_owners as o
    where o.owner = outbox_claim.owner and o.lease_until > moment
    for key share;
    if not found then
        return;
    end if;

    due := array(
        select a.message_id
        from outbox_attempts as a
        where a.destination = outbox_claim.destination and a.owner is null and a.due_at <= moment
        order by a.due_at
        limit maximum
        for update skip locked
    );
    if cardinality(due) > 0 then
        return query
        with claimed as (
            update outbox_attempts as a
            set owner = outbox_claim.owner, due_at = null
            where a.message_id = any (due)
            returning a.message_id, a.attempts, a.uncertain_at
        )
        select
            o.id, o.key, o.sequence_key::text, o.payload::text, c.attempts,
            (extract(epoch from moment - c.uncertain_at) * 1000)::bigint,
            (extract(epoch from moment - o.created_at) * 1000)::bigint,
            true,
            o.id <= settled
        from claimed as c
        cross join lateral (select * from outbox as m where m.id = c.message_id offset 0) as o
        order by o.id;
    end if;

    -- The row is locked and not changed. Whoever had an older snapshot and claims the same meets the primary key.
    return query
    with free as (
        select o.id, o.key, o.sequence_key, o.payload, o.created_at
        from outbox as o
        where o.id > above
            and o.destination = outbox_claim.destination
            and (select a.message_id from outbox_attempts as a where a.message_id = o.id) is null
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
        limit maximum - cardinality(due)
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
    from free as o
    where o.id = any (array(select c.message_id from claimed as c))
    order by o.id;
end
$$;

-- These look messages up by their ids, which an index knows best whatever the statistics say.
alter function settle_placements set enable_seqscan = off;
alter function outbox_withdraw set enable_seqscan = off;
alter function outbox_take_over set enable_hashjoin = off;
alter function outbox_take_over set enable_mergejoin = off;

-- Sets when a message that nobody has claimed may be claimed: 'infinity' holds it, now() lets it go. False if it is
-- claimed, or if there is none. Who claims it locks its row too.
create or replace function outbox_postpone(destination text, key uuid, until timestamptz) returns boolean
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
    update outbox_attempts as a set due_at = until where a.message_id = message and a.owner is null;
    if found then
        return true;
    end if;
    insert into outbox_attempts (message_id, destination, due_at)
    values (message, outbox_postpone.destination, until)
    on conflict do nothing;
    return found;
end
$$;

-- Empties the slot that was left two ranges ago, if everything in it is settled; whether it did. To be called now and
-- then, by anybody.
--
-- Its tables are locked for a moment, in which claims and settlements wait. Where another transaction has used them for
-- longer than that, such as a report, they are left as they are: to wait for it would make everybody wait.
create function outbox_rotate() returns boolean
    language plpgsql
    set lock_timeout = '100ms'
as $$
declare
    slot bigint := (pg_sequence_last_value('outbox_ids') >> 15) + 2 & 3;
    messages regclass := format('outbox_%s', slot);
    attempts regclass := format('outbox_attempts_%s', slot);
    is_settled boolean;
begin
    if pg_relation_size(messages) + pg_relation_size(attempts) = 0 or not pg_try_advisory_xact_lock(7227420003) then
        return false;
    end if;
    execute format('select not exists (select from %s) and not exists (select from %s)', messages, attempts)
    into is_settled;
    if not is_settled or exists (
        select
        from pg_locks as l
        join pg_stat_activity as a on a.pid = l.pid
        where l.relation in (messages, attempts) and l.pid <> pg_backend_pid()
            and a.xact_start < clock_timestamp() - interval '1 second'
    ) then
        return false;
    end if;

    execute format('lock table %s, %s in access exclusive mode', messages, attempts);
    -- Nobody writes now, and what was written before is seen by a statement of its own.
    execute format('select not exists (select from %s) and not exists (select from %s)', messages, attempts)
    into is_settled;
    if is_settled then
        execute format('truncate %s, %s', messages, attempts);
    end if;
    return is_settled;
exception
    when lock_not_available then
        return false;
end
$$;
