//! `durable execution export`.

use crate::connection::Connection;
use crate::failure::Failure;
use crate::ids::Ids;
use crate::screen::Screen;

pub(crate) async fn carry_out(ids: &Ids, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let ids = ids.read()?;
    let durable = connection.client().await?;
    let mut failures = Vec::new();
    for id in &ids {
        match durable.export(*id).await.and_then(|journal| journal.to_json()) {
            Ok(text) => screen.line(text.trim_end())?,
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    durable.shutdown().await?;
    Failure::of_several(failures, ids.len())
}
