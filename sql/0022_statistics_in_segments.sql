-- Requests that the proxy carried are kept as they come, many in a row: a segment, those of one second, route, upstream
-- and batch, as one array for each thing that is known of them.
--
-- * A row for each request, with its entry in an index, was most of what statistics cost PostgreSQL, and most of their
--   bytes. Single requests are asked for seldom: they are unfolded when they are (`proxied_requests`, now a view).
-- * Who sends a batch sums it up. What it adds is added every few seconds, of all batches at once, and until then counted
--   by who reads.
-- * Batches of older gateways, which may be under way, are taken as well.

-- Nobody records meanwhile: every batch begins there.
lock table proxied_batches in exclusive mode;

create sequence proxied_segment_ids;
create table proxied_segments (
    second timestamptz not null,
    id bigint not null default nextval('proxied_segment_ids'),
    route text collate "C" not null,
    origin text collate "C" not null,
    milliseconds smallint[] not null,
    paths text[] collate "C" not null,
    status_codes smallint[] not null,
    durations bigint[] not null,
    buckets smallint[] not null,
    primary key (second, id),
    -- The id of a request is that of its segment and its place.
    check (cardinality(milliseconds) between 1 and 4096)
) partition by range (second);
comment on table proxied_segments is 'Requests that the proxy carried. Written by record_proxied_batch() only.';
comment on column proxied_segments.second is 'When its requests came, and how many milliseconds later than that.';
comment on column proxied_segments.origin is 'Scheme and authority of the upstream; a path follows, without the query.';
comment on column proxied_segments.durations is 'In microseconds; their buckets are those of proxied_sums.';

-- Beside the row when they are long, and as they are: to compress them would cost more than all else.
alter table proxied_segments
    alter milliseconds set storage external, alter paths set storage external, alter status_codes set storage external,
    alter durations set storage external, alter buckets set storage external;

-- Makes the partition of a day, unless it is there.
create or replace function prepare_proxied_day(day date) returns void
language plpgsql as $$
declare
    name text := 'proxied_segments_' || to_char(day, 'YYYYMMDD');
begin
    if to_regclass(name) is not null then return; end if;
    -- "if not exists" alone lets the second of two fail.
    perform pg_advisory_xact_lock(hashtext('proxied_segments'));
    execute format(
        'create table if not exists %I partition of proxied_segments for values from (%L) to (%L)',
        name, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00'
    );
end
$$;

-- Takes requests, of which each array has one element, into segments.
create function record_proxied_segments(
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
    insert into proxied_segments (second, route, origin, milliseconds, paths, status_codes, durations, buckets)
    select second, r, o, array_agg(ms), array_agg(p), array_agg(s), array_agg(m), array_agg(b)
    from (
        select second, r, o, p, s, m, b, round(extract(epoch from t - second) * 1000)::smallint as ms,
            (row_number() over (partition by second, r, o order by t) - 1) / 4096 as part
        from unnest(times, routes, origins, paths, statuses, durations, buckets) as requests (t, r, o, p, s, m, b)
        cross join lateral date_trunc('second', t) as second
    ) as requests
    group by second, r, o, part
    order by second;
end
$$;

-- What is there already, a minute at a time.
do $$
declare
    minute timestamptz;
begin
    for minute in select distinct start from proxied_sums where width = interval '1 minute' order by 1 loop
        perform record_proxied_segments(
            array_agg(created_at), array_agg(route), array_agg(origin), array_agg(path), array_agg(status_code),
            array_agg(microseconds), array_agg(bucket)
        )
        from proxied_requests where created_at >= minute and created_at < minute + interval '1 minute';
    end loop;
end
$$;
drop table proxied_requests;

create view proxied_requests as
select s.id * 4096 + place as id, second + ms * interval '1 millisecond' as created_at, route, origin, path, status_code,
    duration as microseconds, bucket
from proxied_segments s
cross join lateral unnest(milliseconds, paths, status_codes, durations, buckets)
    with ordinality as requests (ms, path, status_code, duration, bucket, place);
comment on view proxied_requests is 'Requests that the proxy carried, one by one; the times of a range are found slowly.';

-- The requests of a segment whose URL, or path where the prefix begins with a slash, begins with `prefix`, from `since` on
-- and before `until`, of a status; what is null is not asked for.
create function proxied_matches(
    segment proxied_segments, prefix text, since timestamptz, until timestamptz, status smallint
) returns table (
    id bigint, created_at timestamptz, path text, status_code smallint, microseconds bigint, bucket smallint
)
language sql stable as $$
    select segment.id * 4096 + place, segment.second + ms * interval '1 millisecond', p, s, m, b
    from unnest(
        segment.milliseconds, segment.paths, segment.status_codes, segment.durations, segment.buckets
    ) with ordinality as requests (ms, p, s, m, b, place)
    where (prefix is null or starts_with(case when prefix like '/%' then p else segment.origin || p end, prefix))
        and (since is null or segment.second + ms * interval '1 millisecond' >= since)
        and (until is null or segment.second + ms * interval '1 millisecond' < until)
        and (status is null or s = status)
$$;

-- What batches add to the sums, as they brought it, until it is added (`roll_up_proxied`): each batch would change some
-- hundred rows of sums and paths, and many batches change the same ones.
create table proxied_pending (
    sums json not null,
    paths json not null
);
comment on table proxied_pending is 'What proxied_sums, proxied_paths and proxied_spans still lack.';

-- So many requests of a minute, route, class of status and bucket: {"routes": […], "minutes": […], "classes": […],
-- "buckets": […], "requests": […], "microseconds": […], "longest": […]}.
create function proxied_sums_in(sums json) returns table (
    minute timestamptz, route text, status_class smallint, bucket smallint, requests bigint, microseconds bigint,
    longest bigint
)
language sql stable as $$
    select to_timestamp(at), r collate "C", c, b, n, m, l
    from json_to_record(sums) as given (
        minutes bigint[], routes text[], classes smallint[], buckets smallint[], requests bigint[],
        microseconds bigint[], longest bigint[]
    )
    cross join lateral unnest(
        given.minutes, given.routes, given.classes, given.buckets, given.requests, given.microseconds, given.longest
    ) as each (at, r, c, b, n, m, l)
$$;

-- So many requests of an hour, route, upstream and path, or of all other paths if that is '': {"routes": […], "origins": […], "hours": […], "paths": […],
-- "requests": […], "failures": […], "microseconds": […], "longest": […]}.
create function proxied_paths_in(paths json) returns table (
    hour timestamptz, route text, origin text, path text, requests bigint, failures bigint, microseconds bigint,
    longest bigint
)
language sql stable as $$
    select to_timestamp(at), r collate "C", o collate "C", p collate "C", n, f, m, l
    from json_to_record(paths) as given (
        hours bigint[], routes text[], origins text[], paths text[], requests bigint[], failures bigint[],
        microseconds bigint[], longest bigint[]
    )
    cross join lateral unnest(
        given.hours, given.routes, given.origins, given.paths, given.requests, given.failures, given.microseconds,
        given.longest
    ) as each (at, r, o, p, n, f, m, l)
$$;

-- The sums with what is pending. Of one key there may be several rows.
create view proxied_sums_now as
select * from proxied_sums
union all
select width, date_bin(width, minute, 'epoch'), route, status_class, bucket, requests, microseconds, longest
from proxied_pending
cross join lateral proxied_sums_in(sums)
cross join (values (interval '1 minute'), (interval '1 hour'), (interval '1 day')) as widths (width);

create view proxied_paths_now as
select * from proxied_paths
union all
select hour, route, case when octet_length(path) <= proxied_path_bytes_max() then path else '' end, requests, failures,
    microseconds, longest
from proxied_pending cross join lateral proxied_paths_in(paths);

create view proxied_spans_now as
select * from proxied_spans
union all
select route, origin, min(path), max(path)
from proxied_pending cross join lateral proxied_paths_in(paths) where path <> '' group by 1, 2;

-- Adds what is pending. Who comes while another one does it has nothing to do.
create function roll_up_proxied() returns void
language plpgsql as $$
#variable_conflict use_column
begin
    if not pg_try_advisory_xact_lock(hashtext('proxied_pending')) then return; end if;

    with taken as materialized (
        -- Bounded, so that it has its turn whatever has gathered.
        delete from proxied_pending where ctid = any (array(select ctid from proxied_pending limit 1000))
        returning sums, paths
    ), summed as (
        insert into proxied_sums as known
        select width, date_bin(width, minute, 'epoch'), route, status_class, bucket, sum(requests),
            sum(microseconds), max(longest)
        from taken
        cross join lateral proxied_sums_in(sums)
        cross join (values (interval '1 minute'), (interval '1 hour'), (interval '1 day')) as widths (width)
        group by 1, 2, 3, 4, 5
        order by 1, 2, 3, 4, 5
        on conflict (width, start, route, status_class, bucket) do update set
            requests = known.requests + excluded.requests,
            microseconds = known.microseconds + excluded.microseconds,
            longest = greatest(known.longest, excluded.longest)
    ), carried as materialized (
        select hour as start, route, origin, path, sum(requests) as requests, sum(failures) as failures,
            sum(microseconds) as microseconds, max(longest) as longest
        from taken cross join lateral proxied_paths_in(paths)
        group by 1, 2, 3, 4
    ), spanned as (
        -- Seldom anything new: so it is looked first.
        insert into proxied_spans as known
        select route, origin, min(path), max(path)
        from carried
        where path <> ''
        group by 1, 2
        having not exists (
            select from proxied_spans s
            where s.route = carried.route and s.origin = carried.origin
                and s.first_path <= min(carried.path) and s.last_path >= max(carried.path)
        )
        order by 1, 2
        on conflict (route, origin) do update set
            first_path = least(known.first_path, excluded.first_path),
            last_path = greatest(known.last_path, excluded.last_path)
    ), counted as (
        select start, route, case when octet_length(path) <= proxied_path_bytes_max() then path else '' end as path,
            sum(requests) as requests, sum(failures) as failures, sum(microseconds) as microseconds,
            max(longest) as longest
        from carried
        group by 1, 2, 3
    ), room as materialized (
        -- Materialized: or the room would be counted for each path.
        select start, route, proxied_paths_max() - (
            select count(*) from proxied_paths k where k.start = pages.start and k.route = pages.route and k.path <> ''
        ) as free
        from (select distinct start, route from counted) as pages
    ), placed as (
        select *, row_number() over (partition by start, route, is_new order by requests desc, path) as place
        from (
            select counted.*, known.path is null and path <> '' as is_new
            from counted left join proxied_paths known using (start, route, path)
        ) as counted
    )
    insert into proxied_paths as known
    select start, route, case when is_new and place > free then '' else path end, sum(requests), sum(failures),
        sum(microseconds), max(longest)
    from placed join room using (start, route)
    group by 1, 2, 3
    order by 1, 2, 3
    on conflict (start, route, path) do update set
        requests = known.requests + excluded.requests,
        failures = known.failures + excluded.failures,
        microseconds = known.microseconds + excluded.microseconds,
        longest = greatest(known.longest, excluded.longest);
end
$$;

-- Takes a batch, and returns whether it was new:
--
--     {"batch": id,
--      "segments": [{"second", "route", "origin", "milliseconds": […], "paths": […], "status_codes": […],
--                    "durations": […], "buckets": […]}],
--      "sums": as of proxied_sums_in, "paths": as of proxied_paths_in}
--
-- Times are seconds since 1970. Arrays of numbers may be text, as PostgreSQL writes arrays, which it reads faster.
create or replace function record_proxied_batch(batch json) returns boolean
language plpgsql as $$
declare
    given record;
    day date;
begin
    select * into given from json_to_record(batch) as members (batch uuid, segments json, sums json, paths json);
    insert into proxied_batches (id) values (given.batch) on conflict do nothing;
    if not found then return false; end if;
    if given.segments is null then
        perform record_proxied_columns(batch);
        return true;
    end if;

    for day in select distinct (minute at time zone 'UTC')::date from proxied_sums_in(given.sums) loop
        perform prepare_proxied_day(day);
    end loop;
    insert into proxied_segments (second, route, origin, milliseconds, paths, status_codes, durations, buckets)
    select to_timestamp(second), route, origin, milliseconds, paths, status_codes, durations, buckets
    from json_to_recordset(given.segments) as segments (
        second bigint, route text, origin text, milliseconds smallint[], paths text[], status_codes smallint[],
        durations bigint[], buckets smallint[]
    );
    insert into proxied_pending values (given.sums, given.paths);
    return true;
end
$$;

-- Takes a batch as it was before there were segments: {"routes": […], "origins": […], "source": […], "t": […], "p": […],
-- "s": […], "m": […], "b": […]}, where "source" says for each request which route and origin, counted from 1, and the
-- others have its milliseconds since 1970, path, status, microseconds and bucket. Still earlier it was one object for each
-- request: {"rows": [{"t", "r", "o", "p", "s", "m", "b"}]}.
create function record_proxied_columns(batch json) returns void
language plpgsql as $$
declare
    given record;
    times timestamptz[];
    routes text[];
    origins text[];
begin
    select * into given from json_to_record(batch) as members (
        rows json, routes text[], origins text[], source integer[], t bigint[], p text[], s smallint[], m bigint[],
        b smallint[]
    );
    if given.rows is not null then
        select array_agg(r), array_agg(o), array_agg(t), array_agg(p), array_agg(s), array_agg(m), array_agg(b),
            array_agg(number)
        into given.routes, given.origins, given.t, given.p, given.s, given.m, given.b, given.source
        from (
            select row_number() over ()::integer as number, * from json_to_recordset(given.rows)
                as rows (t bigint, r text, o text, p text, s smallint, m bigint, b smallint)
        ) as rows;
    end if;
    times := array(select to_timestamp(t / 1000.0::float8) from unnest(given.t) as t);
    routes := array(select given.routes[n] from unnest(given.source) as n);
    origins := array(select given.origins[n] from unnest(given.source) as n);

    perform record_proxied_segments(times, routes, origins, given.p, given.s, given.m, given.b);
    insert into proxied_pending
    select sums, paths
    from (
        select json_build_object(
            'minutes', array_agg(minute), 'routes', array_agg(r), 'classes', array_agg(class), 'buckets', array_agg(b),
            'requests', array_agg(n), 'microseconds', array_agg(m), 'longest', array_agg(l)
        ) as sums
        from (
            select extract(epoch from date_bin('1 minute', t, 'epoch'))::bigint as minute, r, s / 100 as class, b,
                count(*) as n, sum(m) as m, max(m) as l
            from unnest(times, routes, given.s, given.m, given.b) as requests (t, r, s, m, b)
            group by 1, 2, 3, 4
        ) as summed
    ) as summed, (
        select json_build_object(
            'hours', array_agg(hour), 'routes', array_agg(r), 'origins', array_agg(o), 'paths', array_agg(p),
            'requests', array_agg(n), 'failures', array_agg(f), 'microseconds', array_agg(m), 'longest', array_agg(l)
        ) as paths
        from (
            select extract(epoch from date_bin('1 hour', t, 'epoch'))::bigint as hour, r, o, p, count(*) as n,
                count(*) filter (where s >= 400) as f, sum(m) as m, max(m) as l
            from unnest(times, routes, origins, given.p, given.s, given.m) as requests (t, r, o, p, s, m)
            group by 1, 2, 3, 4
        ) as counted
    ) as counted;
end
$$;

drop function record_proxied_columns(
    timestamptz[], text[], text[], text[], smallint[], bigint[], smallint[]
);
drop function count_proxied_paths(timestamptz[], text[], text[], smallint[], bigint[]);

-- How many requests of some routes, or of all, there were in a range of time, by route, class of status and bucket: of
-- whole days, hours and minutes as far as they go, and of single requests at the edges.
create or replace function proxied_totals(since timestamptz, until timestamptz, routes text[] default null)
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
    from proxied_sums_now s where s.width = interval '1 day';
    if since is null or since >= until then return; end if;
    -- From the widest whole pieces that fit to the edges that they leave.
    foreach piece in array array[interval '1 day', interval '1 hour', interval '1 minute'] loop
        inner_since := date_bin(piece, since + piece - interval '1 microsecond', 'epoch');
        inner_until := date_bin(piece, until, 'epoch');
        if inner_since < inner_until then
            return query
                select s.route, s.status_class, s.bucket, s.requests, s.microseconds, s.longest
                from proxied_sums_now s
                where s.width = piece and s.start >= inner_since and s.start < inner_until
                    and (routes is null or s.route = any (routes));
            return query select * from proxied_totals(since, inner_since, routes) where since < inner_since;
            return query select * from proxied_totals(inner_until, until, routes) where inner_until < until;
            return;
        end if;
    end loop;
    return query
        select s.route, r.status_code / 100::smallint, r.bucket, count(*), sum(r.microseconds)::bigint,
            max(r.microseconds)
        from proxied_segments s cross join lateral proxied_matches(s, null, since, until, null) r
        where s.second >= date_trunc('second', since) and s.second < until
            and (routes is null or s.route = any (routes))
        group by 1, 2, 3;
end
$$;

-- The same of the requests whose URL, or path where the prefix begins with a slash, begins with `prefix`.
create or replace function proxied_totals_of(prefix text, since timestamptz, until timestamptz, of_route text default null)
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
        from proxied_spans_now spans
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
        select s.route, r.status_code / 100::smallint, r.bucket, count(*), sum(r.microseconds)::bigint,
            max(r.microseconds)
        from proxied_segments s cross join lateral proxied_matches(s, prefix, since, until, null) r
        where divided is not null and s.route = any (divided)
            and s.second >= date_trunc('second', coalesce(since, '-infinity')) and s.second < coalesce(until, 'infinity')
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
        where inhparent = 'proxied_segments'::regclass and relname < 'proxied_segments_' || to_char(oldest, 'YYYYMMDD')
    loop
        execute format('drop table if exists %s', old);
    end loop;
    delete from proxied_sums where start < oldest::timestamp at time zone 'UTC';
    delete from proxied_paths where start < oldest::timestamp at time zone 'UTC';
    delete from proxied_batches where created_at < now() - interval '2 days';
end
$$;
