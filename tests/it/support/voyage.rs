//! One run through what engines, clients and psql do, for tests of the ground they stand on: settings, rights, planted functions.

use durable::chrono::TimeDelta;
use durable::prelude::*;
use durable::sqlx::{self, AssertSqlSafe, Connection, PgConnection, PgPool};
use durable::{Builder, SortBy, SortOrder};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use uuid::Uuid;

use super::{Database, PATIENCE, clock, eventually};

/// The table of the application, in a schema of its own.
const TABLE: &str = "create schema app; create table app.payments (destination text not null)";

/// Books and pays, waits for everything there is to wait for, and packs in a child.
struct Voyage;

#[workflow(queue = "voyages")]
impl Voyage {
    async fn run(&self, cx: &Context, to: String) -> Result<String> {
        let hotel = self.book(&to).await?;
        let payments = self.pay(&to).await?;
        cx.sleep(minutes(5)).await?;
        let day: String = cx.wait_for_event("day").timeout(days(2)).await?.unwrap_or_default();
        let seats: u8 = cx.wait_for_input("seats").await?;
        let weather: String = cx.wait_for_topic("weather").correlation("north").await?;
        let bags = cx.child::<Pack>(seats).await?;
        Ok(format!("{hotel}, {payments}, {day}, {seats}, {weather}, {bags}"))
    }

    #[step(compensate = unbook, retry(max_attempts = 3, backoff = constant, base = "1m", jitter = 0.0))]
    async fn book(&self, to: &str) -> Result<String> {
        if durable::step().attempt() == 1 { Err(Error::new("no room")) } else { Ok(format!("a hotel in {to}")) }
    }

    #[compensation]
    async fn unbook(&self, hotel: String) -> Result<()> {
        drop(hotel);
        Ok(())
    }

    #[step(transaction, retry(max_attempts = 3, backoff = constant, base = "1m", jitter = 0.0))]
    async fn pay(&self, tx: &mut Transaction, to: &str) -> Result<u64> {
        let paid = sqlx::query("insert into app.payments values ($1)").bind(to).execute(&mut **tx).await?;
        Ok(paid.rows_affected())
    }
}

struct Pack;

#[workflow(queue = "voyages")]
impl Pack {
    async fn run(&self, _cx: &Context, seats: u8) -> Result<u8> {
        self.fold(seats).await
    }

    #[step]
    async fn fold(&self, seats: u8) -> Result<u8> {
        seats.checked_mul(2).ok_or_else(|| Error::permanent("too many bags"))
    }
}

/// The traveller: the application, connected as its role.
pub(crate) struct Traveller<'a> {
    /// The test's own way to the database, which nothing disturbs.
    pub(crate) database: &'a Database,
    /// How the application connects.
    pub(crate) options: PgConnectOptions,
}

impl Traveller<'_> {
    fn builder(&self) -> Builder {
        self.database.builder().connect_options(self.options.clone())
    }

    fn pool(&self) -> PgPool {
        PgPoolOptions::new().max_connections(2).acquire_timeout(PATIENCE).connect_lazy_with(self.options.clone())
    }

    /// Travels once by the client and once by psql, looks at everything, and cleans up.
    pub(crate) async fn travel(&self) {
        self.database.run(TABLE).await;
        self.database.run("grant usage on schema app to public; grant all on app.payments to public").await;
        clock::freeze(self.database).await;
        let durable = self.builder().cached_executions(0).register(Voyage).register(Pack).start().await.unwrap();
        let first = self.by_client(&durable).await;
        self.by_psql(&durable).await;
        self.by_schedule(&durable).await;
        self.undone(&durable).await;
        self.repeated(&durable, first).await;
        self.look(&durable).await;
        durable.shutdown().await.unwrap();
    }

    /// Runs one voyage to its end through the client, half of it within transactions of the application.
    async fn by_client(&self, durable: &Durable) -> ExecutionId {
        let mut connection = PgConnection::connect_with(&self.options).await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        let start = durable.start::<Voyage>("Oslo".to_owned()).key("oslo").priority(3).time_to_live(days(1));
        let handle = start.within(&mut transaction).await.unwrap();
        durable.send_event_within(&mut transaction, handle.id(), "day", "Monday").await.unwrap();
        transaction.commit().await.unwrap();
        connection.close().await.unwrap();
        durable.notify_queue("voyages");
        clock::advance(self.database, hours(1)).await;
        let asked = async || durable.pending_inputs().await.unwrap().len() == 1;
        eventually("it asks for the seats", asked).await;
        durable.provide_input(handle.id(), "seats", &4_u8).by("Ada").await.unwrap();
        clock::quiet(self.database).await;
        durable.publish("weather", "rain").correlation("north").key("today").await.unwrap();
        clock::quiet(self.database).await;
        let said = handle.result_within(PATIENCE).await.unwrap();
        assert_eq!(said, "a hotel in Oslo, 1, Monday, 4, rain, 8");
        handle.id()
    }

    /// The same by SQL, as the application's role.
    async fn by_psql(&self, durable: &Durable) {
        let pool = self.pool();
        let run = async |sql: &str| {
            loop {
                let sent = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&pool).await;
                match sent {
                    Ok(_) => break,
                    // If the role's transactions are serializable, the application repeats a transaction that failed on a
                    // conflict.
                    Err(error) if error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("40001")) => {}
                    Err(error) => panic!("{sql}: {error}"),
                }
            }
        };
        let id: Uuid = sqlx::query_scalar(
            r#"select durable.start('voyage', '"Bergen"', queue => 'voyages', key => 'bergen', delay => '1 minute', time_to_live => '2 days')"#,
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        run(&format!("select durable.pause('{id}')")).await;
        run(&format!("select durable.resume('{id}')")).await;
        run(&format!("select durable.send_event('{id}', 'day', '\"Tuesday\"')")).await;
        clock::advance(self.database, hours(1)).await;
        run(&format!("select durable.provide_input('{id}', 'seats', '5', answered_by => 'Bo')")).await;
        clock::quiet(self.database).await;
        run("select durable.publish('weather', '\"snow\"', 'north', 'tomorrow')").await;
        clock::quiet(self.database).await;
        let said = durable.handle::<Voyage>(id.into()).result_within(PATIENCE).await.unwrap();
        assert_eq!(said, "a hotel in Bergen, 1, Tuesday, 5, snow, 10");

        let debounced =
            "select durable.start('voyage', '\"Bodø\"', queue => 'voyages', debounce_key => 'b', debounce => '1 hour')";
        run(debounced).await;
        run(debounced).await;
        run("select durable.set_queue_limits('voyages', concurrency => 50, rate => 100, rate_period => '1 minute', \
                                             key_rate => 50, key_rate_period => '00:01')")
        .await;
        run("select durable.pause_queue('voyages')").await;
        run("select durable.resume_queue('voyages')").await;
        for key in ["tromsø", "alta"] {
            run(&format!(
                "select durable.start('voyage', '\"North\"', key => '{key}', queue => 'voyages', concurrency_key => 'north')"
            ))
            .await;
        }
        clock::advance(self.database, minutes(30)).await;
        let ids: Vec<String> = self
            .database
            .values("select execution_id::text from durable.executions where key in ('tromsø', 'alta') order by key")
            .await;
        run(&format!("select durable.cancel_wait('{}', 'day')", ids[0])).await;
        run(&format!("select durable.cancel('{}', 'too cold', compensate => true)", ids[0])).await;
        run(&format!("select durable.rollback('{}', 'too far')", ids[1])).await;
        clock::advance(self.database, hours(1)).await;
        pool.close().await;
    }

    async fn by_schedule(&self, durable: &Durable) {
        let rule = durable.schedule::<Pack>("packing", "0 9 * * *", 1).timezone("Europe/Oslo").max_failures(3);
        rule.await.unwrap();
        clock::advance(self.database, days(2)).await;
        durable.trigger_schedule("packing").await.unwrap();
        let now = clock::now(self.database).await;
        durable.backfill_schedule("packing", now - TimeDelta::days(9)..now - TimeDelta::days(7)).await.unwrap();
        clock::quiet(self.database).await;
        let firings = durable.schedule_firings("packing").await.unwrap();
        assert_eq!(firings.len(), 4, "{firings:?}");
        durable.disable_schedule("packing", "enough").await.unwrap();
        durable.enable_schedule("packing").await.unwrap();
        durable.delete_schedule("packing").await.unwrap();
    }

    /// A voyage that is undone, and a voyage that never begins.
    async fn undone(&self, durable: &Durable) {
        let handle = durable.start::<Voyage>("Rome".to_owned()).deduplication_key("rome").await.unwrap();
        let never = durable.start::<Voyage>("Nowhere".to_owned()).delay(days(300)).await.unwrap();
        clock::advance(self.database, hours(1)).await;
        durable.rollback(handle.id(), "the weather").await.unwrap();
        durable.cancel(never.id(), "not needed").await.unwrap();
        clock::advance(self.database, hours(1)).await;
        eventually("undone", async || handle.execution().await.unwrap().state == ExecutionState::Compensated).await;
    }

    /// A voyage that ended is forked from a step, and a voyage that failed is retried.
    async fn repeated(&self, durable: &Durable, first: ExecutionId) {
        let fork = durable.fork(first, "step pay").await.unwrap();
        let failed = durable.start::<Pack>(200).await.unwrap();
        failed.result_within(PATIENCE).await.unwrap_err();
        let again = durable.retry(failed.id()).await.unwrap();
        durable.handle::<Pack>(again).result_within(PATIENCE).await.unwrap_err();
        clock::advance(self.database, hours(1)).await;
        durable.cancel(fork, "enough").await.unwrap();
        clock::quiet(self.database).await;
    }

    async fn look(&self, durable: &Durable) {
        let page = durable.list_executions().queue("voyages").limit(3).await.unwrap();
        assert_eq!(page.executions.len(), 3);
        durable.list_executions().order_by(SortBy::Finished, SortOrder::Descending).await.unwrap();
        assert!(durable.list_executions().count().await.unwrap() > 3);
        for execution in &page.executions {
            durable.get_execution(execution.id).await.unwrap();
        }
        assert_eq!(durable.workers().await.unwrap().len(), 1);
        assert_eq!(durable.queues().await.unwrap().len(), 1);
        self.builder().examine().await.unwrap();
        clock::turn(self.database, days(40)).await;
        assert!(durable.prune(days(30)).await.unwrap().executions > 3);
    }
}
