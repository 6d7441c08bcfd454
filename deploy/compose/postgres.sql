-- Run by the image of Postgres when it makes the database: the role that Tocsin logs in as, without any right of its
-- own. `tocsin migrate up` gives it what it needs.
\set password `cat /run/secrets/postgres-password`
CREATE ROLE tocsin LOGIN PASSWORD :'password';
