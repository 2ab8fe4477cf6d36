//! Stories of layers: what each may say, and what bad input gets.

use std::fs;

use serde_json::json;

use super::*;

/// Layers as texts, in a folder of their own.
struct Layers {
    folder: tempfile::TempDir,
    editor: serde_json::Value,
    workspace: serde_json::Value,
    flags: Layer,
}

impl Layers {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            editor: json!(null),
            workspace: json!(null),
            flags: Layer::default(),
        }
    }

    fn user(self, text: &str) -> Self {
        fs::write(self.folder.path().join("config.toml"), text).unwrap();
        self
    }

    fn project(self, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.folder.path().join(".runpen.toml"), text).unwrap();
        self
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        let path = |name: &str| Some(self.folder.path().join(name)).filter(|path| path.exists());
        load(&Sources {
            user: path("config.toml").as_deref(),
            editor: Some(&self.editor),
            flags: Some(&self.flags),
            project: path(".runpen.toml").as_deref(),
            workspace: Some(&self.workspace),
        })
    }

    fn settings(&self) -> Settings {
        let loaded = self.load().unwrap();
        assert_eq!(loaded.warnings, [], "no warning was wanted");
        loaded.settings
    }

    /// The one-line words of warnings, without the folder's name.
    fn warnings(&self) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        self.load().unwrap().warnings.iter().map(|warning| warning.to_string().replace(&folder, "")).collect()
    }

    fn error(&self) -> String {
        let folder = format!("{}/", self.folder.path().display());
        let error = self.load().unwrap_err().to_string().replace(&folder, "");
        assert!(!error.contains('\n'), "{error}");
        error
    }
}

fn seconds(seconds: u64) -> Span {
    Span(Duration::from_secs(seconds))
}

#[test]
fn without_any_layer_the_settings_are_the_built_in_ones() {
    let settings = Layers::new().settings();
    assert_eq!(settings, Settings::default());
    assert_eq!((settings.timeout, settings.network), (seconds(10), Network::None));
    assert_eq!(settings.source("timeout"), "built-in");
}

#[test]
fn the_users_layers_may_say_anything_and_later_ones_win() {
    let mut layers = Layers::new().user(
        r#"
        engine = "docker"
        isolation = "gvisor"
        strict = true
        timeout = "60s"
        compile-timeout = "2m"
        memory = "1G"
        cpus = 2
        pids = 128
        output-limit = "64K"
        network = "bridge"
        env = { A_b = "1", B = "2" }
        warm = { enabled = false, per-language = 1, memory = "64M", idle-timeout = "1m", pull = false }
        "#,
    );
    let settings = layers.settings();
    assert_eq!(settings.engine, EngineChoice::Docker);
    assert_eq!(settings.isolation, Isolation::Gvisor);
    assert!(settings.strict);
    assert_eq!((settings.timeout, settings.compile_timeout), (seconds(60), seconds(120)));
    assert_eq!((settings.memory, settings.cpus), (Some(Size::mib(1024)), Cpus::from_milli(2000)));
    assert_eq!((settings.pids, settings.output_limit), (Some(128), Size::from_bytes(65_536)));
    assert_eq!(settings.network, Network::Bridge);
    assert_eq!(settings.env["A_b"], "1");
    let warm = Warm { enabled: false, per_language: 1, memory: Size::mib(64), idle_timeout: seconds(60), pull: false };
    assert_eq!(settings.warm, warm);
    assert!(settings.source("timeout").ends_with("config.toml:5"), "{}", settings.source("timeout"));

    layers.editor =
        json!({ "timeout": "70s", "compileTimeout": "3m", "env": { "B": "3" }, "warm": { "perLanguage": 3 } });
    let settings = layers.settings();
    assert_eq!((settings.timeout, settings.compile_timeout), (seconds(70), seconds(180)));
    assert_eq!((settings.env["A_b"].as_str(), settings.env["B"].as_str()), ("1", "3"));
    assert_eq!((settings.warm.per_language, settings.warm.enabled), (3, false));
    assert_eq!(settings.source("timeout"), "editor settings");

    layers.flags = Layer { timeout: Some(seconds(80)), ..Layer::default() };
    assert_eq!(layers.settings().timeout, seconds(80));
    assert_eq!(layers.settings().source("timeout"), "command line");
}

#[test]
fn a_project_may_tighten() {
    let mut layers = Layers::new().user("timeout = '20s'\nmemory = '1G'\nnetwork = 'bridge'").project(
        "engine = 'docker'\nisolation = 'auto'\nstrict = true\ntimeout = '5s'\ncompile-timeout = '10s'\nmemory = '100M'\n\
         cpus = 0.1\npids = 10\noutput-limit = '1K'\nnetwork = 'none'\n",
    );
    let settings = layers.settings();
    assert_eq!((settings.timeout, settings.compile_timeout), (seconds(5), seconds(10)));
    assert_eq!((settings.network, settings.strict), (Network::None, true));
    assert_eq!((settings.engine, settings.isolation), (EngineChoice::Docker, Isolation::Auto));
    assert_eq!((settings.cpus, settings.output_limit), (Cpus::from_milli(100), Size::from_bytes(1024)));
    let row = |name| settings.languages.named(name).unwrap();
    assert_eq!((settings.memory_for(row("java")), settings.pids_for(row("java"))), (Size::mib(100), 10));
    assert!(settings.source("timeout").ends_with(".runpen.toml:4"));

    layers.workspace = json!({ "timeout": "1s", "memory": "50M" });
    let settings = layers.settings();
    assert_eq!(
        (settings.timeout, settings.memory_for(settings.languages.named("c++").unwrap())),
        (seconds(1), Size::mib(50))
    );
}

#[test]
fn a_lower_limit_of_a_project_never_raises_that_of_a_language() {
    let settings = Layers::new().project("memory = '4G'\npids = 1000").settings();
    for language in Languages::built_in().0.values() {
        assert_eq!(settings.memory_for(language), language.memory);
        assert_eq!(settings.pids_for(language), language.pids);
    }
}

#[test]
fn a_project_may_not_loosen() {
    let hostile = "strict = false\nnetwork = 'bridge'\ntimeout = '60s'\ncompile-timeout = '60s'\ncpus = 8\noutput-limit = '1G'\n\
                   isolation = 'none'\nengine = 'embedded'\nenv = { LD_PRELOAD = 'x' }\n[warm]\nper-language = 64\n\
                   [languages.python]\nimage = 'evil:1'\n[languages.new]\nsteps.run = ['x']\n";
    let mut layers = Layers::new().user("strict = true\nengine = 'docker'\nisolation = 'kata'").project(hostile);
    insta::assert_snapshot!(layers.warnings().join("\n"), @r#"
    .runpen.toml:9: env is ignored: a project cannot set the environment
    .runpen.toml:10: warm is ignored: a project cannot change what waits ahead of need
    .runpen.toml:14: languages.new is ignored: a project cannot change languages, images and commands
    .runpen.toml:12: languages.python is ignored: a project cannot change languages, images and commands
    .runpen.toml:8: engine is ignored: a project cannot change the engine that was chosen
    .runpen.toml:7: isolation is ignored: a project can only make it stronger
    .runpen.toml:1: strict is ignored: a project cannot turn it off
    .runpen.toml:2: network is ignored: a project cannot give itself one
    .runpen.toml:3: timeout is ignored: 1m is more than 10s, and a project can only lower it
    .runpen.toml:4: compile-timeout is ignored: 1m is more than 30s, and a project can only lower it
    .runpen.toml:5: cpus is ignored: 8 is more than 0.5, and a project can only lower it
    .runpen.toml:6: output-limit is ignored: 1G is more than 1M, and a project can only lower it
    "#);
    let settings = layers.load().unwrap().settings;
    let user = Layers::new().user("strict = true\nengine = 'docker'\nisolation = 'kata'").settings();
    assert_eq!(Settings { sources: BTreeMap::new(), ..settings }, Settings { sources: BTreeMap::new(), ..user });

    layers.workspace = json!({ "network": "bridge", "languages": { "python": { "image": "evil:1" } } });
    let warnings = layers.warnings();
    assert!(
        warnings.iter().any(|warning| warning.starts_with("workspace settings: network is ignored")),
        "{warnings:?}"
    );
    assert_eq!(layers.load().unwrap().settings.languages, *Languages::built_in());
}

#[test]
fn unknown_keys_are_warnings_with_the_nearest_known_one() {
    let mut layers = Layers::new()
        .user("timeuot = '5s'\ncompile_timeout = '5s'\nfrobnicate = 1\n\n[languages.python]\nimgae = 'x'\n[warm]\nperLanguage = 1\n")
        .project("memmory = '1M'\n");
    layers.editor =
        json!({ "compileTimout": "5s", "languages": { "go": { "filename": "x.go" } }, "trace": { "server": "off" } });
    insta::assert_snapshot!(layers.warnings().join("\n"), @r#"
    config.toml:1: unknown setting timeuot; did you mean timeout?
    config.toml:2: unknown setting compile_timeout; did you mean compile-timeout?
    config.toml:3: unknown setting frobnicate
    config.toml:6: unknown setting languages.python.imgae; did you mean image?
    config.toml:8: unknown setting warm.perLanguage; did you mean per-language?
    editor settings: unknown setting compileTimout; did you mean compileTimeout?
    editor settings: unknown setting languages.go.filename; did you mean fileName?
    editor settings: unknown setting trace
    .runpen.toml:1: unknown setting memmory; did you mean memory?
    "#);
}

#[test]
fn bad_values_are_errors_that_name_file_and_line() {
    let mut seen = Vec::new();
    for text in [
        "timeout = 'soon'",
        "\n\ntimeout = 0",
        "timeout = 10",
        "timeout = true",
        "timeout = nan",
        "memory = '-5M'",
        "memory = '2M'",
        "memory = 1e400",
        "cpus = 'x'",
        "pids = 0",
        "pids = -1",
        "pids = 99999999999999999999",
        "output-limit = '3'",
        "network = 'host'",
        "engine = 'podman'",
        "strict = 'yes'",
        "warm = 3",
        "languages = []",
        "env = { A = 1 }",
        "env = { 'A=B' = '1' }",
        "[warm]\nper-language = 1000",
        "[languages.python]\nimage = ''",
        "[languages.python]\n\nsteps.run = []",
        "[languages.python]\nsteps.run = ['x', 2]",
        "[languages.python]\nfile-name = '../x.py'",
        "[languages.python]\nextensions = ['.py']",
        "[languages.python]\nartifacts = ['a/../../etc']",
        "[languages.python]\nnofile = 1",
        "[languages.python.compile]\nmemory = '1x'",
        "[languages.'a b']\nimage = 'x'",
        "[languages.rust.selection]\nkeep = '('",
        "\n[languages.cobol]\nmemory = '64M'",
        "[languages.cobol]\nimage = 'cobol:3.4-alpine'",
        "[languages.cobol]\nimage = 'cobol:3.4-alpine'\nsteps.run = ['cobol', '{file}']",
        "timeout = ",
        "timeout = '1s'\ntimeout = '2s'",
        "= 3",
    ] {
        seen.push(Layers::new().user(text).error());
        // A project's mistake is no less of one: it wanted something to be tighter.
        assert_eq!(Layers::new().project(text).load().is_err(), !text.contains("languages.cobol"), "{text}");
    }
    insta::assert_snapshot!(seen.join("\n"), @r#"
    config.toml:1: timeout: "soon" is not a duration: write it like 500ms, 10s or 2m, above zero
    config.toml:3: timeout: "0" is not a duration: write it like 500ms, 10s or 2m, above zero
    config.toml:1: timeout: "10" is not a duration: write it like 500ms, 10s or 2m, above zero
    config.toml:1: timeout: it is written as a number or a text
    config.toml:1: timeout: "nan" is not a duration: write it like 500ms, 10s or 2m, above zero
    config.toml:1: memory: "-5M" is not a size: write it like 64M or 1G, from 1M up
    config.toml:1: memory: 2M is less than 6M, the least that a container starts with
    config.toml:1: memory: "1e400" is not a size: write it like 64M or 1G, from 1M up
    config.toml:1: cpus: "x" is not a number of CPUs: write it like 0.5 or 2, from 0.01 to 512
    config.toml:1: pids: it goes from 1 to 32768
    config.toml:1: pids: integer `-1` is not a whole number in range
    config.toml:1: pids: string "99999999999999999999" is not a whole number
    config.toml:1: output-limit: "3" is not a size: write it like 64K or 1M, from 1K up
    config.toml:1: network: `host` is not known here; expected `none` or `bridge`
    config.toml:1: engine: `podman` is not known here; expected one of `auto`, `docker`, `embedded`
    config.toml:1: strict: string "yes" is not a boolean
    config.toml:1: warm: integer `3` is not a table of settings
    config.toml:1: languages: a list is not a table
    config.toml:1: env.A: integer `1` is not a string
    config.toml:1: env.A=B: "A=B" is not the name of a variable
    config.toml:2: warm.per-language: more than 64 containers
    config.toml:2: languages.python.image: "" is not the name of an image: write it like python:3.13-alpine
    config.toml:3: languages.python.steps.run: a command has at least one word
    config.toml:2: languages.python.steps.run[1]: integer `2` is not a string
    config.toml:2: languages.python.file-name: "../x.py" is not a plain file name: write it like main.py
    config.toml:2: languages.python.extensions: ".py" is not an extension: write it without the dot, like py
    config.toml:2: languages.python.artifacts: "a/../../etc" is not a path inside the code's folder
    config.toml:2: languages.python.nofile: it goes from 16 to 1048576
    config.toml:2: languages.python.compile.memory: "1x" is not a size: write it like 64M or 1G, from 1M up
    config.toml:1: languages.a b: "a b" is not a name for a language: write it in letters, digits, + - _ # and .
    config.toml:1: languages.rust.selection: "(" is not a regular expression: write it like '^(use|import) '
    config.toml:2: languages.cobol: a new language needs an image; the built-in ones are in `runpen languages`
    config.toml:1: languages.cobol: a new language needs steps.run; the built-in ones are in `runpen languages`
    config.toml:1: languages.cobol: a new language needs extensions or a file-name; the built-in ones are in `runpen languages`
    config.toml:1: string values must be quoted, expected literal string
    config.toml:2: duplicate key
    config.toml:1: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`
    "#);
    let mut layers = Layers::new();
    layers.editor = json!({ "warm": { "idleTimeout": "1 fortnight" } });
    assert_eq!(
        layers.error(),
        r#"editor settings: warm.idle-timeout: "1 fortnight" is not a duration: write it like 500ms, 10s or 2m, above zero"#
    );
    layers.editor = json!([1]);
    assert!(layers.error().starts_with("editor settings: "), "{}", layers.error());
    layers.editor = json!({ "timeout": null });
    assert_eq!(layers.settings(), Settings::default());
    layers.flags = Layer { memory: Some(Size::mib(1)), ..Layer::default() };
    assert_eq!(layers.error(), "command line: memory: 1M is less than 6M, the least that a container starts with");
}

#[test]
fn rows_of_languages_are_laid_over_the_built_in_ones() {
    let settings = Layers::new()
        .user(
            "memory = '300M'\n[languages.python]\nimage = 'mine:1'\nenv = { X = '1' }\n[languages.java]\nmemory = '1G'\n\
             [languages.'c++']\nsteps.run = ['valgrind', './main']\n[languages.js]\nsteps.run = ['bun', '{file}']\n\
             [languages.cobol]\nimage = 'cobol:3.4-alpine'\nsteps.run = ['cobol', '{file}']\nextensions = ['cbl', 'py']\naliases = ['cbl']\n",
        )
        .settings();
    let row = |name| settings.languages.named(name).unwrap();
    let python = row("python");
    assert_eq!(
        (python.image.as_str(), python.env["X"].as_str(), python.env["PYTHONUNBUFFERED"].as_str()),
        ("mine:1", "1", "1")
    );
    assert_eq!(python.steps, Languages::built_in().named("python").unwrap().steps);
    assert!(python.boot.is_some());
    assert!(settings.source("languages.python.image").ends_with("config.toml:3"));
    assert_eq!((row("js").steps.run[0].as_str(), row("js").boot), ("bun", None));
    assert_eq!(row("cpp").steps.run[0], "valgrind");
    assert_eq!(settings.languages.0.len(), Languages::built_in().0.len() + 1);
    assert_eq!((row("cbl").file_name.as_str(), row("cbl").title.as_str()), ("main.cbl", "cobol"));
    assert_eq!(settings.languages.of(Path::new("x.py"), "").unwrap().name, "cobol");
    assert_eq!(settings.languages.of(Path::new("x.pyw"), "").unwrap().name, "python");
    assert_eq!((settings.memory_for(row("java")), settings.memory_for(python)), (Size::mib(1024), Size::mib(300)));
}

#[test]
fn a_memory_flag_wins_over_the_row_of_a_language() {
    let mut layers = Layers::new().user("[languages.java]\nmemory = '1G'\npids = 99");
    layers.flags = Layer { memory: Some(Size::mib(200)), pids: Some(33), ..Layer::default() };
    let settings = layers.settings();
    let java = settings.languages.named("java").unwrap();
    assert_eq!((settings.memory_for(java), settings.pids_for(java)), (Size::mib(200), 33));
}

#[test]
fn hostile_project_files_are_bounded() {
    let large = Layers::new().project(vec![b'#'; 2 << 20]);
    let error = large.load().unwrap_err();
    assert!(error.to_string().ends_with(".runpen.toml: it is larger than 1M"), "{error}");
    assert!(Layers::new().project(format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000))).load().is_err());
    assert!(Layers::new().project(format!("{}\n", "a.".repeat(100_000) + "b = 1")).load().is_err());
    assert!(Layers::new().project([0xff, 0xfe, 0]).load().is_err());
    let many: String = (0..50_000).map(|at| format!("k{at} = 1\n")).fold(String::new(), |text, line| text + &line);
    let warnings = Layers::new().project(many).warnings();
    assert_eq!(warnings.len(), 21);
    assert_eq!(warnings[20], ".runpen.toml: 49980 more unknown settings");
}

#[cfg(unix)]
#[test]
fn a_project_file_may_be_a_link_but_not_a_pipe() {
    let layers = Layers::new().user("timeout = '3s'");
    let project = layers.folder.path().join(".runpen.toml");
    std::os::unix::fs::symlink(layers.folder.path().join("config.toml"), &project).unwrap();
    assert_eq!(layers.settings().timeout, seconds(3));
    let error = load(&Sources { project: Some(Path::new("/dev/zero")), ..Sources::default() }).unwrap_err();
    assert_eq!(error.to_string(), "failed to read the configuration /dev/zero: it is not a file");
}

#[test]
fn a_user_file_that_was_named_must_be_there() {
    let error = load(&Sources { user: Some(Path::new("/nowhere/config.toml")), ..Sources::default() }).unwrap_err();
    assert!(
        error.to_string().starts_with("failed to read the configuration /nowhere/config.toml: No such file"),
        "{error}"
    );
}

#[test]
fn the_schema_describes_what_is_read() {
    let schema = schema();
    assert_eq!(schema["properties"]["compile-timeout"]["pattern"], r"^[0-9.]+ *(ms|s|m|min|h)$");
    assert!(schema["properties"]["languages"]["additionalProperties"]["properties"]["steps"].is_object());
    assert!(schema["properties"]["network"].to_string().contains("bridge"));
    for field in
        ["engine", "isolation", "strict", "timeout", "memory", "cpus", "pids", "output-limit", "network", "env", "warm"]
    {
        assert!(schema["properties"][field].is_object(), "{field}");
    }
}

#[test]
fn where_docker_is_is_the_users_to_say() {
    let layers = Layers::new().user("docker-context = \"big\"\n").project("docker-host = \"tcp://evil:2375\"\n");
    assert_eq!(
        layers.warnings(),
        [".runpen.toml:1: docker-host is ignored: a project cannot choose where code is sent"]
    );
    let wish = layers.load().unwrap().settings.engine_wish();
    assert_eq!((wish.docker_host, wish.docker_context.as_deref()), (None, Some("big")));
    let mut layers = Layers::new().user("docker-context = \"big\"\n");
    layers.editor = json!({"dockerHost": "ssh://other"});
    let wish = layers.settings().engine_wish();
    assert_eq!((wish.docker_host.as_deref(), wish.docker_context), (Some("ssh://other"), None), "the later one counts");
    let error = Layers::new().user("docker-host = \"big\"\n").error();
    assert!(error.contains("docker-host") && error.contains("write it like unix:///path"), "{error}");
    let error = Layers::new().user("docker-host = \"ssh://a\"\ndocker-context = \"b\"\n").error();
    assert!(error.contains("leave one of the two out"), "{error}");
}

#[test]
fn which_toolchains_are_shown_is_the_users_to_say() {
    let layers = Layers::new().user("toolchains = ['~/.pyenv']\n").project("toolchains = ['/root']\n");
    assert_eq!(
        layers.warnings(),
        [".runpen.toml:1: toolchains is ignored: a project cannot choose what of this machine a program sees"]
    );
    assert_eq!(layers.load().unwrap().settings.engine_wish().toolchains, [PathBuf::from("~/.pyenv")]);
    let error = Layers::new().user("toolchains = ['bin']\n").error();
    assert!(error.contains("toolchains") && error.contains("write it like /opt/go"), "{error}");
}

#[test]
fn a_port_for_metrics_is_the_users_to_open_and_the_loopbacks_alone() {
    let mut layers =
        Layers::new().user("metrics.listen = \"127.0.0.1:0\"\n").project("metrics.listen = \"127.0.0.1:80\"\n");
    assert_eq!(layers.warnings(), [".runpen.toml:1: metrics is ignored: a project cannot open a port"]);
    assert_eq!(layers.load().unwrap().settings.metrics_listen, "127.0.0.1:0".parse().ok());
    for wrong in ["0.0.0.0:9464", "9464", "localhost:9464", "192.0.2.1:1"] {
        layers = Layers::new().user(&format!("metrics.listen = \"{wrong}\"\n"));
        assert!(layers.error().contains("write it like 127.0.0.1:9464"), "{wrong}");
    }
}
