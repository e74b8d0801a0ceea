-- The prices as they were recorded: the only table that people and importers write.
--
-- There is no unique constraint on purpose. Two equal rows are two prices, and the mean of a day counts each of them;
-- `tickloop import prices` compares counts instead, so that running it twice doubles nothing.

create table prices (
    id bigint generated always as identity primary key,
    -- The "C" collation compares bytes: the order that the triggers lock in is then the same in every database.
    symbol text collate "C" not null,
    recorded_at timestamptz not null,
    price numeric not null,

    -- "No other character" and a length: measured at a seventh of the time of '^[...]{1,32}$'.
    constraint prices_symbol_is_valid check (symbol !~ '[^A-Za-z0-9.^=-]' and octet_length(symbol) between 1 and 32),
    constraint prices_recorded_at_is_finite check (isfinite(recorded_at)),
    -- In PostgreSQL's order of numerics, NaN stands above Infinity; so this refuses all three.
    constraint prices_price_is_finite check (price > '-Infinity' and price < 'Infinity')
);

create index prices_symbol_recorded_at on prices (symbol, recorded_at);

comment on table prices is 'One row per recorded price. Write it with plain SQL as you like; the rollups follow.';
comment on column prices.recorded_at is 'When the price was valid. Its UTC date is the day that it counts for.';
comment on column prices.price is 'Exact decimal, any sign, any number of digits.';
