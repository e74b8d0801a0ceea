-- Prices of days that an answer can name: those of the years 1 to 9999. Whatever the services write is of these already;
-- plain SQL could store others, and nobody can ask for their days.
--
-- Prices that are there are not looked at here (`not valid`), so that nobody waits while the whole table is read: that is
-- for the next migration. What is written from now on is looked at in any case.
alter table prices add constraint prices_recorded_at_is_in_range
    check (recorded_at >= '0001-01-01 00:00:00+00' and recorded_at < '10000-01-01 00:00:00+00') not valid;
