//! Lists that are given in pages (cdf-iam section 2, "Defaults, paging and chunks").
//!
//! A cursor holds of which list it is, and after which entry the next page begins. Whoever makes one up sees no more
//! for it: what a caller may see is decided for each page.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::answer::Refusal;
use crate::query::Parameters;

const DEFAULT_LIMIT: usize = 25;

/// Which page of a list is asked for, of at most `MOST` entries.
pub(crate) struct PageQuery<const MOST: usize = 1000> {
    limit: usize,
    cursor: Option<Cursor>,
}

/// The list, and the key of the last entry that was given.
struct Cursor {
    list: String,
    after: String,
}

#[derive(Deserialize)]
struct OfPage {
    limit: Option<String>,
    cursor: Option<String>,
}

impl<S: Send + Sync, const MOST: usize> FromRequestParts<S> for PageQuery<MOST> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Parameters(OfPage { limit, cursor }) = Parameters::from_request_parts(parts, state).await?;
        let limit = match limit.as_deref() {
            None => DEFAULT_LIMIT,
            Some(text) => text.parse().unwrap_or(0),
        };
        Ok(Self { limit: check_limit(limit, MOST)?, cursor: cursor.as_deref().map(Cursor::read).transpose()? })
    }
}

/// Refuses what is no length of a list.
pub(crate) fn check_limit(limit: usize, most: usize) -> Result<usize, Refusal> {
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(Refusal::bad_request(format!("`limit` is not a whole number from 1 to {most}")))
}

impl<const MOST: usize> PageQuery<MOST> {
    /// The page of these entries, which are in the order of their keys, or in the reverse. `list` says what is listed:
    /// of what, in which project, which of it and in which order.
    pub(crate) fn page(
        &self,
        list: &str,
        is_reversed: bool,
        entries: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<Json<Value>, Refusal> {
        let after = match &self.cursor {
            Some(cursor) if cursor.list != list => return Err(bad_cursor()),
            cursor => cursor.as_ref().map(|cursor| cursor.after.as_str()),
        };
        let is_given = |key: &str| match after {
            Some(after) if is_reversed => key >= after,
            Some(after) => key <= after,
            None => false,
        };
        let mut rest = entries.into_iter().skip_while(|(key, _)| is_given(key));
        let (mut items, mut end) = (Vec::new(), None);
        for (key, entry) in rest.by_ref().take(self.limit) {
            items.push(entry);
            end = Some(key);
        }
        let mut page = Map::from_iter([("items".to_owned(), items.into())]);
        if let (Some(after), true) = (end, rest.next().is_some()) {
            page.insert("nextCursor".to_owned(), Cursor { list: list.to_owned(), after }.text().into());
        }
        Ok(Json(Value::Object(page)))
    }
}

fn bad_cursor() -> Refusal {
    Refusal::bad_request("`cursor` is none that this list has given")
}

impl Cursor {
    fn read(text: &str) -> Result<Self, Refusal> {
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad_cursor())?;
        let (list, after) = serde_json::from_slice(&json).map_err(|_| bad_cursor())?;
        Ok(Self { list, after })
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::json!([self.list, self.after]).to_string())
    }
}
