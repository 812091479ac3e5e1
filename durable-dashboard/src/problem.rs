//! What went wrong with a request: what, which, and what to do. The guard renders it as a page or as JSON.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use durable::{Error, ErrorKind};

/// Why a request was not answered as its sender hoped.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// What went wrong, in a sentence.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) advice: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, what: impl Into<String>) -> Self {
        Self { status, what: what.into(), advice: String::new() }
    }

    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// There is no such page.
    pub(crate) fn no_page() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is no such page.").advice("Choose one from the menu.")
    }

    /// A part of the address makes no sense.
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what).advice("Change it in the address, or choose another from the menu.")
    }

    /// The database has not answered in time.
    pub(crate) fn away() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "The database does not answer.").advice(AWAY)
    }
}

const AWAY: &str = "Nothing is lost: executions continue when the database is back. Reload this page then. If you have just sent a \
                    change, look first whether it was made.";

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (status, advice) = match error.kind() {
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, "It may have been deleted after its retention."),
            ErrorKind::Conflict | ErrorKind::Finished | ErrorKind::Closed => (
                StatusCode::CONFLICT,
                "Nothing was changed: the action came too late or does not fit. Look again at the newest state.",
            ),
            ErrorKind::Invalid | ErrorKind::Payload => {
                (StatusCode::UNPROCESSABLE_ENTITY, "Nothing was changed. Go back and correct it.")
            }
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, AWAY),
            ErrorKind::Schema => (StatusCode::SERVICE_UNAVAILABLE, "Migrate the schema, then reload this page."),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "The Health page and the log of the server may say more."),
        };
        Self::new(status, sentence(&format!("{error:#}"))).advice(advice)
    }
}

/// The message as a sentence: with a capital and a full stop.
pub(crate) fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if message.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
