//! A step that runs in another queue takes a value that borrows, and one that is to live for ever.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, name: String) -> Result<usize> {
        self.measure(Some(&name), "m").await
    }

    #[step(queue = "gpu")]
    async fn measure(&self, name: Option<&str>, _unit: &'static str) -> Result<usize> {
        Ok(name.map_or(0, str::len))
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>("seven".to_owned());
}
