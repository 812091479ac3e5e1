//! What every request passes: access, origin of writes, error pages, headers.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::Shared;
use crate::access::{self, Access};
use crate::problem::Problem;
use crate::visit::{Shell, Visit};

/// Pages load nothing from other sites, and contain no inline scripts or styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action \
                      'self'; base-uri 'none'; frame-ancestors 'self'";

/// What shows nothing of the database.
const OPEN: [&str; 3] = ["/assets/", "/livez", "/readyz"];

#[derive(Template)]
#[template(path = "error.html")]
struct Page {
    shell: Shell,
    status: String,
    what: String,
    advice: String,
}

pub(crate) async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let is_open = OPEN.iter().any(|open| parts.uri.path().starts_with(open));
    let access = match &shared.authorize {
        _ if is_open => Ok(Access::denied()),
        Some(authorize) => allowed(authorize(&parts)),
        None => access::of_local_peer(&parts),
    };
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    let checked = access.and_then(|access| if reads { Ok(access) } else { access::check_origin(&parts).map(|()| access) });
    let (access, refused) = match checked {
        Ok(access) => (access, None),
        Err(problem) => (Access::denied(), Some(problem)),
    };
    let visit = Arc::new(Visit::new(&parts, access, shared.read_only));
    parts.extensions.insert(visit.clone());
    let mut response = match refused {
        Some(problem) => problem.into_response(),
        None => {
            // Work on many executions takes its time, and says itself if the database is away.
            let is_long = !reads && parts.uri.path() == "/executions/bulk";
            let patience = if is_long { Duration::MAX } else { shared.patience };
            let run = next.run(Request::from_parts(parts, body));
            tokio::time::timeout(patience, run).await.unwrap_or_else(|_| Problem::away().into_response())
        }
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = page(&visit, problem);
    }
    secure(response.headers_mut());
    response
}

fn allowed(access: Access) -> Result<Access, Problem> {
    if access.role().is_some() {
        return Ok(access);
    }
    let advice = "Sign in as a person who may see it. Its rule is the `.authorize(…)` of the `Dashboard`.";
    Err(Problem::new(StatusCode::FORBIDDEN, "You may not see this dashboard.").advice(advice))
}

fn page(visit: &Visit, Problem { status, what, advice }: Problem) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let twin = json!({ "error": { "status": status.as_u16(), "what": what, "advice": advice } });
    let shell = visit.shell(title, "");
    let page = Page { shell, status: format!("{} {title}", status.as_u16()), what, advice };
    visit.answer_with(status, &page, &twin).unwrap_or_else(|_| status.into_response())
}

fn secure(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("accept"));
    }
}
