-- Batches of requests that the proxy carried come as one array for each column.
--
-- * An object for each request was built as jsonb, and taken apart again for each of the five statements. Now a batch
--   is read once, straight into arrays: a third less work for a batch of the same size (Benchmarks/RESULTS.md).
-- * What gateways and workers of before have still under way comes as objects, and is taken as well.

-- Takes the requests of a batch into the sums of paths. Materialized: or the room would be counted for each path.
create function count_proxied_paths(
    times timestamptz[], routes text[], paths text[], statuses smallint[], durations bigint[]
) returns void
language sql as $$
    with counted as (
        select date_bin('1 hour', t, 'epoch') as start, r as route,
            case when octet_length(p) <= proxied_path_bytes_max() then p else '' end as path, count(*) as requests,
            count(*) filter (where s >= 400) as failures, sum(m)::bigint as microseconds, max(m) as longest
        from unnest(times, routes, paths, statuses, durations) as requests (t, r, p, s, m)
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

-- Takes a batch: {"batch": id, "routes": […], "origins": […], "source": […], "t": […], "p": […], "s": […], "m": […],
-- "b": […]}. "routes" and "origins" are the places that its requests came from and went to, and "source" says for each
-- request which, counted from 1. The others have an element for each request: milliseconds since 1970, path, status,
-- microseconds and bucket. Returns whether it was new.
create function record_proxied_batch(batch json) returns boolean
language plpgsql as $$
declare
    given record;
begin
    select * into given from json_to_record(batch) as members (
        batch uuid, rows json, routes text[], origins text[], source integer[], t bigint[], p text[], s smallint[],
        m bigint[], b smallint[]
    );
    insert into proxied_batches (id) values (given.batch) on conflict do nothing;
    if not found then return false; end if;

    -- As it was before there were columns: "rows": [{"t", "r", "o", "p", "s", "m", "b"}].
    if given.rows is not null then
        select array_agg(r), array_agg(o), array_agg(t), array_agg(p), array_agg(s), array_agg(m), array_agg(b),
            array_agg(number)
        into given.routes, given.origins, given.t, given.p, given.s, given.m, given.b, given.source
        from (
            select row_number() over ()::integer as number, * from json_to_recordset(given.rows)
                as rows (t bigint, r text, o text, p text, s smallint, m bigint, b smallint)
        ) as rows;
    end if;
    perform record_proxied_columns(
        array(select to_timestamp(t / 1000.0::float8) from unnest(given.t) as t),
        array(select given.routes[n] from unnest(given.source) as n),
        array(select given.origins[n] from unnest(given.source) as n),
        given.p, given.s, given.m, given.b
    );
    return true;
end
$$;

-- Takes requests, of which each array has one element.
create function record_proxied_columns(
    times timestamptz[], routes text[], origins text[], paths text[], statuses smallint[], durations bigint[],
    buckets smallint[]
) returns void
language plpgsql as $$
declare
    day date;
begin
    for day in select distinct (t at time zone 'UTC')::date from unnest(times) as t loop
        perform prepare_proxied_day(day);
    end loop;

    insert into proxied_requests (created_at, route, origin, path, status_code, microseconds, bucket)
    select * from unnest(times, routes, origins, paths, statuses, durations, buckets);

    -- By the minute first, so that of each batch few rows are counted three times.
    insert into proxied_sums
    select width, date_bin(width, minute, 'epoch'), r, class, b, sum(requests), sum(sum), max(longest)
    from (
        select date_bin('1 minute', t, 'epoch') as minute, r, (s / 100)::smallint as class, b, count(*) as requests,
            sum(m)::bigint as sum, max(m) as longest
        from unnest(times, routes, statuses, durations, buckets) as requests (t, r, s, m, b)
        group by 1, 2, 3, 4
    ) as minutes
    cross join (values (interval '1 minute'), (interval '1 hour'), (interval '1 day')) as widths (width)
    group by 1, 2, 3, 4, 5
    order by 1, 2, 3, 4, 5
    on conflict (width, start, route, status_class, bucket) do update set
        requests = proxied_sums.requests + excluded.requests,
        microseconds = proxied_sums.microseconds + excluded.microseconds,
        longest = greatest(proxied_sums.longest, excluded.longest);

    perform count_proxied_paths(times, routes, paths, statuses, durations);

    -- Seldom anything new: so it is looked first, and others are not kept waiting.
    insert into proxied_spans
    select r, o, min(p), max(p)
    from (select r, o, p collate "C" as p from unnest(routes, origins, paths) as requests (r, o, p)) as requests
    group by 1, 2
    having not exists (
        select from proxied_spans where route = r and origin = o and first_path <= min(p) and last_path >= max(p)
    )
    order by 1, 2
    on conflict (route, origin) do update set
        first_path = least(proxied_spans.first_path, excluded.first_path),
        last_path = greatest(proxied_spans.last_path, excluded.last_path);
end
$$;

-- For workers of before.
create or replace function record_proxied(batch jsonb) returns boolean
language sql as 'select record_proxied_batch(batch::json)';

drop function count_proxied_paths(jsonb);
comment on table proxied_requests is 'Requests that the proxy carried. Written by record_proxied_batch() only.';
comment on table proxied_sums is 'Requests of a minute, an hour or a day. Written by record_proxied_batch() only.';
comment on table proxied_spans is 'Between which paths those of a route are. Written by record_proxied_batch() only.';
