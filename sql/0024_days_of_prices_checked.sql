-- Looks at the prices that were there before 0023_days_of_prices.sql. It reads the whole table, and meanwhile prices are
-- read and written as always.
--
-- Where there are prices of other years, they stay, and the constraint stays `not valid`: it holds for whatever is
-- written. Whether there are any is known without reading a price, and said in the server's log. Once they are deleted or
-- corrected, the last statement may be given by hand.
do $$
declare
    days bigint;
    amount numeric;
begin
    select count(*), sum(d.count) into days, amount
    from daily_prices as d
    where d.count > 0 and (d.day < '0001-01-01' or d.day > '9999-12-31');
    if days > 0 then
        raise warning 'there are % prices of % days before the year 1 or after the year 9999', amount, days
        using hint =
            'Look at them with: select * from prices where recorded_at < ''0001-01-01Z'' or '
            'recorded_at >= ''10000-01-01Z''; and when there are none left: '
            'alter table prices validate constraint prices_recorded_at_is_in_range;';
        return;
    end if;
    alter table prices validate constraint prices_recorded_at_is_in_range;
end
$$;
