//! The files that pages load, under a hash of their content.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asset {
    Style,
    Script,
    Htmx,
}

impl Asset {
    const ALL: [Self; 3] = [Self::Style, Self::Script, Self::Htmx];

    fn name(self) -> &'static str {
        match self {
            Self::Style => "dashboard.css",
            Self::Script => "dashboard.js",
            Self::Htmx => "htmx.js",
        }
    }

    fn content(self) -> &'static str {
        match self {
            Self::Style => include_str!("../assets/dashboard.css"),
            Self::Script => include_str!("../assets/dashboard.js"),
            Self::Htmx => include_str!("../assets/htmx.min.js"),
        }
    }

    fn kind(self) -> &'static str {
        if self == Self::Style { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" }
    }
}

/// A hash of all files: a page and its files are of one release.
fn hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let mut hasher = DefaultHasher::new();
        Asset::ALL.iter().for_each(|asset| asset.content().hash(&mut hasher));
        format!("{:016x}", hasher.finish())
    })
}

/// The path of a file, from the dashboard's root.
pub(crate) fn path(asset: Asset) -> String {
    format!("assets/{}/{}", hash(), asset.name())
}

/// A file. During a deployment, a page of one release may ask a process of another: a hash that is not the current one is answered,
/// too, but not kept.
pub(crate) async fn get(Path((asked, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let asset = Asset::ALL.into_iter().find(|asset| asset.name() == name).ok_or_else(Problem::no_page)?;
    let caching = if asked == hash() { "public, max-age=31536000, immutable" } else { "no-cache" };
    Ok(([(CONTENT_TYPE, asset.kind()), (CACHE_CONTROL, caching)], asset.content()).into_response())
}
