//! Between the client's bytes and the service. It knows JSON-RPC and no method but `exit`.
//!
//! # Theory of operation
//!
//! tower-lsp routes, decodes and cancels; its own transport is not used, for three reasons that were each measured: it
//! ends at the first malformed message; it handles nothing more while the client does not read; and at the end of input
//! it waits for requests in flight. Here one loop reads. A request is polled once where it was read, so that what handlers
//! do before their first await happens in the order of arrival, and goes on in a task of its own if it has more to do.
//! What is said leaves by the [`Outbox`], so nothing here ever waits for the client to read.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncRead;
use tokio_util::sync::CancellationToken;
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response};
use tower_lsp::{ClientSocket, ExitedError, LanguageServer, LspService};
use tower_service::Service;

use super::frame::Frames;
use super::outbox::Outbox;

tokio::task_local! {
    /// Cancelled when the request that is being handled has been answered.
    static ANSWERED: CancellationToken;
}

/// A token that is cancelled when the request that is being handled has been answered.
pub(crate) fn answered() -> CancellationToken {
    ANSWERED.try_with(Clone::clone).unwrap_or_else(|_| {
        let token = CancellationToken::new();
        token.cancel();
        token
    })
}

/// Ids of our requests that the client has not answered.
type Asked = Arc<Mutex<HashSet<i64>>>;

/// As much of a message as tells what it is.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    id: Option<Value>,
    method: Option<Value>,
    result: Option<serde::de::IgnoredAny>,
    error: Option<serde::de::IgnoredAny>,
}

/// Serves until the input ends, `exit` comes or the client reads no more. `heard` is called with each of its messages.
pub(crate) async fn serve<S: LanguageServer>(
    stdin: impl AsyncRead + Unpin,
    mut service: LspService<S>,
    socket: ClientSocket,
    outbox: Outbox,
    heard: impl Fn(),
) {
    let (mut requests, mut answers) = socket.split();
    let asked = Asked::default();
    let ask = {
        let (outbox, asked) = (outbox.clone(), Arc::clone(&asked));
        async move {
            while let Some(request) = requests.next().await {
                if let Some(Id::Number(id)) = request.id() {
                    asked.lock().unwrap_or_else(PoisonError::into_inner).insert(*id);
                }
                outbox.message(&request);
            }
            // Closed only at the end.
            std::future::pending::<()>().await;
        }
    };
    let read = async {
        let mut frames = Frames::new(stdin);
        loop {
            let body = match frames.next().await {
                Ok(Some(Ok(body))) => body,
                Ok(Some(Err(error))) => {
                    outbox.message(&refusal(Id::Null, ErrorCode::ParseError, &error.to_string()));
                    continue;
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::info!(%error, "the client's messages end");
                    return;
                }
            };
            match decode(&body, &asked) {
                Ok(Message::Request(request)) => {
                    heard();
                    let exits = request.method() == "exit";
                    handle(&mut service, request, &outbox).await;
                    if exits {
                        return;
                    }
                }
                Ok(Message::Response(response)) => {
                    if answers.send(response).await.is_err() {
                        return;
                    }
                }
                Ok(Message::Nothing) => {}
                Err(refusal) => outbox.message(&refusal),
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = ask => {}
        () = outbox.client_gone() => {}
    }
}

enum Message {
    Request(Request),
    Response(Response),
    /// An answer to nothing.
    Nothing,
}

fn decode(body: &[u8], asked: &Asked) -> Result<Message, Response> {
    let kind: Kind = serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            refusal(Id::Null, ErrorCode::InvalidRequest, "a message must be one JSON object")
        }
        _ => refusal(Id::Null, ErrorCode::ParseError, &format!("the message is not JSON: {error}")),
    })?;
    let id = kind.id.as_ref().and_then(|id| serde_json::from_value::<Id>(id.clone()).ok());
    let invalid = |reason: &str| refusal(id.clone().unwrap_or_default(), ErrorCode::InvalidRequest, reason);
    if kind.method.is_some() {
        if kind.id.is_some() && id.is_none() {
            return Err(invalid("an id must be a whole number or a string"));
        }
        let request = serde_json::from_slice(body);
        return request.map(Message::Request).map_err(|error| invalid(&format!("the request is malformed: {error}")));
    }
    let ours = match &id {
        Some(Id::Number(id)) => asked.lock().unwrap_or_else(PoisonError::into_inner).remove(id),
        _ => false,
    };
    match (id.clone(), ours) {
        // Also an answer without a result, as clients send that cannot tell null from nothing.
        (Some(id), true) if kind.error.is_none() => {
            let result = serde_json::from_slice::<Value>(body).ok();
            let result = result.and_then(|mut body| body.get_mut("result").map(Value::take)).unwrap_or_default();
            Ok(Message::Response(Response::from_ok(id, result)))
        }
        (Some(id), true) => {
            let error = serde_json::from_slice::<Response>(body);
            let unread = |_| Response::from_error(id, Error::internal_error());
            Ok(Message::Response(error.unwrap_or_else(unread)))
        }
        _ if kind.result.is_some() || kind.error.is_some() => Ok(Message::Nothing),
        _ => Err(invalid("a message must have a method, a result or an error")),
    }
}

fn refusal(id: Id, code: ErrorCode, reason: &str) -> Response {
    Response::from_error(id, Error { code, message: reason.to_owned().into(), data: None })
}

/// Calls the service: once here, and in a task of its own if that was not enough.
async fn handle<S: LanguageServer>(service: &mut LspService<S>, request: Request, outbox: &Outbox) {
    let id = request.id().cloned();
    let method = request.method().to_owned();
    let answered = CancellationToken::new();
    // Always ready: the service only says otherwise while `initialize` is under way, which never awaits here.
    let call = AssertUnwindSafe(service.call(request)).catch_unwind();
    let mut call = Box::pin(ANSWERED.scope(answered.clone(), call));
    let first = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
    let reply = Reply { id, method, outbox: outbox.clone(), answered };
    match first {
        Poll::Ready(response) => reply.send(response),
        Poll::Pending => {
            tokio::spawn(async move { reply.send(call.await) });
        }
    }
}

/// Where the answer to a request goes.
struct Reply {
    id: Option<Id>,
    method: String,
    outbox: Outbox,
    answered: CancellationToken,
}

impl Reply {
    fn send(self, response: std::thread::Result<Result<Option<Response>, ExitedError>>) {
        match response {
            Ok(Ok(Some(response))) => self.outbox.message(&response),
            Ok(Ok(None) | Err(_)) => {}
            Err(_) => {
                tracing::error!(method = self.method, "a handler panicked");
                if let Some(id) = self.id {
                    self.outbox.message(&Response::from_error(id, Error::internal_error()));
                }
            }
        }
        self.answered.cancel();
    }
}
