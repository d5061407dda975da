//! Signature Version 4 for DynamoDB, and the texts of times.

use std::env;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use hyper::header::{HeaderName, HeaderValue, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::Request;
use sha2::{Digest, Sha256};

use crate::Failure;

const TARGET: &str = "DynamoDB_20120810.BatchWriteItem";
const JSON: &str = "application/x-amz-json-1.0";

#[derive(Clone)]
pub struct Signer {
    key_id: String,
    secret: String,
    token: Option<String>,
    region: String,
}

impl Signer {
    pub fn from_environment(region: String) -> Result<Self, env::VarError> {
        let token = env::var("AWS_SESSION_TOKEN").ok();
        let (key_id, secret) = (env::var("AWS_ACCESS_KEY_ID")?, env::var("AWS_SECRET_ACCESS_KEY")?);
        Ok(Signer { key_id, secret, token, region })
    }

    /// Adds the headers of a call of BatchWriteItem to its request.
    ///
    /// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    pub fn sign<B>(&self, request: &mut Request<B>, body: &[u8], now: SystemTime) -> Result<(), Failure> {
        let host = request.uri().authority().ok_or("the endpoint has no host")?.to_string();
        let moment = to_basic(now.duration_since(UNIX_EPOCH)?.as_secs());
        let date = &moment[..8];
        let mut signed = vec![("content-type", JSON), ("host", &host), ("x-amz-date", &moment)];
        signed.extend(self.token.as_deref().map(|token| ("x-amz-security-token", token)));
        signed.push(("x-amz-target", TARGET));

        let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let mut canonical = String::from("POST\n/\n\n");
        for (name, value) in &signed {
            writeln!(canonical, "{name}:{value}")?;
        }
        write!(canonical, "\n{names}\n{:x}", Sha256::digest(body))?;
        let scope = format!("{date}/{}/dynamodb/aws4_request", self.region);
        let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{:x}", Sha256::digest(canonical));
        let signature = hmac(&self.signing_key(date), &text);
        let mut hex = String::with_capacity(64);
        for byte in signature {
            write!(hex, "{byte:02x}")?;
        }
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={hex}", self.key_id);

        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        headers.insert(HOST, HeaderValue::try_from(host)?);
        headers.insert(HeaderName::from_static("x-amz-date"), HeaderValue::try_from(&moment)?);
        if let Some(token) = &self.token {
            headers.insert(HeaderName::from_static("x-amz-security-token"), HeaderValue::try_from(token)?);
        }
        headers.insert(HeaderName::from_static("x-amz-target"), HeaderValue::from_static(TARGET));
        headers.insert(AUTHORIZATION, HeaderValue::try_from(authorization)?);
        Ok(())
    }

    fn signing_key(&self, date: &str) -> [u8; 32] {
        let secret = format!("AWS4{}", self.secret);
        ["dynamodb", "aws4_request"]
            .iter()
            .fold(hmac(&hmac(secret.as_bytes(), date), &self.region), |key, part| hmac(&key, part))
    }
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("keys have any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// Returns seconds since 1970 as `20260102T030405Z`.
fn to_basic(seconds: u64) -> String {
    let (year, month, day) = to_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Returns milliseconds since 1970 as `2026-01-02T03:04:05.678Z`.
pub fn to_iso(millis: u64) -> String {
    let seconds = millis / 1000;
    let (year, month, day) = to_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", millis % 1000)
}

/// Returns the year, month and day of a number of days since 1970, by Hinnant's algorithm for days from March on.
fn to_date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}
