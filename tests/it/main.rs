//! The one integration binary: every behaviour on a real Postgres, one module each.

#[cfg(test)]
mod support;

#[cfg(test)]
mod addressing;
#[cfg(test)]
mod agreeing;
#[cfg(test)]
mod analysing;
#[cfg(test)]
mod answering;
#[cfg(test)]
mod archiving;
#[cfg(test)]
mod asking_again;
#[cfg(test)]
mod branching;
#[cfg(test)]
mod calendars;
#[cfg(test)]
mod cancelling;
#[cfg(test)]
mod cancelling_waits;
#[cfg(test)]
mod claiming;
#[cfg(test)]
mod closing;
#[cfg(test)]
mod committing;
#[cfg(test)]
mod compensating;
#[cfg(test)]
mod compile_errors;
#[cfg(test)]
mod configuring;
#[cfg(test)]
mod continuing;
#[cfg(test)]
mod crashing;
#[cfg(test)]
mod crashing_closes;
#[cfg(test)]
mod crashing_flows;
#[cfg(test)]
mod crashing_waits;
#[cfg(test)]
mod debouncing;
#[cfg(test)]
mod deciding;
#[cfg(test)]
mod deduplicating;
#[cfg(test)]
mod delivering;
#[cfg(test)]
mod deploying;
#[cfg(test)]
mod diverging;
#[cfg(test)]
mod examining;
#[cfg(test)]
mod expiring;
#[cfg(test)]
mod failing_over;
#[cfg(test)]
mod families;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod forgetting;
#[cfg(test)]
mod forking;
#[cfg(test)]
mod gathering;
#[cfg(test)]
mod graphing;
#[cfg(test)]
mod graphs;
#[cfg(test)]
mod holding;
#[cfg(test)]
mod introspecting;
#[cfg(test)]
mod isolating;
#[cfg(test)]
mod keeping_values;
#[cfg(test)]
mod keying;
#[cfg(test)]
mod leasing;
#[cfg(test)]
mod limiting;
#[cfg(test)]
mod listening;
#[cfg(test)]
mod logging;
#[cfg(test)]
mod looking;
#[cfg(test)]
mod mapping;
#[cfg(test)]
mod migrating;
#[cfg(test)]
mod misfitting;
#[cfg(test)]
mod missing_deadlines;
#[cfg(test)]
mod mistyping;
#[cfg(test)]
mod observing;
#[cfg(test)]
mod odd_rows;
#[cfg(test)]
mod odd_values;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod overlapping;
#[cfg(test)]
mod panicking;
#[cfg(test)]
mod parenting;
#[cfg(test)]
mod pausing;
#[cfg(test)]
mod pausing_executions;
#[cfg(test)]
mod pooling;
#[cfg(test)]
mod preceding;
#[cfg(test)]
mod preserving;
#[cfg(test)]
mod pruning;
#[cfg(test)]
mod psql;
#[cfg(test)]
mod publishing;
#[cfg(test)]
mod racing;
#[cfg(test)]
mod refusing;
#[cfg(test)]
mod registering;
#[cfg(test)]
mod reminding;
#[cfg(test)]
mod repairing;
#[cfg(test)]
mod repeating;
#[cfg(test)]
mod replaying;
#[cfg(test)]
mod retrying;
#[cfg(test)]
mod rolling_back;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod scheduling;
#[cfg(test)]
mod setting_values;
#[cfg(test)]
mod shutting_down;
#[cfg(test)]
mod skewing;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod stepping_back;
#[cfg(test)]
mod sticking;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod tagging;
#[cfg(test)]
mod taking;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod timing_out;
#[cfg(test)]
mod transacting;
#[cfg(test)]
mod trapping;
#[cfg(test)]
mod updating_inputs;
#[cfg(test)]
mod versioning;
#[cfg(test)]
mod waiting;
#[cfg(test)]
mod watching;
#[cfg(test)]
mod weighing;
