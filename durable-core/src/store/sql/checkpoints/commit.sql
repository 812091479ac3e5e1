-- checkpoints/commit: write the outcome of a step inside its own transaction, if worker $1 holds the execution; says if it is to be committed.
select is_open, is_held, is_saved, transaction_id
from durable.commit_step($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
