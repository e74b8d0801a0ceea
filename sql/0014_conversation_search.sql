-- What conversations are searched by, made once by each import, so that no search has to join, count or take texts apart.
--
-- `conversation_search` has the company beside each conversation and the words of its texts; its rows lie in the order
-- of the ids. `conversation_count` has how many there are. Both say '' where a conversation has no company or no tag:
-- an index finds that as it finds a value.

create table conversation_search (
    id_conversation text collate "C" primary key,
    id_company text collate "C",
    id_tag text collate "C",
    -- Null in a set without a text index.
    words tsvector
);
create index conversation_search_company on conversation_search (id_company, id_tag, id_conversation);
create index conversation_search_tag on conversation_search (id_tag, id_conversation);
create index conversation_search_words on conversation_search using gin (words);

-- Conversations of a company with a tag; null for all companies, or all tags.
create table conversation_count (
    id_company text collate "C",
    id_tag text collate "C",
    count bigint not null
);
create index conversation_count_company on conversation_count (id_company, id_tag);

-- Whether `company` can be asked; of an empty set nobody can say that it cannot.
alter table conversation_set add column has_companies boolean not null default true;

-- The set that is there already.
insert into conversation_search
    select id_conversation, coalesce(id_company, ''), coalesce(id_tag, ''),
        case when (select has_text_index from conversation_set) then conversation_words(question, answer) end
    from conversation left join transcript using (id_transcript) order by id_conversation;
insert into conversation_count
    select id_company, id_tag, count(*) from conversation_search
    group by grouping sets ((id_company, id_tag), (id_tag), ());
update conversation_set set has_companies = not exists (select from conversation_search)
    or exists (select from conversation_count where id_company <> '');
analyze conversation_search, conversation_count;

-- Nothing looks for conversations through these any more.
drop index transcript_company, conversation_transcript, conversation_tag;
drop index if exists conversation_text;

-- The first matches of `q`, in the order of the ids, with how well they match.
--
-- The statement is put together and planned for each question, because what is right for a rare word reads all of the
-- table for a common one: with the words at hand the planner knows which they are.
create function conversation_matches(q text, companies text[], tags text[], most integer)
returns table (id text, rank real) language plpgsql stable as $$
begin
    return query execute
        'select id_conversation, ts_rank(words, websearch_to_tsquery(''pg_catalog.english'', $1)) from ('
        || 'select id_conversation, words from conversation_search'
        || ' where words @@ websearch_to_tsquery(''pg_catalog.english'', $1)'
        || case when companies is not null then ' and id_company = any ($2)' else '' end
        || case when tags is not null then ' and id_tag = any ($3)' else '' end
        || ' order by id_conversation limit $4) first'
        using q, companies, tags, most;
end $$;

-- Empty tables for a set, without indexes. Nobody changes their rows, so there is nothing to clean up in them; and
-- nothing that cleans up holds a lock when the tables change places.
create or replace procedure stage_conversation_set() language plpgsql as $$
declare
    name text;
begin
    foreach name in array array['company', 'tag', 'transcript', 'conversation', 'conversation_count'] loop
        execute format('create table conversation_import.%I (like public.%I including defaults)'
            ' with (autovacuum_enabled = false)', name, name);
    end loop;
end $$;

create or replace function index_conversation_set(step integer, with_text boolean) returns boolean language plpgsql as $$
begin
    case step
        when 1 then
            create index company_name_trigrams on conversation_import.company
                using gin ((lower(company_name collate conversations_folding) collate "C") gin_trgm_ops);
            create index tag_value_folded on conversation_import.tag
                ((lower(btrim(tag_value) collate conversations_folding) collate "C"));
        when 2 then
            -- Made as it is filled, because several processes can do that at once.
            create table conversation_import.conversation_search with (autovacuum_enabled = false) as
                select id_conversation, coalesce(id_company, '') as id_company, coalesce(id_tag, '') as id_tag,
                    case when with_text then conversation_words(question, answer) end as words
                from conversation_import.conversation left join conversation_import.transcript using (id_transcript)
                order by id_conversation;
        when 3 then
            alter table conversation_import.conversation_search add primary key (id_conversation);
            create index conversation_search_company on conversation_import.conversation_search
                (id_company, id_tag, id_conversation);
            create index conversation_search_tag on conversation_import.conversation_search (id_tag, id_conversation);
            insert into conversation_import.conversation_count
                select id_company, id_tag, count(*) from conversation_import.conversation_search
                group by grouping sets ((id_company, id_tag), (id_tag), ());
            create index conversation_count_company on conversation_import.conversation_count (id_company, id_tag);
        when 4 then
            if with_text then
                create index conversation_search_words on conversation_import.conversation_search using gin (words);
            end if;
        when 5 then
            analyze conversation_import.company, conversation_import.tag, conversation_import.transcript,
                conversation_import.conversation, conversation_import.conversation_search,
                conversation_import.conversation_count;
    end case;
    return step < 5;
end $$;

drop procedure take_conversation_set(boolean);

-- The last step. It waits for the first table while it has none that anybody reads; then for the others so shortly that
-- nobody looks for a deadlock in that time. So a reader that has one table and wants another is never in the way of an
-- end, and is told of nothing. Who called this tries again when it is refused with lock_not_available.
create procedure take_conversation_set(with_text boolean, patience_ms integer) language plpgsql as $$
declare
    name text;
    deadlock_ms integer := (select setting from pg_settings where pg_settings.name = 'deadlock_timeout');
begin
    perform set_config('lock_timeout', patience_ms::text, true);
    lock table conversation_search in access exclusive mode;
    perform set_config('lock_timeout', greatest(1, least(50, deadlock_ms / 10))::text, true);
    lock table company, tag, transcript, conversation, conversation_count in access exclusive mode;
    foreach name in array array['company', 'tag', 'transcript', 'conversation', 'conversation_search',
        'conversation_count'] loop
        execute format('drop table public.%I', name);
        execute format('alter table conversation_import.%I set schema public', name);
    end loop;
    update conversation_set set version = version + 1, has_text_index = with_text,
        has_companies = not exists (select from conversation_search)
            or exists (select from conversation_count where id_company <> '');
end $$;
