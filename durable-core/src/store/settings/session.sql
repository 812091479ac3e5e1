-- settings/session: every session of the engine, whatever the defaults of the role, the database and the server are. Two settings
-- keep the database's value: `synchronous_commit`, which is the operator's choice, and `default_transaction_read_only`, with which
-- operators and deposed primaries refuse writes on purpose. Functions of the schema set their own search path, because users call
-- them in their own sessions, too.

-- A name without a schema means Postgres's own function, operator, type or table, never one that a role has created.
set search_path = pg_catalog, pg_temp;
-- A backslash in a literal is a backslash; texts and times are sent and read in one form.
set standard_conforming_strings = on;
set client_encoding = 'UTF8';
set timezone = 'UTC';
set datestyle = 'ISO, MDY';
set intervalstyle = 'postgres';
-- Names in findings and in the statements that repair them are quoted only if they have to be.
set quote_all_identifiers = off;
-- A double that becomes JSON or text keeps every digit.
set extra_float_digits = 1;
-- An array may hold nulls, and `= null` is not `is null`.
set array_nulls = on;
set transform_null_equals = off;
-- Functions that lock and then count must see what was committed while they waited.
set default_transaction_isolation = 'read committed';
-- Limits that are meant for requests of people would have a long statement repeated for ever, and a connection that listens
-- closed. The engine bounds its statements by the size of their batches, and leaves no transaction idle. Lists are bounded by their
-- pages. Analytics are not bounded: two at most run at the same time (`store.rs`).
set statement_timeout = 0;
set idle_in_transaction_session_timeout = 0;
set idle_session_timeout = 0;
select set_config('transaction_timeout', '0', false) where current_setting('transaction_timeout', true) is not null;
-- Notices would fill the log of the application.
set client_min_messages = 'warning';
