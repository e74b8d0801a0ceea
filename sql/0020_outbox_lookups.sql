-- Indexes that are used for what they are for, whatever the planner believes.
--
-- While an old snapshot keeps the dead rows of a slot from being removed, vacuum finds no living row there, and the
-- planner takes every way to it for equally cheap. Lookups by id then read the whole index by destination, once for
-- each id, for as long as the snapshot is held. So each index says who may use it, in words that are true of every row:
--
-- * the one by destination is for whoever says `id >= 0`, which is who reads a destination's messages in order;
-- * the one by key is for whoever names keys; who wants them in the order of their ids says `id + 0`, lest the primary
--   key be read for its order;
-- * the one by sequence has `id + 0`, so that only it, and not the primary key, finds the earlier ones of a sequence.

drop index outbox_of_destination;
create index outbox_of_destination on outbox (destination, id) where id >= 0;
drop index outbox_keys;
create index outbox_keys on outbox (destination, key) where key is not null;
drop index outbox_of_sequence;
create index outbox_of_sequence on outbox (destination, sequence_key, (id + 0)) where sequence_key is not null;

-- These stay as they are, but for those words.
do $$
declare
    change record;
    definition text;
begin
    for change in
        select *
        from (values
            ('outbox_claim', 'where o.id > above', 'where o.id >= 0 and o.id > above'),
            ('outbox_claim', 'earlier.id < o.id', 'earlier.id + 0 < o.id'),
            ('take_order_reports', 'order by m.id for update', 'order by m.id + 0 for update')
        ) as changes (name, before, now)
    loop
        definition := pg_get_functiondef(change.name::regproc);
        if position(change.before in definition) = 0 then
            raise exception '% does not say "%"', change.name, change.before;
        end if;
        execute replace(definition, change.before, change.now);
    end loop;
end
$$;

alter function outbox_postpone set enable_seqscan = off;

create or replace function outbox_oldest_ms(destination text) returns bigint
    language sql stable
begin atomic
    select (extract(epoch from clock_timestamp() - o.created_at) * 1000)::bigint
    from outbox as o
    where o.destination = outbox_oldest_ms.destination and o.id >= 0
    order by o.id
    limit 1;
end;
