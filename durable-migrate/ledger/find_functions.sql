-- ledger/find_functions: which text of the functions was applied, and which release brought it.
select digest, release
from durable.function_digest;
