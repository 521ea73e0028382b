//! Managed content: files under keys (contract "fabric-api", section 3).

use std::path::Path;

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::io::AsyncRead;
use url::Url;

use crate::client::address::path;
use crate::client::body::Body;
use crate::client::call::{Call, Form, Wait};
use crate::client::retry::Repeat;
use crate::client::{Client, found};
use crate::error::{Code, Error};

pub use super::download::Download;
pub use folder::{FolderFile, folder_files};

mod folder;

/// What a key is.
const KEY: &str = "the key of content";

/// The type of content that has no better one.
pub const OCTET_STREAM: &str = "application/octet-stream";

/// The managed content of a project.
///
/// Keys are paths such as `reports/2024/may.csv`; leading slashes are dropped. Parts of a key may hold any character
/// but control ones; a key that is empty or has a part `.` or `..` is refused too, because no URL can carry it.
///
/// Every method fails as all [calls](crate::client#calls-that-fail) do.
#[derive(Clone, Debug)]
pub struct Content {
    client: Client,
}

/// What a list says about one piece of content.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ContentEntry {
    /// Under which key it is.
    pub key: String,
    /// Its media type, as it was given on upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// When it was last written: ISO 8601, as the platform writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// Its length in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Whatever else the platform says.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Checks that a text can be a [key](Content).
///
/// # Errors
///
/// [`Code::SkillFailed`], which names it and says why not.
pub fn check_key(key: &str) -> Result<(), Error> {
    path(KEY, key).map(drop)
}

impl Content {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Stores bytes, a file, or what a reader or stream gives under a key, replacing what was there: see [`Body`]. Text that
    /// is not `'static` is passed as a `String`. It goes out as it is (`POST content/{key}`), with its length where that is
    /// known. Gives what the platform answers; null where that is nothing.
    ///
    /// # Errors
    ///
    /// As [`Content`] says, and [`Code::SkillFailed`] when what is to be sent cannot be read: then nothing is stored.
    pub async fn upload(&self, key: &str, body: impl Into<Body>, content_type: &str) -> Result<Value, Error> {
        let url = self.url(key)?;
        let content_type = HeaderValue::from_str(content_type)
            .map_err(|_| Error::new(Code::SkillFailed, format!("{content_type:?} cannot be the type of content")))?;
        let call = Call::post(url, format!("cannot upload `{key}`")).wait(Wait::Upload);
        self.client.accepted(call.header(CONTENT_TYPE, content_type).body(body)).await
    }

    /// As [`upload`](Self::upload), as a form (`multipart/form-data`) with the key in its field `key` and the content, which has
    /// a file name here, in its field `content`. The `upload` of the platform's Python client is this one.
    ///
    /// # Errors
    ///
    /// As for [`upload`](Self::upload).
    #[doc(alias = "upload")]
    pub async fn upload_form(
        &self,
        key: &str,
        file_name: &str,
        body: impl Into<Body>,
        content_type: &str,
    ) -> Result<Value, Error> {
        let key = path(KEY, key)?.to_owned();
        let call = Call::post(self.client.project_url(["content"]), format!("cannot upload `{key}`"));
        let (file_name, content_type) = (file_name.to_owned(), content_type.to_owned());
        let form = Form { text: ("key", key), name: "content", file_name, content_type };
        self.client.accepted(call.wait(Wait::Upload).body(body).form(form)).await
    }

    /// Stores what a reader gives under a key, replacing what was there, without holding it in memory.
    ///
    /// # Errors
    ///
    /// As for [`upload`](Self::upload).
    pub async fn upload_streaming(
        &self,
        key: &str,
        reader: impl AsyncRead + Send + 'static,
        content_type: &str,
    ) -> Result<Value, Error> {
        self.upload(key, Body::reader(reader), content_type).await
    }

    /// Stores the [files below a folder](folder_files), each under the key of the folder, `/`, and its path from there. A few
    /// go at a time. Gives the keys, in the order of their names.
    ///
    /// # Errors
    ///
    /// As for [`upload`](Self::upload), with the first failure; what was stored before it stays. [`Code::SkillFailed`] also
    /// for what is no folder, or cannot be read, and for names that are not UTF-8 or cannot be keys: then nothing is stored.
    pub async fn upload_directory(&self, source: impl AsRef<Path>, key: &str) -> Result<Vec<String>, Error> {
        /// As many as go at a time.
        const AT_A_TIME: usize = 4;

        let (source, prefix) = (source.as_ref().to_owned(), key.to_owned());
        let files = tokio::task::spawn_blocking(move || folder_files(&source, &prefix))
            .await
            .map_err(|error| Error::new(Code::Internal, "the folder was not read").with_source(error))??;
        let uploads = files.iter().map(|FolderFile { path, key, .. }| async move {
            self.upload(key, Body::file(path), OCTET_STREAM).await.map(drop)
        });
        stream::iter(uploads).buffer_unordered(AT_A_TIME).try_collect::<()>().await?;
        Ok(files.into_iter().map(|file| file.key).collect())
    }

    /// Opens content for reading.
    ///
    /// # Errors
    ///
    /// As [`Content`] says; [`Error::is_not_found`] when there is nothing under the key.
    pub async fn download(&self, key: &str) -> Result<Download, Error> {
        let call = Call::get(self.url(key)?, format!("cannot download `{key}`"));
        let call = call.wait(Wait::Idle).repeat(Repeat::Download);
        Ok(Download::of_answer(self.client.send(call).await?))
    }

    /// Opens content for reading, or gives `None` when there is nothing under the key.
    ///
    /// # Errors
    ///
    /// As [`Content`] says.
    pub async fn download_opt(&self, key: &str) -> Result<Option<Download>, Error> {
        found(self.download(key).await)
    }

    /// Writes content to a file, and gives the number of bytes. A file that is there is replaced when all has come: see
    /// [`Download::save`].
    ///
    /// # Errors
    ///
    /// As [`Content`] says, and [`Code::SkillFailed`] when the file cannot be written.
    pub async fn download_file(&self, key: &str, path: impl AsRef<Path>) -> Result<u64, Error> {
        self.download(key).await?.save(path).await
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

    /// Lists the content whose keys begin with the prefix, from which leading slashes are dropped as from keys; an empty one
    /// lists everything.
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
        let prefix = prefix.trim_start_matches('/');
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
        let path = path(KEY, key)?;
        Ok(self.client.project_url(std::iter::once("content").chain(path.split('/'))))
    }
}
