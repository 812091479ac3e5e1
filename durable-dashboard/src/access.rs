//! Who may do what: roles, and the rule for a dashboard without a rule.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::header::{FORWARDED, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};

use crate::problem::Problem;

/// What to write in order to let others in.
const RULE: &str = "write `.authorize(|request| …)` on the `Dashboard`, with a rule that returns `Access::viewer()`, \
                    `Access::operator()`, `Access::admin()` or `Access::denied()`";

/// What the sender of a request may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    role: Option<Role>,
    person: Option<String>,
}

/// How much a person may do; each role may do what the roles before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Sees everything, and changes nothing.
    Viewer,
    /// Answers questions, sends events, triggers schedules, and cancels, pauses, resumes, retries and rolls back one execution at a
    /// time.
    Operator,
    /// Also changes many executions at once, schedules, queues and workers.
    Admin,
}

impl Access {
    /// May see everything.
    pub fn viewer() -> Self {
        Self::of(Role::Viewer)
    }

    /// May work on single executions.
    pub fn operator() -> Self {
        Self::of(Role::Operator)
    }

    /// May do everything.
    pub fn admin() -> Self {
        Self::of(Role::Admin)
    }

    /// May see nothing.
    pub fn denied() -> Self {
        Self { role: None, person: None }
    }

    fn of(role: Role) -> Self {
        Self { role: Some(role), person: None }
    }

    /// The person who sends the request, for the record of answers: a name, an address or an account.
    #[must_use]
    pub fn by(mut self, person: impl Into<String>) -> Self {
        self.person = Some(person.into());
        self
    }

    /// The role; `None` for a person who may see nothing.
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// The person, if known.
    pub fn person(&self) -> Option<&str> {
        self.person.as_deref()
    }
}

impl Role {
    /// The word on pages.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Without a rule: everything for programs on this machine, nothing for others.
///
/// A proxy on this machine connects from here, too, and so does a browser here for a page from anywhere whose name was made to
/// point here. So the request must neither be forwarded nor be for another host.
pub(crate) fn of_local_peer(parts: &Parts) -> Result<Access, Problem> {
    let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else {
        return Err(refused(
            "This dashboard has no rule for who may see it, and its server does not tell who asks.",
            format!(
                "To let in programs on the server's own machine, serve with \
                     `into_make_service_with_connect_info::<SocketAddr>()`. To let in others, {RULE}."
            ),
        ));
    };
    let is_forwarded = parts.headers.contains_key(FORWARDED) || parts.headers.contains_key("x-forwarded-for");
    if !peer.ip().to_canonical().is_loopback() {
        let what = format!(
            "This dashboard has no rule for who may see it, so only the server's own machine may. You ask from {}.",
            peer.ip()
        );
        return Err(refused(&what, format!("To let in others, {RULE}.")));
    }
    if is_forwarded {
        let what = "This dashboard has no rule for who may see it, so only the server's own machine may. A proxy has forwarded your request.";
        return Err(refused(what, format!("To let in others, {RULE}.")));
    }
    if !host(&parts.headers, parts).is_some_and(|host| is_local(&host)) {
        let what = "This dashboard has no rule for who may see it, so it only answers under the names of its own machine.";
        return Err(refused(what, format!("Ask `localhost` or `127.0.0.1`. To answer under other names, {RULE}.")));
    }
    Ok(Access::admin())
}

fn refused(what: &str, advice: String) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, what).advice(advice)
}

/// The host and port that the request is for.
fn host(headers: &HeaderMap, parts: &Parts) -> Option<String> {
    let named = headers.get(HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    named.or_else(|| parts.uri.authority().map(ToString::to_string))
}

fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Refuses a write that another site may have sent. Browsers say which site a request comes from, and pages cannot change that.
pub(crate) fn check_origin(parts: &Parts) -> Result<(), Problem> {
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_own = match (header("sec-fetch-site"), header(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let origin = origin.split_once("://").map(|(_, host)| host);
            origin.is_some() && origin == host(&parts.headers, parts).as_deref()
        }
        (None, None) => false,
    };
    if is_own {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "This change does not come from a page of the dashboard, so it was refused.").advice(
        "Open the page of the dashboard and send its form. A program uses the command line or the API instead. If a proxy is in \
         between, it must pass on the headers `Host`, `Origin` and `Sec-Fetch-Site`.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_local() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.1.2.3", "[::1]:80", "[::1]"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["", "example.com", "localhost.example.com", "10.0.0.1", "[2001:db8::1]:80", "0x7f.1"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
