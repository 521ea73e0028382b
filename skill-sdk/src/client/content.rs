//! Managed content: files under keys (contract "fabric-api", section 3).

use bytes::{Bytes, BytesMut};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncRead;
use url::Url;

use crate::client::address::is_segment;
use crate::client::body::Body;
use crate::client::call::{Call, Wait};
use crate::client::response::Response;
use crate::client::retry::Repeat;
use crate::client::{Client, found};
use crate::error::{Code, Error};

/// The type of content that has no better one.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// The managed content of a project.
///
/// Keys are paths such as `reports/2024/may.csv`; leading slashes are dropped. Parts of a key may hold any character
/// but control ones; a key that is empty or has a part `.` or `..` is refused too, because no URL can carry it.
///
/// Every method fails as platform calls do: [`Code::TokenExpired`] or [`Code::TokenInvalid`] when the token is refused,
/// [`Code::PlatformUnavailable`] when there is no answer or one of 429 and 5xx, and [`Code::SkillFailed`] with the
/// [status](Error::http_status) otherwise.
#[derive(Clone, Debug)]
pub struct Content {
    client: Client,
}

/// What a list says about one piece of content.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ContentEntry {
    /// Under which key it is.
    pub key: String,
    /// Its media type, as it was given on upload.
    #[serde(default)]
    pub content_type: Option<String>,
    /// When it was last written: ISO 8601, as the platform writes it.
    #[serde(default)]
    pub last_modified: Option<String>,
    /// Its length in bytes.
    #[serde(default)]
    pub size: u64,
}

impl Content {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Stores bytes under a key, replacing what was there. Gives what the platform answers.
    ///
    /// # Errors
    ///
    /// As [`Content`] says.
    pub async fn upload(&self, key: &str, body: impl Into<Body>, content_type: &str) -> Result<Value, Error> {
        let url = self.url(key)?;
        let content_type = HeaderValue::from_str(content_type)
            .map_err(|_| Error::new(Code::SkillFailed, format!("{content_type:?} cannot be the type of content")))?;
        let call = Call::post(url, format!("cannot upload `{key}`")).wait(Wait::Idle);
        self.client.json(call.header(CONTENT_TYPE, content_type).body(body)).await
    }

    /// Stores what a reader gives under a key, replacing what was there, without holding it in memory.
    ///
    /// # Errors
    ///
    /// As [`Content`] says; a reader that fails ends the upload, and nothing is stored.
    pub async fn upload_streaming(
        &self,
        key: &str,
        reader: impl AsyncRead + Send + 'static,
        content_type: &str,
    ) -> Result<Value, Error> {
        self.upload(key, Body::reader(reader), content_type).await
    }

    /// Opens content for reading.
    ///
    /// # Errors
    ///
    /// As [`Content`] says; [`Error::is_not_found`] when there is nothing under the key.
    pub async fn download(&self, key: &str) -> Result<Download, Error> {
        let call = Call::get(self.url(key)?, format!("cannot download `{key}`"));
        let call = call.wait(Wait::Idle).repeat(Repeat::Download);
        Ok(Download { response: self.client.send(call).await? })
    }

    /// Opens content for reading, or gives `None` when there is nothing under the key.
    ///
    /// # Errors
    ///
    /// As [`Content`] says.
    pub async fn download_opt(&self, key: &str) -> Result<Option<Download>, Error> {
        found(self.download(key).await)
    }

    /// Whether there is anything under the key.
    ///
    /// # Errors
    ///
    /// As [`Content`] says: only a 404 means that there is nothing.
    pub async fn exists(&self, key: &str) -> Result<bool, Error> {
        // Its answer has no body, but says how long that of a GET would be.
        let call = Call::new(Method::HEAD, self.url(key)?, format!("cannot look for `{key}`")).wait(Wait::Idle);
        Ok(found(self.client.send(call).await)?.is_some())
    }

    /// Lists the content whose keys begin with the prefix; an empty one lists everything.
    ///
    /// # Errors
    ///
    /// As [`Content`] says.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ContentEntry>, Error> {
        self.list_page(prefix, None, None).await
    }

    /// Lists a page: at most `limit` entries, after leaving out the first `skip`.
    ///
    /// # Errors
    ///
    /// As [`Content`] says.
    pub async fn list_page(
        &self,
        prefix: &str,
        limit: Option<u32>,
        skip: Option<u32>,
    ) -> Result<Vec<ContentEntry>, Error> {
        let mut url = self.client.project_url(["content"]);
        let numbers = [("limit", limit), ("skip", skip)];
        let numbers =
            numbers.into_iter().filter_map(|(name, number)| Some((name, number.filter(|&n| n > 0)?.to_string())));
        let filter = (!prefix.is_empty()).then(|| ("filter", prefix.to_owned()));
        for (name, value) in filter.into_iter().chain(numbers) {
            url.query_pairs_mut().append_pair(name, &value);
        }
        self.client.json(Call::get(url, "cannot list content")).await
    }

    /// Deletes what is under the key.
    ///
    /// # Errors
    ///
    /// As [`Content`] says; [`Error::is_not_found`] when there is nothing under the key.
    pub async fn delete(&self, key: &str) -> Result<(), Error> {
        self.client.done(Call::delete(self.url(key)?, format!("cannot delete `{key}`"))).await
    }

    fn url(&self, key: &str) -> Result<Url, Error> {
        let path = key.trim_start_matches('/');
        // Empty parts inside a key are kept as they are: `a//b` is a key of its own.
        if path.is_empty() || !path.split('/').all(|part| part.is_empty() || is_segment(part)) {
            let why = "it is empty, has a part `.` or `..`, or holds control characters";
            return Err(Error::new(Code::SkillFailed, format!("{key:?} cannot be the key of content: {why}")));
        }
        Ok(self.client.project_url(std::iter::once("content").chain(path.split('/'))))
    }
}

/// Content that is being read. Its body is read as it is asked for and never held as a whole, unless
/// [`bytes`](Self::bytes) does.
pub struct Download {
    response: Response,
}

impl Download {
    /// The media type that was given on upload.
    pub fn content_type(&self) -> Option<&str> {
        self.response.headers().get(CONTENT_TYPE)?.to_str().ok()
    }

    /// The length in bytes, where the platform says it.
    pub fn content_length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`Code::PlatformUnavailable`] when the connection breaks or nothing comes for 30 s.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        Ok(self.response.chunk().await?)
    }

    /// All of it. This holds the whole content in memory.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk).
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Writes all of it, piece by piece, and gives the number of bytes.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk), and [`Code::SkillFailed`] when the writer fails.
    pub async fn copy_to(mut self, writer: &mut (impl tokio::io::AsyncWrite + Unpin)) -> Result<u64, Error> {
        use tokio::io::AsyncWriteExt;

        let failed =
            |error: std::io::Error| Error::new(Code::SkillFailed, "cannot write the content").with_source(error);
        let mut written = 0;
        while let Some(chunk) = self.chunk().await? {
            writer.write_all(&chunk).await.map_err(failed)?;
            written += chunk.len() as u64;
        }
        writer.flush().await.map_err(failed)?;
        Ok(written)
    }
}
