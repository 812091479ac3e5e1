-- cheap_logins: how this server can check the password of this role with little work; null if it does so already.
select case
    when rolpassword like 'SCRAM-SHA-256$1:%' or rolpassword like 'md5%' then null
    when current_setting('scram_iterations', true) is not null then 'scram'
    else 'md5'
end
from pg_catalog.pg_authid
where rolname = current_user
