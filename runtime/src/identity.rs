//! Who acts, for which project and where, outside of a complete message: what is configured, else the embedded platform.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use etcetera::{AppStrategy, AppStrategyArgs};
use local_platform::{Options, Platform, StartError};
use secrecy::{ExposeSecret, SecretString};
use skill_sdk::auth::environment::CORTEX_PROJECT;
use skill_sdk::auth::{Environment, PersonalAccessConfig, ProcessEnvironment};
use skill_sdk::client::{MessageOptions, VerifySslCert};
use skill_sdk::{Client, Code, Error};

use crate::auth::{read_config, read_secret_file};
use crate::cli::{FillOptions, exit};
use crate::outcome::Refusal;
use crate::telemetry;

/// How long to wait for another process to leave the data folder, how often to look, and how often to ask whether it is a
/// platform that stays and can be used as it is.
const FOLDER_PATIENCE: Duration = Duration::from_secs(30);
const FOLDER_GLANCE: Duration = Duration::from_millis(20);
const FOLDER_QUESTION: u32 = 25;

/// How long a token of the embedded platform lives that is made for a command: no command takes longer.
const COMMAND: Duration = Duration::from_hours(24);

/// Who acts, with a token that is made.
pub(crate) struct Identity {
    pub(crate) url: String,
    pub(crate) project: String,
    pub(crate) token: SecretString,
}

/// The client that acts for whoever types a command. Gives the embedded platform too, if that is the one; it ends when it
/// is dropped.
///
/// # Errors
///
/// As for [`configured`] and [`embedded`].
pub(crate) async fn client(
    options: &FillOptions,
    verify: &VerifySslCert,
) -> Result<(Client, Option<Platform>), Refusal> {
    let settings = MessageOptions { verify_ssl_cert: verify.clone(), ..MessageOptions::default() };
    if let Some(client) = configured(options, &settings, None)? {
        return Ok((client, None));
    }
    let (Identity { url, project, token }, platform) = embedded(options, COMMAND).await?;
    let client = Client::builder().without_environment().without_profile();
    Ok((client.api_endpoint(url).project(project).token(token).build()?, platform))
}

/// Checks that something says which platform is meant, be it only that its data are the embedded platform's: who forgot to say it
/// would otherwise be the administrator of an empty one.
///
/// # Errors
///
/// [`Code::TokenMissing`] with the exit code for a configuration when nothing does, and as for [`configured`].
pub(crate) fn check_named(options: &FillOptions) -> Result<(), Refusal> {
    if options.data.is_some() || configured(options, &MessageOptions::default(), None)?.is_some() {
        return Ok(());
    }
    let detail = "no platform is configured, and of the embedded one you are the administrator, who may do everything: \
                  name one, or take that with --data";
    Err(Refusal::with_exit_code(Error::new(Code::TokenMissing, detail), exit::CONFIG))
}

/// What the options, else the environment, else the profile say, as for any client. It makes its tokens anew before they end,
/// where it can; each lives as long as is said here. `None` when nothing says where a platform is or who asks, or when the
/// data of the embedded platform are asked for.
///
/// # Errors
///
/// [`Code::TokenMissing`], [`Code::TokenInvalid`] and others when what is configured does not suffice.
pub(crate) fn configured(
    options: &FillOptions,
    settings: &MessageOptions,
    lifetime: Option<Duration>,
) -> Result<Option<Client>, Refusal> {
    let named = options.profile.is_some()
        || options.api_endpoint.is_some()
        || options.token_file.is_some()
        || options.personal_access_config.is_some();
    // Who names data wants the platform that keeps them.
    if options.data.is_some() && !named {
        return Ok(None);
    }
    let mut builder = Client::builder()
        .leeway(settings.leeway)
        .verify_ssl_cert(settings.verify_ssl_cert.clone())
        .api_endpoint(options.api_endpoint.as_deref().unwrap_or_default())
        .project(options.project.as_deref().unwrap_or_default());
    if let Some(lifetime) = lifetime {
        builder = builder.token_ttl(lifetime);
    }
    if let Some(path) = &options.token_file {
        builder = builder.token(read_secret_file(path, "token file")?.expose_secret().trim());
    } else if let Some(path) = &options.personal_access_config {
        builder = builder.config(read_config(path)?);
    }
    // Who names a profile wants that one, not what happens to be in the environment.
    if let Some(name) = &options.profile {
        builder = builder.without_environment().profile(name);
    }
    Ok(builder.build_opt()?)
}

/// Where the embedded platform keeps its data unless told otherwise.
pub(crate) fn data_folder(given: Option<&Path>) -> Result<PathBuf, Error> {
    if let Some(folder) = given {
        return Ok(folder.to_owned());
    }
    let application = AppStrategyArgs {
        top_level_domain: String::new(),
        author: String::new(),
        app_name: "skill-runtime".to_owned(),
    };
    let folders = etcetera::choose_app_strategy(application).map_err(|error| {
        Error::new(Code::PlatformUnavailable, "there is no home folder for the embedded platform's data: set --data")
            .with_source(error)
    })?;
    Ok(folders.state_dir().unwrap_or_else(|| folders.data_dir()).join("platform"))
}

/// Starts the embedded platform, which ends when it is dropped, and makes a token that lives so long. When another process
/// holds the data, that is either a platform that runs apart, which is used, or another command, which soon ends.
///
/// # Errors
///
/// As for [`cannot_start`].
pub(crate) async fn embedded(
    options: &FillOptions,
    lifetime: Duration,
) -> Result<(Identity, Option<Platform>), Refusal> {
    let (identity, platform) = embedded_in(options.data.as_deref(), lifetime).await?;
    let named = match &options.project {
        Some(project) => Some(project.clone()),
        None => ProcessEnvironment.text(CORTEX_PROJECT)?,
    };
    Ok((Identity { project: named.unwrap_or(identity.project), ..identity }, platform))
}

/// As [`embedded`], with the data in a folder, in the project of the platform.
///
/// # Errors
///
/// As for [`embedded`].
pub(crate) async fn embedded_in(
    data: Option<&Path>,
    lifetime: Duration,
) -> Result<(Identity, Option<Platform>), Refusal> {
    let (started, using) = match data {
        Some(_) => ("started the embedded platform", "using the embedded platform that runs"),
        None => (
            "no platform is configured: started the embedded one",
            "no platform is configured: using the embedded one that runs",
        ),
    };
    let data = data_folder(data)?;
    let patience = Instant::now() + FOLDER_PATIENCE;
    let mut glances = 0u32;
    let platform = loop {
        match Platform::start(Options::at(&data)).await {
            Ok(platform) => break platform,
            Err(StartError::InUse { .. }) if Instant::now() < patience => {
                if glances.is_multiple_of(FOLDER_QUESTION)
                    && let Ok(identity) = running(&data, using, lifetime).await
                {
                    return Ok((identity, None));
                }
                glances += 1;
                tokio::time::sleep(FOLDER_GLANCE).await;
            }
            Err(error) => return Err(cannot_start("the embedded platform", error)),
        }
    };
    telemetry::notice(&format!("{started} at {}, data in {}", platform.url(), data.display()));
    let token = platform
        .mint_token(lifetime)
        .map_err(|error| Error::new(Code::Internal, "the embedded platform makes no token").with_source(error))?;
    let (url, project) = (platform.url().to_owned(), platform.project().to_owned());
    Ok((Identity { url, project, token }, Some(platform)))
}

/// Why a platform does not start: [`Code::PlatformUnavailable`], and data that cannot be used are a bad configuration.
pub(crate) fn cannot_start(what: &str, error: StartError) -> Refusal {
    let misconfigured = matches!(error, StartError::Data { .. } | StartError::Access { .. });
    let error = Error::new(Code::PlatformUnavailable, format!("cannot start {what}")).with_source(error);
    if misconfigured { Refusal::with_exit_code(error, exit::CONFIG) } else { error.into() }
}

/// The platform that runs apart on the data.
async fn running(data: &Path, using: &str, lifetime: Duration) -> Result<Identity, Error> {
    let config = PersonalAccessConfig::from_file(&data.join("pat.json"))?;
    let token = config.mint(lifetime, &VerifySslCert::default()).await?.secret().clone();
    telemetry::notice(&format!("{using} at {}", config.url));
    let project = config.project.unwrap_or_else(|| "local".to_owned());
    Ok(Identity { url: config.url, project, token })
}
