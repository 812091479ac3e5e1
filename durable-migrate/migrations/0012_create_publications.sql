-- expand: what was published to a topic under a key, so that publishing it again reaches nobody twice.
create table durable.publications (
    shard smallint not null,
    topic text not null,
    key text not null,
    published_at timestamptz not null,
    message_id uuid not null,
    constraint publications_pkey primary key (shard, topic, key)
);
