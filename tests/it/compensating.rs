//! Sagas: what was done is undone, the last first, whatever happens on the way.

use std::sync::{Arc, Mutex};

use durable::prelude::*;
use durable::{ErrorKind, compensation};

use crate::support::{self, soon};

type Log = Arc<Mutex<Vec<String>>>;

/// Books three things, of which the last fails.
struct BookTrip {
    log: Log,
}

#[workflow]
impl BookTrip {
    async fn run(&self, _cx: &Context, city: String) -> Result<String> {
        let flight = self.book_flight(&city).await?;
        let hotel = self.book_hotel(&city).await?;
        self.charge(&city).await?;
        Ok(format!("{flight} {hotel}"))
    }

    #[step(compensate = cancel_flight)]
    async fn book_flight(&self, city: &str) -> Result<String> {
        Ok(format!("flight to {city}"))
    }

    #[compensation]
    async fn cancel_flight(&self, flight: String) -> Result<()> {
        self.log.lock().unwrap().push(format!("cancelled {flight}"));
        Ok(())
    }

    #[step(compensate = cancel_hotel)]
    async fn book_hotel(&self, city: &str) -> Result<u32> {
        Ok(u32::try_from(city.len()).unwrap())
    }

    #[compensation]
    async fn cancel_hotel(&self, cx: &Context, room: &u32) -> Result<String> {
        let confirmed: String = cx.wait_for_event("hotel_confirms").await?;
        self.log.lock().unwrap().push(format!("cancelled room {room}, {confirmed}"));
        Ok(confirmed)
    }

    #[step]
    async fn charge(&self, city: &str) -> Result<()> {
        Err(Error::permanent(format!("no money for {city}")))
    }
}

#[tokio::test]
async fn completed_steps_are_undone_in_reverse_order_with_what_they_returned() {
    let database = support::database().await;
    let log = Log::default();
    let durable = database.builder().register(BookTrip { log: log.clone() }).start().await.unwrap();

    let handle = durable.start::<BookTrip>("Rome".to_owned()).await.unwrap();
    durable.send_event(handle.id(), "hotel_confirms", "by phone").await.unwrap();
    let error = soon("rolled back", handle.result()).await.unwrap_err();

    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Failed, "no money for Rome"));
    assert_eq!(*log.lock().unwrap(), ["cancelled room 4, by phone", "cancelled flight to Rome"]);
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Compensated);
    durable.shutdown().await.unwrap();
}
