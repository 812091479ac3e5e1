//! An agent: a loop in which a language model chooses tools, and a person has to approve the dangerous ones.
//!
//! `cargo run --example agent`
//!
//! The model is a fake that stands at the end of this file, so the example needs no account and always goes the same way. The
//! rest is what a real agent would be: each answer of the model and each use of a tool is a step, so after a crash the conversation
//! goes on where it was, and what was answered is not paid for again. While a person thinks, nothing runs.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "support/database.rs"]
mod database;
#[path = "support/person.rs"]
mod person;

use durable::Approval;
use durable::prelude::*;
use serde::{Deserialize, Serialize};

/// An agent that has not come to an end after so many turns will not.
const MOST_TURNS: usize = 8;

/// What the model answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Reply {
    Use(Tool),
    Done(String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Tool {
    ListFolders,
    DeleteFolder(String),
}

struct Agent;

#[workflow(queue = "agents", timeout = "1h")]
impl Agent {
    async fn run(&self, cx: &Context, task: String) -> Result<String> {
        let mut conversation = vec![task];
        for _ in 0..MOST_TURNS {
            match self.ask_model(&conversation).await? {
                Reply::Done(answer) => return Ok(answer),
                Reply::Use(tool) => conversation.push(self.allow_and_use(cx, tool).await?),
            }
        }
        Err(Error::permanent(format!("the agent found no end in {MOST_TURNS} turns")))
    }

    /// No step but a part of `run`: it only decides.
    async fn allow_and_use(&self, cx: &Context, tool: Tool) -> Result<String> {
        if let Tool::DeleteFolder(folder) = &tool {
            let question = format!("May the agent delete {folder}?");
            let approval: Approval = cx.wait_for_approval("dangerous_tool").prompt(question).metadata(&tool).await?;
            if !approval.approved {
                return Ok(format!("refused: {}", approval.comment.unwrap_or_default()));
            }
        }
        // An error of a tool is something that the model should hear of, not the end.
        Ok(self.use_tool(tool).await.unwrap_or_else(|error| format!("failed: {error}")))
    }

    #[step(retry(max_attempts = 4), timeout = "2m")]
    async fn ask_model(&self, conversation: &[String]) -> Result<Reply> {
        let reply = fake_model(conversation);
        println!("  model: {reply:?}");
        Ok(reply)
    }

    #[step]
    async fn use_tool(&self, tool: Tool) -> Result<String> {
        let result = match tool {
            Tool::ListFolders => "/srv/backups 40 GB, /var/cache 31 GB".to_owned(),
            Tool::DeleteFolder(folder) => format!("deleted {folder} (in this example, nothing)"),
        };
        println!("  tool:  {result}");
        Ok(result)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = database::ready().await?;
    let durable = Durable::builder().database_url(&url).register(Agent).start().await?;

    let task = "Free 30 GB of disk space.";
    println!("The task: {task}");
    let agent = durable.start::<Agent>(task.to_owned()).await?;
    decide(&durable, agent.id(), false, "we need the backups").await?;
    decide(&durable, agent.id(), true, "go ahead").await?;
    println!("The agent: {}", agent.result().await?);

    let journal = durable.get_execution(agent.id()).await?;
    println!("\nThe journal has {} steps and {} questions:", journal.steps.len(), journal.waits.len());
    for wait in journal.waits {
        println!("  {:<24}answered by {}", wait.key, wait.answered_by.unwrap_or_default());
    }
    durable.shutdown().await
}

/// The person at the other end, played by this program.
async fn decide(durable: &Durable, agent: ExecutionId, approved: bool, comment: &str) -> Result<()> {
    let question = person::sees(durable, agent).await?;
    let said = if approved { "yes" } else { "no" };
    println!("  Ada is asked: {} She says {said}: {comment}", question.prompt.unwrap_or_default());
    let answer = Approval { approved, comment: Some(comment.to_owned()) };
    durable.provide_input(agent, &question.name, &answer).by("Ada").await?;
    Ok(())
}

/// What a language model might say: it looks first, wants the biggest folder gone, and takes a refusal.
fn fake_model(conversation: &[String]) -> Reply {
    match conversation.last().map(String::as_str).unwrap_or_default() {
        said if said.starts_with("Free") => Reply::Use(Tool::ListFolders),
        said if said.contains("/srv/backups 40 GB") => Reply::Use(Tool::DeleteFolder("/srv/backups".to_owned())),
        said if said.starts_with("refused") => Reply::Use(Tool::DeleteFolder("/var/cache".to_owned())),
        _ => Reply::Done("31 GB are free; the backups are untouched.".to_owned()),
    }
}
