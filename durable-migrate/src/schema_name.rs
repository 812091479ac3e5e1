//! The name of the schema that holds everything, checked once and then put into each statement.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The name of the Postgres schema that holds one instance of durable; `durable` by default.
///
/// Two instances in one database are two names, and share nothing. A name is checked here and nowhere else, because it
/// becomes part of the text of statements, without quotes.
///
/// ```
/// use durable_migrate::SchemaName;
///
/// let schema: SchemaName = "billing_flows".parse()?;
/// assert_eq!(schema.qualify("select durable.now()"), "select billing_flows.now()");
/// # Ok::<(), durable_migrate::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SchemaName(String);

impl SchemaName {
    /// The name for which the SQL of durable is written.
    pub const DEFAULT: &str = "durable";

    /// Leaves room for what is built from the name (channels, index names) within the 63 bytes of a Postgres identifier.
    pub const MAX_LENGTH: usize = 40;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Puts this name where `sql`, written for the schema `durable`, names its schema.
    ///
    /// Replaced are the qualifier, as in `durable.start`, and the name after the keyword, as in `create schema durable`;
    /// in comments and string literals too, so that messages, hints and channel names follow. A longer identifier
    /// (`my_durable.x`) and a part of a longer path (`x.durable.y`) stay as they are.
    #[must_use]
    pub fn qualify(&self, sql: &str) -> String {
        if self.0 == Self::DEFAULT {
            return sql.to_owned();
        }
        let mut qualified = String::with_capacity(sql.len());
        let mut copied_to = 0;
        for (start, word) in sql.match_indices(Self::DEFAULT) {
            let end = start + word.len();
            let (before, after) = (&sql[..start], &sql[end..]);
            if is_qualifier(before, after) || follows_schema(before, after) {
                qualified.push_str(&sql[copied_to..start]);
                qualified.push_str(&self.0);
                copied_to = end;
            }
        }
        qualified.push_str(&sql[copied_to..]);
        qualified
    }
}

/// Is a `durable` between these the qualifier of an object?
fn is_qualifier(before: &str, after: &str) -> bool {
    let stands_alone = !before.ends_with(|c| continues_identifier(c) || c == '.' || c == '"');
    let names_an_object = after
        .strip_prefix('.')
        .is_some_and(|object| object.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '"' | '%' | '\'')));
    stands_alone && names_an_object
}

/// Is a `durable` between these the whole word after `schema`, `schema if exists` or `schema if not exists`?
fn follows_schema(before: &str, after: &str) -> bool {
    if !before.ends_with(char::is_whitespace) || after.starts_with(continues_identifier) {
        return false;
    }
    before
        .split_whitespace()
        .rev()
        .find(|word| !["if", "not", "exists"].iter().any(|skipped| word.eq_ignore_ascii_case(skipped)))
        .is_some_and(|word| word.eq_ignore_ascii_case("schema"))
}

fn continues_identifier(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

impl Default for SchemaName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl FromStr for SchemaName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match broken_rule(name) {
            None => Ok(Self(name.to_owned())),
            Some(problem) => Err(Error::InvalidSchemaName { name: name.escape_debug().to_string(), problem }),
        }
    }
}

impl TryFrom<&str> for SchemaName {
    type Error = Error;

    fn try_from(name: &str) -> Result<Self, Error> {
        name.parse()
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for SchemaName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

fn broken_rule(name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() {
        Some("it is empty".to_owned())
    } else if let Some(stranger) = name.chars().find(|c| !allowed(*c)) {
        Some(format!("it contains {stranger:?}"))
    } else if name.starts_with(|c: char| c.is_ascii_digit()) {
        Some("it starts with a digit".to_owned())
    } else if name.len() > SchemaName::MAX_LENGTH {
        Some(format!("it is {} characters long", name.len()))
    } else if name.starts_with("pg_") {
        Some("names that start with `pg_` belong to Postgres".to_owned())
    } else if ["public", "information_schema"].contains(&name) {
        Some("that schema is shared, and durable needs one of its own".to_owned())
    } else if KEYWORDS.split(' ').any(|keyword| keyword == name) {
        Some("it is a keyword of SQL".to_owned())
    } else {
        None
    }
}

/// The words of Postgres and PL/pgSQL that cannot, or not everywhere, stand for a schema without quotes.
const KEYWORDS: &str = "\
    all analyse analyze and any array as asc asymmetric authorization begin between bigint \
    binary bit boolean both by case cast char character check coalesce collate collation column \
    concurrently constraint create cross current_catalog current_date current_role \
    current_schema current_time current_timestamp current_user dec decimal declare default \
    deferrable desc distinct do else end except execute exists extract false fetch float for \
    foreach foreign freeze from full grant greatest group grouping having if ilike in initially \
    inner inout int integer intersect interval into is isnull join json json_array json_arrayagg \
    json_exists json_object json_objectagg json_query json_scalar json_serialize json_table \
    json_value lateral leading least left like limit localtime localtimestamp loop merge_action \
    national natural nchar none normalize not notnull null nullif numeric offset on only or \
    order out outer overlaps overlay placing position precision primary real references \
    returning right row select session_user setof similar smallint some strict substring \
    symmetric system_user table tablesample then time timestamp to trailing treat trim true \
    union unique user using values varchar variadic verbose when where while window with \
    xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot \
    xmlserialize xmltable";

#[cfg(test)]
mod tests {
    use super::*;

    fn other() -> SchemaName {
        "other".parse().unwrap()
    }

    fn problem(name: &str) -> String {
        name.parse::<SchemaName>().unwrap_err().to_string()
    }

    #[test]
    fn the_default_name_changes_nothing() {
        let sql = "create schema durable; select durable.start('x')";
        assert_eq!(SchemaName::default().qualify(sql), sql);
        assert_eq!(SchemaName::default().as_str(), "durable");
    }

    #[test]
    fn a_qualifier_is_replaced_wherever_an_identifier_may_start() {
        for (written, expected) in [
            ("durable.now()", "other.now()"),
            ("select durable.now()", "select other.now()"),
            ("(durable.now())", "(other.now())"),
            ("1::durable.state", "1::other.state"),
            ("a,durable.b", "a,other.b"),
            ("durable.\"Odd\"", "other.\"Odd\""),
            ("select * from durable.a, durable.b", "select * from other.a, other.b"),
        ] {
            assert_eq!(other().qualify(written), expected);
        }
    }

    #[test]
    fn string_literals_and_comments_follow() {
        assert_eq!(other().qualify("to_regclass('durable.clock')"), "to_regclass('other.clock')");
        assert_eq!(other().qualify("'durable.' || id"), "'other.' || id");
        assert_eq!(other().qualify("format('durable.%I', name)"), "format('other.%I', name)");
        assert_eq!(other().qualify("-- see durable.start\n"), "-- see other.start\n");
    }

    #[test]
    fn longer_identifiers_and_paths_stay() {
        for kept in [
            "my_durable.x",
            "mydurable.x",
            "$durable.x",
            "édurable.x",
            "x.durable.y",
            "\"durable.x\"",
            "durable_x.y",
            "durables.y",
            "durable",
            "is durable. The next",
            "is durable.",
            "durable.1",
        ] {
            assert_eq!(other().qualify(kept), kept);
        }
    }

    #[test]
    fn the_word_after_schema_is_replaced() {
        for (written, expected) in [
            ("create schema durable;", "create schema other;"),
            ("create schema if not exists durable", "create schema if not exists other"),
            ("DROP SCHEMA IF EXISTS durable cascade", "DROP SCHEMA IF EXISTS other cascade"),
            ("grant usage on schema\n  durable to x", "grant usage on schema\n  other to x"),
            ("on all tables in schema durable to x", "on all tables in schema other to x"),
        ] {
            assert_eq!(other().qualify(written), expected);
        }
        for kept in ["schema durables", "schema durable_x", "myschema durable", "schemadurable", "a durable b"] {
            assert_eq!(other().qualify(kept), kept);
        }
    }

    #[test]
    fn a_name_that_contains_the_default_is_put_in_once() {
        let mine: SchemaName = "my_durable".parse().unwrap();
        let once = mine.qualify("select durable.a(durable.b())");
        assert_eq!(once, "select my_durable.a(my_durable.b())");
        assert_eq!(mine.qualify(&once), once);
    }

    #[test]
    fn plain_identifiers_are_names() {
        for name in ["durable", "a", "_", "_x9", "billing_flows", "pg", "publics", &"x".repeat(40)] {
            assert_eq!(name.parse::<SchemaName>().unwrap().as_str(), name);
            assert_eq!(SchemaName::try_from(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_rule() {
        for (name, because) in [
            ("", "it is empty"),
            ("Durable", "it contains 'D'"),
            ("a b", "it contains ' '"),
            ("a.b", "it contains '.'"),
            ("a\"b", "it contains '\"'"),
            ("a;drop", "it contains ';'"),
            ("naïve", "it contains 'ï'"),
            ("a\0", "it contains '\\0'"),
            ("9lives", "starts with a digit"),
            ("pg_durable", "`pg_` belong to Postgres"),
            ("public", "is shared"),
            ("information_schema", "is shared"),
            ("order", "keyword"),
            (&"x".repeat(41), "it is 41 characters long"),
        ] {
            let message = problem(name);
            assert!(message.contains(because), "{message}");
            assert!(message.contains("1 to 40 lower-case letters"), "{message}");
        }
    }
}
