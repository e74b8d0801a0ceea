-- What becomes of orders at the exchange: the outcomes of placing them.

-- Whether the n-th attempt is worth an event: the 1st, 2nd, 5th, 10th, 20th, 50th, … A long outage would otherwise write
-- millions of events that say the same.
create function is_recorded_attempt(attempts integer) returns boolean
    language sql immutable strict parallel safe
    return attempts > 0 and ltrim(attempts::text, '0') ~ '^(1|2|5)0*$';

-- Stores the outcomes that a relay has for messages of the destination `exchange`, whose keys are orders' ids. The
-- verdicts:
--
-- * `placed`: the exchange has the order, which is a fact whoever claims the message now.
-- * `rejected`: the exchange refused it for good; `expired`: it was certainly never executed and its time has passed.
--   Both only if the relay still claims the message: another might be sending it.
-- * `failed`, `unknown`: handed back, to be tried again after a delay. `uncertain_ms` as in outbox_hand_back.
-- * `returned`: handed back as it was; nothing was tried.
--
-- An outcome that was stored before is passed over, so the same call may be made again when its end is not known.
-- Returns the orders that turned out placed after they had ended in another way: an alarm.
create function settle_placements(
    owner uuid, ids bigint[], orders uuid[], verdicts text[], attempts integer[], delays_ms bigint[],
    uncertain_ms bigint[], texts text[]
) returns setof uuid
    language plpgsql
as $$
#variable_conflict use_column
declare
    owned bigint[];
    events jsonb;
begin
    perform from orders as o where o.id = any (settle_placements.orders) order by o.id for update;
    perform from outbox as m where m.id = any (settle_placements.ids) order by m.id for update;
    owned := array(select outbox_owned(settle_placements.owner, settle_placements.ids));

    return query
    select o.id
    from unnest(settle_placements.orders, verdicts) as v (order_id, verdict)
    join orders as o on o.id = v.order_id
    where v.verdict = 'placed' and o.status in ('cancelled', 'expired', 'rejected')
        and not exists (select from order_events as e where e.order_id = o.id and e.type = 'OrderPlaced');

    with outcomes as (
        select *
        from unnest(ids, settle_placements.orders, verdicts, settle_placements.attempts, texts)
            with ordinality as v (id, order_id, verdict, attempts, text, number)
    )
    select coalesce(jsonb_agg(jsonb_build_array(v.order_id, v.type, v.data) order by v.number), '[]')
    into events
    from (
        select
            outcomes.number,
            outcomes.order_id,
            case outcomes.verdict
                when 'placed' then 'OrderPlaced'
                when 'rejected' then 'OrderRejected'
                when 'expired' then 'OrderExpired'
                when 'failed' then 'PlacementFailed'
                when 'unknown' then 'PlacementUnknown'
            end as type,
            case outcomes.verdict
                when 'placed' then '{}'
                when 'rejected' then jsonb_build_object('reason', outcomes.text)
                when 'expired' then '{}'
                else jsonb_build_object('attempts', outcomes.attempts, 'error', outcomes.text)
            end as data
        from outcomes
        where case outcomes.verdict
            when 'placed' then
                not exists (
                    select from order_events as e
                    where e.order_id = outcomes.order_id and e.type = 'OrderPlaced'
                )
            when 'rejected' then outcomes.id = any (owned)
            when 'expired' then outcomes.id = any (owned)
            when 'returned' then false
            else outcomes.id = any (owned) and is_recorded_attempt(outcomes.attempts)
        end
    ) as v;

    perform outbox_hand_back(
        settle_placements.owner,
        array_agg(v.id order by v.number),
        array_agg(v.attempts order by v.number),
        array_agg(v.delay_ms order by v.number),
        array_agg(v.uncertain_ms order by v.number)
    )
    from unnest(
        ids, verdicts, settle_placements.attempts, delays_ms, settle_placements.uncertain_ms
    ) with ordinality as v (id, verdict, attempts, delay_ms, uncertain_ms, number)
    where v.verdict in ('failed', 'unknown', 'returned');

    perform outbox_remove(
        array(
            select v.id
            from unnest(ids, verdicts) as v (id, verdict)
            where v.verdict = 'placed' or v.verdict in ('rejected', 'expired') and v.id = any (owned)
        )
    );

    perform orders_append_events(
        array(select (e ->> 0)::uuid from jsonb_array_elements(events) with ordinality as a (e, n) order by n),
        array(select e ->> 1 from jsonb_array_elements(events) with ordinality as a (e, n) order by n),
        array(select e -> 2 from jsonb_array_elements(events) with ordinality as a (e, n) order by n)
    );
end
$$;
