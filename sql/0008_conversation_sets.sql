-- How one set of conversations takes the place of another.
--
-- A set is built beside the one that is read, in a schema of its own, and indexed when all its rows are there, which
-- costs a fraction of indexing them one by one; then its tables take the place of the others. All of it is one
-- transaction of the import, so readers see one set or the other, whole.

create schema conversation_import;

-- Whether `q` can be asked: its index is most of the work of an import, which may leave it out.
alter table conversation_set add column has_text_index boolean not null default true;

-- The words of a conversation. The texts are cut because a tsvector has room for 1 MiB.
create function conversation_words(question text, answer text) returns tsvector
    language sql immutable parallel safe
    return to_tsvector('pg_catalog.english', left(coalesce(question, ''), 100000) || ' ' || left(coalesce(answer, ''), 100000));

-- Empty tables for a set, without indexes.
create procedure stage_conversation_set() language plpgsql as $$
declare
    name text;
begin
    foreach name in array array['company', 'tag', 'transcript', 'conversation'] loop
        execute format('create table conversation_import.%I (like public.%I including defaults)', name, name);
    end loop;
end $$;

-- What follows when all rows are there and each table has its key, by steps from 1; the last one says false. The names
-- are the same for each set.
create function index_conversation_set(step integer, with_text boolean) returns boolean language plpgsql as $$
begin
    case step
        when 1 then
            create index company_name_trigrams on conversation_import.company
                using gin ((lower(company_name collate conversations_folding) collate "C") gin_trgm_ops);
            create index tag_value_folded on conversation_import.tag
                ((lower(btrim(tag_value) collate conversations_folding) collate "C"));
            create index transcript_company on conversation_import.transcript (id_company);
        when 2 then
            create index conversation_transcript on conversation_import.conversation (id_transcript);
        when 3 then
            create index conversation_tag on conversation_import.conversation (id_tag, id_conversation);
        when 4 then
            if with_text then
                create index conversation_text on conversation_import.conversation
                    using gin (conversation_words(question, answer));
            end if;
        when 5 then
            analyze conversation_import.company, conversation_import.tag, conversation_import.transcript,
                conversation_import.conversation;
    end case;
    return step < 5;
end $$;

-- The last step: readers wait for it, and it for those that read now.
create procedure take_conversation_set(with_text boolean) language plpgsql as $$
declare
    name text;
begin
    lock table company, tag, transcript, conversation in access exclusive mode;
    foreach name in array array['company', 'tag', 'transcript', 'conversation'] loop
        execute format('drop table public.%I', name);
        execute format('alter table conversation_import.%I set schema public', name);
    end loop;
    update conversation_set set version = version + 1, has_text_index = with_text;
end $$;

create index conversation_text on conversation using gin (conversation_words(question, answer));
