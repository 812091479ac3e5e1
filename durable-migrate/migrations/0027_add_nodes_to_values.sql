-- expand: the nodes of graphs among the values. Both columns are null for a value that a flow has set.
alter table durable.execution_values
    -- What the node has come to: `unset`, `ready`, `stale` (its recomputation has failed), `skipped` or `failed`. Only a node that is
    -- `ready` or `stale` has a value; the column `value` of any other is JSON null. Written by the worker, as all of the row.
    add column state text,
    -- What else the worker knows of the node: the state in which it was decided, since when it is what it is, and its error.
    add column node json;
