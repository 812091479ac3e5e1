//! A workflow borrows something.
use durable::prelude::*;

struct Flow<'a> {
    name: &'a str,
}

#[workflow]
impl<'a> Flow<'a> {
    async fn run(&self, _cx: &Context, n: u32) -> Result<usize> {
        Ok(self.length().await? + n as usize)
    }

    #[step]
    async fn length(&self) -> Result<usize> {
        Ok(self.name.len())
    }
}

fn main() {
    let _ = Flow { name: "Ada" }.length();
}
