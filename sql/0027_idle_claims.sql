-- Who looks for work and finds none writes nothing.
--
-- Workers look several times a second. To hold the own lease they lock its row, which is a record in the log, and a
-- commit waits until that is on the disk: an idle system wrote 28 times a second. So it is looked first whether there
-- is anything, which also spares the plans of the large statements.

-- These stay as they are, but for those words.
do $$
declare
    change record;
    definition text;
begin
    for change in
        select *
        from (values
            (
                'outbox_claim',
                'settled bigint := settled_number(22001, ''outbox_ids'');',
                'settled bigint;'
            ),
            (
                'outbox_claim',
                '
    perform from outbox_owners',
                '
    if not exists (
        select from outbox as o where o.destination = outbox_claim.destination and o.id >= 0 and o.id > above
    ) and not exists (
        select from outbox_attempts as a
        where a.destination = outbox_claim.destination and a.owner is null and a.due_at <= moment
    ) then
        return;
    end if;

    -- Before the statements that take what is settled: those see at least what it counts.
    settled := settled_number(22001, ''outbox_ids'');
    perform from outbox_owners'
            ),
            (
                'outbox_take_over',
                '
    perform from outbox_owners',
                '
    if not exists (select from outbox_owners as o where o.lease_until <= moment) then
        return;
    end if;
    perform from outbox_owners'
            ),
            (
                'claim_polling_jobs',
                '
    return query',
                '
    if not exists (select from polling_jobs as j where not j.paused and j.next_run_at <= moment) then
        return;
    end if;
    return query'
            )
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
