//! The filters of a list of executions, as they stand in a URL, in a form and on the command line.

use durable::chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use durable::{Durable, ExecutionId, ExecutionList, ExecutionState, IdPrefix};

use crate::problem::Problem;
use crate::text;
use crate::visit::Query;

/// The names of filters in a URL.
pub(super) const NAMES: [&str; 10] = ["state", "workflow", "version", "queue", "tag", "key", "id", "parent", "from", "before"];

/// Which executions are meant.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    pub(super) states: Vec<ExecutionState>,
    pub(super) workflow: Option<String>,
    pub(super) version: Option<u32>,
    pub(super) queue: Option<String>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) key: Option<String>,
    pub(super) id: Option<(String, IdPrefix)>,
    pub(super) parent: Option<ExecutionId>,
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) before: Option<DateTime<Utc>>,
}

impl Filter {
    pub(super) fn read(query: &Query) -> Result<Self, Problem> {
        let owned = |name| query.get(name).map(str::to_owned);
        let version = query.get("version").map(|text| {
            let problem = || Problem::invalid(format!("`{text}` is not a version. A version is a whole number, such as 1."));
            text.parse().map_err(|_| problem())
        });
        let id = query.get("id").map(|text| Ok::<_, durable::Error>((text.to_owned(), text.parse()?)));
        Ok(Self {
            states: query.all("state").map(str::parse).collect::<Result<_, durable::Error>>()?,
            workflow: owned("workflow"),
            version: version.transpose()?,
            queue: owned("queue"),
            tags: query.all("tag").map(tag).collect::<Result<_, _>>()?,
            key: owned("key"),
            id: id.transpose()?,
            parent: query.get("parent").map(str::parse).transpose()?,
            from: query.get("from").map(time).transpose()?,
            before: query.get("before").map(time).transpose()?,
        })
    }

    /// Whether it lets everything pass.
    pub(super) fn is_empty(&self) -> bool {
        self.words().is_empty()
    }

    pub(super) fn list<'durable>(&self, durable: &'durable Durable) -> ExecutionList<'durable> {
        let mut list = durable.list_executions();
        for state in &self.states {
            list = list.state(*state);
        }
        for (name, value) in &self.tags {
            list = list.tag(name, value);
        }
        macro_rules! filter {
            ($($option:ident => $method:ident),*) => {
                $(if let Some(value) = &self.$option {
                    list = list.$method(value.to_owned());
                })*
            };
        }
        filter!(workflow => workflow, version => version, queue => queue, key => key, parent => parent);
        filter!(from => created_from, before => created_before);
        match self.id {
            Some((_, prefix)) => list.id_prefix(prefix),
            None => list,
        }
    }

    /// The filters as options of the command line.
    pub(super) fn words(&self) -> String {
        let mut words = String::new();
        let mut option = |name: &str, value: &str| {
            words.push_str(&format!(" --{name} {}", text::word(value)));
        };
        let states: Vec<&str> = self.states.iter().map(|state| state.as_str()).collect();
        if !states.is_empty() {
            option("state", &states.join(","));
        }
        for (name, value) in &self.tags {
            option("tag", &format!("{name}={value}"));
        }
        let texts = [("workflow", &self.workflow), ("queue", &self.queue), ("key", &self.key)];
        for (name, value) in texts {
            if let Some(value) = value {
                option(name, value);
            }
        }
        if let Some(version) = self.version {
            option("version", &version.to_string());
        }
        if let Some((prefix, _)) = &self.id {
            option("id", prefix);
        }
        if let Some(parent) = self.parent {
            option("parent", &parent.to_string());
        }
        for (name, at) in [("from", self.from), ("before", self.before)] {
            if let Some(at) = at {
                option(name, &at.to_rfc3339_opts(durable::chrono::SecondsFormat::AutoSi, true));
            }
        }
        words
    }
}

fn tag(text: &str) -> Result<(String, String), Problem> {
    let pair = text.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.to_owned()));
    pair.ok_or_else(|| Problem::invalid(format!("`{text}` is not a tag with its value. Write it as `tenant=acme`.")))
}

/// A time of a form or of a person: `2026-11-30`, `2026-11-30T08:00`, `2026-11-30T08:00:00Z`; UTC unless it says otherwise.
fn time(text: &str) -> Result<DateTime<Utc>, Problem> {
    let exact = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).ok();
    let local = || ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"].iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let date = || text.parse::<NaiveDate>().ok().map(|date| date.and_time(NaiveTime::MIN));
    exact.or_else(|| local().or_else(date).map(|at| at.and_utc())).ok_or_else(|| {
        Problem::invalid(format!("`{text}` is not a time. Write it in UTC as `2026-11-30`, or as `2026-11-30T08:00`."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_from_a_url_and_shown_as_options() {
        let query = Query::read(
            "state=failed&state=stopped&workflow=process_order&tag=tenant%3Da%3Db&key=it%27s&from=2026-11-30&before=2026-11-30T08%3A00&queue=",
        );
        let filter = Filter::read(&query).unwrap();
        assert_eq!(
            filter.words(),
            " --state failed,stopped --tag tenant=a=b --workflow process_order --key 'it'\\''s' --from 2026-11-30T00:00:00Z --before \
             2026-11-30T08:00:00Z"
        );
        assert!(Filter::read(&Query::read("state=")).unwrap().is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_to_write() {
        for (query, part) in [
            ("state=gone", "the states are"),
            ("version=one", "is not a version"),
            ("tag=tenant", "tenant=acme"),
            ("from=yesterday", "2026-11-30"),
            ("parent=7", "`7`"),
            ("id=zz", "`zz`"),
        ] {
            let problem = Filter::read(&Query::read(query)).unwrap_err();
            assert!(problem.what.contains(part), "{query}: {}", problem.what);
        }
    }
}
