//! `durable input …`: what executions ask people, and the inputs of graphs.

use clap::{ArgGroup, Subcommand};
use durable::chrono::{DateTime, Utc};
use durable::{ExecutionId, InputCursor, PendingInput};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Row, Screen, maybe_time, short, time};
use crate::value;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List inputs that wait for an answer, nearest deadline first
    List {
        /// Only inputs of this workflow
        #[arg(long, value_name = "NAME")]
        workflow: Option<String>,
        /// Only those with a deadline before this time
        #[arg(long, value_parser = value::time, value_name = "TIME")]
        due_before: Option<DateTime<Utc>>,
        /// Only those to this person or group
        #[arg(long, value_name = "WHO")]
        assignee: Option<String>,
        /// At most this many, 1 to 1000
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Continue after this cursor, which the previous page printed
        #[arg(long, value_name = "CURSOR")]
        after: Option<InputCursor>,
    },
    /// Change inputs of a graph, all under one revision
    Set {
        /// The execution
        id: ExecutionId,
        /// Inputs and their values as JSON, such as `applicant='"Ada"'` or `documents=@file`
        #[arg(value_parser = value::assignment, value_name = "NAME=VALUE", required_unless_present = "unset")]
        inputs: Vec<(String, String)>,
        /// An input to unset; may be given several times
        #[arg(long, value_name = "NAME")]
        unset: Vec<String>,
    },
    /// Answer an input
    Give {
        /// The execution that asks
        id: ExecutionId,
        /// The name of the input
        name: String,
        /// The answer as JSON: the text itself, `@file`, or `-` for standard input
        value: String,
        /// Who answers, for the record
        #[arg(long, value_name = "PERSON")]
        by: Option<String>,
        /// Give it before the question is asked: do not fail if nothing asks for it now
        #[arg(long)]
        early: bool,
    },
    /// Change the deadline of an open input, or assign it to another person
    #[command(group = ArgGroup::new("change").args(["deadline", "no_deadline", "assignee", "no_assignee"]).required(true).multiple(true))]
    Update {
        /// The execution that asks
        id: ExecutionId,
        /// The name of the input or, if several of the name are open, its journal key
        input: String,
        /// The workflow goes on without an answer at this time
        #[arg(long, value_parser = value::time, value_name = "TIME", conflicts_with = "no_deadline")]
        deadline: Option<DateTime<Utc>>,
        /// The workflow waits for an answer without end
        #[arg(long)]
        no_deadline: bool,
        /// Who is to answer: a person or a group
        #[arg(long, value_name = "WHO", conflicts_with = "no_assignee")]
        assignee: Option<String>,
        /// It has no assignee
        #[arg(long)]
        no_assignee: bool,
    },
}

impl Row for PendingInput {
    const HEADINGS: &'static [&'static str] =
        &["execution", "workflow", "name", "assignee", "prompt", "asked", "until", "refused"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.execution_id.to_string(),
            self.workflow.clone(),
            self.name.clone(),
            self.assignee.clone().unwrap_or_default(),
            self.prompt.as_deref().map(short).unwrap_or_default(),
            time(self.asked_at),
            maybe_time(self.due_at),
            self.refusal.as_ref().map(|refusal| short(&refusal.reason)).unwrap_or_default(),
        ]
    }

    fn id(&self) -> String {
        self.execution_id.to_string()
    }
}

pub(crate) async fn carry_out(verb: &Verb, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    match verb {
        Verb::List { workflow, due_before, assignee, limit, after } => {
            let durable = connection.client().await?;
            let mut list = durable.pending_inputs().limit(*limit);
            if let Some(workflow) = workflow {
                list = list.workflow(workflow);
            }
            if let Some(time) = due_before {
                list = list.due_before(*time);
            }
            if let Some(assignee) = assignee {
                list = list.assignee(assignee);
            }
            if let Some(after) = after {
                list = list.after(after.clone());
            }
            let page = list.await?;
            screen.rows(&page)?;
            screen.more("--after", page.next);
            Ok(durable.shutdown().await?)
        }
        Verb::Set { id, inputs, unset } => {
            let values =
                inputs.iter().map(|(name, value)| Ok((name, value::json(value)?))).collect::<Result<Vec<_>, Failure>>()?;
            let durable = connection.client().await?;
            let set = values.iter().fold(durable.set_inputs(*id), |set, (name, value)| set.set(name, value));
            unset.iter().fold(set, |set, name| set.unset(name)).await?;
            let printed = screen.done("changed", *id);
            durable.shutdown().await?;
            printed
        }
        Verb::Give { id, name, value, by, early } => {
            let value = value::json(value)?;
            let durable = connection.client().await?;
            let answer = durable.provide_input(*id, name, &value);
            let delivery = match by {
                Some(person) => answer.by(person).await?,
                None => answer.await?,
            };
            let printed = screen.delivered(("answered", &format!("input `{name}`")), *id, &delivery, *early);
            durable.shutdown().await?;
            printed
        }
        Verb::Update { id, input, deadline, no_deadline, assignee, no_assignee } => {
            let durable = connection.client().await?;
            let mut update = durable.update_input(*id, input);
            if let Some(time) = deadline {
                update = update.deadline(*time);
            }
            if *no_deadline {
                update = update.no_deadline();
            }
            if let Some(assignee) = assignee {
                update = update.assignee(assignee);
            }
            if *no_assignee {
                update = update.no_assignee();
            }
            let updated = update.await?;
            screen.updated(*id, &updated)?;
            Ok(durable.shutdown().await?)
        }
    }
}
