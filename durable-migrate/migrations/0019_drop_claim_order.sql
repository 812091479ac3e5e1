-- contract: take away the index by which executions were claimed before they had a rank.
drop index durable.executions_to_claim;
