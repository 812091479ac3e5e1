//! The statements of the engine: each is a file below `store/sql`, and is named by its path where it is sent.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use durable_migrate::SchemaName;
use sqlx::AssertSqlSafe;

/// A statement of the engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement {
    /// Its file below `store/sql`, as in `executions/claim`.
    pub(crate) path: &'static str,
    /// Its text for the schema `durable`.
    pub(crate) text: &'static str,
}

/// The statement in a file below `store/sql`: `statement!("executions/claim")`.
macro_rules! statement {
    ($path:literal) => {
        $crate::store::Statement {
            path: $path,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/sql/", $path, ".sql")),
        }
    };
}
pub(crate) use statement;

/// The texts of the statements in one schema.
#[derive(Debug, Clone)]
pub(crate) struct Statements {
    schema: SchemaName,
    /// Those that were sent already, by path.
    texts: Arc<RwLock<HashMap<&'static str, Arc<str>>>>,
}

impl Statements {
    pub(crate) fn in_schema(schema: &SchemaName) -> Self {
        Self { schema: schema.clone(), texts: Arc::default() }
    }

    /// The statement's text; safe to send, as a schema name is a checked identifier and everything else is bound.
    pub(crate) fn text(&self, statement: Statement) -> AssertSqlSafe<Arc<str>> {
        let known = self.texts.read().unwrap_or_else(PoisonError::into_inner).get(statement.path).cloned();
        AssertSqlSafe(known.unwrap_or_else(|| {
            let text: Arc<str> = self.schema.qualify(statement.text).into();
            self.texts.write().unwrap_or_else(PoisonError::into_inner).insert(statement.path, text.clone());
            text
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Every file below `store/sql`, as in `executions/claim`, with its text.
    fn files() -> Vec<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql");
        let mut files = Vec::new();
        for table in std::fs::read_dir(&folder).unwrap() {
            for file in std::fs::read_dir(table.unwrap().path()).unwrap() {
                let file = file.unwrap().path();
                let path = file.strip_prefix(&folder).unwrap().with_extension("");
                files.push((path.to_str().unwrap().replace('\\', "/"), std::fs::read_to_string(&file).unwrap()));
            }
        }
        assert!(files.len() > 80, "found only {}", files.len());
        files
    }

    /// The text of every file of `store` that sends statements, which this one does not.
    fn sources() -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
        let mut folders = vec![folder.clone()];
        let mut sources = std::fs::read_to_string(folder.with_extension("rs")).unwrap();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("statements.rs") {
                    sources += &std::fs::read_to_string(path).unwrap();
                }
            }
        }
        sources
    }

    #[test]
    fn every_file_is_sent_by_a_function_of_the_store() {
        let sources = sources();
        for (path, _) in files() {
            assert!(sources.contains(&format!("statement!(\"{path}\")")), "nothing sends {path}");
        }
    }

    #[test]
    fn the_first_line_of_every_statement_names_it() {
        for (path, text) in files() {
            assert!(text.starts_with(&format!("-- {path}: ")), "{path}");
        }
    }

    #[test]
    fn a_statement_that_is_marked_as_read_writes_nothing() {
        for (path, text) in files().iter().filter(|(path, text)| text.starts_with(&format!("-- {path}: read: "))) {
            let written = ["insert into ", "update durable.", "delete from "].iter().find(|verb| text.contains(**verb));
            assert_eq!(written, None, "{path}");
        }
    }

    #[test]
    fn a_text_is_the_one_of_its_schema_each_time_it_is_sent() {
        let billing = Statements::in_schema(&"billing".parse().unwrap());
        for _ in 0..2 {
            let AssertSqlSafe(text) = billing.text(statement!("executions/claim"));
            assert!(text.contains("billing.") && !text.contains("durable."), "{text}");
        }
    }
}
