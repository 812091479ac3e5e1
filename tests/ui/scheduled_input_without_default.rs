//! Nobody is there to give a scheduled workflow the input that it wants.
use durable::prelude::*;

struct Flow;

#[derive(serde::Serialize, serde::Deserialize)]
struct Report {
    team: String,
}

#[workflow(schedule = "@daily")]
impl Flow {
    async fn run(&self, _cx: &Context, report: Report) -> Result<u32> {
        self.length(report.team).await
    }

    #[step]
    async fn length(&self, team: String) -> Result<u32> {
        Ok(team.len() as u32)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(Report { team: String::new() });
}
