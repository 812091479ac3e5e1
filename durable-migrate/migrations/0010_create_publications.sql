-- expand: what was published to a topic under a key, so that publishing it again reaches no execution twice. Written by `publish`.
create table durable.publications (
    -- Its number in the order of writing: it is for the waits that were registered before it.
    ordinal bigint not null default nextval('durable.journal_ordinals'),
    published_at timestamptz not null,
    -- The message that the waits receive.
    message_id uuid not null,
    topic text not null,
    key text not null,
    constraint publications_pkey primary key (topic, key)
);
