-- ledger/find_encoding: how the server stores the texts of this database.
select pg_catalog.current_setting('server_encoding') as encoding;
