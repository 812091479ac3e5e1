//! An `each` over values that are not lists.
use durable::prelude::*;

struct Library;

#[workflow]
impl Library {
    #[input]
    fn title(&self) -> String;

    #[step]
    async fn count(&self, title: &str) -> Result<usize> {
        Ok(title.len())
    }

    #[step(each(letter in title))]
    async fn spell(&self, letter: char) -> Result<u32> {
        Ok(letter.into())
    }

    #[step(each(one in count))]
    async fn tally(&self, one: usize) -> Result<usize> {
        Ok(one)
    }
}

fn main() {}
