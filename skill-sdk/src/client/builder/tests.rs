use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::testing;
use serde_json::{Value, json};

/// A personal access config that says by its URL and project where it is from. No platform knows its key.
fn config(origin: &str) -> Value {
    json!({
        "jwk": {
            "crv": "Ed25519", "kty": "OKP", "x": "sr3YcgqEB-vUnNdiBqHZKcsy5V6CX4AczcoLSTEMOsQ",
            "d": "ZXhhbXBsZSBrZXksIG5ldmVyIHVzZWQgYW55d2hlcmU"
        },
        "issuer": "i", "audience": "a", "username": "u", "project": format!("{origin}-project"),
        "url": format!("http://{origin}")
    })
}

fn token() -> String {
    testing::Token::new().text().expose_secret().to_owned()
}

/// A folder of profiles, with one that is current.
fn profiles() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = json!({
        "version": "5", "currentProfile": "current",
        "profiles": {"current": config("profile"), "other": config("other-profile")}
    });
    std::fs::write(folder.path().join("config"), file.to_string()).unwrap();
    folder
}

/// An environment in which the profiles are in the folder.
fn environment(folder: &Path, variables: &[(&'static str, String)]) -> BTreeMap<&'static str, String> {
    let folder = [("CORTEX_CONFIG_DIR", folder.to_str().unwrap().to_owned())];
    folder.into_iter().chain(variables.iter().cloned()).collect()
}

fn described(client: &Client) -> (&'static str, &str, &str) {
    (client.0.identity, client.api_endpoint(), client.project())
}

/// Every combination of sources, beside the order that is documented: the first that there is counts, each value on its own.
#[test]
fn each_value_comes_from_its_first_source() {
    let (folder, nothing) = (profiles(), tempfile::tempdir().unwrap());
    for bits in 0..1_u32 << 10 {
        let has = |bit: u32| bits & (1 << bit) != 0;
        let (token_parameter, config_parameter, token_variable, config_variable) = (has(0), has(1), has(2), has(3));
        let (url_parameter, uri, url_variable) = (has(4), has(5), has(6));
        let (project_parameter, project_variable, profile) = (has(7), has(8), has(9));

        let mut builder = Client::builder();
        if token_parameter {
            builder = builder.token(token());
        }
        if config_parameter {
            builder = builder.config(PersonalAccessConfig::from_json(&config("parameter").to_string()).unwrap());
        }
        if url_parameter {
            builder = builder.api_endpoint("http://url-parameter");
        }
        if project_parameter {
            builder = builder.project("project-parameter");
        }
        let mut variables = vec![];
        let mut set = |is_set: bool, name, value: &str| {
            if is_set {
                variables.push((name, value.to_owned()));
            }
        };
        set(token_variable, "CORTEX_TOKEN", &token());
        set(config_variable, "CORTEX_PERSONAL_ACCESS_CONFIG", &config("variable").to_string());
        set(uri, "CORTEX_URI", "http://uri");
        set(url_variable, "CORTEX_URL", "http://url");
        set(project_variable, "CORTEX_PROJECT", "project-variable");
        let folder = if profile { folder.path() } else { nothing.path() };
        let result = builder.environment(environment(folder, &variables)).build_opt();

        let first = |sources: &[(bool, &'static str)]| sources.iter().find(|(is, _)| *is).map(|(_, value)| *value);
        let identity = first(&[
            (token_parameter, "the parameter `token`"),
            (config_parameter, "the parameter `config`"),
            (token_variable, "CORTEX_TOKEN"),
            (config_variable, "CORTEX_PERSONAL_ACCESS_CONFIG"),
            (profile, "the profile"),
        ]);
        // A token leaves no room for a config among the parameters.
        let config = first(&[
            (config_parameter && !token_parameter, "parameter"),
            (config_variable, "variable"),
            (profile, "profile"),
        ]);
        let config_url = config.map(|origin| format!("http://{origin}"));
        let url = first(&[(url_parameter, "http://url-parameter"), (uri, "http://uri"), (url_variable, "http://url")]);
        let url = url.map(str::to_owned).or(config_url);
        let project = first(&[(project_parameter, "project-parameter"), (project_variable, "project-variable")]);
        let project = project.map(str::to_owned).or(config.map(|origin| format!("{origin}-project")));
        match (identity, url, project) {
            (Some(identity), Some(url), Some(project)) => {
                let client = result.unwrap().expect("a client");
                assert_eq!(described(&client), (identity, &*url, &*project), "{bits:b}");
            }
            (None, None, _) => assert!(result.unwrap().is_none(), "{bits:b}"),
            (None, Some(_), _) => assert_eq!(result.unwrap_err().code(), Code::TokenMissing, "{bits:b}"),
            (Some(_), None, _) => assert_eq!(result.unwrap_err().missing(), ["apiEndpoint"], "{bits:b}"),
            (Some(_), Some(_), None) => assert_eq!(result.unwrap_err().missing(), ["projectId"], "{bits:b}"),
        }
    }
}

#[test]
fn what_is_empty_counts_as_not_given() {
    let folder = profiles();
    let empty = ["CORTEX_TOKEN", "CORTEX_PERSONAL_ACCESS_CONFIG", "CORTEX_URI", "CORTEX_URL", "CORTEX_PROJECT"];
    let variables = empty.map(|name| (name, String::new()));
    let client = Client::builder().token("").api_endpoint("").project("").profile("");
    let client = client.environment(environment(folder.path(), &variables)).build().unwrap();
    assert_eq!(described(&client), ("the profile", "http://profile", "profile-project"));
}

#[test]
fn a_constructor_says_where_values_come_from() {
    let folder = profiles();
    let variables = [
        ("CORTEX_TOKEN", token()),
        ("CORTEX_URI", "http://uri".to_owned()),
        ("CORTEX_PROJECT", "project-variable".to_owned()),
    ];
    let builder = || Client::builder().environment(environment(folder.path(), &variables));
    let client = builder().without_environment().profile("other").build().unwrap();
    assert_eq!(described(&client), ("the profile", "http://other-profile", "other-profile-project"));
    let client = builder().without_profile().profile("other").build().unwrap();
    assert_eq!(described(&client), ("CORTEX_TOKEN", "http://uri", "project-variable"));
    // A name alone only says which profile is the last resort.
    let client = builder().profile("other").build().unwrap();
    assert_eq!(described(&client), ("CORTEX_TOKEN", "http://uri", "project-variable"));
}

#[test]
fn a_source_is_read_only_when_something_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config"), "not a file of profiles").unwrap();
    let variables = [("CORTEX_PERSONAL_ACCESS_CONFIG", "/no/such/file".to_owned())];
    let environment = || environment(folder.path(), &variables);
    let complete = Client::builder().token(token()).api_endpoint("http://h").project("p");
    assert!(complete.environment(environment()).build().is_ok());
    let without_project = Client::builder().token(token()).api_endpoint("http://h");
    let error = without_project.environment(environment()).build().unwrap_err();
    assert!(error.detail().contains("CORTEX_PERSONAL_ACCESS_CONFIG names a file that cannot be read"), "{error}");
}

#[test]
fn the_folder_of_profiles_is_below_home() {
    let home = tempfile::tempdir().unwrap();
    std::fs::rename(profiles().keep(), home.path().join(".cortex")).unwrap();
    let at = |name| BTreeMap::from([(name, home.path().to_str().unwrap().to_owned())]);
    let client = Client::builder().environment(at("HOME")).build().unwrap();
    assert_eq!(client.api_endpoint(), "http://profile");
    assert!(Client::builder().environment(at("CORTEX_CONFIG_DIR")).build_opt().unwrap().is_none());

    // A name that might as well be a key is one of a file if there is one.
    let mut environment = at("CORTEX_CONFIG_DIR");
    let plain = home.path().join("pat");
    std::fs::write(&plain, config("plain").to_string()).unwrap();
    environment.insert("CORTEX_PERSONAL_ACCESS_CONFIG", plain.to_str().unwrap().to_owned());
    assert_eq!(Client::builder().environment(environment).build().unwrap().api_endpoint(), "http://plain");
    let config_file = home.path().join("pat.json");
    std::fs::write(config_file, config("file").to_string()).unwrap();
    let mut environment = at("HOME");
    environment.insert("CORTEX_PERSONAL_ACCESS_CONFIG", " ~/pat.json ".to_owned());
    let client = Client::builder().environment(environment).build().unwrap();
    assert_eq!(client.api_endpoint(), "http://file");
}

#[test]
fn a_login_comes_before_the_environment() {
    use crate::auth::Login;
    use std::ffi::OsString;

    struct LoggedIn(Option<&'static str>);
    impl Environment for LoggedIn {
        fn raw(&self, name: &str) -> Option<OsString> {
            matches!(name, "CORTEX_TOKEN" | "CORTEX_URI" | "CORTEX_PROJECT").then(|| "variable".into())
        }

        fn login(&self) -> Option<Arc<Login>> {
            let mut config = config("entered");
            config["project"] = self.0.into();
            Some(Arc::new(Login::from_json(config.to_string().into()).unwrap()))
        }
    }
    let client = Client::builder().environment(LoggedIn(Some("entered"))).build().unwrap();
    assert_eq!(described(&client), ("the login", "http://entered", "entered"));
    let client = Client::builder().environment(LoggedIn(None)).build().unwrap();
    assert_eq!(described(&client), ("the login", "http://entered", "variable"));
    let client = Client::builder().environment(LoggedIn(None)).token(token()).api_endpoint("http://h").build().unwrap();
    assert_eq!(described(&client), ("the parameter `token`", "http://h", "variable"));
}

/// What the user is told, whole: the first line is what they search for, the second says which case it is and what was looked
/// at, the third what to do.
#[test]
fn a_failure_says_which_case_it_is_and_what_to_do() {
    const HEADING: &str = "Your Cortex credentials could not be retrieved.";
    const RUN: &str = "Run \"cortex configure\" or \"skill-runtime auth login\", or use Client::login().";
    const RENEW: &str = "Get a new token, and pass the platform's URL and the token to the client directly.";
    let nothing = tempfile::tempdir().unwrap();
    let file = nothing.path().join("config").display().to_string();
    let expired = testing::Token::new().with("exp", 1_718_000_000).text().expose_secret().to_owned();
    let nobody = testing::Token::new().without("sub").text().expose_secret().to_owned();
    let where_ = ("CORTEX_URI", "http://h".to_owned());
    let token = |value: &str| vec![("CORTEX_TOKEN", value.to_owned()), where_.clone()];
    let rows = [
        (
            vec![],
            Code::TokenMissing,
            format!(
                "There is no token: the parameters `token` and `config` are not given; CORTEX_TOKEN is not set; \
                 CORTEX_PERSONAL_ACCESS_CONFIG is not set; there is no file {file}."
            ),
            RUN.to_owned(),
        ),
        (
            token(""),
            Code::TokenMissing,
            format!(
                "There is no token: the parameters `token` and `config` are not given; CORTEX_TOKEN is set, but empty; \
                 CORTEX_PERSONAL_ACCESS_CONFIG is not set; there is no file {file}."
            ),
            format!("Remove the empty value of CORTEX_TOKEN. {RUN}"),
        ),
        (
            token(" "),
            Code::TokenInvalid,
            "CORTEX_TOKEN cannot be used: Your Cortex Token is invalid: not a JWT".to_owned(),
            "Remove that value from CORTEX_TOKEN: unset it, or set it to a token.".to_owned(),
        ),
        (
            token("asda"),
            Code::TokenInvalid,
            "CORTEX_TOKEN cannot be used: Your Cortex Token is invalid: not a JWT".to_owned(),
            "Remove that value from CORTEX_TOKEN: unset it, or set it to a token.".to_owned(),
        ),
        (
            token(&nobody),
            Code::TokenInvalid,
            "CORTEX_TOKEN cannot be used: Your Cortex Token is invalid: claim sub is missing".to_owned(),
            RENEW.to_owned(),
        ),
    ];
    for (variables, code, why, advice) in rows {
        let error = Client::builder().environment(environment(nothing.path(), &variables)).build().unwrap_err();
        assert_eq!((error.code(), error.detail()), (code, &*format!("{HEADING}\n{why}\n{advice}")), "{variables:?}");
    }
    let error = Client::builder().environment(environment(nothing.path(), &token(&expired))).build().unwrap_err();
    let lines: Vec<&str> = error.detail().lines().collect();
    assert_eq!((error.code(), lines[0], lines[2]), (Code::TokenExpired, HEADING, RENEW));
    let when = "CORTEX_TOKEN cannot be used: Your Cortex Token expired at 2024-06-10T06:13:20Z, ";
    assert!(lines[1].starts_with(when) && lines[1].ends_with(" ago"), "{error}");
    // The same for a parameter.
    let error = Client::builder().token("asda").build().unwrap_err();
    let expected =
        "the parameter `token` cannot be used: Your Cortex Token is invalid: not a JWT\nGive a token of the platform.";
    assert_eq!(error.detail(), format!("{HEADING}\n{expected}"));
}

#[test]
fn a_failure_names_the_source_that_cannot_be_used() {
    const UNABLE: &str = "Unable to generate a JWT token, check PAT config or cortex profile: ";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pat.json").display().to_string();
    std::fs::write(&path, r#"{"jwk": {"kty": "RSA"}, "url": "http://h"}"#).unwrap();
    for (value, why) in [
        (
            "/no/such/pat.json".to_owned(),
            "CORTEX_PERSONAL_ACCESS_CONFIG names a file that cannot be read: /no/such/pat.json".to_owned(),
        ),
        ("{".to_owned(), "CORTEX_PERSONAL_ACCESS_CONFIG is not valid JSON of its form (line 1, column 1)".to_owned()),
        (" ".to_owned(), "CORTEX_PERSONAL_ACCESS_CONFIG is neither JSON nor the path of a file".to_owned()),
        (
            "'{\"jwk\": 1}'".to_owned(),
            "CORTEX_PERSONAL_ACCESS_CONFIG is neither JSON nor the path of a file".to_owned(),
        ),
        (
            "ZXhhbXBsZSBrZXksIG5ldmVyIHVzZWQgYW55d2hlcmU".to_owned(),
            "CORTEX_PERSONAL_ACCESS_CONFIG is neither JSON nor the path of a file".to_owned(),
        ),
        (token(), "CORTEX_PERSONAL_ACCESS_CONFIG is neither JSON nor the path of a file".to_owned()),
        (
            r#"{"jwk": {}, "url": "http://u:hunter2@h"}"#.to_owned(),
            "CORTEX_PERSONAL_ACCESS_CONFIG has an unusable url: it must not hold a user name or password".to_owned(),
        ),
        ("{}".to_owned(), "CORTEX_PERSONAL_ACCESS_CONFIG lacks jwk".to_owned()),
        (
            path.clone(),
            format!(
                "CORTEX_PERSONAL_ACCESS_CONFIG names a file that has an unusable key: kty must be OKP and crv Ed25519: {path}"
            ),
        ),
    ] {
        let environment = environment(folder.path(), &[("CORTEX_PERSONAL_ACCESS_CONFIG", value)]);
        let error = Client::builder().environment(environment).build().unwrap_err();
        assert_eq!((error.code(), error.detail()), (Code::TokenInvalid, &*format!("{UNABLE}{why}")));
    }

    let config = folder.path().join("config");
    let profile = json!({"version": "5", "profiles": {"default": {"url": "http://h", "jwk": 1}}}).to_string();
    std::fs::write(&config, profile).unwrap();
    let error = Client::builder().environment(environment(folder.path(), &[])).build().unwrap_err();
    let why = format!("{}: profile \"default\" is not valid JSON of its form", config.display());
    assert_eq!(error.detail(), format!("{UNABLE}{why}"));
    for (text, name, why) in [
        (r#"{"version": "2", "profiles": {"default": {}}}"#, "", "cortex configure"),
        (r#"{"profiles": {}}"#, "", "Please configure the Cortex CLI by running \"cortex configure\""),
        (r#"{"version": "5", "profiles": {"a": {}}}"#, "b", "Profile with name \"b\" could not be located"),
        (r#"{"version": "5", "profiles": {"a": {}}}"#, "", "Profile with name \"default\" could not be located"),
    ] {
        std::fs::write(&config, text).unwrap();
        let builder = Client::builder().environment(environment(folder.path(), &[])).profile(name);
        let error = builder.build().unwrap_err();
        assert_eq!(error.code(), Code::TokenMissing);
        let lines: Vec<&str> = error.detail().lines().collect();
        assert_eq!(lines[0], "Your Cortex credentials could not be retrieved.");
        assert!(lines[1].contains(why) && lines[1].contains(config.to_str().unwrap()), "{error}");
    }
    std::fs::remove_file(&config).unwrap();
    let builder = Client::builder().environment(environment(folder.path(), &[])).profile("b");
    let error = builder.build().unwrap_err();
    assert!(error.detail().contains(config.to_str().unwrap()) && error.detail().contains("\"b\""), "{error}");
}

#[test]
fn url_and_project_must_be_there_and_usable() {
    let client = || Client::builder().environment(BTreeMap::<_, &str>::new()).token(token());
    let error = client().build().unwrap_err();
    assert!(
        error.detail().starts_with("Your Cortex credentials could not be retrieved.\nThere is a token, but no URL")
    );
    assert_eq!((error.code(), error.missing()), (Code::InvalidMessage, &["apiEndpoint".into()][..]));
    assert!(error.detail().contains("CORTEX_URI and CORTEX_URL are not set"), "{error}");
    let error = client().without_environment().build().unwrap_err();
    assert!(!error.detail().contains("not set"), "what does not count is not named: {error}");
    let error = client().api_endpoint("http://h").build().unwrap_err();
    assert!(error.detail().starts_with("Please Provide Project Name that you want to access Cortex Assets for"));
    assert_eq!((error.code(), error.missing()), (Code::InvalidMessage, &["projectId".into()][..]));
    for (url, project) in
        [("ftp://h", "p"), ("h", "p"), ("http://u:p@h", "p"), ("http://h", ".."), ("http://h", "a\nb")]
    {
        let error = client().api_endpoint(url).project(project).build().unwrap_err();
        assert_eq!(error.code(), Code::InvalidMessage, "{url} {project}");
    }
}

#[test]
fn paths_have_the_version() {
    let client = Client::builder().token(token()).api_endpoint("http://h/base/").project("p").api_version(5);
    assert_eq!(client.build().unwrap().project_url(["content"]).as_str(), "http://h/base/fabric/v5/projects/p/content");
}

#[test]
fn debug_shows_no_secret() {
    let secret = token();
    let builder = Client::builder().token(secret.clone()).api_endpoint("http://h").project("p");
    let shown = format!("{builder:?}") + &format!("{:?}", builder.build().unwrap());
    assert!(shown.contains("http://h") && !shown.contains(&secret) && !shown.contains("eyJ"), "{shown}");
}
