-- Requests in segments are packed: each is a number, and the number of its path among those of the segment.
--
-- * PostgreSQL calls a function for each element of an array that it is given, and of each request it was given five,
--   one of them a text: most of what a batch cost, all in one burst, which other requests noticed. Now there are two
--   numbers, and a path once for all requests of a segment that have it: less than half of the time and of the bytes.
-- * A bucket is not kept: it follows from the duration.
-- * What older gateways and workers send is taken as well, and packed here, which is slower.

-- Nobody records meanwhile: every batch begins there.
lock table proxied_batches in exclusive mode;

-- As LatencyBuckets of the gateway numbers them, exactly below 2^53: a double begins with its sign, its octave and
-- which sixteenth of that it is in, and 16 microseconds are in bucket 16.
create function proxied_bucket(microseconds bigint) returns smallint
language sql immutable as $$
    select (
        case when microseconds < 16 then greatest(microseconds, 0)
        else get_byte(float8send(microseconds), 0) * 256 + get_byte(float8send(microseconds), 1) - 16416 end
    )::smallint
$$;

-- Requests as segments have them. A duration has 43 bits: one of more than 101 days is told as that.
create function packed_proxied_requests(milliseconds smallint[], status_codes smallint[], durations bigint[])
returns bigint[]
language sql immutable as $$
    select array_agg(
        (least(duration, (1::bigint << 43) - 1) << 20) + (status::bigint << 10) + millisecond order by place
    )
    from unnest(milliseconds, status_codes, durations) with ordinality as given (millisecond, status, duration, place)
$$;

-- The different statuses of some requests.
create function proxied_status_codes(requests bigint[]) returns smallint[]
language sql immutable as $$
    select array_agg(distinct (request >> 10 & 1023)::smallint) from unnest(requests) as request
$$;

-- The different ones of some paths.
create function different_proxied_paths(paths text[]) returns text[]
language sql immutable as $$
    select array_agg(distinct path collate "C" order by path collate "C") from unnest(paths) as path
$$;

-- Which of the different ones each of some paths is, counted from 1.
create function proxied_path_numbers(paths text[]) returns smallint[]
language sql immutable as $$
    select array_agg(number::smallint order by place)
    from (
        select place, dense_rank() over (order by path collate "C") as number
        from unnest(paths) with ordinality as given (path, place)
    ) as numbered
$$;

-- What is there already, written anew: so the room of what is dropped is free at once.
drop view proxied_requests;
alter table proxied_segments drop constraint proxied_segments_milliseconds_check;
alter table proxied_segments
    alter durations type bigint[] using packed_proxied_requests(milliseconds, status_codes, durations),
    alter milliseconds type smallint[] using proxied_path_numbers(paths),
    alter status_codes type smallint[]
        using proxied_status_codes(packed_proxied_requests(milliseconds, status_codes, durations)),
    alter paths type text[] collate "C" using different_proxied_paths(paths),
    drop buckets,
    -- A new type has forgotten it.
    alter durations set storage external, alter milliseconds set storage external, alter paths set storage external;
alter table proxied_segments rename durations to requests;
alter table proxied_segments rename milliseconds to path_numbers;
alter table proxied_segments add check (
    -- The id of a request is that of its segment and its place.
    cardinality(requests) between 1 and 4096 and cardinality(path_numbers) = cardinality(requests)
);
-- These, too, would cost more to compress.
alter table proxied_pending alter sums set storage external, alter paths set storage external;

comment on column proxied_segments.second is 'When its requests came, and some milliseconds later than that.';
comment on column proxied_segments.requests is 'Microseconds << 20 | status << 10 | milliseconds after the second.';
comment on column proxied_segments.path_numbers is 'For each request, which of the paths it has, counted from 1.';
comment on column proxied_segments.paths is 'The different ones.';
comment on column proxied_segments.status_codes is 'The different ones, by which a rare one is found fast.';

-- The requests of a segment whose URL, or path where the prefix begins with a slash, begins with `prefix`, from `since`
-- on and before `until`, of a status; what is null is not asked for.
create or replace function proxied_matches(
    segment proxied_segments, prefix text, since timestamptz, until timestamptz, status smallint
) returns table (
    id bigint, created_at timestamptz, path text, status_code smallint, microseconds bigint, bucket smallint
)
language sql stable as $$
    select segment.id * 4096 + place, at, p, s, request >> 20, proxied_bucket(request >> 20)
    from (
        select request, place, p
        from unnest(segment.requests, segment.path_numbers) with ordinality as requests (request, number, place)
        join unnest(segment.paths) with ordinality as different (p, number) using (number)
        where prefix is null or starts_with(case when prefix like '/%' then p else segment.origin || p end, prefix)
        -- Joined before more is asked: the planner takes what a filter leaves for one request, and would look for its
        -- path in all of them.
        offset 0
    ) as requests
    cross join lateral (
        select segment.second + (request & 1023) * interval '1 millisecond', (request >> 10 & 1023)::smallint
    ) as unpacked (at, s)
    where (since is null or at >= since) and (until is null or at < until) and (status is null or s = status)
$$;

create view proxied_requests as
select r.id, created_at, route, origin, path collate "C" as path, status_code, microseconds, bucket
from proxied_segments s cross join lateral proxied_matches(s, null, null, null, null) r;
comment on view proxied_requests is
    'Requests that the proxy carried, one by one; the times of a range are found slowly.';

-- Takes a batch, and returns whether it was new.
--
-- Of each segment there are its second since 1970, its route, its upstream, and where it ends in what there is of all
-- segments, one after the other: `requests`, `path_numbers`, `paths` and `status_codes` as the table has them. `sums`
-- and `sums_by_path` are as proxied_sums_in and proxied_paths_in read them.
create function record_proxied_batch(
    batch uuid, seconds bigint[], routes text[], origins text[], request_ends integer[], path_ends integer[],
    status_ends integer[], requests bigint[], path_numbers smallint[], paths text[], status_codes smallint[], sums json,
    sums_by_path json
) returns boolean
language plpgsql as $$
declare
    day date;
begin
    insert into proxied_batches (id) values (batch) on conflict do nothing;
    if not found then return false; end if;

    for day in select distinct (to_timestamp(second) at time zone 'UTC')::date from unnest(seconds) as second loop
        perform prepare_proxied_day(day);
    end loop;
    insert into proxied_segments (second, route, origin, requests, path_numbers, paths, status_codes)
    select to_timestamp(second), route, origin,
        requests[coalesce(request_ends[place - 1], 0) + 1:request_ends[place]],
        path_numbers[coalesce(request_ends[place - 1], 0) + 1:request_ends[place]],
        paths[coalesce(path_ends[place - 1], 0) + 1:path_ends[place]],
        status_codes[coalesce(status_ends[place - 1], 0) + 1:status_ends[place]]
    from unnest(seconds, routes, origins) with ordinality as given (second, route, origin, place);
    insert into proxied_pending values (sums, sums_by_path);
    return true;
end
$$;

-- The same of workers of before: `counts` says how many requests each segment has, and from `milliseconds` to `buckets`
-- there is an element for each request.
create or replace function record_proxied_batch(
    batch uuid, seconds bigint[], routes text[], origins text[], counts integer[], milliseconds smallint[],
    paths text[], status_codes smallint[], durations bigint[], buckets smallint[], sums json, sums_by_path json
) returns boolean
language plpgsql as $$
begin
    return record_proxied_batch(json_build_object('batch', batch, 'sums', sums, 'paths', sums_by_path, 'segments', (
        select json_agg(json_build_object(
            'second', second, 'route', route, 'origin', origin, 'milliseconds', milliseconds[first:last],
            'paths', paths[first:last], 'status_codes', status_codes[first:last], 'durations', durations[first:last]
        ) order by place)
        from (
            select second, route, origin, place, sum(count) over places - count + 1 as first,
                sum(count) over places as last
            from unnest(seconds, routes, origins, counts) with ordinality
                as given (second, route, origin, count, place)
            window places as (order by place)
        ) as segments
    )));
end
$$;

-- The same as one text, which workers of before send, and this one if it cannot read it:
--
--     {"batch": id,
--      "segments": [{"second", "route", "origin", "requests": […], "path_numbers": […], "paths": […]}],
--      "sums": as of proxied_sums_in, "paths": as of proxied_paths_in}
--
-- Times are seconds since 1970. Arrays of numbers may be text, as PostgreSQL writes arrays, which it reads faster.
-- Older gateways send of a segment "milliseconds", "paths", "status_codes" and "durations", each with one element for
-- each request, and still older ones no segments: record_proxied_columns.
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

    for day in
        select distinct (to_timestamp(second) at time zone 'UTC')::date
        from json_to_recordset(given.segments) as segments (second bigint)
    loop
        perform prepare_proxied_day(day);
    end loop;
    insert into proxied_segments (second, route, origin, requests, path_numbers, paths, status_codes)
    select to_timestamp(second), route, origin, packed, coalesce(path_numbers, proxied_path_numbers(paths)),
        case when path_numbers is null then different_proxied_paths(paths) else paths end, proxied_status_codes(packed)
    from json_to_recordset(given.segments) as segments (
        second bigint, route text, origin text, requests bigint[], path_numbers smallint[], paths text[],
        milliseconds smallint[], status_codes smallint[], durations bigint[]
    )
    cross join lateral coalesce(requests, packed_proxied_requests(milliseconds, status_codes, durations)) as packed;
    insert into proxied_pending values (given.sums, given.paths);
    return true;
end
$$;

-- Takes requests, of which each array has one element, into segments. Their buckets follow from the durations.
create or replace function record_proxied_segments(
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
    insert into proxied_segments (second, route, origin, requests, path_numbers, paths, status_codes)
    select second, r, o, packed, proxied_path_numbers(p), different_proxied_paths(p), proxied_status_codes(packed)
    from (
        select second, r, o, array_agg(ms) as ms, array_agg(p) as p, array_agg(s) as s, array_agg(m) as m
        from (
            select second, r, o, p, s, m, round(extract(epoch from t - second) * 1000)::smallint as ms,
                (row_number() over (partition by second, r, o order by t) - 1) / 4096 as part
            from unnest(times, routes, origins, paths, statuses, durations) as requests (t, r, o, p, s, m)
            cross join lateral date_trunc('second', t) as second
        ) as requests
        group by second, r, o, part
    ) as segments
    cross join lateral packed_proxied_requests(ms, s, m) as packed
    order by second;
end
$$;
