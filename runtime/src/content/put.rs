//! `content put`: stores files.

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
use super::{io_cause, print, with_content};
use crate::cli::content::PutOptions;
use crate::cli::exit;
use crate::outcome::Refusal;

/// How many files of a folder are on their way at a time.
const AT_A_TIME: usize = 4;

pub(super) fn run(options: PutOptions) -> Result<ExitCode, Refusal> {
    let items = files::named(&options)?;
    let PutOptions { content_type, call, .. } = options;
    with_content(&call, async |content| {
        let progress = progress(&items);
        let (stored, done) = progress.during(store(content, items, content_type.into(), &progress)).await;
        let printed = if stored.is_empty() { Ok(ExitCode::SUCCESS) } else { print(stored).await };
        done.and(printed)
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

/// Stores everything, and gives the keys of what was stored, a line each. The first failure ends it.
async fn store(
    content: Content,
    items: Vec<Item>,
    content_type: Arc<str>,
    progress: &Arc<Progress>,
) -> (String, Result<(), Refusal>) {
    let mut stored = vec![None; items.len()];
    let mut waiting = items.into_iter().enumerate();
    let mut under_way = JoinSet::new();
    let mut done = Ok(());
    loop {
        while under_way.len() < AT_A_TIME
            && let Some((place, item)) = waiting.next()
        {
            let (content, content_type, progress) = (content.clone(), content_type.clone(), progress.clone());
            under_way.spawn(async move { (place, store_one(&content, item, &content_type, progress).await) });
        }
        match under_way.join_next().await {
            None => break,
            Some(Ok((place, Ok(key)))) => stored[place] = Some(key + "\n"),
            Some(Ok((_, Err(refusal)))) => {
                done = Err(refusal);
                break;
            }
            Some(Err(error)) => {
                done = Err(Error::new(Code::Internal, "an upload was not done").with_source(error).into());
                break;
            }
        }
    }
    (stored.into_iter().flatten().collect(), done)
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
