# Every command that a contributor needs; continuous integration runs `ci`.

# List the commands.
default:
    @just --list --unsorted

# Orders, a crash half-way, and the proof; `just order --interactive` asks you for the approvals.
order *arguments:
    cargo run --example order -- {{ arguments }}

# One of the other examples, by name: `just example trip`.
example name:
    cargo run --example {{ name }}

# What rustfmt, the compiler, clippy and rustdoc say.
check:
    .ci/run format lint docs

# Every test, or those whose names contain the filter.
test filter="":
    cargo test --workspace {{ filter }}

# Simulate executions in memory under this many seeds; a seed that fails is printed with its trace.
simulate seeds="1000000":
    DURABLE_SEEDS={{ seeds }} cargo test --release -p durable-core --lib simulation::no_seed -- --nocapture

# Repeat one seed of the simulation, and print its trace.
replay seed:
    DURABLE_SEED={{ seed }} cargo test -p durable-core --lib simulation::no_seed -- --nocapture

# Accept what golden tests see now: schema.sql, the macro's expansions, the compiler's messages. Read the difference after.
bless:
    DURABLE_BLESS=1 cargo test -p durable --test it migrating
    DURABLE_BLESS=1 cargo test -p durable-macros
    TRYBUILD=overwrite cargo test -p durable --test it compile_errors

# Measure, on a fresh cluster with default durability; `just bench w1 w3` for some workloads.
bench *workloads:
    cargo bench --bench engine -- {{ workloads }}

# How long tests with `durable-test` take: one of a month, and so many at once.
measure-tests tests="200":
    cargo run --release -p durable-test --example speed -- {{ tests }}

# Licences, banned crates, sources, and advisories from the network (needs cargo-deny; `.ci/run deny` does not).
deny:
    cargo deny --workspace check

# What continuous integration runs, or some of its parts: `just ci features deny`.
ci *parts:
    .ci/run {{ parts }}
