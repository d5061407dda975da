//! A Lambda function that validates the small reference messages and writes them to DynamoDB, without an AWS SDK.
//!
//! It is its own runtime: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html

mod signing;

use std::borrow::Cow;
use std::env;
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::Value;
use signing::{to_iso, Signer};
use tokio::task::JoinSet;

const TABLE: &str = "small";
/// The most writes of one BatchWriteItem.
const ITEMS: usize = 25;
/// The most calls under way at a time.
const CALLS: usize = 40;
const ATTEMPTS: u32 = 6;
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Http = Client<HttpConnector, Full<Bytes>>;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    message_id: &'a str,
    #[serde(borrow)]
    body: Cow<'a, str>,
    attributes: Attributes<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes<'a> {
    sent_timestamp: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Play,
    Pause,
    Stop,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    #[serde(borrow)]
    device: Cow<'a, str>,
    #[serde(borrow)]
    location: Cow<'a, str>,
    action: Action,
    position: u64,
    /// The digits as they were sent: a float would not keep them.
    rate: &'a RawValue,
    #[serde(borrow)]
    session: Cow<'a, str>,
}

impl Message<'_> {
    /// What the schema demands beyond the types.
    fn is_valid(&self) -> bool {
        let length = |text: &str| text.chars().count();
        (1..=200).contains(&length(&self.user_id))
            && (1..=200).contains(&length(&self.device))
            && length(&self.location) <= 200
            && self.rate.get().parse::<f64>().is_ok_and(|rate| (0.0..=4.0).contains(&rate))
            && !self.session.is_empty()
            && self.session.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
    }
}

#[derive(Serialize)]
enum Attribute<'a> {
    S(&'a str),
    N(&'a str),
}

#[derive(Serialize)]
struct Item<'a> {
    user_id: Attribute<'a>,
    device: Attribute<'a>,
    location: Attribute<'a>,
    action: Attribute<'a>,
    position: Attribute<'a>,
    rate: Attribute<'a>,
    session: Attribute<'a>,
    sent_at: Attribute<'a>,
}

/// One BatchWriteItem as it is made: its body, and for each of its items the key and the id of the message.
struct Batch<'a> {
    body: Vec<u8>,
    sources: Vec<(String, &'a str)>,
}

impl<'a> Batch<'a> {
    fn new() -> Self {
        Batch { body: format!(r#"{{"RequestItems":{{"{TABLE}":["#).into_bytes(), sources: Vec::with_capacity(ITEMS) }
    }

    fn add(&mut self, record: &Record<'a>) -> Result<(), Failure> {
        let message: Message = serde_json::from_str(&record.body)?;
        if !message.is_valid() {
            return Err("the message breaks the schema".into());
        }
        let (position, sent_at) = (message.position.to_string(), to_iso(record.attributes.sent_timestamp.parse()?));
        let item = Item {
            user_id: Attribute::S(&message.user_id),
            device: Attribute::S(&message.device),
            location: Attribute::S(&message.location),
            action: Attribute::S(match message.action {
                Action::Play => "play",
                Action::Pause => "pause",
                Action::Stop => "stop",
            }),
            position: Attribute::N(&position),
            rate: Attribute::N(message.rate.get()),
            session: Attribute::S(&message.session),
            sent_at: Attribute::S(&sent_at),
        };
        if !self.sources.is_empty() {
            self.body.push(b',');
        }
        self.body.extend_from_slice(br#"{"PutRequest":{"Item":"#);
        serde_json::to_writer(&mut self.body, &item)?;
        self.body.extend_from_slice(b"}}");
        self.sources.push((message.user_id.into_owned(), record.message_id));
        Ok(())
    }

    fn finish(mut self) -> (Bytes, Vec<(String, &'a str)>) {
        self.body.extend_from_slice(b"]}}");
        (self.body.into(), self.sources)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    unprocessed_items: serde_json::Map<String, Value>,
}

#[derive(Clone)]
struct Table {
    http: Http,
    endpoint: Uri,
    signer: Signer,
}

impl Table {
    /// Writes a batch, and returns the keys of the items that were left unprocessed to the end.
    async fn write(self, mut body: Bytes) -> Result<Vec<String>, Failure> {
        let mut attempt = 1;
        loop {
            let outcome = tokio::time::timeout(CALL_TIMEOUT, self.call(body.clone())).await.map_err(Failure::from);
            match outcome.and_then(|called| called) {
                Ok(left) if left.is_empty() => return Ok(Vec::new()),
                Ok(left) if attempt == ATTEMPTS => return Ok(keys_of(&left)),
                Ok(left) => body = serde_json::to_vec(&serde_json::json!({ "RequestItems": left }))?.into(),
                Err(error) if attempt == ATTEMPTS => return Err(error),
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(25 << attempt)).await;
            attempt += 1;
        }
    }

    /// Calls BatchWriteItem once, and returns what it left unprocessed.
    async fn call(&self, body: Bytes) -> Result<serde_json::Map<String, Value>, Failure> {
        let mut request = Request::post(self.endpoint.clone()).body(Full::new(body.clone()))?;
        self.signer.sign(&mut request, &body, SystemTime::now())?;
        let (head, body) = receive(self.http.request(request).await?).await?.into_parts();
        if head.status != StatusCode::OK {
            return Err(format!("BatchWriteItem: {} {}", head.status, String::from_utf8_lossy(&body)).into());
        }
        Ok(serde_json::from_slice::<Answer>(&body)?.unprocessed_items)
    }
}

fn keys_of(left: &serde_json::Map<String, Value>) -> Vec<String> {
    let puts = left.values().filter_map(Value::as_array).flatten();
    puts.filter_map(|put| put["PutRequest"]["Item"]["user_id"]["S"].as_str().map(str::to_owned)).collect()
}

async fn receive(response: Response<hyper::body::Incoming>) -> Result<Response<Bytes>, Failure> {
    let (head, body) = response.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}

/// Writes the messages of an event, and returns the ids of those that are to be received again.
async fn handle<'a>(table: &Table, event: &'a Event<'a>) -> Result<Vec<&'a str>, Failure> {
    let mut failed = Vec::new();
    let mut calls = JoinSet::new();
    let mut sources = Vec::new();
    let mut records = event.records.iter().peekable();
    while records.peek().is_some() {
        let mut batch = Batch::new();
        while batch.sources.len() < ITEMS {
            let Some(record) = records.next() else { break };
            if batch.add(record).is_err() {
                failed.push(record.message_id);
            }
        }
        if batch.sources.is_empty() {
            break;
        }
        if calls.len() == CALLS {
            settle(calls.join_next().await.expect("a call is under way")?, &sources, &mut failed);
        }
        let (body, made) = batch.finish();
        let (number, table) = (sources.len(), table.clone());
        calls.spawn(async move { (number, table.write(body).await) });
        sources.push(made);
        tokio::task::yield_now().await; // so that the request leaves before the next is made
    }
    while let Some(ended) = calls.join_next().await {
        settle(ended?, &sources, &mut failed);
    }
    Ok(failed)
}

/// Adds the messages of a call that are to be received again.
fn settle<'a>(
    (number, outcome): (usize, Result<Vec<String>, Failure>),
    sources: &[Vec<(String, &'a str)>],
    failed: &mut Vec<&'a str>,
) {
    let left = match &outcome {
        Ok(left) if left.is_empty() => return,
        Ok(left) => Some(left),
        Err(error) => {
            eprintln!("{error}");
            None
        }
    };
    let is_left = |key: &String| left.is_none_or(|keys| keys.contains(key));
    failed.extend(sources[number].iter().filter(|(key, _)| is_left(key)).map(|(_, id)| *id));
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    batch_item_failures: Vec<ItemFailure<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure<'a> {
    item_identifier: &'a str,
}

/// Returns the answer to an event.
async fn answer(table: &Table, event: &[u8]) -> Result<Vec<u8>, Failure> {
    let event: Event = serde_json::from_slice(event)?;
    let failed = handle(table, &event).await?;
    let batch_item_failures = failed.into_iter().map(|id| ItemFailure { item_identifier: id }).collect();
    Ok(serde_json::to_vec(&Report { batch_item_failures })?)
}

/// Handles events until the process ends.
async fn serve(api: String, table: Table) -> Result<(), Failure> {
    let base = format!("http://{api}/2018-06-01/runtime/invocation");
    let next: Uri = format!("{base}/next").parse()?;
    loop {
        let given = receive(table.http.get(next.clone()).await?).await?;
        let id = given.headers().get("lambda-runtime-aws-request-id").map(HeaderValue::to_str);
        let id = id.ok_or("the event has no id")??;
        let (path, body) = match answer(&table, given.body()).await {
            Ok(body) => ("response", body),
            Err(error) => ("error", serde_json::to_vec(&serde_json::json!({ "errorMessage": error.to_string() }))?),
        };
        let response = Request::post(format!("{base}/{id}/{path}")).body(Full::from(body))?;
        receive(table.http.request(response).await?).await?;
    }
}

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let http = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(CALLS).build(connector);
    let region = env::var("AWS_REGION")?;
    let endpoint = env::var("AWS_ENDPOINT_URL").unwrap_or(format!("https://dynamodb.{region}.amazonaws.com"));
    let signer = Signer::from_environment(region)?;
    let table = Table { http, endpoint: endpoint.parse()?, signer };
    runtime.block_on(serve(env::var("AWS_LAMBDA_RUNTIME_API")?, table))
}
