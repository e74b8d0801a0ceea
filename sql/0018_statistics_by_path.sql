-- Statistics by route and by path, and of all that begins alike, without reading single requests.
--
-- * Which paths a route has carried is known by the first and the last of them in the order of their bytes: if both begin
--   with a prefix, all do. So a summary by prefix reads sums, and single rows only of a route that the prefix divides.
-- * Paths are counted by the hour, the busiest of them by name; what finds no room is the path '', all others. A batch
--   adds a path if there is room, and room is made now and then by folding those that are asked for least.

create table proxied_spans (
    route text collate "C" not null,
    origin text collate "C" not null,
    first_path text collate "C" not null,
    last_path text collate "C" not null,
    primary key (route, origin)
);

comment on table proxied_spans is 'Between which paths those of a route are. Written by record_proxied() only.';

create table proxied_paths (
    start timestamptz not null,
    route text collate "C" not null,
    path text collate "C" not null,
    requests bigint not null,
    failures bigint not null,
    microseconds bigint not null,
    longest bigint not null,
    primary key (start, route, path)
);

comment on table proxied_paths is 'Requests of an hour by path; the path '''' is all others.';
comment on column proxied_paths.failures is 'Requests whose status is 400 or more.';

-- How many paths an hour of a route has by name at most, but for those that batches add at the same moment; how many stay
-- when room is made; and how many bytes one has, which an index must be able to hold.
create function proxied_paths_max() returns integer language sql immutable as 'select 1000';
create function proxied_paths_kept() returns integer language sql immutable as 'select 100';
create function proxied_path_bytes_max() returns integer language sql immutable as 'select 1024';

-- Nobody records meanwhile: every batch begins there.
lock table proxied_batches in exclusive mode;

insert into proxied_spans
select route, origin, min(path), max(path) from proxied_requests group by 1, 2;

insert into proxied_paths
select start, route, case when place <= proxied_paths_kept() and octet_length(path) <= proxied_path_bytes_max()
    then path else '' end,
    sum(requests), sum(failures), sum(microseconds), max(longest)
from (
    select *, row_number() over (partition by start, route order by requests desc, path) as place
    from (
        select date_bin('1 hour', created_at, 'epoch') as start, route, path, count(*) as requests,
            count(*) filter (where status_code >= 400) as failures, sum(microseconds)::bigint as microseconds,
            max(microseconds) as longest
        from proxied_requests group by 1, 2, 3
    ) as counted
) as placed
group by 1, 2, 3;

-- Takes the rows of a batch into the sums of paths. Materialized: or the room would be counted for each path.
create function count_proxied_paths(rows jsonb) returns void
language sql as $$
    with counted as (
        select date_bin('1 hour', to_timestamp(t / 1000.0), 'epoch') as start, r as route,
            case when octet_length(p) <= proxied_path_bytes_max() then p else '' end as path, count(*) as requests,
            count(*) filter (where s >= 400) as failures, sum(m)::bigint as microseconds, max(m) as longest
        from jsonb_to_recordset(rows) as rows (t bigint, r text, p text, s smallint, m bigint)
        group by 1, 2, 3
    ), room as materialized (
        select start, route, proxied_paths_max() - (
            select count(*) from proxied_paths k where k.start = hours.start and k.route = hours.route and k.path <> ''
        ) as free
        from (select distinct start, route from counted) as hours
    ), placed as (
        select *, row_number() over (partition by start, route, is_new order by requests desc, path) as place
        from (
            select counted.*, known.path is null and path <> '' as is_new
            from counted left join proxied_paths known using (start, route, path)
        ) as counted
    )
    insert into proxied_paths
    select start, route, case when is_new and place > free then '' else path end, sum(requests), sum(failures),
        sum(microseconds), max(longest)
    from placed join room using (start, route)
    group by 1, 2, 3
    order by 1, 2, 3
    on conflict (start, route, path) do update set
        requests = proxied_paths.requests + excluded.requests,
        failures = proxied_paths.failures + excluded.failures,
        microseconds = proxied_paths.microseconds + excluded.microseconds,
        longest = greatest(proxied_paths.longest, excluded.longest)
$$;

-- Makes room: of each hour of a route, the busiest paths stay by name.
create function fold_proxied_paths() returns void
language plpgsql as $$
begin
    -- Who records takes several rows of this table, in an order that is not this one's.
    lock table proxied_paths in share row exclusive mode;
    with crowded as (
        select start, route from proxied_paths where path <> '' group by 1, 2 having count(*) > proxied_paths_kept()
    ), gone as (
        delete from proxied_paths
        using (
            select start, route, path, row_number() over (
                partition by start, route order by requests desc, path
            ) as place
            from proxied_paths join crowded using (start, route) where path <> ''
        ) as placed
        where proxied_paths.start = placed.start and proxied_paths.route = placed.route
            and proxied_paths.path = placed.path and place > proxied_paths_kept()
        returning proxied_paths.*
    )
    insert into proxied_paths
    select start, route, '', sum(requests), sum(failures), sum(microseconds), max(longest) from gone group by 1, 2
    on conflict (start, route, path) do update set
        requests = proxied_paths.requests + excluded.requests,
        failures = proxied_paths.failures + excluded.failures,
        microseconds = proxied_paths.microseconds + excluded.microseconds,
        longest = greatest(proxied_paths.longest, excluded.longest);
end
$$;

-- Takes a batch: {"batch": id, "rows": [{"t": milliseconds since 1970, "r": route, "o": origin, "p": path, "s": status,
-- "m": microseconds, "b": bucket}]}. Returns whether it was new.
create or replace function record_proxied(batch jsonb) returns boolean
language plpgsql as $$
declare
    day date;
begin
    insert into proxied_batches (id) values ((batch ->> 'batch')::uuid) on conflict do nothing;
    if not found then return false; end if;

    for day in
        select distinct (to_timestamp(r.t / 1000.0) at time zone 'UTC')::date
        from jsonb_to_recordset(batch -> 'rows') as r (t bigint)
    loop
        perform prepare_proxied_day(day);
    end loop;

    insert into proxied_requests (created_at, route, origin, path, status_code, microseconds, bucket)
    select to_timestamp(t / 1000.0), r, o, p, s, m, b
    from jsonb_to_recordset(batch -> 'rows')
        as rows (t bigint, r text, o text, p text, s smallint, m bigint, b smallint);

    insert into proxied_sums
    select width, date_bin(width, to_timestamp(t / 1000.0), 'epoch'), r, s / 100, b, count(*), sum(m), max(m)
    from jsonb_to_recordset(batch -> 'rows')
        as rows (t bigint, r text, s smallint, m bigint, b smallint)
    cross join (values (interval '1 minute'), (interval '1 hour'), (interval '1 day')) as widths (width)
    group by 1, 2, 3, 4, 5
    order by 1, 2, 3, 4, 5
    on conflict (width, start, route, status_class, bucket) do update set
        requests = proxied_sums.requests + excluded.requests,
        microseconds = proxied_sums.microseconds + excluded.microseconds,
        longest = greatest(proxied_sums.longest, excluded.longest);

    perform count_proxied_paths(batch -> 'rows');

    -- Seldom anything new: so it is looked first, and others are not kept waiting.
    insert into proxied_spans
    select r, o, min(p), max(p)
    from (
        select r, o, p collate "C" as p from jsonb_to_recordset(batch -> 'rows') as rows (r text, o text, p text)
    ) as rows
    group by 1, 2
    having not exists (
        select from proxied_spans where route = r and origin = o and first_path <= min(p) and last_path >= max(p)
    )
    order by 1, 2
    on conflict (route, origin) do update set
        first_path = least(proxied_spans.first_path, excluded.first_path),
        last_path = greatest(proxied_spans.last_path, excluded.last_path);
    return true;
end
$$;

drop function proxied_totals(timestamptz, timestamptz);

-- How many requests of some routes, or of all, there were in a range of time, by route, class of status and bucket: of
-- whole days, hours and minutes as far as they go, and of single requests at the edges.
create function proxied_totals(since timestamptz, until timestamptz, routes text[] default null)
returns table (
    route text, status_class smallint, bucket smallint, requests bigint, microseconds bigint, longest bigint
)
language plpgsql stable as $$
declare
    inner_since timestamptz;
    inner_until timestamptz;
    piece interval;
begin
    -- Not before the first request, nor behind the last: what lies beyond would be read piece by piece in vain.
    select greatest(since, min(start)), least(until, max(start) + interval '1 day') into since, until
    from proxied_sums s where s.width = interval '1 day';
    if since is null or since >= until then return; end if;
    -- From the widest whole pieces that fit to the edges that they leave.
    foreach piece in array array[interval '1 day', interval '1 hour', interval '1 minute'] loop
        inner_since := date_bin(piece, since + piece - interval '1 microsecond', 'epoch');
        inner_until := date_bin(piece, until, 'epoch');
        if inner_since < inner_until then
            return query
                select s.route, s.status_class, s.bucket, s.requests, s.microseconds, s.longest
                from proxied_sums s
                where s.width = piece and s.start >= inner_since and s.start < inner_until
                    and (routes is null or s.route = any (routes));
            return query select * from proxied_totals(since, inner_since, routes) where since < inner_since;
            return query select * from proxied_totals(inner_until, until, routes) where inner_until < until;
            return;
        end if;
    end loop;
    return query
        select r.route, r.status_code / 100::smallint, r.bucket, count(*), sum(r.microseconds)::bigint,
            max(r.microseconds)
        from proxied_requests r
        where r.created_at >= since and r.created_at < until and (routes is null or r.route = any (routes))
        group by 1, 2, 3;
end
$$;

-- The same of the requests whose URL, or path where the prefix begins with a slash, begins with `prefix`.
create function proxied_totals_of(prefix text, since timestamptz, until timestamptz, of_route text default null)
returns table (
    route text, status_class smallint, bucket smallint, requests bigint, microseconds bigint, longest bigint
)
language plpgsql stable as $$
declare
    whole text[];
    divided text[];
begin
    if prefix is null then
        return query select * from proxied_totals(since, until, array[of_route]) where of_route is not null;
        return query select * from proxied_totals(since, until) where of_route is null;
        return;
    end if;
    -- What begins with a prefix stands together in the order of bytes.
    select
        array_agg(s.route) filter (where s.is_whole), array_agg(s.route) filter (where not s.is_whole)
    into whole, divided
    from (
        select
            spans.route, bool_and(starts_with(first_key, prefix) and starts_with(last_key, prefix)) as is_whole,
            bool_or(
                (first_key < prefix or starts_with(first_key, prefix))
                and (last_key > prefix or starts_with(last_key, prefix))
            ) as is_any
        from proxied_spans spans
        cross join lateral (values (
            (case when prefix like '/%' then first_path else origin || first_path end) collate "C",
            (case when prefix like '/%' then last_path else origin || last_path end) collate "C"
        )) as keys (first_key, last_key)
        where of_route is null or spans.route = of_route
        group by 1
    ) as s
    where is_any;
    return query select * from proxied_totals(since, until, whole) where whole is not null;
    return query
        select r.route, r.status_code / 100::smallint, r.bucket, count(*), sum(r.microseconds)::bigint,
            max(r.microseconds)
        from proxied_requests r
        where divided is not null and r.route = any (divided)
            and r.created_at >= coalesce(since, '-infinity') and r.created_at < coalesce(until, 'infinity')
            and starts_with(case when prefix like '/%' then r.path else r.origin || r.path end, prefix)
        group by 1, 2, 3;
end
$$;

-- Drops what is older than some days.
create or replace function forget_proxied(days integer) returns void
language plpgsql as $$
declare
    oldest date := (now() at time zone 'UTC')::date - days;
    old regclass;
begin
    for old in
        select inhrelid::regclass from pg_inherits
        join pg_class on pg_class.oid = inhrelid
        where inhparent = 'proxied_requests'::regclass and relname < 'proxied_requests_' || to_char(oldest, 'YYYYMMDD')
    loop
        execute format('drop table if exists %s', old);
    end loop;
    delete from proxied_sums where start < oldest::timestamp at time zone 'UTC';
    delete from proxied_paths where start < oldest::timestamp at time zone 'UTC';
    delete from proxied_batches where created_at < now() - interval '2 days';
end
$$;
