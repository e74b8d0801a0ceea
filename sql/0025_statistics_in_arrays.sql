-- Batches of statistics come in arrays, one for each thing that is known of their requests: to take the JSON of a batch
-- apart, three times over, was two thirds of what it cost PostgreSQL. The worker does it for a fraction of that.
--
-- `record_proxied_batch(json)` stays, for workers and batches of before.

-- Takes a batch, and returns whether it was new.
--
-- Of each segment there are its second since 1970, its route, its upstream, and how many requests it has; of each request,
-- one segment after the other, the rest. `sums` and `sums_by_path` are as proxied_sums_in and proxied_paths_in read them.
create function record_proxied_batch(
    batch uuid, seconds bigint[], routes text[], origins text[], counts integer[], milliseconds smallint[], paths text[],
    status_codes smallint[], durations bigint[], buckets smallint[], sums json, sums_by_path json
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
    insert into proxied_segments (second, route, origin, milliseconds, paths, status_codes, durations, buckets)
    select to_timestamp(second), route, origin, milliseconds[first:last], paths[first:last], status_codes[first:last],
        durations[first:last], buckets[first:last]
    from (
        select second, route, origin, (sum(count) over places)::integer - count + 1 as first,
            (sum(count) over places)::integer as last
        from unnest(seconds, routes, origins, counts) with ordinality as given (second, route, origin, count, place)
        window places as (order by place)
    ) as segments;
    insert into proxied_pending values (sums, sums_by_path);
    return true;
end
$$;
