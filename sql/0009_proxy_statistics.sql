-- What the proxy carried: one row for each request, and sums of them by minute, hour and day.
--
-- * Rows come in batches through the task queue, maybe more than once. A batch is taken once, by its id, and its rows and
--   their sums are committed together, so the sums are exact.
-- * Rows are in one partition for each UTC day. Old days are dropped whole.
-- * Durations are counted in buckets, 16 to an octave, so that percentiles of any range are sums away; a bucket's middle is
--   at most 3.2 % off.
-- * Who changes sums takes their rows in the order of the key, so that no two wait for each other.

create sequence proxied_request_ids;

create table proxied_requests (
    id bigint not null default nextval('proxied_request_ids'),
    created_at timestamptz not null,
    route text collate "C" not null,
    origin text collate "C" not null,
    path text collate "C" not null,
    status_code smallint not null,
    microseconds bigint not null,
    bucket smallint not null,
    primary key (created_at, id)
) partition by range (created_at);

comment on table proxied_requests is 'Requests that the proxy carried. Written by record_proxied() only.';
comment on column proxied_requests.origin is 'Scheme and authority of the upstream; path follows, without the query.';

create table proxied_sums (
    width interval not null,
    start timestamptz not null,
    route text collate "C" not null,
    status_class smallint not null,
    bucket smallint not null,
    requests bigint not null,
    microseconds bigint not null,
    longest bigint not null,
    primary key (width, start, route, status_class, bucket)
);

comment on table proxied_sums is 'Requests of a minute, an hour or a day. Written by record_proxied() only.';

create table proxied_batches (
    id uuid primary key,
    created_at timestamptz not null default now()
);

create index proxied_batches_by_age on proxied_batches (created_at);

comment on table proxied_batches is 'Batches that were taken, kept for longer than the queue may repeat one.';

-- Makes the partition of a day, unless it is there.
create function prepare_proxied_day(day date) returns void
language plpgsql as $$
declare
    name text := 'proxied_requests_' || to_char(day, 'YYYYMMDD');
begin
    if to_regclass(name) is not null then return; end if;
    -- "if not exists" alone lets the second of two fail.
    perform pg_advisory_xact_lock(hashtext('proxied_requests'));
    execute format(
        'create table if not exists %I partition of proxied_requests for values from (%L) to (%L)',
        name, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00'
    );
end
$$;

-- Takes a batch: {"batch": id, "rows": [{"t": milliseconds since 1970, "r": route, "o": origin, "p": path, "s": status,
-- "m": microseconds, "b": bucket}]}. Returns whether it was new.
create function record_proxied(batch jsonb) returns boolean
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
    return true;
end
$$;

-- How many requests there were in a range of time, by class of status and bucket: of whole days, hours and minutes as far
-- as they go, and of single requests at the edges.
create function proxied_totals(since timestamptz, until timestamptz)
returns table (status_class smallint, bucket smallint, requests bigint, microseconds bigint, longest bigint)
language plpgsql stable as $$
declare
    inner_since timestamptz;
    inner_until timestamptz;
    piece interval;
begin
    select coalesce(since, min(start)), coalesce(until, max(start) + interval '1 day') into since, until
    from proxied_sums s where s.width = interval '1 day';
    -- From the widest whole pieces that fit to the edges that they leave.
    foreach piece in array array[interval '1 day', interval '1 hour', interval '1 minute'] loop
        inner_since := date_bin(piece, since + piece - interval '1 microsecond', 'epoch');
        inner_until := date_bin(piece, until, 'epoch');
        if inner_since < inner_until then
            return query
                select s.status_class, s.bucket, s.requests, s.microseconds, s.longest
                from proxied_sums s
                where s.width = piece and start >= inner_since and start < inner_until;
            return query select * from proxied_totals(since, inner_since) where since < inner_since;
            return query select * from proxied_totals(inner_until, until) where inner_until < until;
            return;
        end if;
    end loop;
    return query
        select r.status_code / 100::smallint, r.bucket, count(*), sum(r.microseconds)::bigint, max(r.microseconds)
        from proxied_requests r
        where created_at >= since and created_at < until
        group by 1, 2;
end
$$;

-- Drops what is older than some days.
create function forget_proxied(days integer) returns void
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
    delete from proxied_batches where created_at < now() - interval '2 days';
end
$$;
