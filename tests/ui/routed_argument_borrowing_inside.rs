//! A step that runs in another queue takes a value that borrows.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, name: String) -> Result<usize> {
        self.measure(Some(&name)).await
    }

    #[step(queue = "gpu")]
    async fn measure(&self, name: Option<&str>) -> Result<usize> {
        Ok(name.map_or(0, str::len))
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>("seven".to_owned());
}
