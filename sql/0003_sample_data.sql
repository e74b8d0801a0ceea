-- Which sets of sample data this database has been given, so that each comes once, also when the rows were changed or
-- deleted since. The sets are in sql/sample; `tickloop seed --sample` loads them, `tickloop migrate` does not.

create table loaded_samples (
    name text primary key,
    loaded_at timestamptz not null default now()
);
