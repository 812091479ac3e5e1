//! Ids of executions, from the arguments or from standard input.

use clap::Args;
use durable::ExecutionId;

use crate::failure::Failure;

/// Means standard input.
const STDIN: &str = "-";

#[derive(Debug, Args)]
pub(crate) struct Ids {
    /// Ids of executions; `-` reads them from standard input, one a line
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

impl Ids {
    /// All of them: a text that is no id is refused before anything is done.
    pub(crate) fn read(&self) -> Result<Vec<ExecutionId>, Failure> {
        let mut texts = Vec::new();
        for text in &self.ids {
            if text == STDIN {
                let lines = std::io::stdin().lines().collect::<Result<Vec<_>, _>>()?;
                texts.extend(lines.iter().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()));
            } else {
                texts.push(text.clone());
            }
        }
        texts.iter().map(|text| text.parse().map_err(Failure::from)).collect()
    }
}
