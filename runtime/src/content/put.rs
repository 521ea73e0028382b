//! `content put`: stores files.

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use skill_sdk::client::{Body, Content};
use skill_sdk::{Code, Error};
use tokio::fs::File;
use tokio::task::JoinSet;

use super::files::{self, Item, Source, unreadable};
use super::progress::Progress;
use super::with_content;
use crate::cli::content::PutOptions;
use crate::cli::exit;
use crate::outcome::Refusal;
use crate::stdout::{io_cause, print};

/// How many files of a folder are on their way at a time.
const AT_A_TIME: usize = 4;

pub(super) fn run(options: PutOptions) -> Result<ExitCode, Refusal> {
    let items = files::named(&options)?;
    let PutOptions { content_type, call, .. } = options;
    with_content(&call, async |content| {
        let progress = progress(&items);
        // At a terminal they would stand in the way of the progress.
        let mut keys = Keys::new(std::io::stdout().is_terminal());
        let done = progress.during(store(content, items, content_type.into(), &progress, &mut keys)).await;
        done.and(keys.finish().await)
    })
}

fn progress(items: &[Item]) -> Arc<Progress> {
    let length = |item: &Item| match item.source {
        Source::File(_, length) => Some(length),
        Source::Stream(_) | Source::StandardInput => None,
    };
    let label = match items {
        [item] => item.key.clone(),
        items => format!("{} files", items.len()),
    };
    Arc::new(Progress::new(&label, items.iter().map(length).sum(), true))
}

/// Stores everything. After the first failure nothing new is begun.
async fn store(
    content: Content,
    items: Vec<Item>,
    content_type: Arc<str>,
    progress: &Arc<Progress>,
    keys: &mut Keys,
) -> Result<(), Refusal> {
    let mut waiting = items.into_iter();
    let mut under_way = JoinSet::new();
    let mut done = Ok(());
    loop {
        while done.is_ok()
            && under_way.len() < AT_A_TIME
            && let Some(item) = waiting.next()
        {
            let (content, content_type, progress) = (content.clone(), content_type.clone(), progress.clone());
            under_way.spawn(async move { store_one(&content, item, &content_type, progress).await });
        }
        let Some(joined) = under_way.join_next().await else { return done };
        let stored = joined.unwrap_or_else(|error| {
            Err(Error::new(Code::Internal, "an upload was not done").with_source(error).into())
        });
        match stored {
            Ok(key) => keys.stored(key).await,
            // The first one is told.
            Err(refusal) => done = done.and(Err(refusal)),
        }
    }
}

/// Prints the keys of what is stored.
struct Keys {
    /// Those that are printed at the end, a line each.
    held: String,
    holds: bool,
    printed: Result<ExitCode, Refusal>,
}

impl Keys {
    fn new(holds: bool) -> Self {
        Self { held: String::new(), holds, printed: Ok(ExitCode::SUCCESS) }
    }

    async fn stored(&mut self, key: String) {
        self.held += &(key + "\n");
        if !self.holds {
            self.print().await;
        }
    }

    /// What comes of printing does not end the uploads.
    async fn print(&mut self) {
        let lines = std::mem::take(&mut self.held);
        if self.is_read() && !lines.is_empty() {
            self.printed = print(lines).await;
        }
    }

    /// Whether nothing has failed so far.
    fn is_read(&self) -> bool {
        self.printed.as_ref().is_ok_and(|code| *code == ExitCode::SUCCESS)
    }

    async fn finish(mut self) -> Result<ExitCode, Refusal> {
        self.print().await;
        self.printed
    }
}

async fn store_one(
    content: &Content,
    item: Item,
    content_type: &str,
    progress: Arc<Progress>,
) -> Result<String, Refusal> {
    let Item { source, key } = item;
    let body = match source {
        Source::File(path, _) => Body::file(path),
        Source::Stream(path) => Body::reader(opened(path).await?),
        Source::StandardInput => Body::reader(standard_input()?),
    };
    // It starts anew when the upload is repeated.
    let before = AtomicU64::new(0);
    let body = body.on_progress(move |sent| {
        let before = before.swap(sent, Ordering::Relaxed);
        progress.move_by(before, sent);
    });
    content.upload(&key, body, content_type).await.map_err(local)?;
    Ok(key)
}

/// A pipe or a device. That may wait for whoever writes to it.
async fn opened(path: PathBuf) -> Result<File, Refusal> {
    File::open(&path).await.map_err(|error| unreadable(&path, error))
}

fn standard_input() -> Result<File, Refusal> {
    let input = std::io::stdin().as_fd().try_clone_to_owned();
    let input = input.map_err(|error| unreadable("standard input".as_ref(), error))?;
    Ok(File::from_std(input.into()))
}

/// A failure, with the exit code of a file that cannot be read if that is what it is.
fn local(error: Error) -> Refusal {
    let is_local = error.code() == Code::SkillFailed && error.http_status().is_none() && io_cause(&error).is_some();
    if is_local { Refusal::with_exit_code(error, exit::NO_INPUT) } else { error.into() }
}
