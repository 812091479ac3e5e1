//! Writes the same changes as text, for `psql`, for other migration tools, and for an administrator to read.

use crate::database::quote;
use crate::ledger::{CREATE, record_functions, record_migration};
use crate::{Error, History, SchemaName};

/// Postgres cuts longer names off, which would grant to another role.
const MAX_ROLE_BYTES: usize = 63;

/// Begins the transaction of a migration, whatever the defaults of the role are.
///
/// The isolation is named because a snapshot taken before the turn would not see what the others applied; the search path,
/// so that a name without a schema means Postgres's own or fails. Nobody may be kept waiting for hours.
pub(crate) const BEGIN: &str = "\
begin isolation level read committed read write;
set local search_path to pg_catalog, pg_temp;
set local client_min_messages to warning;
set local statement_timeout to '30min';
";

/// Waits until no other migration of the schema is under way; the turn ends with the transaction.
///
/// The wait for one's turn is as long as a migration may take; the wait for a table afterwards is short, because everyone
/// who comes later to that table queues behind it.
pub(crate) fn take_turn(schema: &SchemaName) -> String {
    format!(
        "set local lock_timeout to '30min';\n\
         select pg_advisory_xact_lock(hashtext('durable.migrate.{schema}'));\n\
         set local lock_timeout to '10s';\n"
    )
}

/// The script that takes a schema from one version to another: the migrations between them, their records in the ledger
/// and, where it arrives at the newest version, the views and functions.
///
/// Version 0 is a database without the schema. The script opens and commits its own transaction, and refuses a schema that
/// is at another version than `from`. It asks `psql` for nothing but to read it.
///
/// # Errors
/// When this program does not know the versions, or `from` is above `to`.
pub fn sql(from: i32, to: i32, schema: &SchemaName) -> Result<String, Error> {
    History::OF_THIS_PROGRAM.sql(from, to, schema)
}

impl History {
    /// The script that takes a schema from one version to another: see [`sql`](sql()).
    ///
    /// # Errors
    /// See [`sql`](sql()).
    pub fn sql(&self, from: i32, to: i32, schema: &SchemaName) -> Result<String, Error> {
        let newest = self.version();
        if from < 0 || from > to || to > newest {
            return Err(Error::InvalidRange { from, to, newest });
        }
        let mut script = format!(
            "-- durable: the schema `{schema}` from version {from} to version {to}.\n\
         -- One transaction. For a tool that opens one itself, take out `begin` and, at the end, `commit`.\n{BEGIN}{}\n",
            take_turn(schema)
        );
        if from == 0 {
            script += &format!("create schema if not exists {schema};\n\n{}\n", schema.qualify(CREATE));
        } else {
            script += &schema.qualify(&refuse_other_versions_than(from));
        }
        for migration in self.migrations.iter().filter(|migration| from < migration.version && migration.version <= to) {
            script += &schema.qualify(&format!("{}\n{}\n", migration.sql, record_migration(migration)));
        }
        // The functions are written for the newest tables; on older ones they could not be created.
        if to == newest {
            for view in self.views {
                script += &schema.qualify(&format!("{}\n", view.sql));
            }
            for function in self.functions {
                script += &schema.qualify(&format!("{}\n", function.sql));
            }
            script += &schema.qualify(&format!("{}\n", record_functions(*self)));
        }
        script += "commit;\n";
        Ok(script)
    }
}

fn refuse_other_versions_than(from: i32) -> String {
    format!(
        "do $$\nbegin\n    \
         if (select coalesce(max(version), 0) from durable.migrations) <> {from} then\n        \
         raise exception 'the schema is not at version {from}'\n        \
         using hint = 'ask `durable-migrate status` for its version, and print the script from there';\n    \
         end if;\nend\n$$;\n\n"
    )
}

/// The script that lets a role run workflows and no more: it reads and writes the tables, reads the ledger and the clock, and
/// calls the functions. It cannot migrate, set the clock, or remove or rename a worker.
///
/// Run it as the role that migrates: it also covers the tables that role will add later. The role itself must exist.
///
/// # Errors
/// When `role` cannot be the name of a role.
pub fn grants(role: &str, schema: &SchemaName) -> Result<String, Error> {
    let problem = if role.is_empty() {
        Some("the name is empty")
    } else if role.len() > MAX_ROLE_BYTES {
        Some("the name is longer than 63 bytes")
    } else if role.contains(char::is_control) {
        Some("the name contains a control character")
    } else {
        None
    };
    if let Some(problem) = problem {
        return Err(Error::InvalidRole { role: role.escape_debug().to_string(), problem: problem.to_owned() });
    }
    let role = quote(role);
    Ok(format!(
        "-- durable: what {role} needs to run workflows in the schema `{schema}`. Run it as the role that migrates.
begin;
grant usage on schema {schema} to {role};
grant select, insert, update, delete on all tables in schema {schema} to {role};
revoke insert, update, delete on {schema}.migrations, {schema}.function_digest, {schema}.clock from {role};
revoke update, delete on {schema}.workers from {role};
grant update (lease_until, slots_in_use, deprecated_at, lost_at, troubles, unresponsive_since, stuck_executions) on {schema}.workers to {role};
grant usage, select on all sequences in schema {schema} to {role};
grant execute on all functions in schema {schema} to {role};
alter default privileges in schema {schema} grant select, insert, update, delete on tables to {role};
alter default privileges in schema {schema} grant usage, select on sequences to {role};
alter default privileges in schema {schema} grant execute on functions to {role};
commit;
"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{VERSION, functions, migrations, views};

    fn durable() -> SchemaName {
        SchemaName::default()
    }

    #[test]
    fn a_script_holds_the_migrations_between_its_versions_and_no_other() {
        let script = sql(1, 2, &durable()).unwrap();
        assert!(!script.contains(migrations()[0].sql));
        assert!(script.contains(migrations()[1].sql));
        assert!(!script.contains(migrations()[2].sql));
        assert!(!script.contains("create or replace"), "views and functions belong to the newest version");
    }

    #[test]
    fn a_whole_script_holds_everything() {
        let script = sql(0, VERSION, &durable()).unwrap();
        assert!(migrations().iter().all(|migration| script.contains(migration.sql)));
        assert!(views().iter().all(|view| script.contains(view.sql)));
        assert!(functions().iter().all(|function| script.contains(function.sql)));
    }

    #[test]
    fn a_script_for_another_schema_names_no_other() {
        let script = sql(0, VERSION, &"elsewhere".parse().unwrap()).unwrap();
        assert!(!script.contains(" durable."), "{script}");
        assert!(script.contains("create schema if not exists elsewhere;"));
    }

    #[test]
    fn versions_that_do_not_exist_are_refused() {
        for (from, to) in [(-1, 1), (2, 1), (0, VERSION + 1)] {
            let message = sql(from, to, &durable()).unwrap_err().to_string();
            assert!(message.contains(&format!("from version {from} to version {to}")), "{message}");
        }
    }

    #[test]
    fn a_role_is_one_name_whatever_it_contains() {
        let script = grants("a\"; drop schema durable; --", &durable()).unwrap();
        assert!(script.contains("to \"a\"\"; drop schema durable; --\";"), "{script}");
        for role in ["", "a\nb", &"x".repeat(64)] {
            assert!(grants(role, &durable()).is_err());
        }
    }
}
