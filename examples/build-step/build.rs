//! Brings the schema of durable up to date before the application is compiled.

fn main() {
    durable_migrate::build();
}
