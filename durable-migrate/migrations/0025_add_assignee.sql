-- expand: who is to answer an input.
alter table durable.waits
    -- Given by the workflow, and changed by `update_input`; null if there is none.
    add column assignee text;

-- The questions that are open for somebody.
create index waits_by_assignee
on durable.waits (assignee, due_at, execution_id)
where kind = 'input' and outcome is null and assignee is not null;
