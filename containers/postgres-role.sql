-- Run once, when the volume of the database is new: a role for the services that owns its database and nothing else.
\getenv password DATABASE_PASSWORD
create role tickloop login password :'password';
create database tickloop owner tickloop;
