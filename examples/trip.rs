//! A saga: a trip of three bookings. When one of them fails, those before it are cancelled, the last one first.
//!
//! `cargo run --example trip`

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "support/database.rs"]
mod database;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Trip {
    traveller: String,
    city: String,
}

/// What a company gave for a booking; it is all that is needed to cancel it.
#[derive(Debug, Serialize, Deserialize)]
struct Booking {
    what: String,
    number: String,
}

struct BookTrip;

#[workflow(queue = "trips")]
impl BookTrip {
    /// There is not a word about cancelling in here: an error that leaves `run` undoes what was done.
    async fn run(&self, _cx: &Context, trip: Trip) -> Result<Vec<String>> {
        let flight = self.book_flight(&trip).await?;
        let hotel = self.book_hotel(&trip).await?;
        let car = self.rent_car(&trip).await?;
        Ok([flight, hotel, car].map(|booking| booking.number).into())
    }

    #[step(compensate = cancel_flight)]
    async fn book_flight(&self, trip: &Trip) -> Result<Booking> {
        Ok(book("a flight", trip))
    }

    #[step(compensate = cancel_hotel)]
    async fn book_hotel(&self, trip: &Trip) -> Result<Booking> {
        Ok(book("a hotel", trip))
    }

    /// No step follows that could fail, so this one names nothing that undoes it.
    #[step]
    async fn rent_car(&self, trip: &Trip) -> Result<Booking> {
        if trip.city == "Venice" {
            return Err(Error::permanent("there are no cars in Venice"));
        }
        Ok(book("a car", trip))
    }

    /// Gets what `book_flight` returned.
    #[compensation]
    async fn cancel_flight(&self, flight: &Booking) -> Result<()> {
        println!("  cancelled {} ({})", flight.what, flight.number);
        Ok(())
    }

    /// Is tried again as a step would be: the hotel does not answer the first time.
    #[compensation(retry(max_attempts = 5, base = "200ms"))]
    async fn cancel_hotel(&self, hotel: &Booking) -> Result<()> {
        if durable::step().attempt() == 1 {
            println!("  the hotel does not answer; it is asked again");
            return Err(Error::new("the hotel did not answer"));
        }
        println!("  cancelled {} ({})", hotel.what, hotel.number);
        Ok(())
    }
}

/// Stands for a call to a company; the key makes a second call for the same step harmless.
fn book(what: &str, trip: &Trip) -> Booking {
    let key = durable::step().idempotency_key().simple().to_string();
    let booking = Booking { what: what.to_owned(), number: key[..8].to_uppercase() };
    println!("  booked {what} for {} ({})", trip.traveller, booking.number);
    booking
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = database::ready().await?;
    let durable = Durable::builder().database_url(&url).register(BookTrip).start().await?;

    for city in ["Lisbon", "Venice"] {
        println!("Ada wants to go to {city}:");
        let trip = durable.start::<BookTrip>(Trip { traveller: "Ada".to_owned(), city: city.to_owned() }).await?;
        match trip.result().await {
            Ok(numbers) => println!("  has her bookings: {}", numbers.join(", ")),
            Err(error) => println!("  cannot go: {error}"),
        }
        show_journal(&durable, trip.id()).await?;
    }
    durable.shutdown().await
}

/// What was done and what was undone stays on record.
async fn show_journal(durable: &Durable, id: ExecutionId) -> Result<()> {
    let journal = durable.get_execution(id).await?;
    println!("  The execution is {}. Its journal:", journal.execution.state);
    for step in &journal.steps {
        println!("    {:<24}{}", step.key, if step.error.is_some() { "failed" } else { "done" });
    }
    for undone in &journal.compensations {
        println!("    {:<24}undone, attempts: {}", undone.step, undone.attempts.len());
    }
    println!();
    Ok(())
}
