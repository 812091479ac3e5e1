//! A proxy between a worker and Postgres that knows what passes through it, and stops or cuts it at a chosen statement.
//!
//! Statements are known by their first line, which names them and which the engine sends with their text: a `Parse` message
//! gives that line, and the `Bind` messages that follow it on the same connection refer to it. What is sent as a plain `Query`
//! is known by its first word: `begin`, `commit`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Database;

/// When a statement is caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The database has not seen it.
    Before,
    /// The database has committed it, and its answer is on the way.
    After,
}

/// What happens to the connection on which a statement was caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing more passes until [`Proxy::release`].
    Held,
    /// It is cut.
    Cut,
}

/// Which statement to catch: the `nth` of those that one of the names belongs to, counted from 1.
#[derive(Debug, Clone)]
pub(crate) struct Trap {
    pub(crate) statements: Vec<String>,
    pub(crate) nth: usize,
    pub(crate) moment: Moment,
    pub(crate) fate: Fate,
}

/// The proxy; its connections end with it.
#[derive(Debug)]
pub(crate) struct Proxy {
    url: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The statement that was caught.
    caught: watch::Sender<Option<String>>,
    released: watch::Sender<bool>,
    /// How statements pass: as always, not at all, or over no connection.
    passage: watch::Sender<Passage>,
    forgeries: Mutex<Vec<Forgery>>,
    /// How often all connections were cut.
    cuts: watch::Sender<usize>,
    /// The server to which new connections lead.
    server: Mutex<(String, u16)>,
    /// Whether notifications are swallowed.
    deaf: AtomicBool,
    swallowed: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    trap: Option<Trap>,
    /// Every statement that came by since the last trap was set, in order.
    seen: Vec<String>,
    /// Every statement that the database has answered since the last trap was set.
    answered: Vec<String>,
}

/// A change to the text of a statement on its way.
#[derive(Debug, Clone)]
struct Forgery {
    statement: String,
    from: String,
    to: String,
}

/// How the proxy treats everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    Open,
    /// Connections are accepted, and nothing passes.
    Silent,
    /// Connections are cut, and new ones too.
    Refused,
}

impl Proxy {
    /// A proxy in front of the database's server.
    pub(crate) async fn before(database: &Database) -> Self {
        let options: PgConnectOptions = database.url.parse().unwrap();
        let server = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (plain, _) = database.url.split_once('?').unwrap_or((&database.url, ""));
        let url = plain.replace(&format!("{}:{}/", server.0, server.1), &format!("127.0.0.1:{port}/")) + "?sslmode=disable";
        assert!(url.contains(&format!(":{port}/")), "the url has another form than expected");
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            caught: watch::Sender::new(None),
            released: watch::Sender::new(false),
            passage: watch::Sender::new(Passage::Open),
            forgeries: Mutex::default(),
            cuts: watch::Sender::new(0),
            server: Mutex::new(server),
            deaf: AtomicBool::new(false),
            swallowed: AtomicUsize::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, shared.clone()));
        Self { url, shared, _tasks: tasks }
    }

    /// The database's url, through the proxy.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Catches a statement, from now on.
    pub(crate) fn set(&self, trap: Trap) {
        *self.shared.state() = State { trap: Some(trap), ..State::default() };
        self.shared.caught.send_replace(None);
        self.shared.released.send_replace(false);
    }

    /// Returns when the statement was caught; says which it was.
    pub(crate) async fn caught(&self) -> String {
        let mut caught = self.shared.caught.subscribe();
        let caught = super::soon("caught in the trap", caught.wait_for(Option::is_some)).await.unwrap();
        caught.clone().unwrap()
    }

    pub(crate) fn has_caught(&self) -> bool {
        self.shared.caught.borrow().is_some()
    }

    /// Lets everything that is held pass.
    pub(crate) fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// The engine's statements that came by since the trap was set, in order.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.state().seen.iter().filter(|statement| statement.contains('/')).cloned().collect()
    }

    /// How many of those of one name the database has answered.
    pub(crate) fn answered(&self, statement: &str) -> usize {
        self.shared.state().answered.iter().filter(|answered| *answered == statement).count()
    }

    /// Has the database read `to` wherever a statement says `from`, on connections that have not prepared it yet.
    pub(crate) fn forge(&self, statement: &str, from: &str, to: &str) {
        let forgery = Forgery { statement: statement.to_owned(), from: from.to_owned(), to: to.to_owned() };
        self.shared.forgeries.lock().unwrap().push(forgery);
    }

    /// Leads new connections to the server of another database, and cuts those that are there.
    pub(crate) fn lead_to(&self, database: &Database) {
        let options: PgConnectOptions = database.url.parse().unwrap();
        *self.shared.server.lock().unwrap() = (options.get_host().to_owned(), options.get_port());
        self.pass(Passage::Refused);
        self.pass(Passage::Open);
    }

    /// Swallows notifications from now on, on connections that are otherwise well.
    pub(crate) fn deafen(&self) {
        self.shared.deaf.store(true, Ordering::SeqCst);
    }

    /// How many notifications were swallowed.
    pub(crate) fn swallowed(&self) -> usize {
        self.shared.swallowed.load(Ordering::SeqCst)
    }

    /// How everything passes from now on.
    pub(crate) fn pass(&self, passage: Passage) {
        self.shared.passage.send_replace(passage);
        if passage == Passage::Refused {
            self.shared.cuts.send_modify(|cuts| *cuts += 1);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts a statement that comes by; says whether it is the one to catch.
    fn see(&self, statement: &str) -> Option<Trap> {
        let mut state = self.state();
        state.seen.push(statement.to_owned());
        let trap = state.trap.as_ref()?;
        let count = state.seen.iter().filter(|seen| trap.statements.contains(seen)).count();
        (trap.statements.iter().any(|name| name == statement) && count == trap.nth).then(|| trap.clone())
    }

    /// What the database is to read instead of this text; fails where a forgery does not find what it is to replace.
    fn forged(&self, statement: &str, text: &[u8]) -> Option<Vec<u8>> {
        let forgeries = self.forgeries.lock().unwrap();
        let mut forgeries = forgeries.iter().filter(|forgery| forgery.statement == statement).peekable();
        forgeries.peek()?;
        let text = String::from_utf8(text.to_vec()).unwrap();
        let forged = forgeries.fold(text, |text, forgery| {
            assert!(text.contains(&forgery.from), "{statement} does not say `{}`", forgery.from);
            text.replace(&forgery.from, &forgery.to)
        });
        Some(forged.into_bytes())
    }

    async fn until_released(&self) {
        // The proxy is there as long as its connections are.
        let _ = self.released.subscribe().wait_for(|released| *released).await;
    }

    /// Returns when connections are cut, if only for an instant.
    fn until_cut(&self) -> impl Future<Output = ()> + use<> {
        let mut cuts = self.cuts.subscribe();
        async move {
            // The proxy is there as long as its connections are.
            let _ = cuts.changed().await;
        }
    }

    async fn until_open(&self) {
        let _ = self.passage.subscribe().wait_for(|passage| *passage == Passage::Open).await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        // Forget those that have ended.
        while connections.try_join_next().is_some() {}
        // Before it is known where it leads: it must not outlive a change of that.
        let cut = shared.until_cut();
        if *shared.passage.borrow() == Passage::Refused {
            continue;
        }
        let (server, shared) = (shared.server.lock().unwrap().clone(), shared.clone());
        connections.spawn(async move {
            tokio::select! {
                _ = connect(client, server, shared.clone()) => {}
                () = cut => {}
            }
        });
    }
}

/// What both directions of one connection know.
#[derive(Debug, Default)]
struct Link {
    /// The statement under way, and the trap it ran into.
    current: Mutex<Option<(String, Option<Trap>)>>,
}

async fn connect(client: TcpStream, server: (String, u16), shared: Arc<Shared>) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let link = Arc::new(Link::default());
    // Either direction ends both: the sockets are dropped.
    tokio::select! {
        ended = upwards(BufReader::new(from_client), to_server, link.clone(), shared.clone()) => ended,
        ended = downwards(BufReader::new(from_server), to_client, link.clone(), shared.clone()) => ended,
    }
}

/// Carries what the client says.
async fn upwards(
    mut client: BufReader<OwnedReadHalf>,
    mut server: OwnedWriteHalf,
    link: Arc<Link>,
    shared: Arc<Shared>,
) -> std::io::Result<()> {
    // The first message has no type.
    let length = client.read_u32().await?;
    let mut startup = vec![0; length as usize - 4];
    client.read_exact(&mut startup).await?;
    server.write_all(&[&length.to_be_bytes()[..], &startup].concat()).await?;
    let mut names: HashMap<Vec<u8>, String> = HashMap::new();
    let mut outgoing = Vec::new();
    loop {
        let mut message = Message::read(&mut client).await?;
        match message.kind {
            b'P' => {
                let mut fields = message.body.splitn(3, |byte| *byte == 0);
                let [name, text, types] = std::array::from_fn(|_| fields.next().unwrap_or_default());
                let statement = first_line(text);
                let forged = shared.forged(&statement, text).map(|text| [name, &text, types].join(&0));
                names.insert(name.to_owned(), statement);
                message.body = forged.unwrap_or(message.body);
            }
            b'B' | b'Q' => {
                let statement = if message.kind == b'Q' {
                    first_line(&message.body).trim_matches([';', '\0']).to_lowercase()
                } else {
                    let name = message.body.split(|byte| *byte == 0).nth(1).unwrap_or_default();
                    names.get(name).cloned().unwrap_or_default()
                };
                let trap = shared.see(&statement);
                if let Some(trap) = trap.as_ref().filter(|trap| trap.moment == Moment::Before) {
                    shared.caught.send_replace(Some(statement.clone()));
                    match trap.fate {
                        Fate::Cut => return Ok(()),
                        Fate::Held => shared.until_released().await,
                    }
                }
                *link.current.lock().unwrap() = Some((statement, trap.filter(|trap| trap.moment == Moment::After)));
            }
            _ => {}
        }
        message.append_to(&mut outgoing);
        if client.buffer().is_empty() {
            shared.until_open().await;
            server.write_all(&outgoing).await?;
            outgoing.clear();
        }
    }
}

/// Carries what the server answers.
async fn downwards(
    mut server: BufReader<OwnedReadHalf>,
    mut client: OwnedWriteHalf,
    link: Arc<Link>,
    shared: Arc<Shared>,
) -> std::io::Result<()> {
    let mut outgoing = Vec::new();
    loop {
        let message = Message::read(&mut server).await?;
        let ready = message.kind == b'Z';
        if message.kind == b'A' && shared.deaf.load(Ordering::SeqCst) {
            shared.swallowed.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        if message.kind == b'W' {
            // A stream of the log begins, which nothing ends.
            take(&link);
        }
        message.append_to(&mut outgoing);
        if ready && let Some((statement, trap)) = take(&link) {
            shared.state().answered.push(statement.clone());
            if let Some(trap) = trap {
                shared.caught.send_replace(Some(statement));
                match trap.fate {
                    Fate::Cut => return Ok(()),
                    Fate::Held => shared.until_released().await,
                }
            }
        }
        // Nothing of an answer passes before the whole of it was looked at.
        let under_way = link.current.lock().unwrap().is_some();
        if ready || (!under_way && server.buffer().is_empty()) {
            shared.until_open().await;
            client.write_all(&outgoing).await?;
            outgoing.clear();
        }
    }
}

fn take(link: &Link) -> Option<(String, Option<Trap>)> {
    link.current.lock().unwrap().take()
}

/// The name in the first line, as in `-- executions/claim: take up…`; the first word of any other statement.
fn first_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().next().unwrap_or_default();
    let name = line.strip_prefix("-- ").and_then(|line| line.split_once(": ")).map(|(name, _)| name);
    name.unwrap_or_else(|| line.split_whitespace().next().unwrap_or_default()).to_owned()
}

/// A message of the protocol, version 3.
struct Message {
    kind: u8,
    body: Vec<u8>,
}

impl Message {
    async fn read(from: &mut BufReader<OwnedReadHalf>) -> std::io::Result<Self> {
        let kind = from.read_u8().await?;
        let length = from.read_u32().await?;
        let mut body = vec![0; length as usize - 4];
        from.read_exact(&mut body).await?;
        Ok(Self { kind, body })
    }

    fn append_to(&self, outgoing: &mut Vec<u8>) {
        outgoing.push(self.kind);
        outgoing.extend_from_slice(&(u32::try_from(self.body.len()).unwrap() + 4).to_be_bytes());
        outgoing.extend_from_slice(&self.body);
    }
}
