-- Whoever has to say who he is sees his own orders only: a page of them is one range of this.
create index orders_by_owner on orders (owner, id) where owner is not null;
