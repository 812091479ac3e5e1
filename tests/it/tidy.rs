//! House rules that no linter knows. They are part of the one integration binary, which links once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of durable-core, bottom to top: each uses only itself and those before it.
const CORE_MODULES: [&str; 25] = [
    "duration",
    "error",
    "panics",
    "ids",
    "calendar",
    "clock",
    "payload",
    "shell",
    "model",
    "plan",
    "telemetry",
    "supervision",
    "observer",
    "testing",
    "store",
    "running",
    "context",
    "registry",
    "signals",
    "families",
    "worker",
    "upkeep",
    "client",
    "simulation",
    "__macro",
];

/// The modules inside the large modules of durable-core, bottom to top: each uses only itself and those before it.
const INNER_MODULES: [(&str, &[&str]); 3] = [
    (
        "running",
        &[
            "subtree",
            "wakers",
            "polling",
            "hold",
            "journal",
            "waits",
            "reporting",
            "outbox",
            "rest",
            "ledger",
            "lanes",
            "memory",
            "contract",
            "recording",
            "run",
            "step_handle",
            "scope",
            "ambient",
            "under_way",
            "branch",
            "stretch",
        ],
    ),
    (
        "context",
        &[
            "arguments",
            "result",
            "schedule",
            "logs",
            "stand_in",
            "step",
            "transaction",
            "door",
            "undo",
            "route",
            "nodes",
            "workflow",
            "call",
            "wait",
            "values",
            "continuing",
            "version",
            "tags",
            "child",
            "routed",
            "rollback",
            "entry",
            "join",
            "map",
            "graph",
            "macros",
        ],
    ),
    (
        "worker",
        &[
            "flow",
            "ending",
            "cache",
            "held",
            "process",
            "stuck",
            "heartbeat",
            "drive",
            "begin",
            "replay",
            "conclude",
            "continuing",
            "take_up",
            "adopt",
            "engine",
            "claim",
            "family",
            "shutdown",
        ],
    ),
];

/// What the modules inside a large module use of the file that lists them, each with its reason.
const USED_OF_THE_LIST: [(&str, &str); 2] = [
    // A type alias that all of them need, and that is too small for a file.
    ("running", "BoxFuture"),
    // Each of them is an `impl` block of this type.
    ("worker", "Worker"),
];

/// No file is longer.
const LONGEST_FILE: usize = 800;

/// Folders with code of ours; `tests/ui` holds what is not to compile, and what it says.
const CODE: [&str; 23] = [
    "src",
    "durable-cli/src",
    "durable-cli/tests",
    "examples",
    "benches",
    "tests/it",
    "durable-core/src",
    "durable-dashboard/examples",
    "durable-dashboard/src",
    "durable-dashboard/tests",
    "durable-macros/src",
    "durable-migrate/src",
    "durable-migrate/migrations",
    "durable-migrate/functions",
    "durable-migrate/ledger",
    "durable-postgres/src",
    "durable-postgres/tests",
    "durable-rule/src",
    "durable-test/examples",
    "durable-test/src",
    "durable-test/tests",
    "durable-macros/tests",
    "tests/ui",
];

/// A file by its path in the repository.
struct Source {
    path: String,
    text: String,
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of these endings below the folders of code.
fn sources(endings: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in CODE {
        collect(&repository().join(folder), endings, &mut sources);
    }
    assert!(!sources.is_empty());
    sources
}

fn collect(folder: &Path, endings: &[&str], sources: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, endings, sources);
        } else if path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(repository()).unwrap().to_str().unwrap().to_owned();
            sources.push(Source { path, text });
        }
    }
}

/// The code of a line, without its comment.
fn code(line: &str) -> &str {
    let line = line.trim_start();
    if line.starts_with("//") { "" } else { line }
}

/// The modules named after `crate::` in a file, with those in braces, and where.
fn imports(text: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        // `$crate` belongs to whoever calls a macro.
        for (at, _) in code(line).match_indices("crate::").filter(|(at, _)| !code(line)[..*at].ends_with('$')) {
            let rest = &code(line)[at + "crate::".len()..];
            let names = match rest.strip_prefix('{') {
                Some(group) => group.split(['}', ',']).map(str::trim).collect(),
                None => vec![rest],
            };
            for name in names {
                let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len());
                found.entry(name[..end].to_owned()).or_insert(number);
            }
        }
    }
    found
}

fn complain(mistakes: &[String]) {
    assert!(mistakes.is_empty(), "\n{}\n", mistakes.join("\n"));
}

#[test]
fn the_modules_of_core_use_only_what_stands_below_them() {
    let rank = |module: &str| CORE_MODULES.iter().position(|known| *known == module);
    let mut mistakes = Vec::new();
    let mut seen = 0;
    for Source { path, text } in sources(&["rs"]) {
        let Some(inside) = path.strip_prefix("durable-core/src/") else { continue };
        let module = inside.split(['/', '.']).next().unwrap();
        if module == "lib" {
            continue;
        }
        let Some(own) = rank(module) else {
            mistakes.push(format!("{path}: module `{module}` has no place in the order"));
            continue;
        };
        seen += 1;
        for (import, line) in imports(&text) {
            match rank(&import) {
                Some(used) if used <= own => {}
                Some(_) => mistakes.push(format!("{path}:{line}: `{module}` uses `{import}`, which stands above it")),
                None => mistakes.push(format!("{path}:{line}: `{import}` is no module of durable-core")),
            }
        }
    }
    assert!(seen > 30, "only {seen} files were looked at");
    complain(&mistakes);
}

/// What a file inside the large module `outer` uses of it, and where; `depth` says how many modules deep the file is in it.
fn inner_imports(text: &str, outer: &str, depth: usize) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let prefixes = ["super::".repeat(depth), format!("crate::{outer}::")];
    for (number, line) in (1..).zip(text.lines()) {
        for prefix in &prefixes {
            for (at, _) in code(line).match_indices(prefix.as_str()).filter(|(at, _)| !code(line)[..*at].ends_with("super::")) {
                let rest = &code(line)[at + prefix.len()..];
                let names = match rest.strip_prefix('{') {
                    Some(group) => group.split(['}', ',']).map(str::trim).collect(),
                    None => vec![rest],
                };
                for name in names.into_iter().filter(|name| !name.starts_with("super::")) {
                    let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(name.len());
                    if end > 0 {
                        found.entry(name[..end].to_owned()).or_insert(number);
                    }
                }
            }
        }
    }
    found
}

#[test]
fn the_modules_inside_the_large_modules_of_core_use_only_what_stands_below_them() {
    let mut mistakes = Vec::new();
    let mut seen = 0;
    for Source { path, text } in sources(&["rs"]) {
        let Some(inside) = path.strip_prefix("durable-core/src/") else { continue };
        let mut places = inside.trim_end_matches(".rs").split('/');
        let (Some(outer), Some(own)) = (places.next(), places.next()) else { continue };
        let Some((_, order)) = INNER_MODULES.iter().find(|(known, _)| *known == outer) else { continue };
        let rank = |module: &str| order.iter().position(|known| *known == module);
        let Some(own_rank) = rank(own) else {
            mistakes.push(format!("{path}: module `{own}` has no place in the order of `{outer}`"));
            continue;
        };
        seen += 1;
        // In the tests at the end of a file, `super` is the file itself.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (used, line) in inner_imports(text, outer, 1 + places.count()) {
            match rank(&used) {
                Some(used_rank) if used_rank <= own_rank => {}
                Some(_) => mistakes.push(format!("{path}:{line}: `{own}` uses `{used}`, which stands above it")),
                None if USED_OF_THE_LIST.contains(&(outer, used.as_str())) => {}
                None => mistakes.push(format!("{path}:{line}: `{own}` uses `{used}` of the file that lists it")),
            }
        }
    }
    assert!(seen > 30, "only {seen} files were looked at");
    complain(&mistakes);
}

#[test]
fn every_file_opens_with_its_purpose() {
    let mut mistakes = Vec::new();
    for Source { path, text } in sources(&["rs", "sql"]) {
        let opening = match path.as_str() {
            // Fixtures of the macro are excerpts, expansions are written by the tool that makes them, and so is the dump.
            expansion if expansion.starts_with("durable-macros/tests/expansions/") => continue,
            sql if sql.ends_with(".sql") => "-- ",
            _ => "//! ",
        };
        if !text.starts_with(opening) {
            mistakes.push(format!("{path}: begins with `{}`, not with `{opening}`", text.lines().next().unwrap_or_default()));
        }
    }
    complain(&mistakes);
}

/// The SQL files of which a part after `what` is as `is_meant` says.
fn files_that_write(what: &str, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
    let writers = sources(&["sql"]).into_iter().filter(|Source { text, .. }| text.split(what).skip(1).any(&is_meant));
    let mut writers: Vec<String> = writers.map(|source| source.path).collect();
    writers.sort();
    writers
}

#[test]
fn a_wait_is_ended_by_one_function_and_the_four_statements_that_cannot_afford_the_call() {
    // From `update durable.waits` to the columns that it sets.
    let sets_outcome = |rest: &str| rest.split("set ").nth(1).is_some_and(|set| set.starts_with("outcome = "));
    assert_eq!(
        files_that_write("update durable.waits", sets_outcome),
        [
            "durable-core/src/store/sql/executions/save.sql",
            "durable-core/src/store/sql/executions/wake.sql",
            "durable-migrate/functions/deliver.sql",
            "durable-migrate/functions/match_messages.sql",
            "durable-migrate/functions/reopen_waits.sql",
            "durable-migrate/functions/resolve_waits.sql",
        ],
        "end a wait with durable.resolve_waits"
    );
}

#[test]
fn executions_are_created_by_one_function() {
    assert_eq!(
        files_that_write("insert into durable.executions", |_| true),
        [
            "durable-migrate/functions/create_executions.sql",
            // It fills the table for the planner, and empties it.
            "durable-migrate/migrations/0016_seed_statistics.sql",
        ],
        "create executions with durable.create_executions"
    );
}

#[test]
fn an_execution_is_ended_by_one_function_and_the_two_statements_that_cannot_afford_the_call() {
    // From `update durable.executions` to the end of its `set`.
    let sets_end = |rest: &str| rest.split("where ").next().is_some_and(|set| set.contains("finished_at = "));
    assert_eq!(
        files_that_write("update durable.executions", sets_end),
        [
            "durable-core/src/store/sql/executions/finish.sql",
            "durable-core/src/store/sql/executions/save.sql",
            "durable-migrate/functions/end_executions.sql",
        ],
        "end executions with durable.end_executions"
    );
}

#[test]
fn sql_stands_under_store_and_in_durable_migrate() {
    const SQL: [&str; 6] = ["select ", "insert into ", "delete from ", "create table ", "from durable.", "sqlx::query"];
    let mut mistakes = Vec::new();
    for Source { path, text } in sources(&["rs"]) {
        let library = ["src/", "durable-core/src/", "durable-cli/src/", "durable-dashboard/src/"]
            .iter()
            .any(|folder| path.starts_with(folder));
        if !library || path.starts_with("durable-core/src/store") {
            continue;
        }
        // Tests look into the database.
        let text = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            let literals: Vec<&str> = code(line).split('"').skip(1).step_by(2).collect();
            let found = SQL.iter().find(|sql| literals.iter().any(|literal| literal.to_lowercase().contains(*sql)));
            if found.is_some() || code(line).contains("sqlx::query") {
                mistakes.push(format!("{path}:{number}: SQL outside `store`: {}", line.trim()));
            }
        }
    }
    complain(&mistakes);
}

/// Ends of waits are ordered by their ordinals: the clock may be set back between two of them.
#[test]
fn every_statement_that_ends_a_wait_numbers_the_end() {
    let mistakes: Vec<String> = sources(&["sql"])
        .iter()
        .filter(|source| !source.path.contains("/migrations/") && source.text.contains("resolved_at = "))
        .filter(|source| source.text.matches("resolved_at = ").count() != source.text.matches("resolved_ordinal = ").count())
        .map(|source| format!("{} sets `resolved_at` without `resolved_ordinal = nextval(…)`", source.path))
        .collect();
    complain(&mistakes);
}

#[test]
fn nothing_is_left_for_later() {
    let markers =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("unimplemented", "!("), concat!("todo", "!(")];
    let mut mistakes = Vec::new();
    for Source { path, text } in sources(&["rs", "sql", "md"]) {
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(marker) = markers.iter().find(|marker| line.contains(*marker)) {
                mistakes.push(format!("{path}:{number}: {marker}"));
            }
        }
    }
    complain(&mistakes);
}

#[test]
fn no_file_is_too_long_or_named_after_nothing() {
    const NAMELESS: [&str; 6] = ["mod.rs", "utils.rs", "util.rs", "common.rs", "helpers.rs", "imp.rs"];
    let mut mistakes = Vec::new();
    for Source { path, text } in sources(&["rs", "sql"]) {
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            mistakes.push(format!("{path}: {lines} lines, over {LONGEST_FILE}"));
        }
        if NAMELESS.iter().any(|name| path.rsplit('/').next() == Some(name)) {
            mistakes.push(format!("{path}: name it after what it holds"));
        }
    }
    complain(&mistakes);
}
