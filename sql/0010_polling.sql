-- Polling jobs: which prices are fetched again and again, when, and what came of it. All of their state is here.
--
-- What keeps it exact:
--
-- * The moments at which a job is due are a fixed series: its first one, and whole multiples of the interval after it.
--   Each of them is begun by one worker, or is counted: as missed while no worker looked, as skipped while the last run
--   was still under way.
-- * A job is claimed by moving it on to its next due moment, in one statement, while its row is locked. So a due moment
--   is begun once, whatever is killed when.
-- * A run is held under a lease. A worker that shows no sign of life loses it; that run has failed, and is not repeated.
--
-- Every function takes the time as an argument, so that it can be tried at any.

create table polling_jobs (
    id bigint generated always as identity primary key,
    symbols text[] not null,
    interval_s integer not null,
    provider text,
    paused boolean not null default false,
    created_at timestamptz not null default now(),
    next_run_at timestamptz not null,
    -- The run that is under way.
    run_owner uuid,
    run_due_at timestamptz,
    lease_until timestamptz,
    -- What came of those before.
    last_run_at timestamptz,
    runs bigint not null default 0,
    failures bigint not null default 0,
    missed bigint not null default 0,
    skipped bigint not null default 0,
    last_error text,

    constraint polling_jobs_symbols_are_some check (cardinality(symbols) between 1 and 100),
    constraint polling_jobs_interval_is_valid check (interval_s between 1 and 86400),
    constraint polling_jobs_run_is_whole check (
        (run_owner is null) = (run_due_at is null) and (run_owner is null) = (lease_until is null)
    )
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

create index polling_jobs_next_run_at on polling_jobs (next_run_at) where not paused;
create index polling_jobs_run_owner on polling_jobs (run_owner) where run_owner is not null;

comment on table polling_jobs is 'Which prices are fetched at which interval, and what came of it.';
comment on column polling_jobs.provider is 'Who is asked; null: whoever the configuration says.';
comment on column polling_jobs.run_owner is 'The worker that runs it now; null: nobody.';
comment on column polling_jobs.runs is 'Runs that have ended, also those whose worker was lost.';
comment on column polling_jobs.failures is
    'Symbols that had no price in a run, over all runs, and runs whose worker was lost.';
comment on column polling_jobs.missed is 'Due moments at which no worker looked.';
comment on column polling_jobs.skipped is 'Due moments at which the run before was still under way.';

-- How many of the due moments from `due` on have come.
create function polling_moments(due timestamptz, interval_s integer, moment timestamptz) returns bigint
    language sql immutable strict parallel safe
    return case
        when moment < due then 0
        else floor(extract(epoch from moment - due) / interval_s)::bigint + 1
    end;

-- The moment `count` due moments after `due`.
create function polling_after(due timestamptz, interval_s integer, count bigint) returns timestamptz
    language sql immutable strict parallel safe
    return due + count * interval_s * interval '1 second';

-- Where in its interval a job is due, so that jobs of one interval that are made together do not run together: steps of
-- the golden ratio fall into the largest gap between those before.
create function polling_offset(id bigint, interval_s integer) returns interval
    language sql immutable strict parallel safe
    return (id * 0.61803398874989 % 1) * interval_s * interval '1 second';

-- Makes a job; nothing if there are `maximum` already. Those who make jobs take turns.
create function create_polling_job(
    symbols text[], interval_s integer, provider text, maximum bigint, moment timestamptz
) returns bigint
    language plpgsql
as $$
#variable_conflict use_column
declare
    created bigint;
begin
    perform pg_advisory_xact_lock(7227420003);
    if (select count(*) from polling_jobs) >= maximum then
        return null;
    end if;
    created := nextval(pg_get_serial_sequence('polling_jobs', 'id'));
    insert into polling_jobs (id, symbols, interval_s, provider, created_at, next_run_at)
    overriding system value
    values (
        created, create_polling_job.symbols, create_polling_job.interval_s, create_polling_job.provider, moment,
        moment + polling_offset(created, create_polling_job.interval_s)
    );
    return created;
end
$$;

-- Begins the runs that are due, up to `maximum`. What came of due moments that cannot be run is counted:
--
-- * of several that have come since somebody looked, the last is run and the others were missed;
-- * while the last run is under way, all that come are skipped;
-- * a run whose lease has ended has failed.
create function claim_polling_jobs(owner uuid, lease interval, maximum integer, moment timestamptz)
    returns table (id bigint, symbols text[], provider text, interval_s integer, due_at timestamptz)
    language plpgsql set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    return query
    with due as (
        select j.id, polling_moments(j.next_run_at, j.interval_s, moment) as moments
        from polling_jobs as j
        where not j.paused and j.next_run_at <= moment
        order by j.next_run_at
        limit maximum
        for update skip locked
    ), moved as (
        update polling_jobs as j
        set next_run_at = polling_after(j.next_run_at, j.interval_s, d.moments),
            missed = j.missed + case when j.lease_until > moment then 0 else d.moments - 1 end,
            skipped = j.skipped + case when j.lease_until > moment then d.moments else 0 end,
            runs = j.runs + case when j.lease_until <= moment then 1 else 0 end,
            failures = j.failures + case when j.lease_until <= moment then 1 else 0 end,
            last_error = case when j.lease_until <= moment then 'the worker of a run was lost' else j.last_error end,
            run_owner = case when j.lease_until > moment then j.run_owner else owner end,
            run_due_at = case
                when j.lease_until > moment then j.run_due_at
                else polling_after(j.next_run_at, j.interval_s, d.moments - 1)
            end,
            last_run_at = case when j.lease_until > moment then j.last_run_at else moment end,
            lease_until = case when j.lease_until > moment then j.lease_until else moment + lease end
        from due as d
        where j.id = d.id
        -- The run that begins now is the one whose due moment is the last that came.
        returning
            j.id, j.symbols, j.provider, j.interval_s, j.run_due_at,
            j.run_owner = owner and j.run_due_at = polling_after(j.next_run_at, j.interval_s, -1) as begins
    )
    select m.id, m.symbols, m.provider, m.interval_s, m.run_due_at from moved as m where m.begins order by m.run_due_at;
end
$$;

-- Makes the leases of a worker's runs last from now; returns the jobs that it still runs.
create function renew_polling_runs(owner uuid, lease interval, moment timestamptz) returns setof bigint
    language sql
begin atomic
    update polling_jobs as j
    set lease_until = moment + lease
    where j.run_owner = owner and j.lease_until > moment
    returning j.id;
end;

-- Ends a run. False if it is not the worker's any more.
create function finish_polling_run(
    id bigint, owner uuid, due_at timestamptz, failures bigint, error text
) returns boolean
    language plpgsql
as $$
begin
    update polling_jobs as j
    set run_owner = null,
        run_due_at = null,
        lease_until = null,
        runs = j.runs + 1,
        failures = j.failures + finish_polling_run.failures,
        last_error = coalesce(finish_polling_run.error, j.last_error)
    where j.id = finish_polling_run.id and j.run_owner = owner and j.run_due_at = due_at;
    return found;
end
$$;

-- Pauses a job, lets it go on, or changes its interval; null leaves either as it is. False if there is no such job.
--
-- While it is paused nothing is due, so nothing is missed. The due moments go on in step with the last one.
create function change_polling_job(id bigint, paused boolean, interval_s integer, moment timestamptz) returns boolean
    language plpgsql
as $$
declare
    job polling_jobs;
    step integer;
    due timestamptz;
begin
    select * into job from polling_jobs as j where j.id = change_polling_job.id for update;
    if not found then
        return false;
    end if;
    step := coalesce(change_polling_job.interval_s, job.interval_s);
    due := job.next_run_at;
    if step <> job.interval_s then
        due := greatest(polling_after(due, job.interval_s, -1) + step * interval '1 second', moment);
    end if;
    if job.paused and not coalesce(change_polling_job.paused, true) then
        due := polling_after(due, step, polling_moments(due, step, moment));
    end if;
    update polling_jobs as j
    set paused = coalesce(change_polling_job.paused, j.paused), interval_s = step, next_run_at = due
    where j.id = change_polling_job.id;
    return true;
end
$$;
