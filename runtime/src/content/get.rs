//! `content get`: writes what is stored.

use std::process::ExitCode;
use std::sync::Arc;

use skill_sdk::client::Content;
use skill_sdk::{Code, Error};

use super::progress::Progress;
use super::target::Target;
use super::with_content;
use crate::call::beside;
use crate::cli::content::GetOptions;
use crate::cli::exit;
use crate::outcome::Refusal;
use crate::stdout::is_closed_pipe;

pub(super) fn run(options: &GetOptions) -> Result<ExitCode, Refusal> {
    with_content(&options.call, async |content| match fetch(&content, options).await {
        Err(error) if is_closed_pipe(&error) => Ok(exit::BROKEN_PIPE.into()),
        done => Ok(done.map(|_| ExitCode::SUCCESS)?),
    })
}

async fn fetch(content: &Content, options: &GetOptions) -> Result<u64, Error> {
    let GetOptions { key, target, .. } = options;
    let download = content.download(key).await?;
    let (file, name) = (target.clone().filter(|file| file.as_os_str() != "-"), key.clone());
    let (target, is_shown) = beside(move || {
        let target = Target::find(file.as_deref(), &name)?;
        let is_shown = !target.is_terminal();
        Ok::<_, Error>((target, is_shown))
    })
    .await??;
    let progress = Arc::new(Progress::new(key, download.content_length(), is_shown));
    let download = download.on_progress({
        let progress = progress.clone();
        move |bytes| progress.set(bytes)
    });
    let written = async {
        match target {
            Target::StandardOutput(output) => download.write_to(output).await.map_err(unwritable),
            Target::Path(path) => download.save(path).await,
        }
    };
    progress.during(written).await
}

/// A failure to write to standard output, which is no skill's; any other is as it was.
fn unwritable(error: Error) -> Error {
    match error.code() {
        Code::SkillFailed => Error::new(Code::Internal, "cannot write to standard output").with_source(error),
        _ => error,
    }
}
