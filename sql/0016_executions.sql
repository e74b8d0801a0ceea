-- Executions: what the exchange says that it did with orders, in numbered reports.
--
-- What keeps it exact:
--
-- * One worker at a time takes reports in: the one that holds the lease, which each of its transactions looks at.
-- * A report says how an execution stands: its quantity and price, and with a correction the new ones. What is stored of
--   an execution has the number of the report that said so; a report of the same or a lower number changes nothing. So
--   reports may come repeatedly and in any order, and a snapshot is taken in as reports are.
-- * The row of `order_feed` says up to which number all reports were taken in, in the transaction that took them in.
--
-- The row of `order_feed` is locked first, then as in 0006: orders, outbox, events.

create table order_feed (
    is_only boolean primary key default true,
    owner uuid,
    lease_until timestamptz not null default '-infinity',
    taken_through bigint not null default 0,
    constraint order_feed_is_one_row check (is_only)
);

insert into order_feed default values;

comment on table order_feed is 'Who takes in the exchange''s reports, and up to which number they were taken in.';

create table order_executions (
    order_id uuid not null,
    execution_id text collate "C" not null,
    quantity bigint not null,
    price numeric not null,
    report bigint not null,
    primary key (order_id, execution_id)
);

comment on table order_executions is 'How executions stand. The history is in order_events; this is what it is told from.';
comment on column order_executions.quantity is 'After all corrections; 0 if it was revoked.';
comment on column order_executions.report is 'Number of the report that said so.';

-- Begins or renews the lease. One row with the number that all reports were taken in up to; none if it is another's.
create function lease_order_feed(owner uuid, lease interval) returns setof bigint
    language sql
begin atomic
    update order_feed as f
    set owner = lease_order_feed.owner, lease_until = clock_timestamp() + lease
    where f.owner = lease_order_feed.owner or f.lease_until <= clock_timestamp()
    returning f.taken_through;
end;

-- Ends the lease, so that another need not wait for its end.
create function leave_order_feed(owner uuid) returns void
    language sql
begin atomic
    update order_feed as f set lease_until = '-infinity' where f.owner = leave_order_feed.owner;
end;

-- The events that reports are, in their order, of orders that there are. An exchange that reports on an order has it,
-- so what was not known to be placed is.
create function order_report_events(
    numbers bigint[], order_ids uuid[], execution_ids text[], quantities bigint[], prices numeric[]
) returns table (number bigint, place integer, order_id uuid, type text, data jsonb)
    language sql stable
begin atomic
    with reports as (
        select distinct on (r.order_id, r.execution_id, r.number)
            r.number, r.order_id, r.execution_id, r.quantity, r.price
        from unnest(numbers, order_ids, execution_ids, quantities, prices)
            as r (number, order_id, execution_id, quantity, price)
        join orders as o on o.id = r.order_id
    ),
    steps as (
        select
            r.number,
            r.order_id,
            r.execution_id,
            r.quantity,
            r.price,
            coalesce(lag(r.quantity) over steps, e.quantity) as previous_quantity,
            coalesce(lag(r.price) over steps, e.price) as previous_price
        from reports as r
        left join order_executions as e on e.order_id = r.order_id and e.execution_id = r.execution_id
        where r.execution_id is not null and r.number > coalesce(e.report, -1)
        window steps as (partition by r.order_id, r.execution_id order by r.number)
    )
    select min(r.number), 0, r.order_id, 'OrderPlaced', '{}'::jsonb
    from reports as r
    where not exists (select from order_events as e where e.order_id = r.order_id and e.type = 'OrderPlaced')
    group by r.order_id
    union all
    select
        s.number,
        1,
        s.order_id,
        case when s.previous_quantity is null then 'OrderExecuted' else 'ExecutionCorrected' end,
        jsonb_strip_nulls(
            jsonb_build_object(
                'execution_id', s.execution_id,
                'quantity', s.quantity,
                'previous_quantity', s.previous_quantity,
                'price', s.price
            )
        )
    from steps as s
    where case
        -- Revoked before it was heard of: nothing to tell.
        when s.previous_quantity is null then s.quantity > 0
        else (s.quantity, s.price) <> (s.previous_quantity, s.previous_price)
    end;
end;

-- Takes reports in, all of the same moment as far as anybody sees. `through`: up to where all were taken in then; null
-- for a snapshot, which says nothing of that. A report without an execution's id says only that the exchange has the
-- order.
--
-- Returns whether the lease was held (if not, nothing was done), how many events there were, and what is an alarm:
-- orders that had ended otherwise, orders of which now more is executed than was ordered, and what is no order.
create function take_order_reports(
    owner uuid, through bigint, numbers bigint[], order_ids uuid[], execution_ids text[], quantities bigint[],
    prices numeric[]
) returns table (was_held boolean, changes bigint, ended uuid[], overfilled uuid[], unknown uuid[])
    language plpgsql
    set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    full_before uuid[];
    event_orders uuid[];
    event_types text[];
    event_data jsonb[];
begin
    perform from order_feed as f
    where f.owner = take_order_reports.owner and f.lease_until > clock_timestamp()
    for update;
    if not found then
        return query select false, 0::bigint, '{}'::uuid[], '{}'::uuid[], '{}'::uuid[];
        return;
    end if;

    perform from orders as o where o.id = any (order_ids) order by o.id for update;
    perform from outbox as m where m.destination = 'exchange' and m.key = any (order_ids) order by m.id for update;

    select
        coalesce(array_agg(e.order_id order by e.number, e.place), '{}'),
        array_agg(e.type order by e.number, e.place),
        array_agg(e.data order by e.number, e.place)
    into event_orders, event_types, event_data
    from order_report_events(numbers, order_ids, execution_ids, quantities, prices) as e;
    ended := array(
        select o.id
        from orders as o
        where o.id = any (event_orders) and o.status in ('rejected', 'cancelled', 'expired')
        order by o.id
    );
    full_before := array(select o.id from orders as o where o.id = any (order_ids) and o.filled_quantity > o.quantity);
    unknown := array(
        select distinct r.id from unnest(order_ids) as r (id) where not exists (select from orders as o where o.id = r.id)
    );

    insert into order_executions as known (order_id, execution_id, quantity, price, report)
    select distinct on (r.order_id, r.execution_id) r.order_id, r.execution_id, r.quantity, r.price, r.number
    from unnest(numbers, order_ids, execution_ids, quantities, prices)
        as r (number, order_id, execution_id, quantity, price)
    join orders as o on o.id = r.order_id
    where r.execution_id is not null
    order by r.order_id, r.execution_id, r.number desc
    on conflict (order_id, execution_id) do update
        set quantity = excluded.quantity, price = excluded.price, report = excluded.report
        where known.report < excluded.report;

    -- It has them; whoever is about to send one again need not.
    perform outbox_remove(
        array(select m.id from outbox as m where m.destination = 'exchange' and m.key = any (order_ids))
    );
    if through is not null then
        update order_feed as f set taken_through = through;
    end if;
    perform orders_append_events(event_orders, event_types, event_data);

    was_held := true;
    changes := cardinality(event_orders);
    overfilled := array(
        select o.id
        from orders as o
        where o.id = any (event_orders) and o.filled_quantity > o.quantity and o.id <> all (full_before)
        order by o.id
    );
    return next;
end
$$;
