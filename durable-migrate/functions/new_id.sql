-- new_id: the id of a new execution in home 0: a UUIDv7, which sorts by the time of its creation (RFC 9562, section 5.7).
-- The last twelve bits, three hexadecimal digits, are the home, as in `ids.rs`.
create or replace function durable.new_id() returns uuid
language sql volatile
return (left(
    encode(
        set_bit(set_bit(
            overlay(
                uuid_send(gen_random_uuid())
                placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                from 1 for 6
            ),
        52, 1), 53, 1),
        'hex'
    ),
    29
) || '000')::uuid;
