-- expand: a child execution knows its parent, the key of the call in the parent's journal, and whether its end is still to be told.
alter table durable.executions
    add column parent_id uuid,
    add column parent_key text,
    add column parent_bond text,
    add constraint parent_bond_is_known check (parent_bond in ('awaited', 'told', 'started', 'detached')),
    add constraint parents_come_whole check ((parent_id is null) = (parent_key is null) and (parent_id is null) = (parent_bond is null));

create index executions_by_parent
on durable.executions (shard, parent_id)
where parent_id is not null;

create index executions_to_tell
on durable.executions (shard, execution_id)
where parent_bond = 'awaited' and finished_at is not null;
