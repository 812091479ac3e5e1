-- cheap_logins: whether this server can hash the password of this role with few rounds, and does not yet.
select current_setting('scram_iterations', true) is not null
    and not exists (
        select from pg_catalog.pg_authid where rolname = current_user and rolpassword like 'SCRAM-SHA-256$1:%'
    )
