//! The dashboard of Durable: see every execution, answer every question, repair what failed.
//!
//! It is an axum [`Router`] that an application nests under any path. It renders HTML on the server, works without JavaScript, and
//! uses only the public API of `durable`: everything that it does can also be done from code and from the command line. Each
//! page answers JSON under the same URL to a client that sends `Accept: application/json`.
//!
//! ```no_run
//! use std::net::SocketAddr;
//!
//! use axum::Router;
//! use durable::Durable;
//! use durable_dashboard::{Access, Dashboard};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let durable = Durable::builder().database_url("postgres://localhost/shop").start().await?;
//! let dashboard = Dashboard::new(durable).authorize(|request| match request.headers.get("x-team") {
//!     Some(team) if team == "support" => Access::operator().by("support"),
//!     Some(_) => Access::viewer(),
//!     None => Access::denied(),
//! });
//! let application = Router::new().nest("/durable", dashboard.into_router());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! axum::serve(listener, application.into_make_service_with_connect_info::<SocketAddr>()).await?;
//! # Ok(()) }
//! ```
//!
//! Without [`authorize`](Dashboard::authorize), only programs on the server's own machine may use it.

mod access;
mod assets;
mod forms;
mod guard;
mod live;
mod pages;
mod problem;
mod text;
mod visit;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::request::Parts;
use durable::Durable;

pub use access::{Access, Role};

/// How long a page waits for the database before it says that the database is away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who may do what, decided for each request.
type Authorize = Box<dyn Fn(&Parts) -> Access + Send + Sync>;

/// A dashboard that is about to become a [`Router`].
#[must_use = "a dashboard is nothing until `into_router`"]
pub struct Dashboard {
    durable: Durable,
    authorize: Option<Authorize>,
    read_only: bool,
    patience: Duration,
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) durable: Durable,
    pub(crate) authorize: Option<Authorize>,
    pub(crate) read_only: bool,
    pub(crate) patience: Duration,
    pub(crate) live: live::Live,
}

impl Dashboard {
    /// A dashboard for the database of this client. The client may be a worker, or only a client.
    pub fn new(durable: Durable) -> Self {
        Self { durable, authorize: None, read_only: false, patience: PATIENCE }
    }

    /// Decides for each request what its sender may do. Without it, programs on the server's own machine may do everything, and
    /// no one else anything; the server must then be served with `into_make_service_with_connect_info::<SocketAddr>()`.
    ///
    /// The assets and the probes `livez` and `readyz` show nothing of the database, and are answered to everyone.
    pub fn authorize(mut self, decide: impl Fn(&Parts) -> Access + Send + Sync + 'static) -> Self {
        self.authorize = Some(Box::new(decide));
        self
    }

    /// Refuses every change, whatever the role of the sender.
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// How long a page waits for the database before it says that the database is away; 5 seconds by default.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The dashboard as a router, to be served as it is or nested under any path.
    pub fn into_router(self) -> Router {
        let Self { durable, authorize, read_only, patience } = self;
        pages::router(Arc::new(Shared { durable, authorize, read_only, patience, live: live::Live::default() }))
    }
}

impl fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authorize, read_only, patience, .. } = self;
        let authorize = authorize.is_some();
        f.debug_struct("Dashboard")
            .field("authorize", &authorize)
            .field("read_only", read_only)
            .field("patience", patience)
            .finish_non_exhaustive()
    }
}
