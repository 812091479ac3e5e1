-- expand: tags of executions, by which people find them.
create table durable.execution_tags (
    execution_id uuid not null,
    -- Unique among the tags of the execution. A start or `cx.tag` sets it.
    name text not null,
    value text not null,
    constraint execution_tags_pkey primary key (execution_id, name)
);

-- A page of the executions that have a tag, newest first.
create index execution_tags_by_value
on durable.execution_tags (name, value, execution_id);
