// Nothing to call: see WrongClock.c.
