//! The options of a start: one struct, one set of setters and one check behind every type that starts executions. `durable.start`
//! refuses the same options; a test compares the two.

use std::fmt::Display;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Tags, checked_concurrency_key, checked_tags, checked_time_to_live};
use crate::payload;

/// The options as they were given; an option that was not given is as the workflow defines it.
#[derive(Debug, Clone, Default)]
pub(crate) struct StartOptions {
    pub(crate) key: Option<String>,
    pub(crate) queue: Option<String>,
    pub(crate) priority: Option<i16>,
    /// `Some(None)`: none, although the workflow defines one. So for the time to live.
    pub(crate) concurrency_key: Option<Option<String>>,
    pub(crate) time_to_live: Option<Option<Duration>>,
    pub(crate) deduplication_key: Option<String>,
    pub(crate) debounce: Option<(String, Duration)>,
    pub(crate) debounce_at_most: Option<Duration>,
    pub(crate) start_at: Option<DateTime<Utc>>,
    pub(crate) delay: Option<Duration>,
    /// In addition to those that the workflow defines; one of the same name wins.
    pub(crate) tags: Tags,
}

/// What the workflow defines, for options that are not given.
#[derive(Debug)]
pub(crate) struct Defaults<'a> {
    pub(crate) queue: &'a str,
    pub(crate) priority: i16,
    pub(crate) concurrency_key: Option<String>,
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) tags: Tags,
}

/// Options that have been checked, with the defaults filled in.
#[derive(Debug, Clone, Default)]
pub(crate) struct CheckedStart {
    pub(crate) key: Option<String>,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) concurrency_key: Option<String>,
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) deduplication_key: Option<String>,
    /// Further starts with this key replace the execution until it begins; `delay` is how far each pushes it back.
    pub(crate) debounce_key: Option<String>,
    pub(crate) debounce_at_most: Option<Duration>,
    pub(crate) start_at: Option<DateTime<Utc>>,
    /// The delay of a debounced start is its period.
    pub(crate) delay: Option<Duration>,
    pub(crate) tags: Tags,
}

impl StartOptions {
    /// Fills in the defaults and checks every value; `of` names what is started in errors, such as "an execution".
    pub(crate) fn check(self, of: impl Display, defaults: Defaults<'_>) -> Result<CheckedStart> {
        self.check_debounce()?;
        let queue = self.queue.unwrap_or_else(|| defaults.queue.to_owned());
        payload::check_indexed(format_args!("the queue of {of}"), &queue)?;
        if let Some(key) = &self.key {
            payload::check_indexed(format_args!("the key of {of}"), key)?;
        }
        if let Some(key) = &self.deduplication_key {
            payload::check_indexed(format_args!("the deduplication key of {of}"), key)?;
        }
        if let Some(delay) = self.delay {
            check_delay("a start", "delayed", delay)?;
        }
        let concurrency_key = self.concurrency_key.unwrap_or(defaults.concurrency_key);
        let time_to_live = self.time_to_live.unwrap_or(defaults.time_to_live);
        let (debounce_key, period) = self.debounce.unzip();
        let mut tags = defaults.tags;
        tags.extend(self.tags);
        Ok(CheckedStart {
            key: self.key,
            queue,
            priority: self.priority.unwrap_or(defaults.priority),
            concurrency_key: concurrency_key.map(checked_concurrency_key).transpose()?,
            time_to_live: time_to_live.map(checked_time_to_live).transpose()?,
            deduplication_key: self.deduplication_key,
            debounce_key,
            debounce_at_most: self.debounce_at_most,
            start_at: self.start_at.map(checked_time).transpose()?,
            delay: period.or(self.delay),
            tags: checked_tags(&of, tags)?,
        })
    }

    /// Refuses a debounced start with options that contradict each other.
    fn check_debounce(&self) -> Result<()> {
        let Some((key, period)) = &self.debounce else {
            return match self.debounce_at_most {
                Some(_) => invalid("a start has a limit of debouncing, but is not debounced; call `.debounce(key, period)`"),
                None => Ok(()),
            };
        };
        payload::check_indexed("the debounce key of an execution", key)?;
        if period.is_zero() {
            return invalid(format!(
                "a start under the debounce key `{key}` has a period of zero; give more, or do not debounce it"
            ));
        }
        for time in [Some(*period), self.debounce_at_most].into_iter().flatten() {
            check_delay(&format!("a start under the debounce key `{key}`"), "put off", time)?;
        }
        if let Some(limit) = self.debounce_at_most.filter(|limit| limit < period) {
            return invalid(format!(
                "a start under the debounce key `{key}` is put off by {period:?}, but by no more than {limit:?} in all"
            ));
        }
        let others = [
            ("key", self.key.is_some()),
            ("deduplication key", self.deduplication_key.is_some()),
            ("time", self.start_at.is_some()),
            ("delay", self.delay.is_some()),
        ];
        match others.iter().find(|(_, given)| *given) {
            Some((other, _)) => invalid(format!(
                "a start under the debounce key `{key}` has a {other}, too; it is replaced until it begins, and begins when its \
                 period is over"
            )),
            None => Ok(()),
        }
    }
}

/// Checks the time of a start. A time before 1970 becomes 1970: both are in the past.
fn checked_time(time: DateTime<Utc>) -> Result<DateTime<Utc>> {
    if time > clock::LAST {
        return invalid(format!("a start at {time} would never begin; give a time before the year 10000"));
    }
    Ok(time.max(DateTime::UNIX_EPOCH))
}

/// Refuses a delay so long that the execution would never begin.
fn check_delay(what: &str, how: &str, time: Duration) -> Result<()> {
    if time > clock::LONGEST {
        return invalid(format!("{what} is {how} by {time:?}, and would never begin; give a thousand years or less"));
    }
    Ok(())
}

fn invalid<T>(problem: impl Into<String>) -> Result<T> {
    Err(Error::of_kind(ErrorKind::Invalid, problem.into()))
}

/// The setters of the named options, for a type that has `fn options(&mut self) -> &mut StartOptions`.
macro_rules! start_setters {
    ($($option:ident),+) => { $(start_setters!(@ $option);)+ };
    (@ queue) => {
        /// The queue to start in. Default: the queue of the workflow; `default` if the workflow is given by its name. 1 to 1000
        /// bytes.
        pub fn queue(mut self, queue: impl Into<String>) -> Self {
            self.options().queue = Some(queue.into());
            self
        }
    };
    (@ priority) => {
        /// The priority; 0 by default. In a queue, an execution of a higher priority is claimed first. An execution that waits in
        /// its queue rises by one level a minute, so that none waits for ever.
        pub fn priority(mut self, priority: i16) -> Self {
            self.options().priority = Some(priority);
            self
        }
    };
    (@ concurrency_key) => {
        /// The concurrency key. Default: the key that the workflow makes from its input; none if the workflow is given by its
        /// name. 1 to 1000 bytes.
        ///
        /// Executions with the same concurrency key take turns with executions of other keys, and at most as many of them run at
        /// the same time as the `limit` of the workflow or of the queue says.
        pub fn concurrency_key(mut self, key: impl Into<String>) -> Self {
            self.options().concurrency_key = Some(Some(key.into()));
            self
        }
    };
    (@ time_to_live) => {
        /// How long an execution may wait to begin, counted from the time at which it may begin. Default: the `time_to_live` of
        /// the workflow; no limit if the workflow is given by its name, or with `None`.
        ///
        /// An execution that no worker has claimed by then never begins: it ends as cancelled, with an error of the kind
        /// [`Expired`](crate::error::ErrorKind::Expired). Above zero, at most a hundred years.
        pub fn time_to_live(mut self, time: impl Into<Option<std::time::Duration>>) -> Self {
            self.options().time_to_live = Some(time.into());
            self
        }
    };
    (@ tag) => {
        /// Adds a tag, such as `tenant` with `acme`: people find executions by their tags, for example with
        /// [`ExecutionList::tag`](crate::client::ExecutionList::tag). A tag of the same name that the workflow makes from its
        /// input is replaced.
        ///
        /// At most 32 tags; a name has 1 to 100 bytes, a value 1 to 500, neither with control characters.
        pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
            self.options().tags.insert(name.into(), value.into());
            self
        }
    };
    (@ key_of_child) => {
        /// The child's key: unique among all executions of its workflow, 1 to 1000 bytes. If another execution has the key, the
        /// call fails with a conflict. A child without a key is also started only once, however often its parent is replayed.
        pub fn key(mut self, key: impl Into<String>) -> Self {
            self.options().key = Some(key.into());
            self
        }
    };
}

pub(crate) use start_setters;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::{minutes, seconds};

    fn defaults() -> Defaults<'static> {
        Defaults {
            queue: "orders",
            priority: 0,
            concurrency_key: Some("ada".to_owned()),
            time_to_live: Some(minutes(5)),
            tags: Tags::from([("team".to_owned(), "sales".to_owned())]),
        }
    }

    #[test]
    fn an_option_that_is_not_given_is_as_the_workflow_defines_it() {
        let checked = StartOptions::default().check("an execution", defaults()).unwrap();
        assert_eq!((checked.queue.as_str(), checked.priority), ("orders", 0));
        assert_eq!((checked.concurrency_key.as_deref(), checked.time_to_live), (Some("ada"), Some(minutes(5))));
    }

    #[test]
    fn an_option_that_is_given_wins_and_none_takes_a_default_away() {
        let options = StartOptions {
            queue: Some("urgent".to_owned()),
            priority: Some(7),
            concurrency_key: Some(None),
            time_to_live: Some(None),
            ..StartOptions::default()
        };
        let checked = options.check("an execution", defaults()).unwrap();
        assert_eq!((checked.queue.as_str(), checked.priority), ("urgent", 7));
        assert_eq!((checked.concurrency_key, checked.time_to_live), (None, None));
    }

    #[test]
    fn a_tag_that_is_given_replaces_the_one_of_the_workflow() {
        let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let options = StartOptions { tags: Tags::from([tag("tenant", "acme")]), ..StartOptions::default() };
        let checked = options.check("an execution", defaults()).unwrap();
        assert_eq!(checked.tags, Tags::from([tag("team", "sales"), tag("tenant", "acme")]));
        let options = StartOptions { tags: Tags::from([tag("team", "support")]), ..StartOptions::default() };
        assert_eq!(options.check("an execution", defaults()).unwrap().tags, Tags::from([tag("team", "support")]));
    }

    #[test]
    fn an_error_names_what_is_started() {
        let options = StartOptions { key: Some(String::new()), ..StartOptions::default() };
        let error = options.check("child `count`", defaults()).unwrap_err();
        assert!(error.to_string().contains("the key of child `count` has 1 to 1000 bytes"), "{error}");
    }

    #[test]
    fn a_debounced_start_is_delayed_by_its_period() {
        let options = StartOptions { debounce: Some(("page".to_owned(), seconds(30))), ..StartOptions::default() };
        let checked = options.check("an execution", defaults()).unwrap();
        assert_eq!((checked.debounce_key.as_deref(), checked.delay), (Some("page"), Some(seconds(30))));
        let both =
            StartOptions { debounce: Some(("page".to_owned(), seconds(30))), delay: Some(seconds(1)), ..StartOptions::default() };
        assert!(both.check("an execution", defaults()).unwrap_err().to_string().contains("has a delay, too"));
    }
}
