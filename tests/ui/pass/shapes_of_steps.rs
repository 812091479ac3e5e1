//! Every shape of argument, receiver and output that a step may have.

use durable::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use std::borrow::Cow;
use std::fmt::Display;
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

trait Client: Send + Sync + 'static {
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    fn reply(&self) -> Self::Reply;
}

struct Echo;

impl Client for Echo {
    type Reply = String;
    fn reply(&self) -> String {
        "echo".into()
    }
}

/// Neither `Clone` nor `Serialize`.
struct Token(u32);

struct Shapes<C> {
    client: C,
}

#[workflow]
impl<C: Client> Shapes<C> {
    const SHIFT: u32 = { 1 };

    async fn run(&self, _cx: &durable::Context, (left, right): (u32, u32)) -> Result<u32> {
        Ok(self.owned(left, Token(right)).await? + Self::SHIFT)
    }

    #[step]
    async fn none(&self) -> Result<()> {
        Ok(())
    }

    #[step]
    async fn owned(&self, n: u32, token: Token) -> Result<u32> {
        Ok(n + token.0)
    }

    #[step]
    async fn borrowed<'a>(self: &Self, token: &Token, text: &'a str, list: &[&str], cow: Cow<'_, str>) -> Result<String> {
        Ok(format!("{}{text}{}{cow}", token.0, list.join("")))
    }

    #[step]
    async fn named<'s, 'a>(&'s self, text: &'a str) -> Result<usize> {
        Ok(text.len())
    }

    #[step(retry)]
    async fn generic<T: Serialize + DeserializeOwned + Clone + Send + 'static, const N: usize>(
        &self,
        value: T,
    ) -> Result<(T, usize)>
    where
        T: PartialEq,
    {
        Ok((value, N))
    }

    #[step]
    async fn opaque(
        &self,
        show: impl Display + Send,
        other: &(impl Display + Sync),
        call: impl Fn(&str) -> u32 + Send,
    ) -> Result<String> {
        Ok(format!("{show}{other}{}", call("four")))
    }

    #[step]
    async fn object(&self, show: &(dyn Display + Sync), boxed: Box<dyn Display + Send + '_>) -> Result<String> {
        Ok(format!("{show}{boxed}"))
    }

    #[step(name = "taken-apart", was("a", "b"))]
    async fn patterns(&self, (a, b): (u32, u32), mut list: Vec<u32>, _: u32, digest: u32, Token(token): Token) -> Result<u32> {
        list.push(a + b + digest + token);
        Ok(list.iter().sum())
    }

    #[step(was = "kind")]
    async fn r#type(&self) -> Result<String> {
        Ok("raw".into())
    }

    #[cfg(any())]
    #[step]
    async fn absent(&self, missing: NoSuchType) -> Result<()> {
        Ok(())
    }

    #[cfg(not(any()))]
    #[step]
    async fn conditional(&self) -> Result<u32> {
        Ok(5)
    }

    #[cfg(any())]
    #[step]
    async fn conditional(&self) -> Result<u32> {
        Ok(6)
    }

    #[step(retry(max_attempts = 2))]
    async fn associated(&self, _reply: &C::Reply) -> Result<C::Reply>
    where
        C::Reply: Sync,
    {
        Ok(self.client.reply())
    }

    #[durable::step]
    async fn calls_another(&self) -> Result<String> {
        self.r#type().await
    }

    fn helper(&self) -> u32 {
        4
    }
}

struct Renamed;

mod elsewhere {
    pub(crate) mod inner {
        pub(crate) use durable::__macro;
        pub(crate) use durable::step;
    }
}

#[workflow(crate = elsewhere::inner, name = "renamed:v2")]
impl Renamed {
    async fn run(&self, cx: &Context) -> Result<()> {
        let _ = cx;
        self.only().await
    }

    #[elsewhere::inner::step(retry)]
    async fn only(&self) -> Result<()> {
        Ok(())
    }
}

fn names<W: durable::Workflow>() -> Vec<&'static str> {
    W::STEPS.iter().map(|step| step.name).collect()
}

fn now<T>(future: impl Future<Output = Result<T>> + Send) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => output.unwrap(),
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

fn main() {
    let shapes = Shapes { client: Echo };
    now(shapes.none());
    assert_eq!(now(shapes.owned(1, Token(2))), 3);
    assert_eq!(now(shapes.borrowed(&Token(1), "b", &["c", "d"], Cow::Borrowed("e"))), "1bcde");
    assert_eq!(now(shapes.named("four")), 4);
    assert_eq!(now(shapes.generic::<_, 7>("x".to_owned())), ("x".to_owned(), 7));
    assert_eq!(now(shapes.opaque(1, &2, |text: &str| text.len() as u32)), "124");
    assert_eq!(now(shapes.object(&1, Box::new(2))), "12");
    assert_eq!(now(shapes.patterns((1, 2), vec![3], 4, 5, Token(6))), 17);
    assert_eq!(now(shapes.conditional()), 5);
    assert_eq!(now(shapes.associated(&"said".to_owned())), "echo");
    assert_eq!(now(shapes.calls_another()), "raw");
    assert_eq!(shapes.helper(), 4);
    now(Renamed.only());

    assert_eq!(<Shapes<Echo> as durable::Workflow>::NAME, "shapes");
    assert_eq!(<Renamed as durable::Workflow>::NAME, "renamed:v2");
    assert_eq!(names::<Renamed>(), ["only"]);
    let expected = [
        "none",
        "owned",
        "borrowed",
        "named",
        "generic",
        "opaque",
        "object",
        "taken-apart",
        "type",
        "conditional",
        "associated",
        "calls_another",
    ];
    assert_eq!(names::<Shapes<Echo>>(), expected);
}
