//! A client that forgets nothing: a test that leaves a message unread fails.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runpen::config::Settings;
use runpen::engine::fake::FakeEngine;
use runpen::lsp::{Backend, EditorSettings, Ended, Loaded, Outputs, SettingsSource, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::task::JoinHandle;

/// How long a message may take on a busy machine before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// The document most tests are about.
pub(crate) const URI: &str = "file:///work/story.py";

/// Settings for tests: what the editor said is kept to be looked at.
#[derive(Clone, Default)]
pub(crate) struct TestSettings {
    pub(crate) settings: Settings,
    pub(crate) warning: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) seen: Arc<Mutex<Vec<EditorSettings>>>,
}

impl SettingsSource for TestSettings {
    fn load(&self, editor: &EditorSettings, _document: Option<&Path>) -> Result<Loaded, String> {
        self.seen.lock().unwrap().push(editor.clone());
        let warnings = self.warning.iter().cloned().collect();
        self.error.clone().map_or_else(|| Ok(Loaded { settings: Arc::new(self.settings.clone()), warnings }), Err)
    }
}

pub(crate) struct Builder {
    capabilities: Value,
    options: Value,
    settings: TestSettings,
    pipe: usize,
    outputs: Option<PathBuf>,
}

impl Builder {
    pub(crate) fn capabilities(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    pub(crate) fn options(mut self, options: Value) -> Self {
        self.options = options;
        self
    }

    pub(crate) fn settings(mut self, change: impl FnOnce(&mut TestSettings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Bytes that fit between server and client before the server must wait.
    pub(crate) fn pipe(mut self, bytes: usize) -> Self {
        self.pipe = bytes;
        self
    }

    /// Where outputs go that the client opens.
    pub(crate) fn outputs(mut self, folder: &Path) -> Self {
        self.outputs = Some(folder.to_owned());
        self
    }

    /// Starts the server and initializes it.
    pub(crate) async fn start(self) -> TestServer {
        let (capabilities, options) = (self.capabilities.clone(), self.options.clone());
        let mut server = self.start_silent();
        let params =
            json!({"processId": null, "rootUri": null, "capabilities": capabilities, "initializationOptions": options});
        server.initialized = server.request("initialize", params).await.unwrap();
        server.notify("initialized", json!({})).await;
        server
    }

    /// Starts the server and says nothing to it.
    pub(crate) fn start_silent(self) -> TestServer {
        let engine = FakeEngine::default();
        let (output, stdin) = tokio::io::duplex(1 << 20);
        let (stdout, input) = tokio::io::duplex(self.pipe);
        let backend = Backend::new(Arc::new(engine.clone()), Arc::new(self.settings));
        let backend = backend.showing(Outputs::at(self.outputs));
        let task = tokio::spawn(serve(stdin, stdout, backend));
        TestServer {
            engine,
            initialized: Value::Null,
            output: Some(output),
            input: BufReader::new(input),
            inbox: VecDeque::new(),
            standings: VecDeque::new(),
            task: Some(task),
            next_id: 0,
        }
    }
}

pub(crate) struct TestServer {
    pub(crate) engine: FakeEngine,
    /// Answer to `initialize`.
    pub(crate) initialized: Value,
    output: Option<DuplexStream>,
    input: BufReader<DuplexStream>,
    inbox: VecDeque<Value>,
    /// What was said of the engine: it may come at any time, so no test need read it.
    standings: VecDeque<Value>,
    task: Option<JoinHandle<Ended>>,
    next_id: i64,
}

/// Error of a request: code and message.
pub(crate) type Refusal = (i64, String);

impl TestServer {
    pub(crate) fn builder() -> Builder {
        // Waiting containers would count as containers that are left.
        let mut settings = TestSettings::default();
        settings.settings.warm.enabled = false;
        Builder { capabilities: json!({}), options: Value::Null, settings, pipe: 1 << 20, outputs: None }
    }

    pub(crate) async fn start() -> Self {
        Self::builder().start().await
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.output.as_mut().unwrap().write_all(bytes).await.unwrap();
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
    }

    pub(crate) async fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    /// Sends a request and gives its id.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> i64 {
        self.next_id += 1;
        let mut message = json!({"jsonrpc": "2.0", "id": self.next_id, "method": method});
        if !params.is_null() {
            message["params"] = params;
        }
        self.send(&message).await;
        self.next_id
    }

    /// The answer to a request.
    pub(crate) async fn answer(&mut self, id: i64) -> Result<Value, Refusal> {
        let mut message = self.take(|message| message["id"] == id && message.get("method").is_none()).await;
        match message.get("error") {
            None => Ok(message["result"].take()),
            Some(error) => Err((error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())),
        }
    }

    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Result<Value, Refusal> {
        let id = self.ask(method, params).await;
        self.answer(id).await
    }

    pub(crate) async fn command(&mut self, command: &str, argument: Value) -> Result<Value, Refusal> {
        self.request("workspace/executeCommand", json!({"command": command, "arguments": [argument]})).await
    }

    /// Starts a run of the document and gives its id.
    pub(crate) async fn run_file(&mut self) -> String {
        let answer = self.command("runpen.runFile", json!({"uri": URI})).await.unwrap();
        answer["runId"].as_str().unwrap().to_owned()
    }

    /// Opens the document.
    pub(crate) async fn open(&mut self, text: &str) {
        let document = json!({"uri": URI, "languageId": "python", "version": 1, "text": text});
        self.notify("textDocument/didOpen", json!({"textDocument": document})).await;
    }

    /// Replaces a range of the document.
    pub(crate) async fn change(&mut self, version: i32, start: [u32; 2], end: [u32; 2], text: &str) {
        let change = json!({"range": range(start, end), "text": text});
        let document = json!({"uri": URI, "version": version});
        self.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": [change]})).await;
    }

    /// Parameters of the next notification of this method.
    pub(crate) async fn notification(&mut self, method: &str) -> Value {
        self.take(|message| message["method"] == method).await["params"].take()
    }

    /// Answers the next request of this method.
    pub(crate) async fn respond(&mut self, method: &str, answer: Result<Value, Value>) -> Value {
        let message = self.take(|message| message["method"] == method && message.get("id").is_some()).await;
        let (key, value) = answer.map_or_else(|error| ("error", error), |result| ("result", result));
        self.send(&json!({"jsonrpc": "2.0", "id": message["id"], key: value})).await;
        message["params"].clone()
    }

    /// All events up to the end of a run, in order; other messages stay.
    pub(crate) async fn events(&mut self, run_id: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self
                .take(|message| message["params"]["event"].is_string() && message["params"]["runId"] == run_id)
                .await;
            let event = event["params"].clone();
            let last = event["event"] == "finished";
            events.push(event);
            if last {
                return events;
            }
        }
    }

    /// The end of a run; what it said before is thrown away.
    pub(crate) async fn finished(&mut self, run_id: &str) -> Value {
        self.events(run_id).await.pop().unwrap()
    }

    /// The first message that fits; those before it stay in the inbox.
    pub(crate) async fn take(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let mut seen = 0;
        loop {
            if let Some(at) = self.inbox.iter().skip(seen).position(&fits) {
                return self.inbox.remove(seen + at).unwrap();
            }
            seen = self.inbox.len();
            let message = tokio::time::timeout(PATIENCE, self.read()).await;
            let Ok(Some(message)) = message else { panic!("the message never came; unread: {:#?}", self.inbox) };
            self.inbox.push_back(message);
        }
    }

    /// What is said next of the engine that fits.
    pub(crate) async fn standing(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            while let Some(standing) = self.standings.pop_front() {
                if fits(&standing) {
                    return standing;
                }
            }
            let message = tokio::time::timeout(PATIENCE, self.read_one()).await;
            let Ok(Some(message)) = message else { panic!("it was never said of the engine") };
            self.sort(message);
        }
    }

    fn sort(&mut self, mut message: Value) {
        if message["method"] == "runpen/status" {
            self.standings.push_back(message["params"].take());
        } else {
            self.inbox.push_back(message);
        }
    }

    /// The next message but those of the engine.
    async fn read(&mut self) -> Option<Value> {
        loop {
            let message = self.read_one().await?;
            if message["method"] != "runpen/status" {
                return Some(message);
            }
            self.sort(message);
        }
    }

    async fn read_one(&mut self) -> Option<Value> {
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.input.read_line(&mut line).await.unwrap();
            match line.trim_end() {
                "" if line.is_empty() => return None,
                "" => break,
                header => length = header.strip_prefix("Content-Length: ").unwrap().parse().unwrap(),
            }
        }
        let mut body = vec![0; length];
        self.input.read_exact(&mut body).await.unwrap();
        Some(serde_json::from_slice(&body).unwrap())
    }

    /// Methods of the messages in the inbox, in the order in which they came.
    pub(crate) fn unread(&self) -> Vec<String> {
        self.inbox.iter().map(|message| message["method"].as_str().unwrap_or("answer").to_owned()).collect()
    }

    /// Forgets what was not read.
    pub(crate) fn forget(&mut self) {
        self.inbox.clear();
    }

    /// Closes the server's standard input.
    pub(crate) fn hang_up(&mut self) {
        self.output = None;
    }

    /// Waits until the server has ended by itself.
    pub(crate) async fn ended(&mut self) -> Ended {
        let task = self.task.take().unwrap();
        tokio::time::timeout(PATIENCE, task).await.expect("the server does not end").unwrap()
    }

    /// Reads what is left after the end.
    pub(crate) async fn drain(&mut self) {
        while let Some(message) = self.read().await {
            self.inbox.push_back(message);
        }
    }

    /// Ends politely; no message may be unread and no container left.
    pub(crate) async fn finish(mut self) {
        assert_eq!(self.request("shutdown", Value::Null).await, Ok(Value::Null));
        self.notify("exit", Value::Null).await;
        assert!(self.ended().await.politely);
        self.drain().await;
        assert!(self.inbox.is_empty(), "unread: {:#?}", self.inbox);
        assert_eq!(self.engine.alive(), 0, "containers are left");
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        assert!(self.task.is_none() || std::thread::panicking(), "a test must end with finish()");
    }
}

pub(crate) fn position([line, character]: [u32; 2]) -> Value {
    json!({"line": line, "character": character})
}

pub(crate) fn range(start: [u32; 2], end: [u32; 2]) -> Value {
    json!({"start": position(start), "end": position(end)})
}

/// Text of a stream, put together from events.
pub(crate) fn text(events: &[Value], stream: &str) -> String {
    let outputs = events.iter().filter(|event| event["event"] == "output" && event["stream"] == stream);
    outputs.map(|event| event["text"].as_str().unwrap()).collect()
}
