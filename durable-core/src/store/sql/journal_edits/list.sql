-- journal_edits/list: read: what a person has edited of execution $1 before it began.
select key, edited_at, reason, edited_by
from durable.journal_edits
where execution_id = $1
order by key
