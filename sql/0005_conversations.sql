-- Conversations as `tickloop import conversations` brings them: always one whole set.
--
-- Ids are texts, because sets have them as numbers of 32 or 64 bits or as texts. There are no foreign keys on purpose:
-- a set may come without relations, and what a row refers to may be missing in the set.

-- ICU folds case alike everywhere; the C library's rules depend on the machine.
create collation conversations_folding (provider = icu, locale = 'und');
create extension if not exists pg_trgm;

create table company (
    id_company text collate "C" primary key,
    company_name text not null,
    logo text
);
create index company_name_trigrams on company
    using gin ((lower(company_name collate conversations_folding) collate "C") gin_trgm_ops);

create table tag (
    id_tag text collate "C" primary key,
    tag_value text not null
);
create index tag_value_folded on tag ((lower(btrim(tag_value) collate conversations_folding) collate "C"));

create table transcript (
    id_transcript text collate "C" primary key,
    id_company text collate "C",
    title text,
    transcript_type text,
    length bigint,
    publish_date timestamp
);
create index transcript_company on transcript (id_company);

create table conversation (
    id_conversation text collate "C" primary key,
    id_transcript text collate "C",
    question text,
    answer text,
    sequence_conversation bigint,
    id_tag text collate "C"
);
create index conversation_transcript on conversation (id_transcript);
create index conversation_tag on conversation (id_tag, id_conversation);

-- Which set it is; one row.
create table conversation_set (
    is_only boolean primary key default true check (is_only),
    version bigint not null
);
insert into conversation_set (version) values (0);
