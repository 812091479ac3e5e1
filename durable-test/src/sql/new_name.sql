-- new_name: the name of a database for a test, which says when it was made.
select format(
    'durable_test_%s_%s',
    floor(extract(epoch from clock_timestamp()))::bigint,
    replace(gen_random_uuid()::text, '-', '')
)
