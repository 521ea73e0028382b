//! `content get`: writes what is stored.

use std::process::ExitCode;

use skill_sdk::Error;
use skill_sdk::client::Content;
use skill_sdk::client::content::Download;

use super::progress::Progress;
use super::sink::Sink;
use super::target::Target;
use super::{beside, is_closed_pipe, with_content};
use crate::cli::content::GetOptions;
use crate::cli::exit;
use crate::outcome::Refusal;

pub(super) fn run(options: &GetOptions) -> Result<ExitCode, Refusal> {
    with_content(&options.call, async |content| match fetch(&content, options).await {
        Err(error) if is_closed_pipe(&error) => Ok(exit::BROKEN_PIPE.into()),
        done => Ok(done.map(|()| ExitCode::SUCCESS)?),
    })
}

async fn fetch(content: &Content, options: &GetOptions) -> Result<(), Error> {
    let GetOptions { key, target, .. } = options;
    let mut download = content.download(key).await?;
    let (file, name) = (target.clone().filter(|file| file.as_os_str() != "-"), key.clone());
    let (target, output) = beside(move || Target::open(file.as_deref(), &name)).await??;
    let progress = Progress::new(key, download.content_length(), !target.is_terminal());
    let sink = Sink::new(output);
    let written = progress.during(copy(&mut download, sink, &progress)).await;
    written.map_err(|failure| match failure {
        Failure::Platform(error) => error,
        Failure::Local(error) => target.unwritable(error),
    })?;
    beside(move || target.keep()).await?
}

enum Failure {
    Platform(Error),
    Local(std::io::Error),
}

async fn copy(download: &mut Download, mut sink: Sink, progress: &Progress) -> Result<(), Failure> {
    while let Some(piece) = download.chunk().await.map_err(Failure::Platform)? {
        progress.move_by(0, piece.len() as u64);
        if !sink.write(piece).await {
            break;
        }
    }
    sink.finish().await.map_err(Failure::Local)
}
