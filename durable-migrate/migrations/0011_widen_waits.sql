-- expand: waits for children, for topics and for any of several events; what people are shown, and who answered.
alter table durable.waits
    add column arrival bigint,
    add column names text[],
    add column correlation text,
    add column child_id uuid,
    add column form text,
    add column metadata json,
    add column answered_by text,
    drop constraint kind_is_known,
    add constraint kind_is_known check (kind in ('sleep', 'event', 'input', 'topic', 'child')),
    add constraint form_is_known check (form in ('approval', 'choice', 'choices', 'text', 'number', 'form'));

create index waits_for_topic
on durable.waits (shard, name, correlation)
where kind = 'topic' and outcome is null;

alter table durable.mailbox
    add column sent_by text;
