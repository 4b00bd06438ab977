//! Objects in a bucket of S3: put, get and delete, path-style, each request signed (AWS Signature Version 4).
//!
//! How many of each were asked for stands in a file, in lines of `name number`, for whoever counts.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::Full;
use hyper::{Method, Request, StatusCode};
use sha2::{Digest, Sha256};
use tracing::{error, instrument};

use crate::http::{Server, refused};

/// A store of that kind may be slow; one that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);
const REGION: &str = "us-east-1";
const SIGNED: &str = "host;x-amz-content-sha256;x-amz-date";

/// Whose requests they are.
struct Account {
    id: String,
    secret: String,
}

/// One bucket, which is there already.
pub struct Bucket {
    server: Server,
    /// `/` and its name.
    path: String,
    account: Account,
    asked: Mutex<Asked>,
}

impl Bucket {
    /// `url` is `http://HOST:PORT/BUCKET`; the account is that of `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`. What
    /// was asked for is told in the file `told`.
    pub fn open(url: &str, told: &Path) -> anyhow::Result<Self> {
        let variable = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
        let account =
            Account { id: variable("AWS_ACCESS_KEY_ID")?, secret: variable("AWS_SECRET_ACCESS_KEY")? };
        let (server, path) = Server::at(url, PATIENCE)?;
        let path = path.trim_end_matches('/').to_string();
        anyhow::ensure!(path.len() > 1, "{url:?} names no bucket: http://HOST:PORT/BUCKET");
        let asked = Mutex::new(Asked::tell_in(File::create(told)?)?);
        Ok(Self { server, path, account, asked })
    }

    /// Stores an object whole, in place of what had its name.
    #[instrument(level = "trace", skip(self, data), fields(len = data.len()))]
    pub async fn put(&self, name: &str, data: Vec<u8>) -> io::Result<()> {
        self.ask(Method::PUT, name, data.into()).await.map(drop)
    }

    /// An object whole, if there is one of that name.
    #[instrument(level = "trace", skip(self))]
    pub async fn get(&self, name: &str) -> io::Result<Option<Bytes>> {
        self.ask(Method::GET, name, Bytes::new()).await
    }

    /// Removes an object, if there is one of that name.
    #[instrument(level = "trace", skip(self))]
    pub async fn delete(&self, name: &str) -> io::Result<()> {
        self.ask(Method::DELETE, name, Bytes::new()).await.map(drop)
    }

    /// The body of the reply; `None` if there is no such object.
    async fn ask(&self, method: Method, name: &str, body: Bytes) -> io::Result<Option<Bytes>> {
        self.asked.lock().expect("no thread panics while it counts").count(&method)?;
        let answer = async {
            match self.server.send(self.signed(method.clone(), name, body, &now())?).await? {
                (status, body) if status.is_success() => Ok(Some(body)),
                (StatusCode::NOT_FOUND, body) if !is_of_bucket(&body) => Ok(None),
                (status, body) => Err(refused(status, &body)),
            }
        };
        answer.await.inspect_err(|cause: &io::Error| error!(%cause, %method, name, "S3"))
    }

    fn signed(
        &self,
        method: Method,
        name: &str,
        body: Bytes,
        time: &str,
    ) -> io::Result<Request<Full<Bytes>>> {
        let (path, host) = (format!("{}/{name}", self.path), &self.server.authority);
        let hash = hex(&Sha256::digest(&body));
        let canonical = format!(
            "{method}\n{path}\n\nhost:{host}\nx-amz-content-sha256:{hash}\nx-amz-date:{time}\n\n{SIGNED}\n{hash}"
        );
        let authorization = self.account.authorization(&canonical, time, "s3");
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", host)
            .header("x-amz-content-sha256", hash)
            .header("x-amz-date", time)
            .header("authorization", authorization)
            .body(Full::from(body))
            .map_err(io::Error::other)
    }
}

impl Account {
    /// The header that signs a canonical request, as Amazon's "Signature Version 4" says.
    fn authorization(&self, canonical: &str, time: &str, service: &str) -> String {
        let scope = format!("{}/{REGION}/{service}/aws4_request", &time[..8]);
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let first = format!("AWS4{}", self.secret).into_bytes();
        let key = scope.split('/').fold(first, |key, part| keyed(&key, part));
        let signature = hex(&keyed(&key, &text));
        let id = &self.id;
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={SIGNED}, Signature={signature}")
    }
}

/// A bucket that is not there is no object that is not there.
fn is_of_bucket(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).contains("NoSuchBucket")
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    written(since.map_or(0, |elapsed| elapsed.as_secs()))
}

/// Seconds since 1970 as `20260131T235959Z`, by Hinnant's "days from civil" turned round.
fn written(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// How often each kind of request was asked for.
struct Asked {
    told: File,
    put: u64,
    get: u64,
    delete: u64,
}

impl Asked {
    fn tell_in(told: File) -> io::Result<Self> {
        let asked = Self { told, put: 0, get: 0, delete: 0 };
        asked.tell()?;
        Ok(asked)
    }

    fn count(&mut self, method: &Method) -> io::Result<()> {
        match *method {
            Method::PUT => self.put += 1,
            Method::GET => self.get += 1,
            _ => self.delete += 1,
        }
        self.tell()
    }

    /// In one write of one size, so that whoever reads meanwhile finds whole lines.
    fn tell(&self) -> io::Result<()> {
        let text =
            format!("s3.put    {:20}\ns3.get    {:20}\ns3.delete {:20}\n", self.put, self.get, self.delete);
        self.told.write_all_at(text.as_bytes(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_it_is_signed() {
        assert_eq!(written(0), "19700101T000000Z");
        assert_eq!(written(951_782_399), "20000228T235959Z");
        assert_eq!(written(951_782_400), "20000229T000000Z");
        assert_eq!(written(1_369_353_600), "20130524T000000Z");
    }

    /// The example "GET Object" of Amazon's "Signature Calculations for the Authorization Header", but for its `Range`,
    /// which is not signed here: by python's hmac and hashlib.
    #[test]
    fn a_request_is_signed_as_amazon_says() {
        let account = Account {
            id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        };
        let hash = hex(&Sha256::digest(b""));
        let time = "20130524T000000Z";
        let canonical = format!(
            "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nx-amz-content-sha256:{hash}\nx-amz-date:{time}\n\n\
             {SIGNED}\n{hash}"
        );
        let header = account.authorization(&canonical, time, "s3");
        assert!(
            header.ends_with("Signature=df548e2ce037944d03f3e68682813b093763996d597cf890ca3d9037fd231eb4"),
            "{header}"
        );
    }
}
